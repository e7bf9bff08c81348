"""Whether what is remembered of a course still fits what was just read of it."""

from collections.abc import Collection, Sequence

from shared.domain.passback.canvas import Course, GradebookRow, OverrideTarget
from shared.domain.passback.powerschool import RosteredSection


def fits(course: Course, rows: Sequence[GradebookRow], rosters: Collection[RosteredSection]) -> bool:
    """Say whether nothing in the course's assignments and rows speaks against its sections and groups.

    A section that came, such as one cross-listed from another course, brings students whom Canvas lists in it; one that
    went takes all of them along. Neither need have raised an event for this course.
    """
    section_ids = {section.id for section in course.sections}
    named = _sections_with_dates(course) | {section_id for row in rows for section_id in row.section_ids}
    groups = {assignment.group_id for assignment in course.assignments}
    return named <= section_ids and groups <= course.groups.keys() and not _is_deserted(course, rows, rosters)


def _sections_with_dates(course: Course) -> set[str | None]:
    overrides = [override for assignment in course.assignments for override in assignment.all_overrides]
    return {override.section_id for override in overrides if override.target is OverrideTarget.SECTION}


def _is_deserted(course: Course, rows: Sequence[GradebookRow], rosters: Collection[RosteredSection]) -> bool:
    """Say whether Canvas lists nobody in a section that has students in PowerSchool; without rows, it says nothing."""
    if not rows:
        return False
    attended = {section_id for row in rows for section_id in row.section_ids}
    peopled = {r.sis_section_id for r in rosters if any(student.active for student in r.students.values())}
    return any(s.sis_section_id in peopled and s.id not in attended for s in course.sections)
