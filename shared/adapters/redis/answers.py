"""What Redis answers, as values: bytes as text, milliseconds since the epoch as times."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def text(answer: bytes | str) -> str:
    """Return a key, member or value that is text."""
    return answer.decode() if isinstance(answer, bytes) else answer


def time_at(milliseconds: float | bytes | str) -> datetime:
    """Return the time, in UTC, of a number of milliseconds since the epoch."""
    return _EPOCH + int(milliseconds) * _MILLISECOND


def clock_ms(answer: tuple[int, int]) -> int:
    """Return what `TIME` answers, seconds and microseconds, as whole milliseconds since the epoch."""
    seconds, microseconds = answer
    return seconds * 1000 + microseconds // 1000


def times_at(moments: bytes | str) -> tuple[datetime, ...]:
    """Return the times of a comma-separated list of milliseconds since the epoch."""
    return tuple(time_at(moment) for moment in text(moments).split(",") if moment)


def epoch_ms(at: datetime) -> int:
    """Return the whole milliseconds from the epoch to `at`, which is aware."""
    return (at - _EPOCH) // _MILLISECOND


def milliseconds(duration: timedelta) -> int:
    """Return a duration in whole milliseconds."""
    return round(duration / _MILLISECOND)
