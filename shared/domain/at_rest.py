"""Which work was settled at the last sync, so that a grade elsewhere in the course is no reason to read its scores."""

from collections.abc import Mapping

from shared.domain.records import CourseRecord, State

# One Canvas assignment in one section: its Canvas id and the section's SIS id.
Place = tuple[str, str | None]

AT_REST = frozenset({State.SYNCED, State.WAITING})


def places_at_rest(record: CourseRecord | None) -> Mapping[Place, State]:
    """Return where the last sync left nothing to be done: synced, or waiting for a first score.

    What was blocked may be free by now, and what failed may go through: none of it is at rest.
    """
    return {
        (assignment.assignment_id, section.section_sis_id): section.state
        for assignment in (record.assignments if record else ())
        for section in assignment.sections
        if section.state in AT_REST
    }
