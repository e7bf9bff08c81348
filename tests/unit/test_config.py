"""Settings: where they come from, what wins, and what a person is told about a wrong one."""

import traceback
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shared.config import REMOVED_SETTINGS, ConfigurationError, Settings, is_loopback, load, variable_names
from workers.container import windows_of

NO_FILE = Path("no-such.env")
UPGRADE = Path(__file__).parents[2] / "deploy/guides/upgrade.md"


def loaded(**variables: str) -> Settings:
    return load({f"PASSBACK_{name}": value for name, value in variables.items()}, NO_FILE)


def refusal(**variables: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        loaded(**variables)
    return str(refused.value)


def test_nothing_set_is_a_valid_installation() -> None:
    """Without a single variable the defaults load."""
    assert loaded().redis_url == "redis://127.0.0.1:6379/0"


def test_variables_of_others_are_no_business_of_ours() -> None:
    """Names without the prefix are ignored."""
    assert load({"PATH": "/bin", "PASSBACKS": "x"}, NO_FILE) == loaded()


def test_an_unknown_name_is_an_error_with_a_suggestion() -> None:
    """A misspelt name is refused, and the name that was meant is suggested."""
    assert "PASSBACK_QUIETPERIOD_S: did you mean PASSBACK_QUIET_PERIOD_S?" in refusal(QUIETPERIOD_S="3")


def test_an_unknown_name_like_no_other_points_to_the_table() -> None:
    """A name that resembles nothing gets no wild guess."""
    assert refusal(ZZZ="1") == "unknown setting PASSBACK_ZZZ: see the table in deploy/guides/settings.md"


@pytest.mark.parametrize("name", REMOVED_SETTINGS)
def test_a_removed_setting_is_named_with_what_holds_instead(name: str) -> None:
    """It is refused by name; the message gives the constant's value, and the guide to upgrading lists it."""
    variable = f"PASSBACK_{name.upper()}"
    assert name not in Settings.model_fields
    assert refusal(**{name.upper(): "1"}).startswith(f"{variable} is no longer a setting: {REMOVED_SETTINGS[name]}; ")
    assert f"`{variable}`" in UPGRADE.read_text()


def test_every_unknown_name_is_reported() -> None:
    """All unknown names are reported at once."""
    assert refusal(ZZZ="1", QQQ="2").count("unknown setting") == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECONCILE_INTERVAL_S", "0"),
        ("RECONCILE_INTERVAL_S", "inf"),
        ("REDIS_URL", "http://canary"),
        ("REDIS_PREFIX", "can ary"),
        ("CANVAS_URL", "canary"),
        ("POWERSCHOOL_URL", "ldap://canary"),
        ("RETRY_WAITS_S", "1,canary"),
        ("RETRY_WAITS_S", "-1"),
        ("WORKER_THREADS", "65"),
        ("LOG_LEVEL", "canary"),
        ("LIVE_EVENTS_ALLOW_UNSIGNED", "canary"),
        ("DISTRICT_TIME_ZONE", "Canary/Islands"),
        ("DISTRICT_TIME_ZONE", "../canary"),
        ("SYNC_SCHEDULE", "canary"),
        ("PROVISION_SCHEDULE", "0 canary * * *"),
        ("CANVAS_ACCOUNT", "canary"),
        ("SQS_QUEUE_URL", "canary"),
        ("COURSE_SIS_ID", "{canary}"),
        ("COURSE_SIS_ID", "canary-{teacher_number}-{section_dcid}"),
        ("STAFF_SIS_ID", "canary"),
        ("TERM_SIS_ID", "{term_id.canary}"),
        ("LOGIN_IDS", "student:{teacher_number}canary"),
        ("LOGIN_IDS", "staff:{email}{canary"),
        ("LOGIN_IDS", "canary:{email}"),
        ("PROVISION_ACCOUNT_SIS_ID", "canary{section_dcid}"),
        ("PROVISION_COURSE_PER", "canary"),
        ("PROVISION_ENROLLMENTS", "dropped:canary"),
        ("PROVISION_ENROLLMENTS", "canary:inactive"),
        ("PROVISION_SELECTION", "canary"),
        ("PROVISION_ENROLLMENTS", "role-canary:ta"),
        ("PROXY_ROLES", "canary:staff"),
        ("PROXY_HEADERS", "X-User, X canary"),
        ("PROVISION_SHRINK_PERCENT", "canary:5"),
        ("PROVISION_SHRINK_PERCENT", "users:101"),
    ],
)
def test_a_wrong_value_is_named_but_not_shown(name: str, value: str) -> None:
    """A wrong value's message names the variable, and never repeats the value."""
    message = refusal(**{name: value})

    assert message.startswith(f"PASSBACK_{name}: ")
    assert "anary" not in message


