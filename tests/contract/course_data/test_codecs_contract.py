"""Records and links as they are kept: small, searchable, exact, and what an earlier version kept is read."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import fakeredis
import hypothesis.strategies as st
import pytest
import redis
from hypothesis import given, settings

from shared.adapters.redis.course_data.course_states import CourseStates, encode_record, record_of
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.domain.passback.course_state import (
    AssignmentRecord,
    CourseRecord,
    SectionRecord,
    SectionRoster,
    State,
    StudentRecord,
)
from shared.domain.passback.erasure import StudentIds
from shared.domain.passback.planning.links import Echo, Link, Takeover
from shared.domain.passback.rules.reasons import Finding, Reason

SYNCED_AT = datetime(2031, 3, 4, 9, 0, 0, 123456, tzinfo=UTC)
NAMED = Finding(Reason.CATEGORY_MISSING, "Quizzes, Labs")
STUDENT = StudentRecord("31", "88001", Finding(Reason.STUDENT_UNKNOWN))
SECTION = SectionRecord("4711", State.BLOCKED, (NAMED,), (STUDENT,), 5, 6, 3, 2, SYNCED_AT)
ROSTER = SectionRoster("4711", 4711, ("88001", "88002"))
RECORD = CourseRecord("101", SYNCED_AT, (AssignmentRecord("7", "Ωhm's law", (SECTION,)),), SYNCED_AT, (ROSTER,), "Labs")
OLD_RECORD = """{"course_id":"101","synced_at":"2031-03-04T09:00:00.123456Z","assignments":[{"assignment_id":"7",
"name":"Ωhm's law","sections":[{"section_sis_id":"4711","state":"blocked","findings":[{"reason":"category_missing",
"detail":"Quizzes, Labs"}],"students":[{"user_id":"31","student_sis_id":"88001","finding":{"reason":"student_unknown"}}
],"powerschool_assignment_id":5,"powerschool_assignment_section_id":6,"scores_wanted":3,"scores_there":2,
"written_at":"2031-03-04T09:00:00.123456Z"}]}],"next_due_at":"2031-03-04T09:00:00.123456Z","rosters":[{"section_sis_id":
"4711","section_dcid":4711,"student_sis_ids":["88001","88002"]}],"name":"Labs"}"""

LINK = Link("7", 4711, "Lab 1", date(2031, 3, 4), 5, 6, frozenset({31, 32}))
OTHER = replace(LINK, assignment_id="8", sent_to=frozenset({32, 33}))
OLD_LINK: dict[str, Any] = {
    "assignment_id": "7",
    "section_dcid": 4711,
    "name": "Lab 1",
    "due_date": "2031-03-04",
    "powerschool_assignment_id": 5,
    "powerschool_assignment_section_id": 6,
    "sent_to": [31, 32],
}

OPTIONAL_ID = st.none() | st.integers(1, 2**53)
TIMES = st.datetimes(timezones=st.just(UTC))
FINDINGS = st.builds(Finding, st.sampled_from(Reason), st.text(max_size=9))
SECTIONS = st.builds(
    SectionRecord,
    st.none() | st.text(max_size=5),
    st.sampled_from(State),
    st.lists(FINDINGS, max_size=2).map(tuple),
    st.lists(st.builds(StudentRecord, st.text(max_size=5), st.none() | st.text(max_size=5), FINDINGS)).map(tuple),
    OPTIONAL_ID,
    OPTIONAL_ID,
    st.integers(0, 40),
    st.integers(0, 40),
    st.none() | TIMES,
)


@pytest.fixture
def links(client: redis.Redis, keys: Keys) -> Links:
    return Links(client, keys)


@given(st.lists(SECTIONS, max_size=3).map(tuple), st.none() | TIMES, st.text(max_size=5))
@settings(max_examples=50)
def test_whatever_is_left_out_comes_back(
    sections: tuple[SectionRecord, ...], due_at: datetime | None, name: str
) -> None:
    """A record is read as it was, whatever of it is as usual and is not kept."""
    record = CourseRecord("101", SYNCED_AT, (AssignmentRecord("7", name, sections),), due_at, (), name)
    assert record_of(encode_record(record)) == record


def test_a_record_of_an_earlier_version_is_read(client: redis.Redis, keys: Keys) -> None:
    """What was kept with every field's name is the same record, and is kept in the new form at the next sync."""
    records = CourseStates(client, keys)
    client.set(keys.record("101"), OLD_RECORD.encode())
    kept = records.course("101")
    assert kept == RECORD
    records.save(kept)
    assert len(client.get(keys.record("101")) or b"") < len(OLD_RECORD) / 2
    assert records.course("101") == RECORD


