"""Due dates, per section and as a day of the school's calendar."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.passback.canvas import (
    Assignment,
    Checkpoint,
    Override,
    OverrideTarget,
    effective_due_at,
    local_due_date,
    next_due_at,
)
from tests.unit.domain.passback.baseline import ASSIGNMENT, CHICAGO, COURSE

BASE = ASSIGNMENT.due_at
OTHER = datetime(2026, 10, 8, 4, 59, tzinfo=UTC)


def due_with(*overrides: Override) -> datetime | None:
    return effective_due_at(replace(ASSIGNMENT, overrides=overrides), "21")


def test_base_date_without_overrides() -> None:
    """Without overrides, the date of Everyone Else is the section's."""
    assert due_with() == BASE


def test_section_date() -> None:
    """A section's own date is its due date."""
    assert due_with(Override(OverrideTarget.SECTION, "21", changes_due_date=True, due_at=OTHER)) == OTHER


def test_section_without_date() -> None:
    """A section whose own date is empty has no due date, although Everyone Else has one."""
    assert due_with(Override(OverrideTarget.SECTION, "21", changes_due_date=True, due_at=None)) is None


def test_section_inherits() -> None:
    """A section override that leaves the due date alone inherits the base date."""
    assert due_with(Override(OverrideTarget.SECTION, "21", changes_due_date=False, due_at=None)) == BASE


def test_another_section() -> None:
    """The date of another section is not this one's."""
    assert due_with(Override(OverrideTarget.SECTION, "22", changes_due_date=True, due_at=OTHER)) == BASE


@pytest.mark.parametrize(
    "target",
    [OverrideTarget.STUDENTS, OverrideTarget.GROUP, OverrideTarget.MASTERY_PATHS, OverrideTarget.MODULE],
)
def test_dates_of_some(target: OverrideTarget) -> None:
    """A date for students, a group, Mastery Paths or a module is not the section's."""
    assert due_with(Override(target, None, changes_due_date=True, due_at=OTHER)) == BASE


def test_not_even_with_a_section() -> None:
    """Only a section override speaks for a section, whatever section another kind may name."""
    assert due_with(Override(OverrideTarget.STUDENTS, "21", changes_due_date=True, due_at=OTHER)) == BASE


def test_course_date() -> None:
    """A date for the whole course counts where the section has none of its own."""
    course = Override(OverrideTarget.COURSE, None, changes_due_date=True, due_at=OTHER)
    assert due_with(course) == OTHER


@pytest.mark.parametrize("section_first", [True, False])
def test_section_before_course(section_first: bool) -> None:
    """The section's own date counts before one for the whole course, in whichever order Canvas lists them."""
    section = Override(OverrideTarget.SECTION, "21", changes_due_date=True, due_at=None)
    course = Override(OverrideTarget.COURSE, None, changes_due_date=True, due_at=OTHER)
    assert due_with(*((section, course) if section_first else (course, section))) is None


def test_base_may_be_empty() -> None:
    """No date anywhere is no due date."""
    assert effective_due_at(replace(ASSIGNMENT, due_at=None), "21") is None


@pytest.mark.parametrize(
    ("utc", "zone", "day"),
    [
        ((2026, 9, 16, 4, 59, 59), "America/Chicago", date(2026, 9, 15)),
        ((2026, 12, 2, 5, 59, 59), "America/Chicago", date(2026, 12, 1)),
        ((2026, 12, 2, 6, 0, 0), "America/Chicago", date(2026, 12, 2)),
        ((2026, 9, 16, 5, 0, 0), "America/Chicago", date(2026, 9, 16)),
        # The night of 1 November 2026 has 25 hours, that of 8 March 23.
        ((2026, 11, 1, 4, 59, 59), "America/Chicago", date(2026, 10, 31)),
        ((2026, 11, 2, 5, 59, 59), "America/Chicago", date(2026, 11, 1)),
        ((2026, 3, 8, 5, 59, 59), "America/Chicago", date(2026, 3, 7)),
        ((2026, 3, 9, 4, 59, 59), "America/Chicago", date(2026, 3, 8)),
        ((2026, 9, 15, 14, 59, 59), "Pacific/Guam", date(2026, 9, 16)),
        ((2026, 9, 15, 13, 59, 59), "Pacific/Guam", date(2026, 9, 15)),
        ((2026, 9, 16, 9, 59, 59), "Pacific/Honolulu", date(2026, 9, 15)),
        ((2026, 9, 15, 23, 59, 59), "UTC", date(2026, 9, 15)),
    ],
)
def test_local_date(utc: tuple[int, int, int, int, int, int], zone: str, day: date) -> None:
    """A due time in UTC is a day of the school's calendar, in summer and winter, east and west."""
    assert local_due_date(datetime(*utc, tzinfo=UTC), ZoneInfo(zone)) == day


