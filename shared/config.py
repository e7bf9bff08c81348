"""Every setting of passback, read from `PASSBACK_*` variables, `.env` and secret files, and checked at start."""

import difflib
import os
import re
import unicodedata
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from shared.cron import checked_cron
from shared.domain.passback.rules.eligibility import DEFAULT_MAX_NAME_CHARS
from shared.domain.provisioning.policy import (
    DEFAULT_COURSE_SIS_IDS,
    CoursePer,
    DroppedStatus,
    PreRegistered,
    ReplacedStatus,
)
from shared.domain.provisioning.rows.sis_ids import (
    ACCOUNT_FIELDS,
    COURSE_FIELDS,
    STAFF_LOGIN_FIELDS,
    STUDENT_LOGIN_FIELDS,
    TEACHER_FIELDS,
    TERM_FIELDS,
    SisIdTemplate,
    check_course_template,
    checked_template,
)

PREFIX = "PASSBACK_"
SECRETS_DIR_VARIABLE = f"{PREFIX}SECRETS_DIR"


class ConfigurationError(Exception):
    """The settings are not usable. The message names the setting and the fix, never a secret's value."""


class ClearedScores(StrEnum):
    """What becomes of a score that was sent and is empty in Canvas now."""

    REPORT = "report"
    BLANK = "blank"


def _comma_separated(value: object) -> object:
    """Split `a, b` into its parts; leave anything that is not text alone."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return the addresses and networks, once each of them is one."""
    for each in value:
        try:
            ip_network(each)
        except ValueError:
            raise ValueError(f"{each} is no address or network such as 10.1.2.3 or 10.1.0.0/16") from None
    return value


def _http_url(value: object) -> object:
    """Return the URL without its last slashes; an empty one is unset."""
    if not isinstance(value, str) or not value:
        return value
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("is no URL; write it such as https://district.example")
    return value.rstrip("/")


Url = Annotated[str, BeforeValidator(_http_url)]
Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated), AfterValidator(_networks)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]*$")]
Waits = Annotated[tuple[Annotated[float, Field(ge=0)], ...], NoDecode, BeforeValidator(_comma_separated)]


def _zone(value: object) -> object:
    if isinstance(value, ZoneInfo) or value in (None, ""):
        return value or None
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError) as error:
        raise ValueError("is no IANA time zone; name one such as America/Chicago") from error


def _address(value: object) -> object:
    """Return `host:port` as it is; the host must be there, and the port a number."""
    host, _, port = str(value).rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError("is no list of host:port; write it such as redis-1.example:26379,redis-2.example:26379")
    return value


Zone = Annotated[ZoneInfo | None, BeforeValidator(_zone)]
Addresses = Annotated[
    tuple[Annotated[str, BeforeValidator(_address)], ...], NoDecode, BeforeValidator(_comma_separated)
]
Cron = Annotated[str, AfterValidator(checked_cron)]


def _template_of(fields: Sequence[str]) -> AfterValidator:
    """Return what checks a template of these fields; an empty one is unset."""
    return AfterValidator(lambda text: checked_template(text, fields).text if text else "")


def _template_or_text(text: str) -> str:
    """Check the template of accounts, which may be one account for all schools."""
    return checked_template(text, ACCOUNT_FIELDS).text if {"{", "}"} & set(text) else text


SHRINK_KINDS = ("courses", "sections", "users", "enrollments", "leavers")


def _shares(parts: tuple[str, ...]) -> tuple[str, ...]:
    for part in parts:
        kind, _, percent = part.partition(":")
        if kind not in SHRINK_KINDS or not re.fullmatch(r"\d{1,2}|100", percent):
            raise ValueError(f"is no list such as users:5,enrollments:10, of {', '.join(SHRINK_KINDS)} and 0 to 100 %")
    return parts


def _teacher_roles(parts: tuple[str, ...]) -> tuple[str, ...]:
    if any(re.fullmatch(r"\d{1,9}:\s*\S.*", part) is None for part in parts):
        raise ValueError("is no list such as 27:ta,28:Grader, of ROLEIDs and Canvas roles")
    return parts


Parts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated)]
TeacherRoles = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated), AfterValidator(_teacher_roles)]
Shares = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_separated), AfterValidator(_shares)]
DEFAULT_SHARES = ("courses:10", "sections:10", "users:5", "enrollments:10", "leavers:40")


