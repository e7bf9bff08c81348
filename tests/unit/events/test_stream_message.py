"""Changes as messages on the streams."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.redis.sync_queue.streams import STREAM_OF, MalformedMessage, decode, encode
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from shared.queues import Stream

_ids = st.integers(1, 10**13 - 1).map(str)
_changes = st.builds(
    Change,
    kind=st.sampled_from(ChangeKind),
    course_id=_ids,
    cause=st.sampled_from(ChangeCause),
    assignment_id=st.none() | _ids,
    section_id=st.none() | _ids,
    enrollment_id=st.none() | _ids,
)


@given(_changes)
def test_a_change_survives_the_way(change: Change) -> None:
    """What is decoded is what was encoded."""
    assert decode(STREAM_OF[change.kind], encode(change)) == change


def test_an_unknown_course_survives_the_way() -> None:
    """A change without course keeps saying so."""
    change = Change(ChangeKind.GRADE, None, assignment_id="41")

    assert decode(Stream.GRADE_CHANGES, encode(change)) == change


def test_a_message_is_small() -> None:
    """A grade change is course, cause and assignment, and nothing else."""
    assert encode(Change(ChangeKind.GRADE, "61", assignment_id="41")) == {b"c": b"61", b"u": b"event", b"a": b"41"}


def test_fields_of_later_versions_are_ignored() -> None:
    """An unknown field does not make a message unreadable."""
    assert decode(Stream.GRADE_CHANGES, {b"c": b"61", b"u": b"event", b"z": b"?"}).course_id == "61"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"c": b"", b"u": b"event"},
        {b"c": b"61"},
        {b"c": b"61", b"u": b"whim"},
        {b"c": b"sixty", b"u": b"event"},
        {b"c": b"9" * 14, b"u": b"event"},
        {b"c": b"61", b"u": b"event", b"a": b"-1"},
        {b"c": "\uff16\uff11".encode(), b"u": b"event"},
    ],
)
def test_anything_else_is_malformed(fields: dict[bytes, bytes]) -> None:
    """A message that `encode` does not write raises MalformedMessage."""
    with pytest.raises(MalformedMessage):
        decode(Stream.ASSIGNMENT_CHANGES, fields)
