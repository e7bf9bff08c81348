"""The account's page for Canvas administrators: who needs somebody, by school, and the search."""

import re

import pytest

from shared.domain.passback.canvas import Person
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, SectionRoster, State
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.errors import ServiceUnavailable
from tests.unit.web.lti.canvas_site import ADA, CanvasSite
from workers.web.lti.session import LtiRole

TESS, TOM = Person("900", "Zimt, Tess", "T900"), Person("901", "Zimt, Tom", "T901")


def course(canvas: CanvasSite, course_id: str, name: str, school: int, *, is_blocked: bool) -> CourseRecord:
    """Return a course of a school, with a problem or without."""
    findings = (Finding(Reason.DUE_DATE_MISSING),) if is_blocked else ()
    section = SectionRecord(course_id, State.BLOCKED if is_blocked else State.SYNCED, findings)
    roster = SectionRoster(course_id, int(course_id), (), school)
    work = (AssignmentRecord(f"{course_id}1", "Essay", (section,)),)
    return CourseRecord(course_id, canvas.site.service.clock.now(), work, rosters=(roster,), name=name)


@pytest.fixture
def canvas() -> CanvasSite:
    canvas = CanvasSite()
    for record in (
        course(canvas, "101", "Botany", 100, is_blocked=True),
        course(canvas, "102", "Art", 100, is_blocked=False),
        course(canvas, "201", "Music", 200, is_blocked=False),
    ):
        canvas.site.service.records.save(record)
    canvas.people.courses = {"T900": frozenset({"201", "999"}), "900": frozenset({"201"}), "S1": frozenset({"101"})}
    return canvas


def listed(said: str) -> list[str]:
    return [name for name in ("Botany", "Art", "Music") if name in said.partition("Last synced")[2]]


def test_courses_with_problems_come_first_by_school(canvas: CanvasSite) -> None:
    """One sentence, the schools with the most problems first, and the courses that need somebody."""
    frame = canvas.administrator()
    said = frame.text("/lti/account")
    assert "1 of 3 courses needs somebody." in said
    assert said.index("School 100 2 1") < said.index("School 200 1 0")
    assert listed(said) == ["Botany"]
    assert listed(frame.text("/lti/account/search", all="1")) == ["Botany", "Art", "Music"]
    assert listed(frame.text("/lti/account/search", school="100", all="1")) == ["Botany", "Art"]
    assert "No synced course is found" in frame.text("/lti/account/search", school="200")


def test_courses_are_found_by_name_and_by_person(canvas: CanvasSite) -> None:
    """A teacher or a student by SIS id, or by a name that Canvas is asked for."""
    frame = canvas.administrator()
    assert listed(frame.text("/lti/account/search", q="mus")) == ["Music"]
    said = frame.text("/lti/account/search", person="T900")
    assert listed(said) == ["Music"]
    assert "Canvas has 1 more of this person's courses" in said
    assert listed(frame.text("/lti/account/search", person="S1")) == ["Botany"]
    canvas.people.found = (TESS,)
    assert listed(frame.text("/lti/account/search", person="tess")) == ["Music"]
    canvas.people.found = (TESS, TOM)
    page = frame.post("/lti/account/search", person="zimt").text
    assert "Which person?" in page
    assert re.search(r'name="user" value="901".*Zimt, Tom', page)
    assert listed(frame.text("/lti/account/search", user="900")) == ["Music"]
    canvas.people.found = ()
    assert "A name needs at least 3 letters" in frame.text("/lti/account/search", person="x")


def test_a_search_that_canvas_does_not_answer_says_why(canvas: CanvasSite) -> None:
    """The page is there."""
    canvas.people.error = ServiceUnavailable("GET: 503", cause="canvas_unavailable", delay=None)  # type: ignore[arg-type]
    assert "could not be asked" in canvas.administrator().text("/lti/account/search", person="T900")


def test_a_course_opens_with_all_its_sections(canvas: CanvasSite) -> None:
    """In the words of an operator, with the way back to the list."""
    canvas.sync()
    frame = canvas.administrator()
    page = frame.post("/lti/course", course_id="1").text
    assert "All courses" in page
    assert "Period 1, Period 3" in frame.text("/lti/course", course_id="1")
    assert "Needs the teacher" in page
    assert '<input type="hidden" name="course_id" value="1">' in page
    assert "Zimt, Ada" in frame.post("/lti/course/student", course_id="1", student=ADA.sis_user_id or "").text
    for wrong in ("", "x", "1 ", "-1", "9" * 21):
        assert frame.post("/lti/course", course_id=wrong).status_code == 422


def test_an_administrator_may_sync(canvas: CanvasSite) -> None:
    """It counts for the person."""
    canvas.sync()
    assert canvas.administrator().post("/lti/course/sync", course_id="1").status_code == 200
    pending = canvas.site.service.changes.state_of("1").pending
    assert pending is not None
    assert pending.actors == {"canvas-user:1"}


@pytest.mark.parametrize("path", ["/lti/account", "/lti/account/search"])
def test_the_account_is_for_administrators(canvas: CanvasSite, path: str) -> None:
    """Neither for a teacher, nor for an administrator whose launch was from a course."""
    for session in ({}, {"course_id": None}, {"role": LtiRole.ADMIN}):
        response = canvas.frame(**session).post(path)
        assert response.status_code == 403
        assert "Botany" not in response.text


def test_names_of_a_search_are_stored_nowhere(canvas: CanvasSite, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither what was searched nor what was found."""
    canvas.people.found = (TESS, TOM)
    assert "Zimt, Tess" in canvas.administrator().post("/lti/account/search", person="zimt t").text
    redis = canvas.site.service.redis
    stored = repr([(key, redis.dump(key)) for key in redis.scan_iter()]) + "".join(capsys.readouterr())
    assert "zimt" not in stored.casefold()
