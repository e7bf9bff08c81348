"""The lists of courses: stored beside the records in the same step, and read a page at a time."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.course_data.course_index import CourseIndex
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.domain.passback.course_search import CourseSearch
from shared.domain.passback.course_state import (
    AssignmentRecord,
    AssignmentStatus,
    CourseRecord,
    SectionRecord,
    SectionRoster,
    State,
)
from shared.domain.passback.powerschool import Term
from shared.domain.passback.rules.reasons import Finding, Reason

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
SYNCED = SectionRecord("4711", State.SYNCED, scores_wanted=2, scores_there=2)
BLOCKED = SectionRecord("4711", State.BLOCKED, (Finding(Reason.DUE_DATE_MISSING),))
KEPT_BACK = SectionRecord("4711", State.BLOCKED, (Finding(Reason.SIS_SYNC_OFF),))


class Shelf:
    """Records, dead letters and lists on one Redis."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self.records = CourseStates(client, keys)
        self.letters = DeadLetters(client, keys)
        self.lists = CourseIndex(client, keys)

    def save(self, course_id: str, name: str, *sections: SectionRecord, hours: int = 0) -> None:
        """Save a course with an assignment per section record."""
        work = tuple(AssignmentRecord(str(n), "Lab", (section,)) for n, section in enumerate(sections))
        self.records.save(CourseRecord(course_id, NOON + timedelta(hours=hours), work, name=name))

    def found(self, words: str = "", *, only_problems: bool = False) -> Sequence[str]:
        """Return the ids of the first page."""
        return [
            course.course_id for course in self.lists.page(CourseSearch(words, only_problems=only_problems)).courses
        ]


@pytest.fixture
def shelf(client: redis.Redis, keys: Keys) -> Shelf:
    return Shelf(client, keys)


def test_standings_are_counted_over_all_courses(shelf: Shelf) -> None:
    """A course that is synced again counts anew, and not twice."""
    shelf.save("101", "Science", SYNCED, BLOCKED)
    shelf.save("102", "Art", SYNCED, KEPT_BACK)
    shelf.save("101", "Science", SYNCED, SYNCED, SYNCED)
    counted = shelf.lists.totals().assignments
    assert (
        counted[AssignmentStatus.SYNCED],
        counted[AssignmentStatus.BLOCKED],
        counted[AssignmentStatus.NOT_SELECTED],
    ) == (4, 0, 1)


def test_a_course_with_problems_is_listed_until_they_are_solved(shelf: Shelf) -> None:
    """Blocked work is a problem, work that its teacher keeps back is none; the most problems come first."""
    shelf.save("101", "Science", BLOCKED)
    shelf.save("102", "Art", KEPT_BACK)
    shelf.save("103", "Music", BLOCKED, BLOCKED)
    assert shelf.found(only_problems=True) == ["103", "101"]
    shelf.save("103", "Music", SYNCED)
    assert shelf.found(only_problems=True) == ["101"]
    assert shelf.lists.totals().with_problems == 1


def test_a_dead_letter_is_a_problem_of_its_course(shelf: Shelf) -> None:
    """Also of a course that was never synced; it comes before blocked work, and leaves with its letter."""
    shelf.save("101", "Science", BLOCKED, BLOCKED)
    shelf.letters.add("999", None, "canvas_404", "", 1)
    shelf.letters.add("999", None, "canvas_404", "", 2)
    shelf.letters.add("101", "1", "powerschool_500", "", 6)
    shelf.save("101", "Science", BLOCKED)
    page = shelf.lists.page(CourseSearch(only_problems=True))
    assert [(c.course_id, c.dead_letters) for c in page.courses] == [("101", 1), ("999", 1)]
    shelf.letters.close("999", None)
    shelf.letters.close("999", None)
    shelf.letters.close("101", "1")
    page = shelf.lists.page(CourseSearch(only_problems=True))
    assert [(c.course_id, c.dead_letters) for c in page.courses] == [("101", 0)]


def test_courses_are_found_by_name_and_id(shelf: Shelf) -> None:
    """Each word begins a word of the name, or the id; case does not matter, and nothing comes twice."""
    shelf.save("101", "Science, science lab: période 1", SYNCED)
    shelf.save("102", "Science 2", BLOCKED)
    shelf.save("1023", "Art")
    assert shelf.found("SCI") == ["101", "102"]
    assert shelf.found("s") == ["101", "102"]
    assert shelf.found("lab PÉRIODE") == ["101"]
    assert shelf.found("102") == ["102", "1023"]
    assert shelf.found("science art") == []
    assert shelf.found("science", only_problems=True) == ["102"]


