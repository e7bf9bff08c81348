"""Every setting of passback, read from `PASSBACK_*` variables, `.env` and secret files, and checked at start."""

import difflib
import os
import re
import unicodedata
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self, get_args
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from shared.domain.passback.rules.eligibility import DEFAULT_MAX_NAME_CHARS
from shared.domain.provisioning.policy import DEFAULT_COURSE_SIS_IDS, CoursePer, SisIdTemplate, check_course_template
from shared.removed_settings import REMOVED_SETTINGS
from shared.setting_types import (
    AccountTemplate,
    ClearedScores,
    CourseTemplate,
    Cron,
    Enrollments,
    Headers,
    Logins,
    Networks,
    OptionalSeconds,
    Origins,
    ProxyRoles,
    SectionTemplate,
    Selection,
    Sentinels,
    Shares,
    StaffTemplate,
    StudentTemplate,
    TermTemplate,
    Url,
    Waits,
    Zone,
    pairs,
)

PREFIX = "PASSBACK_"
SECRETS_DIR_VARIABLE = f"{PREFIX}SECRETS_DIR"
OTLP_VARIABLES = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

DEFAULT_SHARES = ("courses:10", "sections:10", "users:5", "enrollments:10", "leavers:40")
DEFAULT_ENROLLMENTS = ("dropped:completed", "replaced-teacher:inactive", "pre-registered:active")
DEFAULT_LOGINS = ("student:{student_number}", "staff:T{teacher_number}")

MIN_LENGTHS = {
    "operator_password": (12, "characters"),
    "viewer_password": (12, "characters"),
    "session_secret": (32, "characters"),
    "metrics_token": (16, "characters"),
    # Standard Webhooks asks for 24 to 64 bytes.
    "webhook_secret": (24, "bytes in Base64"),
}
"""The least length of each secret that the installation chooses; a password's hash is longer."""


class ConfigurationError(Exception):
    """The settings are not usable. The message names the setting and the fix, never a secret's value."""


