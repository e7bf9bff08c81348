"""How checks end."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

from redis.exceptions import RedisError

from shared.clock import Clock, SystemClock
from shared.config import ConfigurationError
from shared.errors import PassbackError, RequestRejected

# Signatures and tokens are checked against times: a minute is what they forgive.
NOTICEABLE_SKEW = timedelta(seconds=5)
DANGEROUS_SKEW = timedelta(seconds=60)


class CheckResult(StrEnum):
    """How a check ended."""

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
    """Return what `ask` found out; the error it raised, with the fix, where it did."""
    try:
        return Check(name, CheckResult.OK, ask())
    except CheckFailed as found:
        return Check(name, found.verdict, found.found, found.fix or fix)
    except (PassbackError, ConfigurationError) as error:
        words = error.error_text if isinstance(error, RequestRejected) else ""
        return Check(name, failure, f"{error} {words}".strip(), fix)
    except RedisError as error:
        # Its text repeats the command with what was to be written, such as a token.
        return Check(name, failure, f"Redis: {type(error).__name__}", "See the checks of Redis.")


def clock_check(name: str, theirs: datetime | None, fix: str, own: Clock | None = None) -> Check:
    """Return how far another's clock is from this machine's own, not from the one that all hosts agree on."""
    if theirs is None:
        return Check(name, CheckResult.WARN, "it tells no time", "")
    skew = abs(theirs - (own or SystemClock()).now())
    found = f"{skew.total_seconds():.0f} s apart" if skew >= NOTICEABLE_SKEW else "together"
    if skew < NOTICEABLE_SKEW:
        return ok(name, found)
    return Check(name, CheckResult.FAIL if skew >= DANGEROUS_SKEW else CheckResult.WARN, found, fix)


def http_date(header: str | None) -> datetime | None:
    """Return the moment of a `Date` header, None where it is missing or unreadable."""
    try:
        moment = parsedate_to_datetime((header or "")[:64])
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
