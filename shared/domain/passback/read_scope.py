"""Decides what a sync need not read: cached sections and groups, and scores of up-to-date assignments."""

from collections.abc import Collection, Mapping, Sequence

from shared.domain.passback.canvas import Course, GradebookRow, OverrideTarget
from shared.domain.passback.course_state import CourseRecord, State, sections_of
from shared.domain.passback.powerschool import AssignmentKey, RosteredSection

UP_TO_DATE = frozenset({State.SYNCED, State.WAITING})


def up_to_date_keys(
    record: CourseRecord | None, rosters: Mapping[str, RosteredSection]
) -> Mapping[AssignmentKey, State]:
    """Return the assignments that the last sync left synced, or waiting for a first score.

    `rosters` holds PowerSchool's sections by SIS id.

    Blocked and failed assignments are left out: their next attempt may succeed.
    """
    return {
        AssignmentKey(assignment_id, rosters[section.section_sis_id].dcid): section.state
        for assignment_id, section in sections_of(record)
        if section.state in UP_TO_DATE and section.section_sis_id is not None and section.section_sis_id in rosters
    }


def known_changes(changed: frozenset[str] | None, course: Course) -> frozenset[str] | None:
    """Return the assignments whose scores may have changed, None if any may have.

    Any may have if one of them is not in the course's list. A grade of a discussion's checkpoint or of a peer review
    has an id of its own, and the assignment whose score it changes raises no event. Source: canvas-lms
    app/services/checkpoints/submission_aggregator_service.rb.
    """
    listed = {assignment.id for assignment in course.assignments}
    return changed if changed is not None and changed <= listed else None


def is_cache_consistent(course: Course, rows: Sequence[GradebookRow], rosters: Collection[RosteredSection]) -> bool:
    """Say whether the course's cached sections and groups are consistent with its assignments, rows and rosters.

    Canvas need not send an event of this course when a section is added (such as one cross-listed from another course)
    or removed. Students of an unknown section, or a section that lost all its students, show the change.
    """
    section_ids = {section.id for section in course.sections}
    named = _sections_with_dates(course) | {section_id for row in rows for section_id in row.section_ids}
    groups = {assignment.group_id for assignment in course.assignments}
    return named <= section_ids and groups <= course.groups.keys() and not _has_no_students(course, rows, rosters)


def _sections_with_dates(course: Course) -> set[str | None]:
    overrides = [override for assignment in course.assignments for override in assignment.all_overrides]
    return {override.section_id for override in overrides if override.target is OverrideTarget.SECTION}


def _has_no_students(course: Course, rows: Sequence[GradebookRow], rosters: Collection[RosteredSection]) -> bool:
    """Say whether Canvas lists nobody in a section that has students in PowerSchool; False without rows."""
    if not rows:
        return False
    attended = {section_id for row in rows for section_id in row.section_ids}
    with_students = {r.sis_section_id for r in rosters if any(student.active for student in r.students.values())}
    return any(s.sis_section_id in with_students and s.id not in attended for s in course.sections)
