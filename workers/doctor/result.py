"""Checks as rows: what each needs, what it asks, and how its answer or error becomes a result."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from redis.exceptions import RedisError

from shared.clock import Clock, SystemClock
from shared.config import ConfigurationError
from shared.errors import PassbackError, RequestRejected, ServiceUnavailable, TransientError

# Signatures and tokens are checked against the time, with a tolerance of a minute.
NOTICEABLE_SKEW = timedelta(seconds=5)
DANGEROUS_SKEW = timedelta(seconds=60)
AGAIN_FIX = "Run `passback doctor` again. If it stays, see whether the system is overloaded."


class CheckResult(StrEnum):
    """The result of a check. A skipped one says nothing: what it needs failed, or there is nothing to ask."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Check:
    """One result of `doctor`."""

    name: str
    verdict: CheckResult
    found: str
    fix: str = ""

    def as_json(self) -> dict[str, str]:
        """Return the check as `doctor --json` prints it."""
        return {"check": self.name, "verdict": self.verdict, "found": self.found, "fix": self.fix}


class CheckFailed(Exception):
    """Ends a check with another verdict than OK; `fix` replaces the general one."""

    def __init__(self, verdict: CheckResult, found: str, fix: str = "") -> None:
        super().__init__(found)
        self.verdict = verdict
        self.found = found
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Step:
    """A check that is still to be made.

    `ask` returns what it found, or a result of its own. It is skipped where one of the checks in `needs` failed or was
    skipped. `failure` is the verdict of an error.
    """

    name: str
    ask: Callable[[], "str | Check"]
    fix: str = ""
    needs: tuple[str, ...] = ()
    failure: CheckResult = CheckResult.FAIL


def run_steps(steps: Iterable[Step], found: list[Check]) -> None:
    """Make the checks in their order and add the results. A skipped one names the root cause, which is found once."""
    roots: dict[str, str] = {}
    for step in steps:
        bad = {each.name for each in found if each.verdict in (CheckResult.FAIL, CheckResult.SKIP)}
        lacking = next((name for name in step.needs if name in bad), None)
        if lacking is None:
            found.append(_run(step))
        else:
            roots[step.name] = roots.get(lacking, lacking)
            found.append(Check(step.name, CheckResult.SKIP, f"needs {roots[step.name]}"))


def ok(name: str, found: str) -> Check:
    """Return a check that passed."""
    return Check(name, CheckResult.OK, found)


def _run(step: Step) -> Check:
    try:
        found = step.ask()
    except CheckFailed as failed:
        fix = "" if failed.verdict is CheckResult.SKIP else step.fix
        return Check(step.name, failed.verdict, failed.found, failed.fix or fix)
    except ServiceUnavailable as error:
        seconds = error.delay.total_seconds()
        return Check(step.name, step.failure, f"not known: {error}; it asks to wait for {seconds:.0f} s", AGAIN_FIX)
    except TransientError as error:
        return Check(step.name, step.failure, f"not known: {error}", AGAIN_FIX)
    except (PassbackError, ConfigurationError) as error:
        said = error.error_text if isinstance(error, RequestRejected) else ""
        return Check(step.name, step.failure, f"{error} {said}".strip(), step.fix)
    except RedisError as error:
        # Its text repeats the command with its arguments, such as a token.
        return Check(step.name, step.failure, f"Redis: {type(error).__name__}", AGAIN_FIX)
    return found if isinstance(found, Check) else Check(step.name, CheckResult.OK, found)


def clock_check(name: str, theirs: datetime | None, fix: str, clock: Clock | None = None) -> Check:
    """Return the difference between another clock and this machine's own, not the corrected clock."""
    if theirs is None:
        return Check(name, CheckResult.WARN, "not known: it returns no time", fix)
    skew = abs(theirs - (clock or SystemClock()).now())
    found = f"{skew.total_seconds():.0f} s apart" if skew >= NOTICEABLE_SKEW else "in agreement"
    if skew < NOTICEABLE_SKEW:
        return ok(name, found)
    return Check(name, CheckResult.FAIL if skew >= DANGEROUS_SKEW else CheckResult.WARN, found, fix)


def http_date(header: str | None) -> datetime | None:
    """Return the time of a `Date` header; None if it is missing or unreadable."""
    try:
        at = parsedate_to_datetime((header or "")[:64])
    except (ValueError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