@pytest.mark.parametrize("kept", [b"", b"null", b"[]", b'["101"]', b"{}"])
def test_what_is_no_record_is_refused(kept: bytes) -> None:
    """Something else than a record is never taken for one."""
    with pytest.raises(ValueError, match=r"Expected|truncated|Field required"):
        record_of(kept)


def test_names_and_ids_of_a_record_are_there_as_they_are(client: redis.Redis, keys: Keys) -> None:
    """Whoever searches Redis for a name or an id finds it, letter by letter."""
    CourseStates(client, keys).save(RECORD)
    kept = client.get(keys.record("101")) or b""
    assert all(word.encode() in kept for word in ("Ωhm's law", '"88001"', '"88002"', '"31"', "Quizzes, Labs"))


def test_a_link_of_an_earlier_version_is_read(client: redis.Redis, keys: Keys, links: Links) -> None:
    """What was kept with every field's name is the same link, beside links of the new form."""
    client.hset(keys.links("101"), "7:4711", json.dumps(OLD_LINK))
    links.save("101", OTHER)
    assert links.of_course("101") == {("7", 4711): LINK, ("8", 4711): OTHER}
    assert links.count("101") == 2


def test_a_claim_of_an_earlier_version_is_read(client: redis.Redis, keys: Keys, links: Links) -> None:
    """A claim has no PowerSchool ids, in either form."""
    nothing = {"powerschool_assignment_id": None, "powerschool_assignment_section_id": None, "sent_to": []}
    client.hset(keys.links("101"), "7:4711", json.dumps({**OLD_LINK, **nothing}))
    claim = Link("7", 4711, "Lab 1", date(2031, 3, 4))
    assert links.of_course("101") == {("7", 4711): claim}
    links.save("101", claim)
    assert links.of_course("101") == {("7", 4711): claim}


def test_a_link_of_an_earlier_version_is_replaced(client: redis.Redis, keys: Keys, links: Links) -> None:
    """Saving a link rewrites it in the new form, and leaves the others as they were."""
    client.hset(keys.links("101"), "7:4711", json.dumps(OLD_LINK))
    client.hset(keys.links("101"), "9:4711", json.dumps({**OLD_LINK, "assignment_id": "9"}))
    links.save("101", LINK)
    assert (client.hget(keys.links("101"), "7:4711") or b"").startswith(b"[")
    assert links.of_course("101") == {("7", 4711): LINK, ("9", 4711): replace(LINK, assignment_id="9")}
    links.delete("101", "9", 4711)
    assert links.of_course("101") == {("7", 4711): LINK}


def test_a_student_leaves_a_link_of_an_earlier_version(client: redis.Redis, keys: Keys, links: Links) -> None:
    """An erasure reads both forms."""
    client.hset(keys.links("101"), "7:4711", json.dumps({**OLD_LINK, "sent_to": [99001, 99002]}))
    erasure = RedisErasure(client, keys)
    assert erasure.student("101", StudentIds("88001", frozenset({99001})), dry_run=False) == {"links": 1}
    assert erasure.locations("99001") == {}
    assert links.of_course("101") == {("7", 4711): replace(LINK, sent_to=frozenset({99002}))}


STUDENTS = st.frozensets(st.integers(1, 40))
ECHOES = st.dictionaries(
    st.sampled_from(["name", "points", "7"]),
    st.builds(Echo, st.sampled_from(["ab12", "Q7", "cleared"]), st.none() | st.just("cd")),
)


def test_a_link_of_the_last_version_is_read(client: redis.Redis, keys: Keys, links: Links) -> None:
    """What has neither zeros nor echoes is kept as it always was."""
    client.hset(keys.links("101"), mapping={"7:4711": '["Lab 1","2031-03-04",5,6,"x3"]', "students:4711": "[31,32]"})
    assert links.of_course("101") == {("7", 4711): LINK}
    links.save("101", LINK)
    assert client.hget(keys.links("101"), "7:4711") == b'["Lab 1","2031-03-04",5,6,"x3"]'


