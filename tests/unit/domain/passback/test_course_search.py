"""Searching courses by name, id, section, school, term, person and problems."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.domain.passback.course_search import CourseSearch, find_courses
from shared.domain.passback.course_state import AssignmentStatus, CourseRecord, CourseSummary, SectionRoster, summary_of
from shared.domain.passback.powerschool import Term

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
FALL = Term(date(2030, 8, 19), date(2030, 12, 20), 40)
SCIENCE = CourseSummary(
    "101", "Science 1", NOON, {AssignmentStatus.SYNCED: 2}, schools=(100,), terms=FALL.codes, sections=("4711", "4712")
)
ART = CourseSummary(
    "202", "Art", NOON - timedelta(hours=1), {AssignmentStatus.BLOCKED: 1}, schools=(200,), terms=("2029-30",)
)
MUSIC = replace(ART, course_id="303", name="Music", synced_at=NOON - timedelta(hours=2), schools=(100, 200))
COURSES = (ART, SCIENCE, MUSIC)


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (CourseSearch("sci"), ["101"]),
        (CourseSearch("4712"), ["101"]),
        (CourseSearch(school=100), ["101", "303"]),
        (CourseSearch(school=300), []),
        (CourseSearch(term="2030-31"), ["101"]),
        (CourseSearch(term="2030-08-19/2030-12-20"), ["101"]),
        (CourseSearch(term="2030"), []),
        (CourseSearch(school=100, only_problems=True), ["303"]),
        (CourseSearch("mus", school=200, term="2029-30", only_problems=True), ["303"]),
        (CourseSearch(course_ids=frozenset({"202", "999"})), ["202"]),
        (CourseSearch("sci", course_ids=frozenset({"202"})), []),
        (CourseSearch(course_ids=frozenset()), []),
    ],
)
def test_every_field_restricts_the_search(search: CourseSearch, expected: list[str]) -> None:
    """What matches comes with the last synced first."""
    assert find_courses(search, COURSES, {}) == expected


def test_a_course_never_synced_is_known_by_its_dead_letters_alone() -> None:
    """It has a place among the problems, unless the search is about what only a sync finds out."""
    dead_letters = {"999": 2}
    assert find_courses(CourseSearch(only_problems=True), COURSES, dead_letters) == ["999", "303", "202"]
    assert find_courses(CourseSearch(only_problems=True, school=200), COURSES, dead_letters) == ["303", "202"]
    only = CourseSearch(only_problems=True, course_ids=frozenset({"999", "202"}))
    assert find_courses(only, COURSES, dead_letters) == ["999", "202"]


def test_a_summary_has_the_schools_terms_and_sections_of_its_rosters() -> None:
    """Codes and ids, each once; a roster of an old version has none."""
    rosters = (
        SectionRoster("4711", 1, ("S1",), 100, FALL),
        SectionRoster("4712", 2, (), 100, FALL),
        SectionRoster("4713", 3, ()),
    )
    summary = summary_of(CourseRecord("101", NOON, (), rosters=rosters))
    assert summary.schools == (100,)
    assert summary.terms == ("2030-08-19/2030-12-20", "2030-31")
    assert summary.sections == ("4711", "4712", "4713")


@pytest.mark.parametrize(("year_id", "school_year"), [(9, "1999-00"), (36, "2026-27")])
def test_a_school_year_is_written_as_people_do(year_id: int, school_year: str) -> None:
    """TERMS.YEARID is the start year less 1990."""
    assert replace(FALL, year_id=year_id).codes[0] == school_year
