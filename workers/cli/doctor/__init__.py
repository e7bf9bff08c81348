"""`passback doctor`: every check reads only, reports what it found, and names the fix. No check prints a secret."""

from workers.cli.doctor import configuration, events, processes, redis, systems
from workers.cli.doctor.result import Check, CheckResult
from workers.container import Container

__all__ = ["Check", "CheckResult", "run_checks"]


def run_checks(service: Container) -> list[Check]:
    """Return the result of every check. A system that does not respond fails its own checks only."""
    found = [*configuration.checks(service.settings), *events.keys_checks(service.settings), *redis.checks(service)]
    # The clients of Canvas and PowerSchool need Redis for their rate and token.
    if any(check.name == redis.RESPONDS and check.verdict is not CheckResult.FAIL for check in found):
        found += [*processes.checks(service), *events.freshness_checks(service), *systems.checks(service)]
    return found
