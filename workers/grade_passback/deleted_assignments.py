"""What was deleted in Canvas and is still in PowerSchool: nothing is deleted there, so that somebody has to be told."""

from collections.abc import Iterator

from shared.domain.passback.course_state import AssignmentRecord, SectionRecord, State
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.rules.reasons import Finding, Reason
from workers.grade_passback.course_reader import CourseComparison


def deleted_in_canvas(comparison: CourseComparison) -> tuple[AssignmentRecord, ...]:
    """Return a record for every assignment that was sent, is no longer in the Canvas course, and is in PowerSchool.

    Its name is the last one that was sent.
    """
    left: dict[str, list[Link]] = {}
    for link in _remaining(comparison):
        left.setdefault(link.assignment_id, []).append(link)
    return tuple(
        AssignmentRecord(assignment_id, links[0].name, tuple(_section(link, comparison) for link in links))
        for assignment_id, links in sorted(left.items())
    )


def _remaining(comparison: CourseComparison) -> Iterator[Link]:
    """Yield the links to what is left; a claim, or what somebody deleted in PowerSchool too, is nothing to tell."""
    in_canvas = {assignment.id for assignment in comparison.course.assignments}
    in_canvas |= {each.assignment_id for each in comparison.course.unreadable if each.assignment_id is not None}
    there = {(a.section_dcid, a.assignment_section_id) for a in comparison.actual}
    for (assignment_id, section_dcid), link in sorted(comparison.links.items()):
        place = (section_dcid, link.powerschool_assignment_section_id)
        if assignment_id not in in_canvas and place in there:
            yield link


def _section(link: Link, comparison: CourseComparison) -> SectionRecord:
    return SectionRecord(
        section_sis_id=comparison.rosters[link.section_dcid].sis_section_id,
        state=State.BLOCKED,
        findings=(Finding(Reason.DELETED_IN_CANVAS),),
        powerschool_assignment_id=link.powerschool_assignment_id,
        powerschool_assignment_section_id=link.powerschool_assignment_section_id,
    )
