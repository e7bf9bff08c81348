"""Checks of Redis: whether it answers, the user's rights, durability, memory and disk space."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from redis.exceptions import AuthenticationError, InvalidResponse, NoPermissionError, RedisError, ResponseError
from redis.sentinel import MasterNotFoundError

from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.adapters.redis.rights import missing_rights
from shared.adapters.redis.urls import url_options
from shared.config import PREFIX, Settings
from workers.container import Container
from workers.doctor.network import Endpoint, address_of, exception_chain, network_fault
from workers.doctor.result import Check, CheckFailed, CheckResult, Step, clock_check, ok
from workers.runtime.redis_durability import TRAITS, durability

RESPONDS, RIGHTS = "redis", "redis: rights"
NEEDS = (RESPONDS, RIGHTS)
OLDEST_VERSION = (6, 2)
FULL_ABOVE = 0.8
# Each is `ok` while Redis writes without errors, and absent if it does not write in that way.
WRITE_ERRORS = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
PASSWORD_FIX = (
    f"Correct the user in {PREFIX}REDIS_URL and the password there or in {PREFIX}REDIS_PASSWORD; special characters of "
    "a URL are percent-encoded."
)
COMMANDS_FIX = "Give the user of passback the commands of its line in deploy/redis/users.acl.in, and load the file."


def steps(service: Container) -> Iterator[Step]:
    """Yield the checks of Redis."""
    yield Step(RESPONDS, partial(_responds, service), needs=("settings: CA bundle",))
    yield Step(RIGHTS, partial(_rights, service), needs=(RESPONDS,))
    for name in TRAITS:
        yield Step(f"redis: {name}", partial(_durability, service, name), needs=NEEDS)
    yield Step("redis: disk", lambda: _writes(service.redis.info("persistence")), needs=NEEDS)
    yield Step("redis: role", lambda: _role(service.redis.info("replication")), needs=NEEDS)
    yield Step("redis: memory", partial(_memory, service), needs=NEEDS)
    yield Step("redis: clock", partial(_clock, service), needs=NEEDS)


def _responds(service: Container) -> Check:
    try:
        service.redis.ping()
        return _version(service.redis.info("server"))
    except NoPermissionError:
        # The check of the rights names what is missing.
        return ok(RESPONDS, "answers; its version is hidden")
    except RedisError as error:
        raise _fault(error, service.settings) from None


def _fault(error: RedisError, settings: Settings) -> CheckFailed:
    """Return why Redis cannot be used: credentials, the connection, or what it says itself."""
    causes = list(exception_chain(error))
    endpoint = _endpoint(settings)
    if any(isinstance(each, AuthenticationError) for each in causes):
        has_password = settings.redis_password.get_secret_value() or url_options(settings).get("password")
        wrong = "refuses the user or the password" if has_password else "asks for a password, and none is set"
        return CheckFailed(CheckResult.FAIL, f"{endpoint.address} {wrong}", PASSWORD_FIX)
    if any(isinstance(each, MasterNotFoundError) for each in causes):
        found = f"no Sentinel names a master called {settings.redis_sentinel_master}"
        fix = f"Correct {PREFIX}REDIS_SENTINELS (name@host:port) and {PREFIX}REDIS_SENTINEL_PASSWORD."
        return CheckFailed(CheckResult.FAIL, found, fix)
    if any("DB index" in str(each) for each in causes if isinstance(each, ResponseError)):
        fix = f"Correct the number at the end of {PREFIX}REDIS_URL."
        return CheckFailed(CheckResult.FAIL, f"{endpoint.address} has no such database", fix)
    if any(isinstance(each, InvalidResponse) for each in causes):
        return CheckFailed(CheckResult.FAIL, f"{endpoint.address} is no Redis", f"Correct {endpoint.setting}.")
    if any(isinstance(each, ResponseError) for each in causes):
        fix = "See Redis's log: it may be loading its data, or out of memory."
        return CheckFailed(CheckResult.FAIL, f"{endpoint.address} answers with an error ({type(error).__name__})", fix)
    return network_fault(error, endpoint) or CheckFailed(CheckResult.FAIL, f"no answer ({type(error).__name__})")


def _endpoint(settings: Settings) -> Endpoint:
    parts = urlsplit(settings.redis_url)
    address = parts.path if parts.scheme == "unix" else address_of(settings.redis_url)
    return Endpoint(address, f"{PREFIX}REDIS_URL")


def _rights(service: Container) -> str:
    """Name every command, key pattern and channel that is refused, at once."""
    prefix = service.settings.redis_prefix
    try:
        missing = missing_rights(service.redis, prefix)
    except NoPermissionError:
        raise CheckFailed(CheckResult.FAIL, "the user may not run multi", COMMANDS_FIX) from None
    found, fixes = [], []
    if missing.commands:
        found.append(f"the user may not run {', '.join(missing.commands)}")
        fixes.append(COMMANDS_FIX)
    for refused, what, pattern in (
        (missing.keys, "keys", f"~{prefix}:*"),
        (missing.channels, "channels", f"&{prefix}:celery:*"),
    ):
        if refused:
            found.append(f"the user may not use {what} that begin with {prefix}:")
            fixes.append(f"Add {pattern} to the user's rule, or set {PREFIX}REDIS_PREFIX to the prefix that it allows.")
    if found:
        raise CheckFailed(CheckResult.FAIL, "; ".join(found), " ".join(fixes))
    return "every command, key and channel that passback needs"


def _version(info: dict[str, Any]) -> Check:
    version = str(info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
        return Check(RESPONDS, CheckResult.FAIL, f"version {version}", "Use Redis 6.2 or newer.")
    return ok(RESPONDS, f"version {version}")


def _durability(service: Container, name: str) -> Check:
    trait = next(each for each in durability(service.redis, service.settings) if each.name == name)
    if trait.danger:
        return Check(f"redis: {name}", CheckResult.FAIL, f"{trait.value}: {trait.danger}", trait.fix)
    return ok(f"redis: {name}", trait.value or "not known: this server hides it")


def _writes(info: dict[str, Any]) -> Check:
    """Check whether the last writes to disk succeeded. A full disk shows here first."""
    bad = [name for name in WRITE_ERRORS if str(info.get(name, "ok")) != "ok"]
    if bad:
        fix = "See Redis's log; free disk space, or correct its permissions."
        return Check("redis: disk", CheckResult.FAIL, f"{', '.join(bad)}: failed", fix)
    return ok("redis: disk", "the last writes succeeded")


def _role(info: dict[str, Any]) -> Check:
    role = str(info.get("role", "master"))
    if role != "master":
        return Check("redis: role", CheckResult.FAIL, "a replica", "Point PASSBACK_REDIS_URL to the primary.")
    return ok("redis: role", "primary")


def _memory(service: Container) -> Check:
    name, memory = "redis: memory", QueueStats(service.redis, service.keys).memory()
    if memory.ratio is None:
        return ok(name, f"{memory.used // 1_000_000} MB used, no limit known")
    found = f"{memory.ratio:.0%} of {memory.limit // 1_000_000} MB used"
    if memory.ratio > FULL_ABOVE:
        verdict = CheckResult.FAIL if memory.ratio >= 1 else CheckResult.WARN
        return Check(name, verdict, found, "Give Redis more memory, or store less: PASSBACK_AUDIT_DAYS.")
    return ok(name, found)


def _clock(service: Container) -> Check:
    fix = "Synchronize this machine's clock and Redis's (NTP)."
    return clock_check("redis: clock", QueueStats(service.redis, service.keys).now(), fix)
