"""What a Live Event means for passback: a table with one row per event of interest.

Source: canvas-lms `lib/canvas/live_events_callbacks.rb` for when Canvas sends which event.
"""

from shared.domain.passback.changes import Change, ChangeKind
from shared.events.live_events import EventBody, LiveEvent, local_id

TEST_STUDENT_ENROLLMENT = "StudentViewEnrollment"


# A grade is one assignment's; everything else may touch the whole course.
MEANINGS: dict[str, ChangeKind] = {
    # Score, excuse or posting changed. Test students are in it too: their missing SIS id is no certain sign.
    "grade_change": ChangeKind.GRADE,
    # The only event of a missing mark, and of a new submission to graded work.
    "submission_updated": ChangeKind.GRADE,
    "assignment_created": ChangeKind.ASSIGNMENT,
    # Deleting and unpublishing are updates.
    "assignment_updated": ChangeKind.ASSIGNMENT,
    "assignment_group_created": ChangeKind.ASSIGNMENT,
    "assignment_group_updated": ChangeKind.ASSIGNMENT,
    "assignment_override_created": ChangeKind.ASSIGNMENT,
    "assignment_override_updated": ChangeKind.ASSIGNMENT,
    "course_updated": ChangeKind.ASSIGNMENT,
    # Cross-listing moves a section to another course.
    "course_section_updated": ChangeKind.ASSIGNMENT,
    "enrollment_created": ChangeKind.ASSIGNMENT,
    "enrollment_updated": ChangeKind.ASSIGNMENT,
}


# Canvas names the job that imports rosters like this. Source: the reference's example of an import's `job_tag`.
SIS_IMPORT_JOB = "SIS::CSV"
# What an import of rosters says of every row it changes, thousands at once. A run of provisioning ends with one look at
# each course it touched; what imports of others change is found by the next event of the course, or reconciliation.
ECHOES = frozenset({"course_updated", "course_section_updated", "enrollment_created", "enrollment_updated"})


def change_of(event: LiveEvent) -> Change | None:
    """Return the change that the event means, None if it is of no interest.

    An event of interest that leads to no course at all is of no interest either: reconciliation finds its cause.
    """
    kind = MEANINGS.get(event.metadata.event_name)
    if kind is None or event.body.type == TEST_STUDENT_ENROLLMENT or is_echo(event):
        return None
    course_id = course_of(event)
    if course_id is None:
        return _change_of_unknown_course(kind, event.body)
    assignment_id = local_id(event.body.assignment_id) if kind is ChangeKind.GRADE else None
    return Change(kind, course_id, assignment_id=assignment_id)


def is_echo(event: LiveEvent) -> bool:
    """Say whether the event tells of a row that an SIS import changed."""
    job = event.metadata.job_tag
    return event.metadata.event_name in ECHOES and isinstance(job, str) and job.startswith(SIS_IMPORT_JOB)


def course_of(event: LiveEvent) -> str | None:
    """Return the local id of the course the event names: its context, else in its body; None if it names none."""
    metadata, body = event.metadata, event.body
    if metadata.context_type == "Course" and (course_id := local_id(metadata.context_id)):
        return course_id
    if course_id := local_id(body.course_id):
        return course_id
    return local_id(body.context_id) if body.context_type == "Course" else None


def _change_of_unknown_course(kind: ChangeKind, body: EventBody) -> Change | None:
    """Return a change that says where else to look for its course, None where there is nothing to look for."""
    assignment_id = local_id(body.assignment_id)
    section_id = local_id(body.course_section_id)
    enrollment_id = local_id(body.enrollment_id)
    if not (assignment_id or section_id or enrollment_id):
        return None
    return Change(kind, None, assignment_id=assignment_id, section_id=section_id, enrollment_id=enrollment_id)