def test_an_empty_schedule_is_switched_off() -> None:
    """Other than elsewhere, where an empty value means the default."""
    assert (loaded(SYNC_SCHEDULE="").sync_schedule, loaded().sync_schedule) == ("", "0 3 * * *")


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{course_number}-{term_id}", "names no section"),
        ("{section_dcid}-T{teacher_number}", "a new teacher would make a new course"),
    ],
)
def test_a_course_per_section_is_named_by_its_section_alone(template: str, complaint: str) -> None:
    """A teacher in its SIS id would leave all work behind when the teacher changes."""
    assert complaint in refusal(COURSE_SIS_ID=template)


@pytest.mark.parametrize("template", ["{section_dcid}", "{course_number}-{term_id}", "{term_id}-T{teacher_number}"])
def test_a_course_per_teacher_is_named_by_teacher_course_and_term(template: str) -> None:
    """Less would put unlike sections into one course, more would part those that belong together."""
    assert "PASSBACK_COURSE_SIS_ID" in refusal(COURSE_SIS_ID=template, PROVISION_COURSE_PER="teacher")


@pytest.mark.parametrize(
    ("per", "template"),
    [("section", "{section_dcid}"), ("teacher", "{school_number}-{term_id}-{course_number}-T{teacher_number}")],
)
def test_the_template_of_courses_follows_what_gets_one(per: str, template: str) -> None:
    """Unset, it is the one that fits; and what is given by hand is taken as it is."""
    assert loaded(PROVISION_COURSE_PER=per).course_template == template
    assert loaded(PROVISION_COURSE_PER=per, COURSE_SIS_ID=f"X{template}").course_template == f"X{template}"


@pytest.mark.parametrize("template", ["district", "school-{school_number}"])
def test_schools_may_share_an_account(template: str) -> None:
    """The template of accounts need not have a field."""
    assert loaded(PROVISION_ACCOUNT_SIS_ID=template).provision_account_sis_id == template


def test_a_kind_of_shrinkage_that_is_not_named_has_its_default() -> None:
    """Naming one changes one, and an empty list changes none."""
    defaults = loaded().shrink_percent

    assert loaded(PROVISION_SHRINK_PERCENT="users:7, leavers:100").shrink_percent == {
        **defaults,
        "users": 7,
        "leavers": 100,
    }
    assert loaded(PROVISION_SHRINK_PERCENT="").shrink_percent == defaults


def test_a_status_or_login_that_is_not_listed_has_its_default() -> None:
    """Naming one changes one."""
    settings = loaded(PROVISION_ENROLLMENTS="replaced-teacher:deleted", LOGIN_IDS="staff: {email}")

    assert settings.enrollment_statuses == {
        "dropped": "completed", "replaced-teacher": "deleted", "pre-registered": "active",
    }  # fmt: skip
    assert settings.login_templates == {"student": "{student_number}", "staff": "{email}"}


def test_every_wrong_value_is_reported() -> None:
    """All wrong values are reported at once, a line each."""
    assert len(refusal(WORKER_THREADS="x", LOG_LEVEL="y").splitlines()) == 2


@pytest.mark.parametrize(
    "name",
    ["CANVAS_TOKEN", "CANVAS_PROVISIONING_TOKEN", "WEBHOOK_SECRET", "POWERSCHOOL_CLIENT_SECRET", "OPERATOR_PASSWORD"],
)
def test_secrets_do_not_show(name: str) -> None:
    """Neither the settings' text nor their dump shows a secret."""
    settings = loaded(**{name: "canary of good length"})

    assert "canary" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"
    assert getattr(settings, name.lower()).get_secret_value() == "canary of good length"


