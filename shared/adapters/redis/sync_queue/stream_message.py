"""What a message on the streams looks like: a change as short fields of ids. Its kind is the stream it is on."""

from collections.abc import Mapping

from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.queues import Stream

COURSE = b"c"
ASSIGNMENT = b"a"
SECTION = b"s"
ENROLLMENT = b"e"
CAUSE = b"u"

MAX_ID_DIGITS = 13

STREAM_OF: dict[ChangeKind, Stream] = {
    ChangeKind.GRADE: Stream.GRADE_CHANGES,
    ChangeKind.ASSIGNMENT: Stream.ASSIGNMENT_CHANGES,
}
_KIND_ON = {stream: kind for kind, stream in STREAM_OF.items()}
_CAUSES = {cause.value.encode(): cause for cause in ChangeCause}
_CAUSE_BYTES = {cause: cause.value.encode() for cause in ChangeCause}


class MalformedMessage(ValueError):
    """A message on a stream is not one that `encode` writes. Says which field, never what was in it."""


def encode(change: Change) -> dict[bytes, bytes]:
    """Return the message's fields: the cause, the course (empty where unknown) and the other ids there are."""
    fields = {COURSE: (change.course_id or "").encode(), CAUSE: _CAUSE_BYTES[change.cause]}
    if change.assignment_id is not None:
        fields[ASSIGNMENT] = change.assignment_id.encode()
    if change.section_id is not None:
        fields[SECTION] = change.section_id.encode()
    if change.enrollment_id is not None:
        fields[ENROLLMENT] = change.enrollment_id.encode()
    return fields


def decode(stream: Stream, fields: Mapping[bytes, bytes]) -> Change:
    """Return the change that a message on `stream` carries; fields of later versions are ignored.

    Raises: MalformedMessage, where an id or the cause is not one, or nothing leads to a course.
    """
    change = Change(
        kind=_KIND_ON[stream],
        course_id=_id(fields, COURSE),
        cause=_cause(fields),
        assignment_id=_id(fields, ASSIGNMENT),
        section_id=_id(fields, SECTION),
        enrollment_id=_id(fields, ENROLLMENT),
    )
    if not (change.course_id or change.assignment_id or change.section_id or change.enrollment_id):
        raise MalformedMessage("no field of the message leads to a course")
    return change


def _id(fields: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = fields.get(name)
    if not value:
        return None
    if len(value) > MAX_ID_DIGITS or not value.isdigit():
        raise MalformedMessage(f"field {name.decode()} of the message is no local Canvas id")
    return value.decode()


def _cause(fields: Mapping[bytes, bytes]) -> ChangeCause:
    cause = _CAUSES.get(fields.get(CAUSE, b""))
    if cause is None:
        raise MalformedMessage(f"field {CAUSE.decode()} of the message is no cause")
    return cause
