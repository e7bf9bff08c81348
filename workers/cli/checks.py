"""What `doctor` looks at. Every check reads only, says what it found, and names the fix."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from redis.exceptions import RedisError

from shared.adapters.powerschool.grants import GRANTS
from shared.config import CANVAS_SETTINGS, POWERSCHOOL_SETTINGS, ConfigurationError, is_loopback
from shared.errors import AccessDenied, PassbackError, Refused
from workers.bootstrap import Passback
from workers.durability import durability


class Verdict(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`."""

    name: str
    verdict: Verdict
    found: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the check as `doctor --json` prints it."""
        return {"check": self.name, "verdict": self.verdict, "found": self.found, "fix": self.fix}


def run_checks(service: Passback) -> list[Check]:
    """Return every check's result. A system that does not answer fails its checks and no others."""
    redis = list(_redis(service))
    # Canvas's and PowerSchool's clients share their pace and token through Redis.
    reachable = redis[0].verdict is not Verdict.FAIL
    return [*_settings(service), *redis, *(_systems(service) if reachable else ())]


def _settings(service: Passback) -> Iterator[Check]:
    settings = service.settings
    for name, required in (("settings: Canvas", CANVAS_SETTINGS), ("settings: PowerSchool", POWERSCHOOL_SETTINGS)):
        try:
            settings.require(*required)
        except ConfigurationError as error:
            yield Check(name, Verdict.FAIL, str(error))
        else:
            yield Check(name, Verdict.OK, "set")
    if settings.live_events_allow_unsigned:
        yield Check(
            "settings: Live Events", Verdict.WARN, "unsigned events are accepted",
            "Sign payloads in Canvas's data stream and unset PASSBACK_LIVE_EVENTS_ALLOW_UNSIGNED.",
        )  # fmt: skip
    elif not settings.canvas_root_account_uuid:
        yield Check(
            "settings: Live Events", Verdict.FAIL, "events of any Canvas customer would pass the signature check",
            "Set PASSBACK_CANVAS_ROOT_ACCOUNT_UUID to the district's root_account_uuid.",
        )  # fmt: skip
    else:
        yield Check("settings: Live Events", Verdict.OK, "signed events of this district only")
    if settings.district_time_zone is None:
        yield Check(
            "settings: time zone",
            Verdict.WARN,
            "not set; PowerSchool's own is used",
            "Set PASSBACK_DISTRICT_TIME_ZONE.",
        )


def _redis(service: Passback) -> Iterator[Check]:
    try:
        version = str(service.redis.info("server")["redis_version"])
    except RedisError as error:
        yield Check("redis", Verdict.FAIL, f"no answer ({type(error).__name__})", "Check PASSBACK_REDIS_URL.")
        return
    old = tuple(int(part) for part in version.split(".")[:2]) < (6, 2)
    yield Check(
        "redis", Verdict.FAIL if old else Verdict.OK, f"version {version}", "Use Redis 6.2 or newer." if old else ""
    )
    for trait in durability(service.redis, service.settings):
        verdict = Verdict.FAIL if trait.is_dangerous else Verdict.OK
        found = f"{trait.value or 'not readable'}{': ' if trait.danger else ''}{trait.danger}"
        yield Check(f"redis: {trait.name}", verdict, found, trait.fix if trait.is_dangerous else "")


def _systems(service: Passback) -> Iterator[Check]:
    yield _asked("canvas: token", service, _canvas_token, "Check PASSBACK_CANVAS_URL and PASSBACK_CANVAS_TOKEN.")
    fix = "Check PASSBACK_POWERSCHOOL_URL, PASSBACK_POWERSCHOOL_CLIENT_ID and PASSBACK_POWERSCHOOL_CLIENT_SECRET."
    yield _asked("powerschool: token", service, _powerschool_token, fix)
    fix = 'Grant the plugin accessLevelV1Api="READ" on its Data Provider Configuration page.'
    yield _asked("powerschool: /ws/v1", service, _powerschool_v1, fix)
    fix = "Install and enable deploy/powerschool-plugin; without its queries passback reads more slowly."
    yield _asked("powerschool: queries", service, _powerschool_queries, fix, failure=Verdict.WARN)
    fix = "Add the missing field to the plugin's access_request, raise its version and install it again."
    yield _asked("powerschool: grants", service, _powerschool_grants, fix)
    for name, url in (("canvas", service.settings.canvas_url), ("powerschool", service.settings.powerschool_url)):
        if url.startswith("http://") and not is_loopback(url):
            yield Check(f"{name}: encryption", Verdict.FAIL, "the URL is http", "Use https.")


def _asked(
    name: str, service: Passback, ask: Callable[[Passback], str], fix: str, failure: Verdict = Verdict.FAIL
) -> Check:
    try:
        return Check(name, Verdict.OK, ask(service))
    except (PassbackError, ConfigurationError) as error:
        words = error.words if isinstance(error, Refused) else ""
        return Check(name, failure, f"{error} {words}".strip(), fix)


def _canvas_token(service: Passback) -> str:
    """Ask for the token's own user: a scoped key may not read it, which still proves that the token is valid."""
    try:
        service.canvas.check_token()
    except AccessDenied as error:
        if "scope" not in error.words.lower():
            raise
        return "accepted (a scoped key)"
    return "accepted"


def _powerschool_token(service: Passback) -> str:
    service.powerschool.api.send("GET", "/ws/v1/metadata")
    return "accepted"


def _powerschool_v1(service: Passback) -> str:
    service.powerschool.api.send("GET", "/ws/v1/district/school/count")
    return "readable"


def _powerschool_queries(service: Passback) -> str:
    if not service.powerschool.queries.is_installed():
        raise ConfigurationError("not installed, or their fields not granted")
    return "installed"


def _powerschool_grants(service: Passback) -> str:
    for table, columns in GRANTS.items():
        projection = ",".join(columns)
        params = [("projection", projection), ("pagesize", "1")]
        service.powerschool.api.send("GET", "/ws/schema/table/{table}", {"table": table}, params=params)
    return f"{sum(map(len, GRANTS.values()))} columns of {len(GRANTS)} tables"