@pytest.mark.parametrize(
    ("name", "short", "long"),
    [
        ("OPERATOR_PASSWORD", "canary-12ch", "canary-12cha"),
        ("VIEWER_PASSWORD", "canary", "canary canary"),
        ("SESSION_SECRET", "canary" * 5, "canary" * 6),
        ("METRICS_TOKEN", "canary" * 2, "canary" * 3),
        ("WEBHOOK_SECRET", "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXI=", "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"),
        ("WEBHOOK_SECRET", "Y2FuYXJ5", "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5"),
    ],
)
def test_a_short_secret_is_refused_by_name(name: str, short: str, long: str) -> None:
    """At start, without being told; one of the least length is taken."""
    told = refusal(**{name: short})
    assert f"PASSBACK_{name} is shorter than" in told
    assert "canary" not in told
    assert "Y2Fu" not in told
    assert getattr(loaded(**{name: long}), name.lower()).get_secret_value() == long


def test_every_short_secret_is_named() -> None:
    """All of them at once."""
    assert len(refusal(OPERATOR_PASSWORD="x", VIEWER_PASSWORD="x", METRICS_TOKEN="x").splitlines()) == 3


def test_secrets_come_from_files(tmp_path: Path) -> None:
    """A file in the secrets directory, named like its variable in either case, is a setting; line ends do not count."""
    (tmp_path / "passback_canvas_token").write_text("one\n")
    (tmp_path / "PASSBACK_WEBHOOK_SECRET").write_text("two")
    (tmp_path / "unrelated").write_text("three")

    settings = loaded(SECRETS_DIR=str(tmp_path))

    assert settings.canvas_token.get_secret_value() == "one"
    assert settings.webhook_secret.get_secret_value() == "two"


def test_an_unknown_secret_file_is_an_error(tmp_path: Path) -> None:
    """A misspelt file name is refused like a misspelt variable."""
    (tmp_path / "passback_canvas_tokn").write_text("canary")

    assert "did you mean PASSBACK_CANVAS_TOKEN?" in refusal(SECRETS_DIR=str(tmp_path))


def test_a_missing_secrets_directory_is_an_error(tmp_path: Path) -> None:
    """A secrets directory that is not there is said, not skipped."""
    assert "which is no directory" in refusal(SECRETS_DIR=str(tmp_path / "missing"))


def test_a_secret_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """What an account may not read is said in a sentence, with the place, and without a traceback through secrets."""
    # A file that nobody can read from its beginning, not even root.
    (tmp_path / "PASSBACK_CANVAS_TOKEN").symlink_to("/proc/self/mem")

    assert f"{tmp_path} cannot be read" in refusal(SECRETS_DIR=str(tmp_path))


def test_settings_come_from_the_env_file(tmp_path: Path) -> None:
    """`.env` holds settings in its usual syntax, and dollar signs in it stay."""
    (tmp_path / ".env").write_text("# a comment\nPASSBACK_WORKER_THREADS=9\nPASSBACK_CANVAS_TOKEN='a${b}c'\nOTHER=1\n")

    settings = load({}, tmp_path / ".env")

    assert settings.worker_threads == 9
    assert settings.canvas_token.get_secret_value() == "a${b}c"


def test_variables_win_over_the_env_file_and_that_over_secret_files(tmp_path: Path) -> None:
    """Precedence: variable, `.env`, secret file, default."""
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name in ("canvas_account", "worker_threads", "log_level"):
        (secrets / f"passback_{name}").write_text({"worker_threads": "1"}.get(name, "ERROR"))
    (tmp_path / ".env").write_text("PASSBACK_WORKER_THREADS=2\nPASSBACK_CANVAS_ACCOUNT=12\n")

    settings = load({"PASSBACK_SECRETS_DIR": str(secrets), "PASSBACK_WORKER_THREADS": "3"}, tmp_path / ".env")

    assert (settings.worker_threads, settings.canvas_account, settings.log_level) == (3, "12", "ERROR")