def test_courses_are_found_by_school_and_term(shelf: Shelf) -> None:
    """What the rosters of the last sync said, and the lists to choose from."""
    fall = Term(date(2030, 8, 19), date(2030, 12, 20), 40)
    for course_id, school in (("101", 100), ("102", 200)):
        rosters = (SectionRoster("4711", 4711, ("S1",), school, fall),)
        shelf.records.save(CourseRecord(course_id, NOON, (), rosters=rosters))
    shelf.save("103", "Music")
    page = shelf.lists.page(CourseSearch(school=200, term="2030-31"))
    assert [course.course_id for course in page.courses] == ["102"]
    totals = shelf.lists.totals()
    assert (totals.schools, totals.terms) == ((100, 200), ("2030-31", "2030-08-19/2030-12-20"))
    stored = shelf.records.course("102")
    assert stored is not None
    assert stored.rosters[0].term == fall


def test_a_renamed_course_is_found_by_its_new_name_alone(shelf: Shelf) -> None:
    """A save replaces the summary, and the old name with it."""
    shelf.save("101", "Science")
    shelf.save("101", "Biology")
    assert shelf.found("science") == []
    assert shelf.found("bio") == ["101"]


@pytest.mark.parametrize("words", ["", "course"])
def test_lists_come_in_pages(shelf: Shelf, words: str) -> None:
    """Every course is on one page, the next page starts where the last ended, and the last says that it is."""
    for number in range(7):
        shelf.save(str(100 + number), f"Course {number}", SYNCED, hours=number)
    pages: list[list[str]] = []
    start: int | None = 0
    while start is not None:
        page = shelf.lists.page(CourseSearch(words), start=start, limit=3)
        pages.append([course.course_id for course in page.courses])
        start = page.next_start
    assert list(map(len, pages)) == [3, 3, 1]
    in_order = [str(100 + number) for number in range(7)]
    assert [course_id for page in pages for course_id in page] == (in_order if words else in_order[::-1])


def test_a_connected_course_is_listed_before_its_first_sync(shelf: Shelf) -> None:
    """It has no summary yet."""
    shelf.records.register("101")
    (course,) = shelf.lists.page().courses
    assert (course.course_id, course.summary, course.has_problems) == ("101", None, False)


def test_an_erased_course_leaves_the_lists(shelf: Shelf, client: redis.Redis, keys: Keys) -> None:
    """Its name, its counts and the causes of its dead letters are gone with it."""
    shelf.save("101", "Science", BLOCKED)
    shelf.letters.add("101", "7", "canvas_500", "", 6)
    shelf.letters.add("102", None, "canvas_404", "", 6)
    RedisErasure(client, keys).course("101", dry_run=False)
    assert shelf.found("science") == []
    assert shelf.found(only_problems=True) == ["102"]
    assert shelf.letters.causes() == {"canvas_404": 1}
    RedisErasure(client, keys).before(NOON + timedelta(days=10_000), dry_run=False)
    assert (shelf.letters.causes(), shelf.found(only_problems=True)) == ({}, [])


def test_provisionings_letter_is_no_courses(shelf: Shelf) -> None:
    """It has its cause and its place in the list, and makes no course a problem."""
    shelf.letters.add_provisioning("7", "roster_truncated", "", 6)
    assert shelf.letters.causes() == {"roster_truncated": 1}
    assert [letter.source for letter in shelf.letters.of_cause("roster_truncated", 0, 5)] == ["7"]
    assert shelf.lists.totals().with_problems == 0
    shelf.letters.close_provisioning()
    assert shelf.letters.causes() == {}


def test_dead_letters_are_grouped_by_cause(shelf: Shelf) -> None:
    """Groups and their pages follow what happens to the letters, also when the cause of one changes."""
    for course_id in ("101", "102", "103"):
        shelf.letters.add(course_id, None, "powerschool_500", "", 6)
    shelf.letters.add("101", "7", "powerschool_5001", "", 6)
    shelf.letters.add("102", None, "canvas_404", "", 1)
    shelf.letters.close("103", None)
    assert shelf.letters.causes() == {"canvas_404": 1, "powerschool_500": 1, "powerschool_5001": 1}
    assert [letter.id for letter in shelf.letters.of_cause("powerschool_500", 0, 10)] == ["course-101"]
    assert shelf.letters.of_cause("powerschool_500", 1, 10) == []
    paged = [letter.id for start in range(3) for letter in shelf.letters.page(start, 1)]
    assert sorted(paged) == ["assignment-101-7", "course-101", "course-102"]
    found = shelf.letters.find("course-102")
    assert found is not None
    assert found.cause == "canvas_404"
    assert shelf.letters.find("course-103") is None
