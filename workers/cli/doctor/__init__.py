"""What `doctor` looks at. Every check reads only, says what it found, and names the fix; no check prints a secret."""

from workers.cli.doctor import configuration, events, processes, redis, systems
from workers.cli.doctor.result import Check, CheckResult
from workers.container import Container

__all__ = ["Check", "CheckResult", "run_checks"]


def run_checks(service: Container) -> list[Check]:
    """Return every check's result. A system that does not answer fails its checks and no others."""
    found = [*configuration.checks(service.settings), *events.keys_checks(service.settings), *redis.checks(service)]
    # Canvas's and PowerSchool's clients share their pace and token through Redis.
    if any(check.name == redis.RESPONDS and check.verdict is not CheckResult.FAIL for check in found):
        found += [*processes.checks(service), *events.freshness_checks(service), *systems.checks(service)]
    return found
