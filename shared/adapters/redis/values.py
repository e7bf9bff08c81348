"""What Redis answers, as values: bytes as text, milliseconds since the epoch as times, leases."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_LAST_MS = (datetime(9999, 1, 1, tzinfo=UTC) - EPOCH) // _MILLISECOND


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to sync a course, or to run provisioning (without `course_id`), of one worker at a time.

    `token` grows with every lease ever given: the fencing token.
    """

    course_id: str
    token: int


def text(reply: bytes | str) -> str:
    """Return a key, member or value that is text. Bytes that are no UTF-8 are escaped, never an error."""
    return reply.decode(errors="backslashreplace") if isinstance(reply, bytes) else reply


def time_at(milliseconds: float | bytes | str) -> datetime:
    """Return the time, in UTC, of a number of milliseconds since the epoch; the nearest one that a calendar has."""
    if isinstance(milliseconds, float):
        milliseconds = min(max(milliseconds, 0.0), _LAST_MS)
    return EPOCH + min(max(int(milliseconds), 0), _LAST_MS) * _MILLISECOND


def clock_ms(reply: tuple[int, int]) -> int:
    """Return what `TIME` answers, seconds and microseconds, as whole milliseconds since the epoch."""
    seconds, microseconds = reply
    return seconds * 1000 + microseconds // 1000


def times_at(times: bytes | str) -> tuple[datetime, ...]:
    """Return the times of a comma-separated list of milliseconds since the epoch."""
    return tuple(time_at(time) for time in text(times).split(",") if time.isdigit())


def epoch_ms(at: datetime) -> int:
    """Return the whole milliseconds from the epoch to `at`, which is aware."""
    return (at - EPOCH) // _MILLISECOND


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds."""
    return round(duration / _MILLISECOND)
