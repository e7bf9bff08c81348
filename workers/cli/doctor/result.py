"""Results of checks, and how errors become results."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from redis.exceptions import RedisError

from shared.clock import Clock, SystemClock
from shared.config import ConfigurationError
from shared.errors import PassbackError, RequestRejected

# Signatures and tokens are checked against the time, with a tolerance of a minute.
NOTICEABLE_SKEW = timedelta(seconds=5)
DANGEROUS_SKEW = timedelta(seconds=60)


class CheckResult(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `doctor`."""

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


def ok(name: str, found: str) -> Check:
    """Return a check that passed."""
    return Check(name, CheckResult.OK, found)


def run_check(name: str, ask: Callable[[], str], fix: str, failure: CheckResult = CheckResult.FAIL) -> Check:
    """Return what `ask` found, or the error that it raised, with the fix."""
    try:
        return Check(name, CheckResult.OK, ask())
    except CheckFailed as found:
        return Check(name, found.verdict, found.found, found.fix or fix)
    except (PassbackError, ConfigurationError) as error:
        text = error.error_text if isinstance(error, RequestRejected) else ""
        return Check(name, failure, f"{error} {text}".strip(), fix)
    except RedisError as error:
        # Its text repeats the command with its arguments, such as a token.
        return Check(name, failure, f"Redis: {type(error).__name__}", "See the checks of Redis.")


def clock_check(name: str, theirs: datetime | None, fix: str, clock: Clock | None = None) -> Check:
    """Return the difference between another clock and this machine's own, not the corrected clock."""
    if theirs is None:
        return Check(name, CheckResult.WARN, "it returns no time", "")
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