class Settings(BaseModel):
    """What an installation decides. Units are in the names: `_S` seconds, `_MS` milliseconds."""

    model_config = ConfigDict(
        frozen=True, arbitrary_types_allowed=True, allow_inf_nan=False, hide_input_in_errors=True, extra="forbid"
    )

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern="^(redis|rediss|unix)://",
        description="URL of Redis, which stores everything: `redis://`, `rediss://` (TLS) or `unix://`.",
    )
    redis_password: SecretStr = Field(
        SecretStr(""), description="Password of Redis, if the URL has none. It can be a secret file of its own."
    )
    redis_sentinels: Sentinels = Field(
        (),
        description="Redis Sentinels as `host:port`, comma-separated. Put the master's name before the first if it is "
        "not `passback`: `records@redis-1:26379,redis-2:26379`. The URL then gives user, database and TLS only.",
    )
    redis_sentinel_password: SecretStr = Field(SecretStr(""), description="Password of the Sentinels.")
    redis_prefix: str = Field(
        "passback",
        pattern=r"^[A-Za-z0-9_-]+$",
        description="First part of every Redis key. Districts with different prefixes can share a Redis.",
    )
    allow_volatile_redis: bool = Field(
        False,
        description="Start workers on a Redis without an append-only file. Such a Redis loses its data at a restart.",
    )
    ca_bundle: Path | None = Field(
        None,
        description="PEM file of private certificate authorities, for every system that passback calls: Redis "
        "(`rediss://`), its Sentinels, Canvas with its keys, PowerSchool and the servers of notifications. Public "
        "authorities are trusted as well.",
    )

    canvas_url: Url = Field("", description="URL of Canvas, such as `https://district.instructure.com`.")
    canvas_token: SecretStr = Field(
        SecretStr(""), description="Access token of the service user (`view_all_grades`, `read_sis`)."
    )
    canvas_provisioning_token: SecretStr = Field(
        SecretStr(""),
        description="Access token for SIS imports (`import_sis` or `manage_sis` on the root account). Unset: "
        "`PASSBACK_CANVAS_TOKEN` is used.",
    )
    canvas_account: str = Field(
        "self",
        pattern=r"^(self|\d+)$",
        description="Account that is searched for courses to sync: an id, or `self` for the token's root account. "
        "Canvas accepts `self` here without documenting it. SIS imports go to the root account of this account.",
    )
    canvas_root_account_uuid: str = Field(
        "", description="The district's `root_account_uuid`. Events of other Canvas customers are rejected."
    )

    live_events_jwks_url: Url = Field(
        "https://8axpcl50e4.execute-api.us-east-1.amazonaws.com/main/jwks",
        description="URL of the public keys that verify signed Live Events.",
    )
    live_events_allow_unsigned: bool = Field(
        False, description="Accept Live Events without a signature. Use it only if something else checks the sender."
    )
    sqs_queue_url: Url = Field(
        "", description="SQS queue of Live Events, read by `passback sqs` with AWS's usual credentials."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret of `POST /webhooks/changes` (Standard Webhooks, `whsec_…`), at least 24 bytes. Unset: "
        "every webhook is rejected.",
    )

    powerschool_url: Url = Field("", description="URL of PowerSchool, such as `https://ps.district.example`.")
    powerschool_client_id: str = Field("", description="Client id of the passback plugin.")
    powerschool_client_secret: SecretStr = Field(SecretStr(""), description="Client secret of the passback plugin.")
    powerschool_min_interval_ms: int = Field(
        0, ge=0, description="Minimum time between two PowerSchool requests of all workers together. 0: no minimum."
    )

    section_sis_id: SectionTemplate = Field(
        "{section_dcid}",
        description="Template of a section's SIS id: `{section_dcid}`, `{section_id}`, `{school_number}`, "
        "`{term_id}`, `{course_number}`, `{section_number}`.",
    )
    student_sis_id: StudentTemplate = Field(
        "{student_number}", description="Template of a student's SIS id: `{student_number}`, `{student_dcid}`."
    )
    course_sis_id: CourseTemplate = Field(
        "",
        description="Template of a Canvas course's SIS id: the fields of sections, `{teacher_number}` and "
        "`{users_dcid}`. Unset: `{section_dcid}`, or with a course per teacher "
        "`{school_number}-{term_id}-{course_number}-T{teacher_number}`.",
    )
    staff_sis_id: StaffTemplate = Field(
        "T{teacher_number}", description="Template of a staff member's SIS id: `{teacher_number}`, `{users_dcid}`."
    )
    term_sis_id: TermTemplate = Field(
        "{school_number}-{term_id}",
        description="Template of a term's SIS id: `{school_number}`, `{term_id}`, `{term_dcid}`. Terms with the same "
        "SIS id are one term in Canvas.",
    )
    login_ids: Logins = Field(
        DEFAULT_LOGINS,
        description="Templates of logins, as the district's sign-in names its users. `student:` takes "
        "`{student_number}`, `{student_dcid}`, `{email}`; `staff:` takes `{teacher_number}`, `{users_dcid}`, "
        "`{email}`. One that is not listed has its default.",
    )

    district_time_zone: Zone = Field(
        None,
        description="IANA time zone in which due dates become calendar dates, for courses without one in Canvas. "
        "Unset: PowerSchool's.",
    )
    default_category: str = Field(
        "", description="Category of assignment groups without a match. Unset: their work is `category_missing`."
    )
    name_max_chars: int = Field(
        DEFAULT_MAX_NAME_CHARS,
        ge=30,
        le=50,
        description="Maximum length of an assignment's name, in characters. PowerSchool stores 50.",
    )
    cleared_scores: ClearedScores = Field(
        ClearedScores.REPORT,
        description="What to do about a score that was sent and is empty in Canvas now. `report`: report it and leave "
        "the score in PowerSchool. `blank`: also send an empty score. PowerSchool does not document that this clears "
        "it; test it on one score first. The 0 of a withdrawn missing or excused flag is always cleared.",
    )
    term_grace_days: int = Field(14, ge=0, description="Days after a term's end in which changes are still synced.")
    quiet_period_s: float = Field(2.0, ge=0, description="A course is synced when nothing changed for this long.")
    first_change_s: OptionalSeconds = Field(
        0.2,
        ge=0,
        description="The first change of an up-to-date course, one that was not synced for four quiet periods, is "
        "synced after this long. Empty: it waits for the quiet period.",
    )
    max_wait_s: float = Field(15.0, ge=0, description="A course is synced at the latest this long after a change.")
    retry_waits_s: Waits = Field(
        (2.0, 10.0, 60.0, 300.0, 1800.0),
        description="Waits between attempts, comma-separated. There is one attempt more than waits.",
    )
    reconcile_interval_s: float = Field(
        21_600.0, gt=0, description="Time in which the rolling reconciliation compares every connected course once."
    )
    sync_schedule: Cron = Field(
        "0 3 * * *",
        description="When every connected course is synced: cron, in the district's time zone. Empty: never.",
    )
    provision_schedule: Cron = Field(
        "0 4 * * *",
        description="When Canvas is provisioned from PowerSchool: cron, in the district's time zone. Empty: never.",
    )
    provision_course_per: CoursePer = Field(
        CoursePer.SECTION,
        description="One Canvas course for each `section`, or for each `teacher` of a course in a term.",
    )
    provision_publish_courses: bool = Field(
        False, description="Publish new Canvas courses. Otherwise teachers publish them. Later changes are kept."
    )
    provision_selection: Selection = Field(
        (),
        description="What goes to Canvas: `school:100,course:ENG*`. With a minus, what does not: "
        "`course:-LUNCH*,section:-4711`. A section is named by SECTIONS.DCID, or by course and section number: "
        "`section:-ENG*.9*`. `section:-empty` excludes sections without any student. Empty: everything.",
    )
    provision_enrollments: Enrollments = Field(
        DEFAULT_ENROLLMENTS,
        description="Canvas enrollments. `dropped`, a student who left a section: `completed` (can read) or "
        "`inactive` (sees nothing). `replaced-teacher`: `inactive`, `completed` or `deleted`. `pre-registered`, a "
        "student with ENROLL_STATUS -1: `active`, or `wait` until enrolled. `role-27:ta` gives co-teachers with "
        "SECTIONTEACHER.ROLEID 27 that Canvas role: `ta`, `teacher` or a role of the account. Others are teachers.",
    )
    provision_account_sis_id: AccountTemplate = Field(
        "",
        description="SIS id of the Canvas account of a school's courses: a template with `{school_number}`, or one "
        "account for all. The accounts must exist. Unset: new courses go to the root account.",
    )
    provision_remaster_days: int = Field(
        7,
        ge=0,
        description="Days between two complete imports of the same data. They repair what others changed in Canvas. "
        "0: never by schedule.",
    )
    provision_shrink_percent: Shares = Field(
        DEFAULT_SHARES,
        description="Percentage of a school's rows that a run may end. Above it, the run is held for approval. `users` "
        "also counts changed SIS ids, logins and names. `leavers` are users without any current class.",
    )

    audit_days: int = Field(
        400,
        ge=1,
        le=36_500,
        description="Days for which the audit log stores writes to PowerSchool and the values that they replaced.",
    )

    worker_threads: int = Field(8, ge=1, le=64, description="Number of courses that one worker syncs at once.")

    operator_password: SecretStr = Field(
        SecretStr(""),
        description="Password of `operator`, who can see and do everything: at least 12 characters, or its hash from "
        "`passback password`.",
    )
    viewer_password: SecretStr = Field(
        SecretStr(""),
        description="Password of `viewer`, who can see states, reasons and ids, but no scores, and can change nothing: "
        "likewise.",
    )
    session_secret: SecretStr = Field(
        SecretStr(""),
        description="Key of session and form digests, at least 32 characters. Unset: a random one, stored in Redis.",
    )
    proxy_addresses: Networks = Field(
        (),
        description="Addresses or networks of the proxies in front of the web process. Their headers about sender, "
        "TLS and signed-in user are trusted.",
    )
    proxy_headers: Headers = Field(
        (),
        description="Header in which such a proxy sends the name of the signed-in user and, optionally, the header of "
        "the user's groups: `X-Forwarded-User,X-Forwarded-Groups`.",
    )
    proxy_roles: ProxyRoles = Field(
        (),
        description="Roles of groups (of users, without a header of groups): "
        "`operator:it-staff,score-viewer:counselors,viewer:help-desk`. A `score-viewer` is a viewer who also sees "
        "students' scores and names. Without any `viewer`, every user of the proxy is a viewer.",
    )

    public_url: Url = Field(
        "",
        description="Address of the web process as browsers reach it, such as `https://passback.district.example`. "
        "The page inside Canvas needs it.",
    )
    lti_client_id: str = Field(
        "",
        pattern=r"^\d*$",
        description="Client id that Canvas shows for passback in Developer Keys. Not needed for a registration that an "
        "operator confirmed.",
    )
    lti_issuer: Url = Field(
        "https://canvas.instructure.com",
        description="Issuer of Canvas's launches. Beta: `https://canvas.beta.instructure.com`. A self-hosted Canvas "
        "has its own in `config/security.yml`.",
    )
    lti_platform_url: Url = Field(
        "",
        description="Address under which a self-hosted Canvas authorizes launches and publishes its keys. Unset: "
        "Instructure's for the issuer, or `PASSBACK_CANVAS_URL` for another issuer.",
    )
    lti_frame_ancestors: Origins = Field(
        (),
        description="Further addresses under which people open Canvas, such as `https://canvas.district.example`. Only "
        "Canvas may show passback in a frame.",
    )
    lti_teachers_may_sync: bool = Field(True, description="Teachers may request a sync of their course inside Canvas.")

    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="Bearer token for `/metrics`, at least 16 characters. Unset: only this machine and the operator "
        "can read it.",
    )
    school_hours: Cron = Field(
        "* 8-15 * * mon-fri",
        description="Minutes in which events are expected: cron, in the district's time zone. Empty: never.",
    )

    notify_urls: SecretStr = Field(
        SecretStr(""),
        description="Where administrators are told what needs them: URLs of Apprise with spaces between them, such as "
        "`mailtos://user:password@smtp.district.example?to=it@district.example`. Needs the extra `notify`. Unset: "
        "nobody is told.",
    )
    notify_quiet_hours: Cron = Field(
        "* 0-5,21-23 * * *",
        description="Minutes in which no message is sent: cron, in the district's time zone. Messages wait for their "
        "end, and those about what is over by then are not sent. Empty: none.",
    )

    notify_teachers_url: SecretStr = Field(
        SecretStr(""),
        description="Mail server, as a URL of Apprise without a recipient, by which each teacher is told once a week "
        "what needs them: `mailtos://user:password@smtp.district.example?from=passback@district.example`. Their "
        "addresses are read from Canvas when a message is sent, and not stored. Unset: teachers are not told.",
    )
    notify_teachers_with_names: bool = Field(
        False, description="Name courses and assignments in messages to teachers. Never students. Otherwise ids only."
    )

    log_level: str = Field(
        "INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe level that is logged."
    )

    @model_validator(mode="after")
    def _redis_can_be_found(self) -> Self:
        if self.redis_sentinels and self.redis_url.startswith("unix://"):
            raise ValueError(f"{PREFIX}REDIS_SENTINELS lead to hosts: make {PREFIX}REDIS_URL redis:// or rediss://")
        return self

    @model_validator(mode="after")
    def _windows_are_possible(self) -> Self:
        if self.max_wait_s < self.quiet_period_s:
            raise ValueError(
                f"{PREFIX}MAX_WAIT_S ({self.max_wait_s:g}) is shorter than {PREFIX}QUIET_PERIOD_S "
                f"({self.quiet_period_s:g}); make it at least as long"
            )
        return self

    @model_validator(mode="after")
    def _course_ids_fit(self) -> Self:
        if self.course_sis_id:
            try:
                per_teacher = self.provision_course_per is CoursePer.TEACHER
                check_course_template(SisIdTemplate(self.course_sis_id), per_teacher=per_teacher)
            except ValueError as error:
                raise ValueError(f"{PREFIX}COURSE_SIS_ID: {error}") from None
        return self

    @model_validator(mode="after")
    def _proxies_are_known(self) -> Self:
        if self.proxy_headers and not self.proxy_addresses:
            raise ValueError(
                f"{PREFIX}PROXY_HEADERS is set, and {PREFIX}PROXY_ADDRESSES is not: anybody could send these headers; "
                "name the addresses of the proxy"
            )
        return self

    @model_validator(mode="after")
    def _canvas_can_open_passback(self) -> Self:
        parts = urlsplit(self.public_url)
        if parts.path or parts.query or parts.fragment or parts.username is not None:
            raise ValueError(
                f"{PREFIX}PUBLIC_URL is more than a scheme and a host; write it such as https://passback.district.example"
            )
        if self.lti_client_id and (missing := self.missing_for_lti()):
            raise ValueError("\n".join(f"{PREFIX}LTI_CLIENT_ID is set, and {problem}" for problem in missing))
        return self

    @model_validator(mode="after")
    def _secrets_are_long(self) -> Self:
        """Refuse what can be guessed. Secrets that Canvas, PowerSchool and Redis give out are theirs to choose."""
        short = [
            f"{PREFIX}{name.upper()} is shorter than {least} {unit}; make it longer"
            for name, (least, unit) in MIN_LENGTHS.items()
            if 0 < _length(getattr(self, name).get_secret_value(), unit) < least
        ]
        if short:
            raise ValueError("\n".join(short))
        return self

    @model_validator(mode="after")
    def _secrets_can_be_sent(self) -> Self:
        """Refuse what no header takes, before a library quotes it in an error."""
        secrets = {
            name: value.get_secret_value()
            for name in type(self).model_fields
            if isinstance(value := getattr(self, name), SecretStr)
        }
        bad = [
            f"{PREFIX}{name.upper()} holds a line break or another control character; give it in one line"
            for name, secret in secrets.items()
            if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in secret)
        ]
        bad += [
            f"{PREFIX}{name.upper()} holds a character that is not ASCII; copy it anew"
            for name, secret in secrets.items()
            if name.endswith("_token") and not secret.isascii()
        ]
        if bad:
            raise ValueError("\n".join(bad))
        return self

    @model_validator(mode="after")
    def _messages_have_targets(self) -> Self:
        urls = self.notify_urls.get_secret_value().split()
        if not all(re.match(r"[A-Za-z][A-Za-z0-9]*://.", url) for url in urls):
            raise ValueError(
                f"{PREFIX}NOTIFY_URLS is no list of URLs with spaces between them, such as "
                "mailtos://user:password@smtp.district.example?to=it@district.example; write a space in a URL as %20"
            )
        teachers = self.notify_teachers_url.get_secret_value()
        if teachers and not re.fullmatch(r"mailtos?://\S+", teachers):
            raise ValueError(
                f"{PREFIX}NOTIFY_TEACHERS_URL is no URL of a mail server such as "
                "mailtos://user:password@smtp.district.example?from=passback@district.example"
            )
        return self

    @model_validator(mode="after")
    def _redis_url_is_one(self) -> Self:
        """Refuse what libraries parse differently, and quote with its password."""
        try:
            parts = urlsplit(self.redis_url)
            is_one = parts.port is None or parts.port > 0
        except ValueError:
            is_one = False
            parts = urlsplit("")
        is_socket = parts.scheme == "unix"
        database = parts.path.strip("/")
        is_one = is_one and not parts.fragment and not any(map(str.isspace, self.redis_url))
        is_one = is_one and (is_socket or ("@" not in parts.path + parts.query and (database or "0").isdecimal()))
        if not is_one:
            raise ValueError(
                f"{PREFIX}REDIS_URL is no URL of Redis: it has the form redis://user:password@host:6379/0; write / in "
                f"a password as %2F, # as %23, ? as %3F and @ as %40, or give it in {PREFIX}REDIS_PASSWORD"
            )
        return self

    @property
    def redis_sentinel_master(self) -> str:
        """Return the name by which the Sentinels know Redis."""
        return self.redis_sentinels[0].rpartition("@")[0] or "passback"

    @property
    def redis_sentinel_hosts(self) -> tuple[str, ...]:
        """Return `host:port` of each Sentinel."""
        return tuple(part.rpartition("@")[2] for part in self.redis_sentinels)

    @property
    def course_template(self) -> str:
        """Return the template of courses: as set, else the default for what gets a course."""
        return self.course_sis_id or DEFAULT_COURSE_SIS_IDS[self.provision_course_per]

    @property
    def login_templates(self) -> Mapping[str, str]:
        """Return the template of logins of `student` and `staff`."""
        return dict(pairs((*DEFAULT_LOGINS, *self.login_ids)))

    @property
    def enrollment_statuses(self) -> Mapping[str, str]:
        """Return the status or role by case; a status that is not listed has its default."""
        return dict(pairs((*DEFAULT_ENROLLMENTS, *self.provision_enrollments)))

    @property
    def teacher_roles(self) -> Mapping[int, str]:
        """Return the Canvas role by SECTIONTEACHER.ROLEID."""
        roles = ((key.removeprefix("role-"), role) for key, role in pairs(self.provision_enrollments))
        return {int(role_id): role for role_id, role in roles if role_id.isdecimal()}

    @property
    def shrink_percent(self) -> Mapping[str, int]:
        """Return the percentage by kind; a kind that is not listed has its default."""
        return {kind: int(percent) for kind, percent in pairs((*DEFAULT_SHARES, *self.provision_shrink_percent))}

    def selection(self, kind: str) -> tuple[str, ...]:
        """Return the patterns of `school`, `course` or `section`."""
        return tuple(pattern for key, pattern in pairs(self.provision_selection) if key == kind)

    def proxy_names(self, role: str) -> frozenset[str]:
        """Return the groups (users, without a header of groups) that have a role."""
        return frozenset(name for key, name in pairs(self.proxy_roles) if key == role)

    def missing_for_lti(self) -> list[str]:
        """Return what keeps Canvas from opening a page of passback."""
        problems = []
        if not self.public_url:
            problems.append(f"{PREFIX}PUBLIC_URL is not set; it is the address at which browsers reach passback")
        elif not self.public_url.startswith("https://") and not is_loopback(self.public_url):
            problems.append(f"{PREFIX}PUBLIC_URL is not https; Canvas does not show pages without TLS")
        if not self.canvas_root_account_uuid:
            problems.append(
                f"{PREFIX}CANVAS_ROOT_ACCOUNT_UUID is not set; without it people of other Canvas customers could get in"
            )
        return problems

    @property
    def has_sign_in(self) -> bool:
        """Say whether anybody can sign in."""
        passwords = (self.operator_password, self.viewer_password)
        return bool(self.proxy_headers) or any(password.get_secret_value() for password in passwords)

    @property
    def uses_redis_tls(self) -> bool:
        """Say whether connections to Redis are encrypted."""
        return self.redis_url.startswith("rediss://")

    @property
    def retry_waits(self) -> tuple[timedelta, ...]:
        """Return the waits between attempts."""
        return tuple(timedelta(seconds=wait) for wait in self.retry_waits_s)

    def require(self, *names: str) -> None:
        """Raise `ConfigurationError` naming every one of these settings that is empty."""
        missing = [name for name in names if not _plain(getattr(self, name))]
        if missing:
            variables = ", ".join(f"{PREFIX}{name.upper()}" for name in missing)
            raise ConfigurationError(f"not set: {variables}. Set it in the environment or in .env")


