"""Which answers mean that a system is unwell, and for how long. One row per sign."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

import httpx

from shared.adapters.http.response import ApiResponse, Content

MAX_RETRY_AFTER = timedelta(hours=1)
_THROTTLED = re.compile(r"rate.?limit|too many|throttl|\bwait\b", re.IGNORECASE)
_SECONDS = re.compile(r"(?<![\d.])(\d{1,9}(?:\.\d{1,9})?)\s{0,3}s(?:ec(?:ond)?s?)?\b", re.IGNORECASE | re.ASCII)
_MAX_HEADER = 64


class FailureKind(StrEnum):
    """What is wrong with a system; the second half of the cause, as in `canvas_throttled`."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class FailureRule:
    """How to recognise a trouble. `whole_system` if it says that no request would fare better."""

    trouble: FailureKind
    whole_system: bool
    seen: Callable[[ApiResponse], bool]


FAILURE_RULES = (
    FailureRule(FailureKind.THROTTLED, True, lambda a: a.status == 429),
    # Canvas (request_throttle.rb) and PowerSchool both throttle with a 403 that only its text tells from a refusal.
    FailureRule(
        FailureKind.THROTTLED, True, lambda a: a.status == 403 and _THROTTLED.search(a.raw_error_text) is not None
    ),
    # In maintenance PowerSchool redirects to a page that answers 200 with HTML.
    FailureRule(FailureKind.UNAVAILABLE, True, lambda a: 300 <= a.status < 400 or a.status == 503),
    FailureRule(FailureKind.UNAVAILABLE, True, lambda a: a.succeeded and a.content is Content.OTHER),
    # A load balancer gives up a request that its server is still at; others may be answered.
    FailureRule(FailureKind.TIMEOUT, False, lambda a: a.status in (408, 504)),
    FailureRule(
        FailureKind.ERROR, False, lambda a: a.status >= 500 or (a.succeeded and a.content is Content.BROKEN_JSON)
    ),
)


def failure_rule(answer: ApiResponse) -> FailureRule | None:
    """Return the first sign of trouble in the answer, None if the system is well."""
    return next((sign for sign in FAILURE_RULES if sign.seen(answer)), None)


def classify_exception(error: httpx.RequestError) -> tuple[FailureKind, bool]:
    """Return what a failed exchange means, and whether it concerns the whole system.

    A connection that cannot be made concerns everyone; one that breaks or stays silent may be this request's.
    """
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.ProxyError():
            return FailureKind.UNAVAILABLE, True
        case httpx.TimeoutException():
            return FailureKind.TIMEOUT, False
        case _:
            return FailureKind.UNAVAILABLE, False


def retry_after(answer: ApiResponse, now: datetime) -> timedelta | None:
    """Return how long the system asks to wait, an hour at most: by header (seconds or HTTP date) or in its text."""
    header = answer.headers.get("Retry-After", "")[:_MAX_HEADER].strip()
    asked = _duration(header, now) if header else _in_text(answer.raw_error_text)
    if asked is None or asked <= timedelta(0):
        return None
    return min(asked, MAX_RETRY_AFTER)


def _duration(header: str, now: datetime) -> timedelta | None:
    try:
        return _seconds(header)
    except ValueError:
        return _until(header, now)


def _until(http_date: str, now: datetime) -> timedelta | None:
    try:
        moment = parsedate_to_datetime(http_date)
    except (ValueError, OverflowError):
        # No date, or numbers that no date has.
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now


def _in_text(raw_error_text: str) -> timedelta | None:
    found = _SECONDS.search(raw_error_text)
    return _seconds(found[1]) if found else None


def _seconds(number: str) -> timedelta | None:
    """Return a number of seconds, an hour at most. Raises: ValueError if it is none."""
    seconds = float(number)
    is_wait = math.isfinite(seconds) and seconds > 0
    return timedelta(seconds=min(seconds, MAX_RETRY_AFTER.total_seconds())) if is_wait else None