@pytest.mark.parametrize("name", ["WORKER_THREADS", "DISTRICT_TIME_ZONE", "CA_BUNDLE", "REDIS_URL"])
def test_an_empty_value_means_the_default(name: str) -> None:
    """A variable that is set to nothing, as compose files do, counts as not set."""
    assert loaded(**{name: ""}) == loaded()


def test_the_wait_of_the_first_change_can_be_switched_off() -> None:
    """Empty is not the default here: the first change then waits for the quiet period."""
    assert (windows_of(loaded(FIRST_CHANGE_S="")).first_change, loaded().first_change_s) == (None, 0.2)
    assert windows_of(loaded(FIRST_CHANGE_S="1.5")).first_change == timedelta(seconds=1.5)


def test_an_empty_list_is_empty() -> None:
    """A list can be emptied: no waits means one attempt."""
    assert loaded(RETRY_WAITS_S="").retry_waits == ()


def test_names_may_be_written_in_either_case() -> None:
    """`passback_worker_threads` is `PASSBACK_WORKER_THREADS`."""
    assert load({"passback_worker_threads": "9"}, NO_FILE).worker_threads == 9


def test_lists_are_comma_separated() -> None:
    """Lists are written with commas; spaces do not count."""
    assert loaded(RETRY_WAITS_S="1, 2.5 ,30").retry_waits == tuple(timedelta(seconds=s) for s in (1, 2.5, 30))


def test_urls_lose_their_last_slash() -> None:
    """`https://canvas.example/` and `https://canvas.example` are the same Canvas."""
    assert loaded(CANVAS_URL="https://canvas.example/").canvas_url == "https://canvas.example"


def test_a_time_zone_is_read_by_its_name() -> None:
    """The district's zone is an IANA name."""
    assert loaded(DISTRICT_TIME_ZONE="America/Chicago").district_time_zone == ZoneInfo("America/Chicago")


def test_a_maximum_wait_shorter_than_the_quiet_period_is_refused() -> None:
    """The two windows are checked together, and both are named."""
    message = refusal(QUIET_PERIOD_S="10", MAX_WAIT_S="9.9")

    assert "PASSBACK_MAX_WAIT_S (9.9)" in message
    assert "PASSBACK_QUIET_PERIOD_S (10)" in message


def test_windows_of_one_length_are_fine() -> None:
    """A maximum wait equal to the quiet period is the shortest allowed."""
    assert loaded(QUIET_PERIOD_S="10", MAX_WAIT_S="10").max_wait_s == 10


def test_what_a_command_requires_is_named_all_at_once() -> None:
    """`require` names every empty setting, secrets included, by its variable."""
    with pytest.raises(ConfigurationError, match="not set: PASSBACK_CANVAS_URL, PASSBACK_CANVAS_TOKEN"):
        loaded(WORKER_THREADS="1").require("canvas_url", "canvas_token", "worker_threads")


def test_settings_do_not_change() -> None:
    """Settings are read once and frozen."""
    with pytest.raises(ValueError, match="frozen"):
        loaded().worker_threads = 1


def test_every_setting_has_a_sentence() -> None:
    """Every setting is described, for the README's table."""
    assert all(field.description for field in Settings.model_fields.values())
    assert len(variable_names()) == len(Settings.model_fields)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:80", True),
        ("http://[::1]/", True),
        ("http://localhost", True),
        ("https://a.example", False),
        ("", False),
    ],
)
def test_loopback_is_recognised(url: str, here: bool) -> None:
    """A URL is local when its host is."""
    assert is_loopback(url) is here


REDIS_PASSWORDS = ("sec/ret", "sec#ret", "sec?ret", "1/sec@ret", "12/34", "se\nret", "[sec")


