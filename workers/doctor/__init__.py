"""`passback doctor`: every check reads only, reports what it found, and names the fix. No check prints a secret.

The checks are rows (`Step`), in the order of what they need: a root cause is reported once, and what depends on it is
skipped. To check another part of an installation, add a module with its `steps` here.
"""

from contextlib import closing
from itertools import chain

from workers.container import Container
from workers.doctor import canvas, configuration, events, matches, powerschool, processes, redis
from workers.doctor.result import Check, CheckResult, run_steps
from workers.doctor.systems import Systems

__all__ = ["Check", "CheckResult", "run_checks"]


def run_checks(service: Container) -> list[Check]:
    """Return the result of every check."""
    found = list(configuration.checks(service.settings))

    def has_redis() -> bool:
        return all(check.verdict in (CheckResult.OK, CheckResult.WARN) for check in found if check.name in redis.NEEDS)

    with closing(Systems(service, has_redis)) as systems:
        run_steps(
            chain(
                redis.steps(service),
                canvas.steps(systems),
                powerschool.steps(systems),
                matches.steps(systems),
                events.steps(service),
                processes.steps(service),
            ),
            found,
        )
    return found
