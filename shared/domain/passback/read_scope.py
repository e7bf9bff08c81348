"""Which work was settled at the last sync, so that a grade elsewhere in the course is no reason to read its scores."""

from collections.abc import Mapping

from shared.domain.passback.canvas import Course
from shared.domain.passback.course_state import AssignmentSectionKey, CourseRecord, State, sections_by_key

UP_TO_DATE = frozenset({State.SYNCED, State.WAITING})


def up_to_date_keys(record: CourseRecord | None) -> Mapping[AssignmentSectionKey, State]:
    """Return where the last sync left nothing to be done: synced, or waiting for a first score.

    What was blocked may be free by now, and what failed may go through: none of it is at rest.
    """
    return {place: section.state for place, section in sections_by_key(record).items() if section.state in UP_TO_DATE}


def known_graded(graded: frozenset[str] | None, course: Course) -> frozenset[str] | None:
    """Return the assignments whose scores may have changed, None if any may have.

    Any may have if one of them is not in the course's list. A grade of a discussion's checkpoint or of a peer review
    has an id of its own, and the assignment whose score it changes raises no event. Source: canvas-lms
    app/services/checkpoints/submission_aggregator_service.rb.
    """
    listed = {assignment.id for assignment in course.assignments}
    return graded if graded is not None and graded <= listed else None