CANVAS_SETTINGS = ("canvas_url", "canvas_token")
POWERSCHOOL_SETTINGS = ("powerschool_url", "powerschool_client_id", "powerschool_client_secret")


def _length(secret: str, unit: str) -> int:
    """Return the length; 0 for invalid Base64, which the receivers reject by name."""
    if unit == "characters":
        return len(secret)
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True))
    except ValueError:
        return 0


def _plain(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def variable_names() -> list[str]:
    """Return the names of all settings' variables, in the order of their definition."""
    return [f"{PREFIX}{name.upper()}" for name in Settings.model_fields]


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = None) -> Settings:
    """Return the checked settings of this process.

    Variables win over `.env`, `.env` over the files in the directory `PASSBACK_SECRETS_DIR` (a file per setting,
    named like its variable, in either case). An empty value means the default, except for lists, which it empties,
    and for schedules, hours and `PASSBACK_FIRST_CHANGE_S`, which it switches off.
    Raises `ConfigurationError` for an unknown name or a wrong value.
    """
    environ = os.environ if environ is None else environ
    env_file = Path(".env") if env_file is None else env_file
    from_file = _from_env_file(env_file)
    values = {
        **_from_secret_files(environ.get(SECRETS_DIR_VARIABLE)),
        **_passback_variables(from_file),
        **_passback_variables(environ),
    }
    _refuse_unknown(values)
    given = {name.removeprefix(PREFIX).lower(): value for name, value in values.items()}
    try:
        return Settings.model_validate({name: value for name, value in given.items() if value or _may_be_empty(name)})
    except ValidationError as error:
        raise ConfigurationError("\n".join(_messages(error))) from None