def test_a_student_leaves_zeros_and_echoes_too(client: redis.Redis, keys: Keys, links: Links) -> None:
    """Nothing of a student who is erased is left in a link."""
    echoes = {"99001": Echo("ab12"), "99002": Echo("cd34", "ef56"), "name": Echo("ab12", "cd34")}
    both = frozenset({99001, 99002})
    links.save("101", replace(LINK, sent_to=both, zeros=both, echoes=echoes))
    erasure = RedisErasure(client, keys)
    erasure.student("101", StudentIds("88001", frozenset({99001})), dry_run=False)
    assert erasure.locations("99001") == {}
    (left,) = links.of_course("101").values()
    assert (left.sent_to, left.zeros, set(left.echoes)) == (frozenset({99002}), frozenset({99002}), {"99002", "name"})


def test_scores_that_wait_for_a_look_take_two_characters(client: redis.Redis, keys: Keys, links: Links) -> None:
    """By STUDENTS.DCID, whatever the order in which the students came; a digest stays in the object."""
    link = replace(LINK, sent_to=frozenset({99005, 99007, 99009}), echoes={"99007": Echo("Q7")})
    links.save("101", link)
    assert (client.hget(keys.links("101"), "7:4711") or b"").endswith(b',"x7:--Q7"]')
    assert links.of_course("101") == {("7", 4711): link}
    echoes = {"99001": Echo("ab"), "99005": Echo("ab12", "cd34"), "99007": Echo("Q7"), "99009": Echo("aA")}
    link = replace(link, sent_to=link.sent_to | {99001}, echoes=echoes)
    links.save("101", link)
    assert (client.hget(keys.links("101"), "7:4711") or b"").endswith(b',"xf:ab--Q7aA",[],{"99005":["ab12","cd34"]}]')
    assert links.of_course("101") == {("7", 4711): link}


def test_a_student_leaves_the_codes(client: redis.Redis, keys: Keys, links: Links) -> None:
    """The others keep theirs when one is erased."""
    echoes = {"99001": Echo("ab"), "99002": Echo("cd")}
    links.save("101", replace(LINK, sent_to=frozenset({99001, 99002}), echoes=echoes))
    RedisErasure(client, keys).student("101", StudentIds("88001", frozenset({99001})), dry_run=False)
    (left,) = links.of_course("101").values()
    assert (left.sent_to, left.echoes) == (frozenset({99002}), {"99002": Echo("cd")})


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(61, 62), STUDENTS, STUDENTS, ECHOES), max_size=12))
@settings(max_examples=60)
def test_links_are_as_they_were_saved_last(
    saves: list[tuple[int, int, frozenset[int], frozenset[int], dict[str, Echo]]],
) -> None:
    """Whoever is added, left out or added again, in whatever order: each link has the students it was saved with."""
    links = Links(fakeredis.FakeRedis(), Keys())
    expected: dict[tuple[str, int], Link] = {}
    for assignment, section, sent_to, zeros, echoes in saves:
        link = replace(LINK, assignment_id=str(assignment), section_dcid=section, sent_to=sent_to)
        link = replace(link, zeros=zeros, echoes=echoes)
        links.save("101", link)
        expected[link.assignment_id, section] = link
    assert links.of_course("101") == expected


def test_a_sections_students_are_kept_once(client: redis.Redis, keys: Keys, links: Links) -> None:
    """Their ids stand in the section's list, as they are; a link has marks, which no search takes for an id."""
    for number in range(40):
        links.save("101", replace(LINK, assignment_id=str(number), sent_to=frozenset(range(99001, 99031))))
    kept = client.hgetall(keys.links("101"))
    assert json.loads(kept.pop(b"students:4711")) == list(range(99001, 99031))
    assert {json.loads(value)[-1] for value in kept.values()} == {"x3fffffff"}


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("sent_to", [frozenset[int](), frozenset({31, 32})])
def test_a_takeover_is_kept_with_its_link(
    client: redis.Redis, keys: Keys, links: Links, sent_to: frozenset[int], is_written: bool
) -> None:
    """At the link's end, with or without students; a link without one is stored as before."""
    link = replace(LINK, sent_to=sent_to, taken_over=Takeover("501", is_written))
    links.save("101", link)
    links.save("101", replace(OTHER, assignment_id="9"))
    assert links.of_course("101")[link.key] == link
    assert b"501" not in (client.hget(keys.links("101"), "9:4711") or b"")
    links.save("101", replace(link, taken_over=Takeover("", is_written)))
    assert links.of_course("101")[link.key].taken_over == Takeover("", is_written)
