"""Schedules: what is one, and when it was due last, also on the nights on which the clocks change."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.clock import checked_cron, last_due

CHICAGO = ZoneInfo("America/Chicago")
SECONDS = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)


def at(*local: int, fold: int = 0) -> datetime:
    """Return a time on Chicago's clocks."""
    year, month, day, hour, minute = local
    return datetime(year, month, day, hour, minute, tzinfo=CHICAGO, fold=fold)


@pytest.mark.parametrize("schedule", ["0 3 * * *", "*/15 0-6 * * 1,3", "30 2 1 jan mon-fri", "0 0 29 2 *", ""])
def test_five_fields_are_a_schedule(schedule: str) -> None:
    """Numbers, lists, ranges, steps and names; empty means never."""
    assert checked_cron(schedule) == schedule


@pytest.mark.parametrize(
    "wrong",
    ["x", "* * * *", "0 0 3 * * *", "@daily", "61 * * * *", "0 3 30 2 *", "H 3 * * *", "R 3 * * *", "0 0 l * *"],
)
def test_anything_else_is_refused(wrong: str) -> None:
    """Also days that never come, and what only some programs understand."""
    with pytest.raises(ValueError, match="is no schedule"):
        checked_cron(wrong)


def test_spaces_are_tidied() -> None:
    """Spaces around and between the fields mean nothing."""
    assert checked_cron("  0  3 *\t* * ") == "0 3 * * *"


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (at(2026, 10, 5, 2, 59), at(2026, 10, 4, 3, 0)),
        (at(2026, 10, 5, 3, 0), at(2026, 10, 5, 3, 0)),
        (at(2026, 10, 5, 3, 0) + SECONDS, at(2026, 10, 5, 3, 0)),
        (at(2026, 10, 6, 2, 59), at(2026, 10, 5, 3, 0)),
    ],
)
def test_the_last_due_time_is_the_districts(now: datetime, due: datetime) -> None:
    """03:00 is 03:00 on the district's clocks, the minute itself included."""
    assert last_due("0 3 * * *", now.astimezone(UTC), CHICAGO) == due


@pytest.mark.parametrize("schedule", ["0 3 * * *", "30 2 * * *", "30 1 * * *"])
@pytest.mark.parametrize(
    "evening",
    [at(2026, 3, 7, 18, 0), at(2026, 10, 31, 18, 0)],
    ids=["the clocks go forward", "the clocks go back"],
)
def test_a_night_with_a_clock_change_has_one_due_time(evening: datetime, schedule: str) -> None:
    """Also where the clocks leave the time out, or show it twice."""
    # From the evening to the next noon, often around the minute of each schedule.
    looks = [evening.astimezone(UTC) + n * 5 * MINUTE for n in range(12 * 18)]
    dues = sorted({last_due(schedule, look, CHICAGO) for look in looks})
    assert len([due for due in dues if due > evening]) == 1
    assert all(last_due(schedule, look, CHICAGO) <= look for look in looks)
