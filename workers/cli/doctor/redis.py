"""Checks of Redis: whether it responds, stores data durably, and has memory and disk space."""

from collections.abc import Iterator
from typing import Any

from redis.exceptions import RedisError

from shared.adapters.redis.operations.queue_stats import QueueStats
from workers.cli.doctor.result import Check, CheckResult, clock_check, ok
from workers.container import Container
from workers.runtime.redis_durability import durability

RESPONDS = "redis"
OLDEST_VERSION = (6, 2)
FULL_ABOVE = 0.8
# Each is `ok` while Redis writes without errors, and absent if it does not write in that way.
WRITE_ERRORS = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")


def checks(service: Container) -> Iterator[Check]:
    """Yield the checks of Redis. If it does not respond, the first fails and is the only one."""
    try:
        yield _version(service.redis.info("server"))
        yield from _durability(service)
        yield _writes(service.redis.info("persistence"))
        yield _role(service.redis.info("replication"))
        yield _memory(service)
        fix = "Synchronize this machine's clock and Redis's (NTP)."
        yield clock_check("redis: clock", QueueStats(service.redis, service.keys).now(), fix)
    except RedisError as error:
        yield Check(RESPONDS, CheckResult.FAIL, f"no response ({type(error).__name__})", "Check PASSBACK_REDIS_URL.")


def _version(info: dict[str, Any]) -> Check:
    version = str(info["redis_version"])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_VERSION:
        return Check(RESPONDS, CheckResult.FAIL, f"version {version}", "Use Redis 6.2 or newer.")
    return ok(RESPONDS, f"version {version}")


def _durability(service: Container) -> Iterator[Check]:
    for trait in durability(service.redis, service.settings):
        verdict = CheckResult.FAIL if trait.danger else CheckResult.OK
        found = f"{trait.value or 'not readable'}{': ' if trait.danger else ''}{trait.danger}"
        yield Check(f"redis: {trait.name}", verdict, found, trait.fix if trait.danger else "")


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
        return Check(name, CheckResult.WARN, found, "Give Redis more memory, or store less: PASSBACK_AUDIT_DAYS.")
    return ok(name, found)