@pytest.mark.parametrize("password", REDIS_PASSWORDS)
def test_a_redis_url_that_is_read_otherwise_is_refused_without_its_password(tmp_path: Path, password: str) -> None:
    """Libraries would quote the password as a port or a host."""
    with pytest.raises(ConfigurationError) as caught:
        load({"PASSBACK_REDIS_URL": f"redis://:{password}@redis.example:6379/0"}, tmp_path / "no.env")
    told = "".join(traceback.format_exception(caught.value))
    assert "PASSBACK_REDIS_URL" in told
    assert [part for part in ("sec", "ret@", "34@") if part in told] == []


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/0",
        "redis://:se%2Fcret@redis.example:6379/1",
        "rediss://user:p%40ss@[::1]:6380",
        "unix:///run/redis.sock?db=1",
        "redis://redis.example?db=2",
    ],
)
def test_urls_of_redis_are_taken(tmp_path: Path, url: str) -> None:
    """Percent-encoded passwords, sockets and databases."""
    assert load({"PASSBACK_REDIS_URL": url}, tmp_path / "no.env").redis_url == url


@pytest.mark.parametrize("name", ["CANVAS_TOKEN", "POWERSCHOOL_CLIENT_SECRET", "WEBHOOK_SECRET", "METRICS_TOKEN"])
def test_a_secret_of_two_lines_is_refused_without_being_printed(tmp_path: Path, name: str) -> None:
    """As a file with a comment, or with two tokens, gives it."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / f"PASSBACK_{name}").write_text("canary-first-line-of-it-long-enough\ncanary-second-line")
    with pytest.raises(ConfigurationError) as caught:
        load({"PASSBACK_SECRETS_DIR": str(folder)}, tmp_path / "no.env")
    told = "".join(traceback.format_exception(caught.value))
    assert f"PASSBACK_{name}" in told
    assert "canary" not in told


def test_a_token_with_a_foreign_letter_is_refused(tmp_path: Path) -> None:
    """No header takes it; an error of the HTTP library would quote it."""
    with pytest.raises(ConfigurationError, match="PASSBACK_CANVAS_TOKEN"):
        load({"PASSBACK_CANVAS_TOKEN": "caf\u00e9-token"}, tmp_path / "no.env")


def test_a_client_of_canvas_needs_what_makes_it_safe() -> None:
    """With an LTI client id alone, every missing setting is named with what to do."""
    message = refusal(LTI_CLIENT_ID="10000000000042")
    assert "PASSBACK_PUBLIC_URL is not set; it is the address at which browsers reach passback" in message
    assert "PASSBACK_CANVAS_ROOT_ACCOUNT_UUID is not set; without it people of other Canvas customers" in message


@pytest.mark.parametrize(
    ("url", "is_accepted"),
    [
        ("https://passback.district.example", True),
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://passback.district.example", False),
    ],
)
def test_canvas_shows_pages_with_tls_alone(url: str, is_accepted: bool) -> None:
    """A public address without TLS is refused, except on this machine."""
    given = {"LTI_CLIENT_ID": "42", "CANVAS_ROOT_ACCOUNT_UUID": "uuid", "PUBLIC_URL": url}
    if is_accepted:
        assert loaded(**given).public_url == url
    else:
        assert "PASSBACK_PUBLIC_URL is not https" in refusal(**given)


@pytest.mark.parametrize("url", ["https://d.example/passback", "https://d.example?a=b", "https://me@d.example"])
def test_a_public_address_is_a_host(url: str) -> None:
    """A path, a query or a user name in it is refused: the pages' own addresses begin at the root."""
    assert "PASSBACK_PUBLIC_URL is more than a scheme and a host" in refusal(PUBLIC_URL=url)


@pytest.mark.parametrize(
    "text", ["canvas.d.example", "https://*", "https://d.example/x", "https://d.example; script-src *"]
)
def test_who_may_frame_is_a_list_of_addresses(text: str) -> None:
    """What is no address is refused: it would become a part of the content security policy."""
    assert "is no address such as https://canvas.district.example" in refusal(LTI_FRAME_ANCESTORS=text)
    assert loaded(LTI_FRAME_ANCESTORS="https://a.example, https://*.b.example:8443").lti_frame_ancestors == (
        "https://a.example",
        "https://*.b.example:8443",
    )