def test_local_date_of_local_time() -> None:
    """A due time that is not in UTC means the same day as the same moment in UTC."""
    assert local_due_date(datetime(2026, 9, 30, 23, 59, tzinfo=CHICAGO), CHICAGO) == date(2026, 9, 30)


NOON = datetime(2026, 9, 30, 17, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def next_due_with(*assignments: Assignment, after: datetime = NOON) -> datetime | None:
    return next_due_at(replace(COURSE, assignments=assignments), after)


def test_next_due_date_is_the_first_one_ahead() -> None:
    """Dates that passed do not count, nor the moment itself."""
    assert next_due_with(*(replace(ASSIGNMENT, due_at=NOON + n * HOUR) for n in (-1, 0, 3, 2))) == NOON + 2 * HOUR


def test_nothing_ahead() -> None:
    """Without a date ahead there is none."""
    assert next_due_with(replace(ASSIGNMENT, due_at=None), replace(ASSIGNMENT, due_at=NOON)) is None


@pytest.mark.parametrize("target", list(OverrideTarget))
def test_next_due_date_of_some(target: OverrideTarget) -> None:
    """A section's own date and a single student's extension are awaited beside the date of Everyone Else."""
    section_id = "21" if target is OverrideTarget.SECTION else None
    extension = Override(target, section_id, changes_due_date=True, due_at=NOON + 2 * HOUR)
    assert next_due_with(replace(ASSIGNMENT, due_at=NOON, overrides=(extension,))) == NOON + 2 * HOUR


def test_a_section_without_date_awaits_none() -> None:
    """Where every section has its own date, that of Everyone Else is nobody's."""
    own = Override(OverrideTarget.SECTION, "21", changes_due_date=True, due_at=None)
    assert next_due_with(replace(ASSIGNMENT, due_at=NOON + HOUR, overrides=(own,))) is None


@pytest.mark.parametrize("change", [{"published": False}, {"post_to_sis": False}, {"post_to_sis": None}])
def test_work_that_is_not_synced_is_not_awaited(change: dict[str, bool | None]) -> None:
    """Turning its sync on is an event of its own."""
    assert next_due_with(replace(ASSIGNMENT, due_at=NOON + HOUR, **change)) is None  # type: ignore[arg-type]


EARLY, LATE = datetime(2026, 12, 2, 5, 59, tzinfo=UTC), datetime(2026, 12, 5, 5, 59, tzinfo=UTC)
DISCUSSION = replace(ASSIGNMENT, due_at=None, checkpoints=(Checkpoint(EARLY), Checkpoint(LATE)))


@pytest.mark.parametrize("order", [1, -1])
def test_a_discussion_is_due_on_its_last_checkpoint(order: int) -> None:
    """Whichever of them is listed first; one without a date says nothing."""
    parts = (*DISCUSSION.checkpoints, Checkpoint(None))[::order]
    assert effective_due_at(replace(DISCUSSION, checkpoints=parts), "21") == LATE


def test_a_discussion_without_any_date_has_none() -> None:
    """Also if the discussion itself shows one, which Canvas does not allow."""
    parts = (Checkpoint(None), Checkpoint(None))
    assert effective_due_at(replace(DISCUSSION, due_at=BASE, checkpoints=parts), "21") is None


def test_checkpoints_have_dates_of_their_own_per_section() -> None:
    """The section's last checkpoint counts: the replies moved forward, so that the first post is last there."""
    section_date = Override(OverrideTarget.SECTION, "21", changes_due_date=True, due_at=EARLY - HOUR)
    parts = (Checkpoint(EARLY), Checkpoint(LATE, (section_date,)))
    discussion = replace(DISCUSSION, checkpoints=parts)
    assert (effective_due_at(discussion, "21"), effective_due_at(discussion, "22")) == (EARLY, LATE)


def test_every_checkpoints_date_is_awaited() -> None:
    """The first part can become missing before the last one is due; so can that of a student with an extension."""
    extension = Override(OverrideTarget.STUDENTS, None, changes_due_date=True, due_at=NOON + HOUR)
    parts = (Checkpoint(NOON + 3 * HOUR), Checkpoint(NOON + 9 * HOUR, (extension,)))
    discussion = replace(DISCUSSION, checkpoints=parts)
    assert [next_due_with(discussion, after=NOON + n * HOUR) for n in (0, 1, 3, 9)] == [
        NOON + HOUR,
        NOON + 3 * HOUR,
        NOON + 9 * HOUR,
        None,
    ]
