"""The contracts of `CourseStates` and `Links`: what is remembered comes back exactly."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.keys import Keys
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State, StudentRecord
from shared.domain.passback.planning.links import Link
from shared.domain.passback.rules.reasons import Finding, Reason

SYNCED_AT = datetime(2031, 3, 4, 9, 0, 0, 123456, tzinfo=UTC)
SECTION = SectionRecord(
    section_sis_id="4711",
    state=State.BLOCKED,
    findings=(Finding(Reason.DUE_DATE_MISSING), Finding(Reason.CATEGORY_MISSING, "Quizzes, Labs")),
    students=(StudentRecord("31", None, Finding(Reason.STUDENT_SIS_ID_MISSING)),),
    powerschool_assignment_id=5,
    powerschool_assignment_section_id=6,
    scores_wanted=3,
    scores_there=2,
    written_at=SYNCED_AT,
)
RECORD = CourseRecord("101", SYNCED_AT, (AssignmentRecord("7", "Lab 1: Ωhm's law", (SECTION,)),))
CLAIM = Link("7", 4711, "Lab 1", date(2031, 3, 4))
LINK = replace(CLAIM, powerschool_assignment_id=5, powerschool_assignment_section_id=6, sent_to=frozenset({31, 32}))


@pytest.fixture
def records(client: redis.Redis, keys: Keys) -> CourseStates:
    return CourseStates(client, keys)


@pytest.fixture
def links(client: redis.Redis, keys: Keys) -> Links:
    return Links(client, keys)


def test_a_record_comes_back_as_it_was(records: CourseStates) -> None:
    """A course's record is read as it was saved, to the microsecond."""
    records.save(RECORD)
    assert records.course("101") == RECORD


def test_a_course_never_synced_has_no_record(records: CourseStates) -> None:
    """A connected course without a sync has no record."""
    records.register("101")
    assert records.course("101") is None


def test_a_record_replaces_the_earlier_one(records: CourseStates) -> None:
    """Only the last sync is remembered."""
    records.save(RECORD)
    emptied = replace(RECORD, assignments=())
    records.save(emptied)
    assert records.course("101") == emptied


def test_courses_are_connected_once(records: CourseStates) -> None:
    """Connecting a course again changes nothing, also not when it was synced."""
    records.register("101")
    records.save(RECORD)
    records.register("101")
    records.register("202")
    assert records.count() == 2
    assert records.least_recently_visited(SYNCED_AT, 10) == ["202"]


def test_the_longest_waiting_course_comes_first(records: CourseStates) -> None:
    """Stale courses come in the order of their last sync, and those synced at the moment are not stale."""
    for hours, course_id in enumerate(("303", "202", "101")):
        records.save(replace(RECORD, course_id=course_id, synced_at=SYNCED_AT + timedelta(hours=hours)))
    assert records.least_recently_visited(SYNCED_AT + timedelta(hours=2), 10) == ["303", "202"]
    assert records.least_recently_visited(SYNCED_AT + timedelta(hours=3), 2) == ["303", "202"]


def test_a_visited_course_is_not_stale(records: CourseStates) -> None:
    """A course that had its turn is stale again only later, though nothing was recorded."""
    records.register("101")
    records.mark_visited("101", SYNCED_AT)
    assert records.course("101") is None
    assert records.least_recently_visited(SYNCED_AT, 10) == []
    assert records.least_recently_visited(SYNCED_AT + timedelta(hours=1), 10) == ["101"]


def test_a_visit_takes_no_sync_back(records: CourseStates) -> None:
    """A sync that ends before its visit is noted keeps its later time."""
    records.save(RECORD)
    records.mark_visited("101", SYNCED_AT - timedelta(hours=1))
    assert records.least_recently_visited(SYNCED_AT, 10) == []


def test_a_visit_connects_nothing(records: CourseStates) -> None:
    """Only connected courses have turns."""
    records.mark_visited("101", SYNCED_AT)
    assert records.count() == 0


def test_no_links_at_first(links: Links) -> None:
    """A course without links has none."""
    assert links.of_course("101") == {}


def test_links_come_back_as_they_were(links: Links) -> None:
    """Links, and claims without PowerSchool's ids, are read as they were saved, by assignment and section."""
    other = replace(CLAIM, section_dcid=4712)
    links.save("101", LINK)
    links.save("101", other)
    links.save("202", replace(LINK, assignment_id="9"))
    assert links.of_course("101") == {("7", 4711): LINK, ("7", 4712): other}


def test_a_link_replaces_its_claim(links: Links) -> None:
    """There is one link per assignment and section, the last saved."""
    links.save("101", CLAIM)
    links.save("101", LINK)
    assert links.of_course("101") == {("7", 4711): LINK}


def test_a_forgotten_link_is_gone(links: Links) -> None:
    """Forgetting takes one link, and may be repeated."""
    links.save("101", LINK)
    links.save("101", replace(LINK, assignment_id="8"))
    links.delete("101", "7", 4711)
    links.delete("101", "7", 4711)
    assert list(links.of_course("101")) == [("8", 4711)]


def test_a_closed_course_is_on_no_list_until_it_is_saved(records: CourseStates) -> None:
    """Closing is news once; what was recorded is kept, and a new record connects the course again."""
    records.save(replace(RECORD, next_due_at=SYNCED_AT))
    assert records.is_connected("101")
    assert records.close("101", SYNCED_AT)
    assert not records.close("101", SYNCED_AT + timedelta(hours=1))
    assert (records.is_connected("101"), records.count()) == (False, 0)
    assert records.least_recently_visited(SYNCED_AT + timedelta(days=1), 10) == []
    assert records.course("101") is not None
    records.save(RECORD)
    assert records.is_connected("101")
    assert records.close("101", SYNCED_AT)
