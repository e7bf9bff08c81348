"""The page and the API of readiness: what is shown, to whom, and how a check is asked for."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from shared.adapters.redis.operations.readiness import Work
from shared.domain.actions import Verb
from shared.domain.passback.readiness.findings import (
    Concern,
    CourseReadiness,
    DistrictReadiness,
    ReadinessFinding,
    ReadinessRun,
    SystemFinding,
)
from shared.domain.passback.rules.reasons import Actor, Reason
from tests.architecture.project import ROOT
from tests.unit.web.site_kit import Site
from workers.grade_passback.readiness.check import COURSES
from workers.grade_passback.readiness.report import COLUMNS

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
TERM = "2031-01-06/2031-06-06"
UNDATED = ReadinessFinding(
    Reason.DUE_DATE_MISSING, "", 300, TERM, 501, "101", ("4711",), ("7",), students=30, grades=30
)
UNPLACED = ReadinessFinding(
    "section_without_course", "SIS id 4712", 400, TERM, 502, section_sis_ids=("4712",), students=9
)
RUN = ReadinessRun(NOON, "rivera", finished_at=NOON, is_prepared=True, courses=2, done=2)


def site_with(run: ReadinessRun = RUN, *courses: CourseReadiness) -> Site:
    """Return a site on which a check found two things, and these courses besides."""
    site = Site()
    store_readiness(site, run, *courses)
    return site


def store_readiness(site: Site, run: ReadinessRun = RUN, *courses: CourseReadiness) -> None:
    """Store what such a check found."""
    store = site.service.readiness
    store.save(run)
    for course in (CourseReadiness("101", NOON, (UNDATED,)), *courses):
        store.finish(Work(course_id=course.course_id), run, course)
    teachers, terms = ((501, "T7501"), (502, "")), (("2030-31", TERM),)
    store.close(run, DistrictReadiness(NOON, (UNPLACED,), teachers, (300, 400, 500), terms), ())


def test_the_page_says_what_where_how_and_who() -> None:
    """With the rule's own sentence, the teacher's SIS id, and the number of grades."""
    page = site_with().browser("viewer").get("/readiness").text
    assert Reason.DUE_DATE_MISSING.message in page
    assert Reason.DUE_DATE_MISSING.remedy in page
    assert "School 300 · teacher T7501 · section 4711" in page
    assert "School 400 · teacher USERS.DCID 502 · section 4712" in page
    assert "2 in all" in page


@pytest.mark.parametrize(
    ("query", "found", "not_found"),
    [
        ("school=400", "4712", "4711"),
        ("who=teacher", "4711", "4712"),
        ("teacher=T7501", "4711", "4712"),
        ("teacher=502", "4712", "4711"),
        ("code=due_date_missing", "4711", "4712"),
    ],
)
def test_filters_select(query: str, found: str, not_found: str) -> None:
    """On the page, in the file and in the API alike."""
    browser = site_with().browser("viewer")
    for address in (f"/readiness?{query}", f"/readiness.csv?{query}"):
        answer = browser.get(address).text
        assert f"section {found}" in answer or f",{found}," in answer
        assert f"section {not_found}" not in answer
        assert f",{not_found}," not in answer


@pytest.mark.parametrize("query", ["school=all", "who=me"])
def test_a_filter_that_is_none_is_refused(query: str) -> None:
    """With a page that says so."""
    assert site_with().browser("viewer").get(f"/readiness?{query}").status_code == 422


def test_before_the_first_check_the_page_says_so() -> None:
    """Nothing found is not the same as nothing checked."""
    page = Site().browser("viewer").get("/readiness").text
    assert "Nothing is checked yet." in page
    assert "Nothing would keep grades back" not in page


def test_all_is_well_only_where_everything_was_checked() -> None:
    """A course that could not be read, or a system that failed a check, is no silence."""
    ready = Site()
    ready.service.readiness.save(RUN)
    assert "Nothing would keep grades back" in ready.browser("viewer").get("/readiness").text
    system = SystemFinding("canvas: token", "refused", "Make a new one.", Actor.CANVAS_ADMIN)
    for run in (
        replace(RUN, without=(COURSES,)),
        replace(RUN, systems=(system,)),
        replace(RUN, waits_for="canvas_401"),
    ):
        ready.service.readiness.save(run)
        page = ready.browser("viewer").get("/readiness").text
        assert "Nothing would keep grades back" not in page
    unread = site_with(RUN, CourseReadiness("102", NOON, unread="canvas_500"))
    assert "1 course could not be read" in unread.browser("viewer").get("/readiness").text


def test_an_operator_requests_a_check_and_a_viewer_does_not() -> None:
    """It is recorded who did; a check that is not finished goes on."""
    site = Site()
    browser = site.browser("operator")
    browser.get("/readiness")
    assert browser.post("/readiness", {}).status_code == 303
    run = site.service.readiness.run()
    assert run is not None
    assert run.finished_at is None
    assert "it begins in a moment" in browser.get("/readiness").text
    (newest,) = site.service.actions.newest(1)
    assert (newest.verb, newest.actor) == (Verb.CHECK_READINESS, "operator")
    browser.post("/readiness", {})
    assert site.service.readiness.run() == run
    viewer = site.browser("viewer")
    viewer.get("/readiness")
    assert viewer.post("/readiness", {}).status_code == 403


def test_the_file_has_a_row_per_finding_by_school_and_teacher() -> None:
    """With the documented columns, and no formula in any cell."""
    rows = list(csv.DictReader(io.StringIO(site_with().browser("viewer").get("/readiness.csv").text)))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["school_number"], row["section_sis_ids"], row["grades"]) for row in rows] == [
        ("300", "4711", "30"),
        ("400", "4712", "0"),
    ]


def test_the_documented_columns_are_those_of_the_file() -> None:
    """The guide names each of them."""
    guide = (ROOT / "deploy" / "guides" / "readiness.md").read_text()
    table = guide.partition("### Columns of the CSV file")[2].partition("## For teachers")[0]
    assert [name for name in COLUMNS if f"`{name}`" not in table] == []


def test_the_guide_has_every_concern_with_its_words() -> None:
    """One row each, as the pages show it."""
    guide = (ROOT / "deploy" / "guides" / "readiness.md").read_text()
    rows = [f"| `{concern.value}` | {concern.message} | {concern.remedy} |" for concern in Concern]
    assert [row for row in rows if row not in guide] == []


def test_a_filter_that_the_check_does_not_know_is_no_good_news() -> None:
    """On the page and in the API: nothing was found there since nobody looked."""
    browser = site_with().browser("viewer")
    assert "No section of teacher T750l was seen" in browser.get("/readiness?teacher=T750l").text
    refused = browser.get("/api/v1/readiness?school=301")
    assert (refused.status_code, refused.json()["error"]["message"]) == (404, "No section of school 301 was seen.")
    assert browser.get("/api/v1/readiness?school=500").json()["ready"] is True
