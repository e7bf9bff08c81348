"""Computes when an assignment is due in a section, and on which day of the school's calendar."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta, tzinfo

from shared.domain.passback.canvas import Assignment, Course, Override, OverrideTarget, Section

# A sync starts this long after a due date: the clocks of Canvas and of passback may differ.
DUE_DATE_DELAY = timedelta(seconds=60)


def effective_due_at(assignment: Assignment, section_id: str) -> datetime | None:
    """Return when the assignment is due for the whole section, None where it is not due at all.

    The section's override has priority over one for the whole course, and that over the date of "Everyone Else".
    An override may say "no due date"; one that does not change the date is ignored. Dates for
    single students, groups and modules say nothing about the section. A discussion with checkpoints is due when the
    last of them is due for the section.

    Source: Canvas AssignmentOverride: `due_at` is absent where inherited, null where there is no due date.
    """
    if assignment.checkpoints:
        dates = [_due_at(checkpoint.due_at, checkpoint.overrides, section_id) for checkpoint in assignment.checkpoints]
        return max((due_at for due_at in dates if due_at is not None), default=None)
    return _due_at(assignment.due_at, assignment.overrides, section_id)


def _due_at(base: datetime | None, overrides: Sequence[Override], section_id: str) -> datetime | None:
    of_section = [o for o in overrides if o.target is OverrideTarget.SECTION and o.section_id == section_id]
    of_course = [o for o in overrides if o.target is OverrideTarget.COURSE]
    return next((o.due_at for o in (*of_section, *of_course) if o.changes_due_date), base)


def local_due_date(due_at: datetime, zone: tzinfo) -> date:
    """Return the day of an aware `due_at` on the calendar of `zone`.

    Canvas returns 23:59 of a day in Chicago as 04:59 or 05:59 UTC of the next, and PowerSchool takes only a date.
    """
    return due_at.astimezone(zone).date()


def next_due_at(course: Course, after: datetime) -> datetime | None:
    """Return the first due date later than `after` of synced work, for anybody; None if there is none.

    Missing work raises no event: it becomes missing as its date passes, for a section or for one student. Dates of
    groups and modules count too: one sync too many does no harm.
    """
    synced = [a for a in course.assignments if a.published and a.post_to_sis]
    times = [time for a in synced for time in _due_times(a, course.sections)]
    return min((time for time in times if time is not None and time > after), default=None)


def _due_times(assignment: Assignment, sections: Sequence[Section]) -> list[datetime | None]:
    of_sections = [effective_due_at(assignment, section.id) for section in sections]
    of_checkpoints = [
        _due_at(checkpoint.due_at, checkpoint.overrides, section.id)
        for checkpoint in assignment.checkpoints
        for section in sections
    ]
    return [*of_sections, *of_checkpoints, *(o.due_at for o in assignment.all_overrides if o.changes_due_date)]
