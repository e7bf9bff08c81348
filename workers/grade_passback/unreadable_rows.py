"""What Canvas lists in a form that passback cannot read: each such row fails alone, and a person is told."""

from collections.abc import Iterator

from shared.domain.outcome import Failure
from shared.domain.passback.course_state import AssignmentRecord, SectionRecord, State
from shared.domain.passback.rules.reasons import Finding, Reason
from workers.grade_passback.course_reader import CourseComparison

CAUSE = "canvas_unexpected"


def unreadable_failures(comparison: CourseComparison) -> list[Failure]:
    """Return the dead letter of each assignment that cannot be read; one of the whole course for all other rows."""
    found = comparison.course.unreadable
    own = [Failure(CAUSE, each.what, each.assignment_id) for each in found if each.assignment_id is not None]
    others = "; ".join(each.what for each in found if each.assignment_id is None)
    return [*own, *([Failure(CAUSE, others)] if others else [])]


def unreadable_assignments(comparison: CourseComparison) -> Iterator[AssignmentRecord]:
    """Yield a record for every assignment that cannot be read: what is known of it, and that it waits for a person."""
    earlier = {each.assignment_id: each for each in (comparison.earlier.assignments if comparison.earlier else ())}
    for each in comparison.course.unreadable:
        if each.assignment_id is None:
            continue
        before = earlier.get(each.assignment_id)
        known = {section.section_sis_id: section for section in (before.sections if before else ())}
        # The name of an assignment that was never read is not known.
        name = before.name if before else ""
        sections = tuple(
            _section(known.get(section.sis_section_id), section.sis_section_id, each.what)
            for section in comparison.course.sections
        )
        yield AssignmentRecord(each.assignment_id, name, sections)


def _section(before: SectionRecord | None, section_sis_id: str | None, what: str) -> SectionRecord:
    ids = (before.powerschool_assignment_id, before.powerschool_assignment_section_id) if before else (None, None)
    return SectionRecord(
        section_sis_id=section_sis_id,
        state=State.DEAD,
        findings=(Finding(Reason.VALUE_UNREADABLE, what),),
        powerschool_assignment_id=ids[0],
        powerschool_assignment_section_id=ids[1],
        written_at=before.written_at if before else None,
    )