def supervisor_socket(environ: Mapping[str, str] | None = None) -> str:
    """Return the socket on which systemd expects this process's state; empty without one."""
    return (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")


def has_trace_collector() -> bool:
    """Say whether OpenTelemetry's own variables name a collector of traces."""
    return any(os.environ.get(name) for name in OTLP_VARIABLES)


def _passback_variables(variables: Mapping[str, str | None]) -> dict[str, str]:
    return {
        name.upper(): value
        for name, value in variables.items()
        if value is not None and name.upper().startswith(PREFIX) and name.upper() != SECRETS_DIR_VARIABLE
    }


def _from_env_file(env_file: Path) -> Mapping[str, str | None]:
    try:
        return dotenv_values(env_file, interpolate=False) if env_file.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise ConfigurationError(f"{env_file} cannot be read: {why}; correct it, or remove it") from None


def _from_secret_files(directory: str | None) -> dict[str, str]:
    if not directory:
        return {}
    folder = Path(directory)
    if not folder.is_dir():
        raise ConfigurationError(f"{SECRETS_DIR_VARIABLE} is {directory}, which is no directory")
    try:
        files = {path.name.upper(): path for path in sorted(folder.iterdir()) if path.is_file()}
        return {name: path.read_text().strip() for name, path in files.items() if name.startswith(PREFIX)}
    except OSError as error:
        # Name the file and the reason only: a traceback could show what was read.
        path = error.filename or folder
        raise ConfigurationError(f"{SECRETS_DIR_VARIABLE}: {path} cannot be read: {error.strerror}") from None


def _may_be_empty(name: str) -> bool:
    field = Settings.model_fields[name]
    is_optional = type(None) in get_args(field.annotation) and field.default is not None
    return isinstance(field.default, tuple) or name.endswith(("_schedule", "_hours")) or is_optional


def _refuse_unknown(values: Mapping[str, str]) -> None:
    unknown = sorted(set(values) - set(variable_names()))
    if unknown:
        raise ConfigurationError("\n".join(map(_unknown, unknown)))


def _unknown(variable: str) -> str:
    # The prefix is the same everywhere: comparing it would make every name look alike.
    name = variable.removeprefix(PREFIX).lower()
    if name in REMOVED_SETTINGS:
        return f"{variable} is no longer a setting: {REMOVED_SETTINGS[name]}; remove it (deploy/guides/upgrade.md)"
    close = difflib.get_close_matches(name, list(Settings.model_fields), n=1)
    suggestion = f"did you mean {PREFIX}{close[0].upper()}?" if close else "see the table in deploy/guides/settings.md"
    return f"unknown setting {variable}: {suggestion}"


def _messages(error: ValidationError) -> Sequence[str]:
    messages = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        message = re.sub(r"^Value error, ", "", problem["msg"])
        name = "".join(f"{PREFIX}{str(part).upper()}" for part in problem["loc"][:1])
        messages.append(f"{name}: {message}" if name else message)
    return messages


def origin(url: str) -> str:
    """Return scheme, host and port of a URL; empty for none."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.hostname else ""


def is_loopback(url: str) -> bool:
    """Say whether a URL's host is this machine."""
    return (urlsplit(url).hostname or "") in {"127.0.0.1", "::1", "localhost"}


def is_loopback_address(host: str) -> bool:
    """Say whether a server that binds this address is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
