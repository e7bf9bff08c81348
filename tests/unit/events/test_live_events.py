"""Bytes become events, or are malformed; nothing else ever happens."""

import json
from contextlib import nullcontext, suppress

import msgspec
import pytest
from event_samples import SHARD, event, raw
from hypothesis import given
from hypothesis import strategies as st

from shared.events import DECODER, MalformedEvent, local_id, parse, parse_leniently, to_change


def test_an_event_keeps_what_is_needed() -> None:
    """Name and ids of an event are read, unknown keys are not minded."""
    parsed = parse(raw(metadata={"a_key_of_next_year": {"deep": [1]}}))

    assert parsed.metadata.event_name == "grade_change"
    assert parsed.body.assignment_id == str(SHARD + 41)


def test_the_envelope_may_be_called_attributes() -> None:
    """`attributes`, Canvas's inner name of the envelope, is accepted for `metadata`."""
    made = event()
    made["attributes"] = made.pop("metadata")

    assert parse(json.dumps(made).encode()).metadata.event_name == "grade_change"


@pytest.mark.parametrize("time", ["2026-02-03T04:05:06.789Z", "2026-02-03 04:05:06 -0800", None])
def test_both_shapes_of_time_are_fine(time: str | None) -> None:
    """The two shapes of `event_time`, and none at all, make the same event."""
    assert parse(raw(metadata={"event_time": time})) == parse(raw())


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b'"text"',
        b"\xff\xfe{}",
        b'{"metadata": {"event_name": "grade_change"}}',
        b'{"metadata": {"event_name": 5}, "body": {}}',
        b'{"metadata": {}, "body": {}}',
        b'{"metadata": [], "body": {}}',
        b'{"metadata": {"event_name": "grade_change"}, "body": null}',
        b'{"metadata": {"event_name": "\\ud800"}, "body": {}}',
        pytest.param(b"[" * 100_000, id="endless nesting"),
    ],
)
def test_what_is_no_event_is_malformed(malformed: bytes) -> None:
    """Bytes without the shape of an event raise MalformedEvent."""
    with pytest.raises(MalformedEvent):
        parse(malformed)


@pytest.mark.parametrize("depth", [1, 50, 5_000, 500_000])
def test_a_nested_id_is_no_id(depth: int) -> None:
    """How deep one is read depends on the interpreter; what is deeper is malformed. Neither is a change."""
    body = b'{"course_id": ' + b"[" * depth + b"]" * depth + b', "assignment_id": {}}'
    with suppress(MalformedEvent) if depth > 50 else nullcontext():
        assert to_change(parse(b'{"metadata": {"event_name": "grade_change"}, "body": ' + body + b"}")) is None


def test_the_complaint_repeats_nothing_of_the_sender() -> None:
    """What is said of a malformed event holds no text of it."""
    with pytest.raises(MalformedEvent) as complaint:
        parse(b'{"metadata": {"event_name": {"student": "a-private-text"}}, "body": {}}')

    assert str(complaint.value) == "Expected `str`, got `object` - at `$.metadata.event_name`"


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_events_or_malformed(arbitrary: bytes) -> None:
    """No bytes raise anything but MalformedEvent."""
    with suppress(MalformedEvent):
        to_change(parse(arbitrary))


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("07-é\x00", max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "type"]), inner, max_size=3),
    max_leaves=8,
)
_ids = st.sampled_from(["context_id", "context_type", "course_id", "assignment_id", "course_section_id", "type"])


@given(
    st.sampled_from(["grade_change", "course_updated", "enrollment_created", "of_next_year"]),
    st.dictionaries(_ids, _values),
    st.dictionaries(_ids, _values),
)
def test_odd_values_make_no_event_malformed(name: str, metadata: dict[str, object], body: dict[str, object]) -> None:
    """An id of a wrong type, of any size, counts as no id; the event stays acceptable."""
    encoded = json.dumps({"metadata": {**metadata, "event_name": name}, "body": body}).encode()
    change = to_change(parse(encoded))

    assert change is None or all(
        value is None or (value.isdigit() and 0 < int(value) < 10**13)
        for value in (change.course_id, change.assignment_id, change.section_id, change.enrollment_id)
    )


@given(st.dictionaries(_ids, _values), st.dictionaries(_ids, _values), st.none() | st.floats() | st.just("5"))
def test_what_is_read_fast_is_read_alike(metadata: dict[str, object], body: dict[str, object], exp: object) -> None:
    """Whatever the fast decoder takes, the tolerant one takes as well, as the same event."""
    encoded = json.dumps({"metadata": {**metadata, "event_name": "x"}, "body": body, "iss": "y", "exp": exp}).encode()
    with suppress(msgspec.DecodeError):
        assert DECODER.decode(encoded) == parse_leniently(encoded)


def test_an_event_as_canvas_writes_it_is_read_fast() -> None:
    """The decoder takes it, with a number for its expiry and without."""
    for made in (event(), {**event(), "iss": "canvas", "exp": 1_800_000_000}):
        assert DECODER.decode(json.dumps(made)) == parse(json.dumps(made).encode())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("61", "61"),
        (61, "61"),
        (str(SHARD + 61), "61"),
        (SHARD + 61, "61"),
        ("0061", "61"),
        (10**13 - 1, "9999999999999"),
        (10**13, None),
        ("9" * 20, "9" * 13),
        ("9" * 21, None),
        (10**20, None),
        (0, None),
        (-1, None),
        ("", None),
        ("-1", None),
        ("6 1", None),
        ("\uff16\uff11", None),
        ("\u00b2", None),
        (True, None),
        (61.0, None),
        (None, None),
        ([61], None),
    ],
)
def test_ids_are_local(value: object, expected: str | None) -> None:
    """Global and local ids, as text or number, become the local id; anything else is no id."""
    assert local_id(value) == expected