class Settings(BaseSettings):
    """What an installation decides. Units are in the names: `_S` seconds, `_MS` milliseconds."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        frozen=True,
        arbitrary_types_allowed=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0",
        pattern="^(redis|rediss|unix)://",
        description="Redis: queues, pending changes, links and course states. `redis://`, `rediss://` or `unix://`.",
    )
    redis_password: SecretStr = Field(
        SecretStr(""), description="Password of Redis, where the URL holds none: for a file of its own."
    )
    redis_ca_bundle: Path | None = Field(
        None,
        description="PEM file of the authority that signed Redis's certificate (`rediss://`), where it is a private "
        "one; the sentinels' too.",
    )
    redis_sentinels: Addresses = Field(
        (),
        description="Redis Sentinels as `host:port`, comma-separated: they say where Redis is, and the URL gives user, "
        "database and, with `rediss://`, TLS.",
    )
    redis_sentinel_master: str = Field(
        "passback", min_length=1, description="Name of the Redis master at the Sentinels."
    )
    redis_sentinel_password: SecretStr = Field(SecretStr(""), description="Password of the Sentinels themselves.")
    redis_prefix: str = Field(
        "passback",
        pattern=r"^[A-Za-z0-9_-]+$",
        description="First part of every Redis key, so that several districts may share a Redis.",
    )
    allow_volatile_redis: bool = Field(
        False,
        description="Let workers start on a Redis without an append-only file, which loses its data at a restart.",
    )

    canvas_url: Url = Field("", description="Canvas, such as `https://district.instructure.com`.")
    canvas_token: SecretStr = Field(
        SecretStr(""), description="Access token of the service user (`view_all_grades`, `read_sis`)."
    )
    canvas_provisioning_token: SecretStr = Field(
        SecretStr(""),
        description="Access token that may import (`import_sis` or `manage_sis` on the root account), used for SIS "
        "imports alone; unset, `PASSBACK_CANVAS_TOKEN` is used.",
    )
    canvas_account: str = Field(
        "self",
        pattern=r"^(self|\d+)$",
        description="Account whose courses are searched for work to sync: an id, or `self`, the token's root account, "
        "which Canvas understands here without documenting it. SIS imports go to the root account that it belongs to.",
    )
    canvas_root_account_uuid: str = Field(
        "", description="The district's `root_account_uuid`: events of other Canvas customers are refused."
    )

    live_events_jwks_url: Url = Field(
        "https://8axpcl50e4.execute-api.us-east-1.amazonaws.com/main/jwks",
        description="Where Canvas publishes the keys that sign Live Events.",
    )
    live_events_issuers: Texts = Field(
        ("https://live-events.canvas.instructure.com",),
        description="Accepted `iss` claims, comma-separated; empty accepts any. Not documented by Canvas.",
    )
    live_events_allow_unsigned: bool = Field(
        False, description="Accept Live Events without a signature: only behind something else that checks senders."
    )
    sqs_queue_url: Url = Field(
        "", description="SQS queue of Live Events, read by `passback sqs`; AWS's usual credentials."
    )
    webhook_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret of `POST /webhooks/changes` (Standard Webhooks, `whsec_…`), 24 bytes or more.",
    )

    powerschool_url: Url = Field("", description="PowerSchool, such as `https://ps.district.example`.")
    powerschool_client_id: str = Field("", description="Client id of the passback plugin.")
    powerschool_client_secret: SecretStr = Field(SecretStr(""), description="Client secret of the passback plugin.")
    powerschool_min_interval_ms: int = Field(
        0, ge=0, description="Shortest time between two PowerSchool requests of all workers together; 0 is none."
    )
    powerschool_ca_bundle: Path | None = Field(
        None, description="PEM file of the authority that signed PowerSchool's certificate, where it is a private one."
    )

    section_sis_id: str = Field(
        "{section_dcid}",
        description="SIS id of a section, from `{section_dcid}`, `{section_id}`, `{school_number}`, "
        "`{term_id}`, `{course_number}`, `{section_number}`.",
    )
    student_sis_id: str = Field(
        "{student_number}", description="SIS id of a student, from `{student_number}`, `{student_dcid}`."
    )
    course_sis_id: Annotated[str, _template_of(COURSE_FIELDS)] = Field(
        "",
        description="SIS id of a Canvas course, from the fields of sections, `{teacher_number}` and `{users_dcid}`; "
        "unset, `{section_dcid}`, or with a course per teacher "
        "`{school_number}-{term_id}-{course_number}-T{teacher_number}`.",
    )
    staff_sis_id: Annotated[str, _template_of(TEACHER_FIELDS)] = Field(
        "T{teacher_number}", description="SIS id of a member of the staff, from `{teacher_number}`, `{users_dcid}`."
    )
    term_sis_id: Annotated[str, _template_of(TERM_FIELDS)] = Field(
        "{school_number}-{term_id}",
        description="SIS id of a term, from `{school_number}`, `{term_id}`, `{term_dcid}`. Terms that get the same one "
        "are one term in Canvas.",
    )
    student_login_id: Annotated[str, _template_of(STUDENT_LOGIN_FIELDS)] = Field(
        "{student_number}",
        description="Login of a student, from `{student_number}`, `{student_dcid}`, `{email}`: what the sign-in of the "
        "district calls the student.",
    )
    staff_login_id: Annotated[str, _template_of(STAFF_LOGIN_FIELDS)] = Field(
        "T{teacher_number}",
        description="Login of a member of the staff, from `{teacher_number}`, `{users_dcid}`, `{email}`: what the "
        "sign-in of the district calls them, mostly `{email}`.",
    )

    district_time_zone: Zone = Field(
        None,
        description="IANA zone in which due dates become calendar dates, for courses without a time zone in Canvas; "
        "unset, PowerSchool's own is used.",
    )
    default_category: str = Field(
        "", description="Category for assignment groups that match none; unset, such work is `category_missing`."
    )
    name_max_chars: int = Field(
        DEFAULT_MAX_NAME_CHARS,
        ge=30,
        le=50,
        description="Longest name of an assignment that is sent, in characters; PowerSchool holds 50.",
    )
    cleared_scores: ClearedScores = Field(
        ClearedScores.REPORT,
        description="A score that was sent and is empty in Canvas now: `report` says so and leaves it in PowerSchool, "
        "`blank` also sends PowerSchool an empty row. That this clears it is inferred: try it on one score first. The "
        "0 of a missing or excused flag that Canvas withdrew is emptied in any case.",
    )
    term_grace_days: int = Field(14, ge=0, description="Days after a term's end in which changes still sync.")
    quiet_period_s: float = Field(2.0, ge=0, description="A course is synced once nothing changed for this long.")
    max_wait_s: float = Field(15.0, ge=0, description="A course waits no longer than this after its first change.")
    retry_waits_s: Waits = Field(
        (2.0, 10.0, 60.0, 300.0, 1800.0),
        description="Waits between attempts, comma-separated; their number + 1 is the number of attempts.",
    )
    reconcile_interval_s: float = Field(
        21_600.0, gt=0, description="One rolling pass over all connected courses takes this long."
    )
    sync_schedule: Cron = Field(
        "0 3 * * *",
        description="Cron, in the district's time zone: when every connected course is synced; empty: never.",
    )
    provision_schedule: Cron = Field(
        "0 4 * * *",
        description="Cron, in the district's time zone: when Canvas is provisioned from PowerSchool; empty: never.",
    )
    provision_course_per: CoursePer = Field(
        CoursePer.SECTION,
        description="What gets a Canvas course of its own: a `section`, or a `teacher` for a course and term.",
    )
    provision_publish_courses: bool = Field(
        False, description="Publish new Canvas courses; else their teachers do. What a teacher chose is kept."
    )
    provision_dropped_status: DroppedStatus = Field(
        DroppedStatus.COMPLETED,
        description="Enrollment of a student who left a section: `completed` (still reads), `inactive` (sees nothing).",
    )
    provision_schools: Parts = Field(
        default=(),
        description="School numbers that go to Canvas, such as `100,200`, or with a minus do not: `-300`. Empty: all.",
    )
    provision_courses: Parts = Field(
        default=(),
        description="Course numbers that go to Canvas, or with a minus do not, such as `-LUNCH*,-HR*`. Empty: all.",
    )
    provision_sections: Parts = Field(
        default=(),
        description="Sections that go to Canvas, or with a minus do not, by SECTIONS.DCID or by course and section "
        "number, such as `-4711,-ENG*.9*`. Empty: all.",
    )
    provision_empty_sections: bool = Field(
        True, description="Whether sections in which no student ever was get a Canvas course."
    )
    provision_preferred_names: bool = Field(
        False,
        description="Use the preferred names of students that the district's own query `students` gives.",
    )
    provision_replaced_teacher_status: ReplacedStatus = Field(
        ReplacedStatus.INACTIVE,
        description="Enrollment of somebody who does not teach a section any more: `inactive` (sees nothing), "
        "`completed` (still reads, grades included) or `deleted`.",
    )
    provision_teacher_roles: TeacherRoles = Field(
        default=(),
        description="Canvas roles of co-teachers by PowerSchool's SECTIONTEACHER.ROLEID, such as `27:ta, 28:Grader`: "
        "`teacher`, `ta` or a role that the Canvas account has. Who is not in it is a teacher.",
    )
    provision_pre_registered: PreRegistered = Field(
        PreRegistered.ACTIVE,
        description="Students who are registered for a school and not in it yet (ENROLL_STATUS -1), in classes that "
        "they are scheduled into: `active` (as their classmates) or `wait` (until they are enrolled).",
    )
    provision_account_sis_id: Annotated[str, AfterValidator(_template_or_text)] = Field(
        "",
        description="SIS id of the Canvas account of a school's courses, from `{school_number}` or one for all; unset, "
        "new courses go to the root account. The accounts must exist.",
    )
    provision_shrink_percent: Shares = Field(
        DEFAULT_SHARES,
        description="Shares of a school's rows, in percent, above which a run that would end so many is held for a "
        "person. `users` also counts new SIS ids, logins and names; `leavers` are users whose classes are all over.",
    )
    provision_remaster_days: int = Field(
        7,
        ge=0,
        description="How often each import is sent whole, on a day of its own, which mends what others changed in "
        "Canvas; 0: never.",
    )
    provision_history_days: int = Field(
        90, ge=1, le=3650, description="Days for which runs, their row errors and the data for a rollback are stored."
    )

    audit_days: int = Field(
        400,
        ge=1,
        le=36_500,
        description="Days for which writes to PowerSchool, and the values they replaced, stay in the audit log.",
    )

    worker_threads: int = Field(8, ge=1, le=64, description="Courses that one worker syncs at once.")

    operator_password: SecretStr = Field(
        SecretStr(""),
        description="Password of `operator`, who sees and does everything: itself, of 12 characters or more, or its "
        "hash by `passback password`.",
    )
    viewer_password: SecretStr = Field(
        SecretStr(""), description="Password of `viewer`, who sees every page and changes nothing; likewise."
    )
    session_secret: SecretStr = Field(
        SecretStr(""),
        description="Makes the digests of sessions and forms; 32 characters or more, unset a random one.",
    )
    proxy_addresses: Networks = Field(
        (),
        description="Addresses or networks of the proxies in front of the web process. Their headers about the "
        "sender, TLS and the signed-in user are trusted.",
    )
    proxy_user_header: HeaderName = Field(
        "", description="Header in which such a proxy names who signed in there, such as `X-Forwarded-User`."
    )
    proxy_groups_header: HeaderName = Field(
        "", description="Header in which it names that person's groups, comma-separated."
    )
    proxy_operators: Texts = Field(
        (), description="Groups (without a groups header: users) that the proxy signs in as operators."
    )
    proxy_viewers: Texts = Field(
        (), description="Groups (else users) that it signs in as viewers; empty: everybody who signed in there."
    )

    metrics_token: SecretStr = Field(
        SecretStr(""),
        description="Bearer token that `/metrics` asks for, 16 characters or more; unset, it answers to this machine, "
        "and to the operator.",
    )
    school_hours: Cron = Field(
        "* 8-15 * * mon-fri",
        description="Cron, in the district's time zone: the minutes in which events are expected; empty: never.",
    )

    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$", description="Least severe line written.")

    otel_endpoint: Url = Field(
        "",
        description="OpenTelemetry collector that gets traces by OTLP over HTTP, such as `http://127.0.0.1:4318`; "
        "unset, there are none. Needs the extra `otel`.",
    )

    @model_validator(mode="after")
    def _redis_can_be_found(self) -> Self:
        if self.redis_sentinels and self.redis_url.startswith("unix://"):
            raise ValueError(f"{PREFIX}REDIS_SENTINELS lead to hosts: make {PREFIX}REDIS_URL redis:// or rediss://")
        if self.redis_ca_bundle and not self.uses_redis_tls:
            raise ValueError(f"{PREFIX}REDIS_CA_BUNDLE is for rediss://, and {PREFIX}REDIS_URL is not")
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

    @property
    def course_template(self) -> str:
        """The template of courses: as set, else the one that fits what gets a course."""
        return self.course_sis_id or DEFAULT_COURSE_SIS_IDS[self.provision_course_per]

    @property
    def teacher_roles(self) -> Mapping[int, str]:
        """The Canvas role by SECTIONTEACHER.ROLEID."""
        pairs = (part.partition(":") for part in self.provision_teacher_roles)
        return {int(role_id): role.strip() for role_id, _, role in pairs}

    @property
    def shrink_percent(self) -> Mapping[str, int]:
        """The percentage by kind; a kind that is not named has its default."""
        shares = (part.split(":") for part in (*DEFAULT_SHARES, *self.provision_shrink_percent))
        return {kind: int(percent) for kind, percent in shares}

    @model_validator(mode="after")
    def _proxies_are_known(self) -> Self:
        if self.proxy_user_header and not self.proxy_addresses:
            raise ValueError(
                f"{PREFIX}PROXY_USER_HEADER is set, and {PREFIX}PROXY_ADDRESSES is not: anybody could send that "
                "header; name the addresses of the proxy"
            )
        return self

    @property
    def has_sign_in(self) -> bool:
        """Say whether anybody can sign in."""
        passwords = (self.operator_password, self.viewer_password)
        return bool(self.proxy_user_header) or any(password.get_secret_value() for password in passwords)

    @property
    def uses_redis_tls(self) -> bool:
        """Say whether connections to Redis are encrypted."""
        return self.redis_url.startswith("rediss://")

    @property
    def retry_waits(self) -> tuple[timedelta, ...]:
        """The waits between attempts."""
        return tuple(timedelta(seconds=wait) for wait in self.retry_waits_s)

    def require(self, *names: str) -> None:
        """Raise `ConfigurationError` naming every one of these settings that is empty."""
        missing = [name for name in names if not _plain(getattr(self, name))]
        if missing:
            variables = ", ".join(f"{PREFIX}{name.upper()}" for name in missing)
            raise ConfigurationError(f"not set: {variables}. Set it in the environment or in .env")


CANVAS_SETTINGS = ("canvas_url", "canvas_token")
POWERSCHOOL_SETTINGS = ("powerschool_url", "powerschool_client_id", "powerschool_client_secret")


REMOVED_SETTINGS = {
    "audit_max_entries": "at most 20000 audit entries are stored per course",
    "canvas_course_max_age_s": "sections and assignment groups are cached for 600 s",
    "canvas_max_in_flight": "8 Canvas requests are in flight at once",
    "canvas_timeout_s": "the timeout is 30 s",
    "category_max_age_s": "categories are cached for 600 s",
    "claim_s": "a course that no worker takes is dispatched again after 30 s",
    "dead_letter_days": "dead letters are stored for 90 days",
    "dead_letters_max": "at most 10000 dead letters are stored",
    "event_max_bytes": "a request body may have 2000000 bytes",
    "event_max_waiting": "a web process keeps at most 10000 events in memory",
    "first_change_s": "the first change of an up-to-date course is synced after 0.2 s",
    "lease_s": "a lease lasts 10 s",
    "log_format": "logs are for people on a terminal, else JSON",
    "powerschool_plugin_name": "the name is passback",
    "powerschool_score_batch": "a request has at most 200 scores",
    "powerschool_timeout_s": "the timeout is 30 s",
    "provision_change_threshold": "Canvas's change threshold is 10 %",
    "provision_check_interval_s": "PowerSchool is asked every 900 s whether rosters changed",
    "provision_import_max_s": "an SIS import may be unfinished for 21600 s",
    "provision_odd_rows": "a run is held above 10 rows that cannot be read",
    "provision_shrink_rows": "a run is held only where it would end 10 rows of a school or more",
    "provision_term_move_days": "a school is held whose term moves by 28 days or more",
    "redis_timeout_s": "the timeout is 2 s",
    "roster_max_age_s": "rosters of sections are cached for 3600 s",
    "session_s": "a sign-in lasts 43200 s",
    "sqs_endpoint_url": "AWS's own variable is AWS_ENDPOINT_URL_SQS",
    "sqs_region": "AWS's own variable is AWS_DEFAULT_REGION",
    "sync_deadline_s": "a sync stops after 300 s and goes on later",
    "sync_slice_s": "a sync yields to other courses after 20 s of writing",
    "web_host": "use `passback web --host`; the default is 127.0.0.1",
    "web_port": "use `passback web --port`; the default is 8080",
}
"""What holds instead of each setting that was removed."""


SHORTEST = {
    "operator_password": (12, "characters"),
    "viewer_password": (12, "characters"),
    "session_secret": (32, "characters"),
    "metrics_token": (16, "characters"),
    # Standard Webhooks asks for 24 to 64 bytes.
    "webhook_secret": (24, "bytes in Base64"),
}
"""The least length of each secret that the installation chooses; a password's hash is longer."""


