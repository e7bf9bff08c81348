"""`passback doctor`: every check reads only, reports what it found, and names the fix. No check prints a secret.

The checks are rows (`Step`), in the order of what they need: a root cause is reported once, and what depends on it is
skipped. To check another part of an installation, add a module with its `steps` here.
"""

from collections.abc import Sequence
from contextlib import closing
from itertools import chain

from shared.domain.passback.readiness.findings import SystemFinding
from shared.domain.passback.rules.reasons import Actor
from workers.container import Container
from workers.doctor import canvas, configuration, events, lti, matches, notifications, powerschool, processes, redis
from workers.doctor.result import Check, CheckResult, run_steps
from workers.doctor.systems import Systems

__all__ = ["Check", "CheckResult", "run_checks", "system_findings"]

# Who mends what a check finds, by the beginning of its name.
WHO = {"canvas": Actor.CANVAS_ADMIN, "powerschool": Actor.POWERSCHOOL_ADMIN, "settings": Actor.OPERATOR}


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
                lti.steps(service),
                processes.steps(service),
                notifications.steps(service),
            ),
            found,
        )
    return found


def system_findings(service: Container) -> Sequence[SystemFinding]:
    """Return the checks of Canvas, PowerSchool and their settings that fail: tokens, grants, the plugin's queries."""
    found = list(configuration.required(service.settings))
    with closing(Systems(service, lambda: True)) as systems:
        run_steps(chain(canvas.steps(systems), powerschool.steps(systems)), found)
    failed = [check for check in found if check.verdict is CheckResult.FAIL]
    return [SystemFinding(c.name, c.found, c.fix, WHO[c.name.partition(":")[0]]) for c in failed]