def _length(secret: str, unit: str) -> int:
    """Return the length; 0 for Base64 that is none, which the receivers refuse by name."""
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
    and schedules and hours, which it switches off.
    Raises `ConfigurationError` for an unknown name or a wrong value.
    """
    environ = os.environ if environ is None else environ
    env_file = Path(".env") if env_file is None else env_file
    from_file = (
        {k: v for k, v in dotenv_values(env_file, interpolate=False).items() if v is not None}
        if env_file.is_file()
        else {}
    )
    values = {
        **_from_secret_files(environ.get(SECRETS_DIR_VARIABLE)),
        **_passback_variables(from_file),
        **_passback_variables(environ),
    }
    _refuse_unknown(values)
    given = {name.removeprefix(PREFIX).lower(): value for name, value in values.items()}
    try:
        return _Checked.model_validate({name: value for name, value in given.items() if value or _may_be_empty(name)})
    except ValidationError as error:
        raise ConfigurationError("\n".join(_messages(error))) from None


def supervisor_socket(environ: Mapping[str, str] | None = None) -> str:
    """Return where systemd wants to be told how this process does; empty where it does not."""
    return (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")


class _Checked(Settings):
    """Settings taken from what `load` collected and from nowhere else."""

    model_config = SettingsConfigDict(env_file=None)

    @model_validator(mode="after")
    def _secrets_are_long(self) -> Self:
        """Refuse what can be guessed. Secrets that Canvas, PowerSchool and Redis give out are theirs to choose."""
        short = [
            f"{PREFIX}{name.upper()} is shorter than {least} {unit}; make it longer"
            for name, (least, unit) in SHORTEST.items()
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
    def _redis_url_is_one(self) -> Self:
        """Refuse what libraries read otherwise, and quote with its password."""
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

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # pydantic-settings passes the others by name
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        **_others: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Leave the collected values as the only source."""
        return (init_settings,)


def _passback_variables(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name.upper(): value
        for name, value in variables.items()
        if name.upper().startswith(PREFIX) and name.upper() != SECRETS_DIR_VARIABLE
    }


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
        # Of the error, the place and the reason alone: never a traceback through what was read.
        place = error.filename or folder
        raise ConfigurationError(f"{SECRETS_DIR_VARIABLE}: {place} cannot be read: {error.strerror}") from None


def _may_be_empty(name: str) -> bool:
    field = Settings.model_fields[name]
    return isinstance(field.default, tuple) or name.endswith(("_schedule", "_hours"))


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
    hint = f"did you mean {PREFIX}{close[0].upper()}?" if close else "see the table in deploy/guides/settings.md"
    return f"unknown setting {variable}: {hint}"


def _messages(error: ValidationError) -> Sequence[str]:
    sentences = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False):
        message = re.sub(r"^Value error, ", "", problem["msg"])
        name = "".join(f"{PREFIX}{str(part).upper()}" for part in problem["loc"][:1])
        sentences.append(f"{name}: {message}" if name else message)
    return sentences


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
