"""Students by name on the pages: read live for who may see names, and for nobody else."""

from datetime import UTC, date, datetime, timedelta

import pytest

from shared.domain.passback.canvas import Person
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, SectionRoster, State
from shared.domain.passback.powerschool import Term
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.errors import AccessDenied, PassbackError, ServiceUnavailable
from tests.unit.web.site_kit import ADA, Browser, FakePeople, Site, text_of
from tests.unit.workers.grade_passback.school import School
from workers.web.pages.course_view import preview_rows

NOW = datetime.now(UTC)
FALL, SPRING = Term(date(2030, 8, 19), date(2030, 12, 20), 40), Term(date(2031, 1, 6), date(2031, 5, 23), 40)
UNAVAILABLE = ServiceUnavailable(
    "GET /api/v1/courses/{course_id}/enrollments: 503", cause="canvas_unavailable", delay=timedelta(seconds=30)
)
TEACHER = Person("900", "Zimt, Tess", "T900")


def course(course_id: str, name: str, school: int, term: Term, *, blocked: bool = False) -> CourseRecord:
    finding = (Finding(Reason.DUE_DATE_MISSING),) if blocked else ()
    section = SectionRecord("4001", State.BLOCKED if blocked else State.SYNCED, finding)
    rosters = (SectionRoster(f"{course_id}9", 1, (), school, term),)
    return CourseRecord(course_id, NOW, (AssignmentRecord("11", "Reading 1", (section,)),), rosters=rosters, name=name)


@pytest.fixture
def people() -> FakePeople:
    return FakePeople({"T900": frozenset({"101", "999"}), "900": frozenset({"101"}), "S1": frozenset({"202"})})


@pytest.fixture
def site(people: FakePeople) -> Site:
    return site_of(people)


def site_of(people: FakePeople, **settings: str) -> Site:
    site, school = Site(**settings), School()
    site.service.canvas_account = people  # type: ignore[assignment]
    site.service.course_reader = school.reader
    for record in (
        course("101", "Biology", 100, FALL),
        course("202", "Art", 200, SPRING, blocked=True),
        course("303", "Music", 200, FALL),
    ):
        site.service.records.save(record)
    return site


def listed(browser: Browser, query: str) -> list[str]:
    said = browser.text(f"/courses?{query}")
    return [name for name in ("Biology", "Art", "Music") if name in said]


def test_courses_are_found_by_school_term_section_and_problems(site: Site) -> None:
    """Each field restricts the list; schools and terms are offered as the courses have them."""
    browser = site.browser("viewer")
    assert listed(browser, "school=200") == ["Art", "Music"]
    assert listed(browser, "school=200&term=2030-08-19/2030-12-20") == ["Music"]
    assert listed(browser, "term=2030-31&problems=1") == ["Art"]
    assert listed(browser, "q=1019") == ["Biology"]
    assert listed(browser, "school=x") == ["Biology", "Art", "Music"]
    page = browser.get("/courses?school=200").text
    assert "<option selected>200</option>" in page
    assert "2031-01-06 to 2031-05-23" in page
    assert "No synced course is found" in browser.text("/courses?school=300")


def test_courses_of_a_person_are_found_by_sis_id(site: Site, people: FakePeople) -> None:
    """By a viewer too, who gets no name; the other fields restrict it further."""
    browser = site.browser("viewer")
    assert listed(browser, "person=T900") == ["Biology"]
    assert "the person with SIS id T900" in browser.text("/courses?person=T900")
    assert listed(browser, "person=S1&problems=1") == ["Art"]
    assert listed(browser, "person=S1&school=100") == []
    assert people.asked[-1] == "courses S1"
    assert "Canvas has nobody with this id" in browser.text("/courses?person=S999")


def test_courses_that_were_never_synced_are_named(site: Site) -> None:
    """Whoever looks for a course that passback does not sync is told so."""
    said = site.browser("viewer").text("/courses?person=T900")
    assert "Canvas has 1 more of this person's courses, which passback never synced: 999" in said
    assert "never synced: " not in site.browser("viewer").text("/courses?person=S1")


def test_an_address_names_a_person_by_number_alone(site: Site, people: FakePeople) -> None:
    """Nothing else is asked of Canvas."""
    assert listed(site.browser("viewer"), "user=self") == ["Biology", "Art", "Music"]
    assert people.asked == []


def test_a_name_is_searched_without_getting_into_an_address(site: Site, people: FakePeople) -> None:
    """It goes in a form; what follows has ids. Several people are listed by name."""
    people.found = (ADA, TEACHER)
    browser = site.browser("operator")
    assert 'method="post" action="/courses/people"' in browser.get("/courses").text
    said = text_of(browser.post("/courses/people", {"person": "zimt"}))
    assert "Zimt, Ada" in said
    assert "Zimt, Tess" in said
    people.found = (TEACHER,)
    browser.get("/courses")
    assert browser.post("/courses/people", {"person": "tess"}).headers["location"] == "/courses?user=900"
    assert listed(browser, "user=900") == ["Biology"]
    assert browser.post("/courses/people", {"person": " T900 "}).headers["location"] == "/courses?person=T900"
    assert browser.post("/courses/people", {"person": " "}).headers["location"] == "/courses"


def test_a_page_that_asks_canvas_does_not_follow(site: Site, people: FakePeople) -> None:
    """Only its header does: nobody's browser asks Canvas every few seconds."""
    people.found = (ADA, TEACHER)
    browser = site.browser("operator")
    pages = [browser.get(path) for path in ("/courses/1/plan", "/courses/1/student?student=S1", "/courses?person=S1")]
    browser.get("/courses")
    found = browser.post("/courses/people", {"person": "zimt"})
    assert all('data-watch="/pulse"' in page.text for page in (*pages, found))
    assert "Read again" not in found.text


def test_a_viewer_searches_by_sis_id_alone(site: Site, people: FakePeople) -> None:
    """Nobody is looked for by name, and the form needs its token as every other."""
    people.found = (ADA,)
    browser = site.browser("viewer")
    browser.get("/courses")
    assert browser.post("/courses/people", {"person": "S1"}).headers["location"] == "/courses?person=S1"
    response = browser.post("/courses/people", {"person": "zimt"})
    assert response.status_code == 200
    assert "Canvas has nobody with this id" in text_of(response)
    assert [asked for asked in people.asked if asked.startswith("find")] == []
    assert browser.post("/courses/people", {"person": "S1"}, token="forged").status_code == 403


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (AccessDenied("GET users: 401", cause="canvas_403", status=401), "developer-key.json"),
        (UNAVAILABLE, "could not be asked"),
    ],
)
def test_a_search_that_canvas_refuses_says_why(
    site: Site, people: FakePeople, error: PassbackError, words: str
) -> None:
    """The page is there, with the reason in place of courses."""
    people.error = error
    browser = site.browser("operator")
    assert words in browser.text("/courses?person=S1")
    assert words in text_of(browser.post("/courses/people", {"person": "zimt"}))


def test_the_preview_shows_each_student_by_name(site: Site, people: FakePeople) -> None:
    """With the score before and after, for who may see both; a viewer sees neither."""
    said = site.browser("operator").text("/courses/1/plan")
    assert "Zimt, Ada · S1 nothing 8 of 10" in said
    assert "A sync would create 2 assignments and send 4 scores." in said
    assert people.asked == ["students 1"]
    said = site.browser("viewer").text("/courses/1/plan")
    assert "S1 sent" in said
    assert "Zimt" not in said
    assert "8 of 10" not in said
    assert people.asked == ["students 1"]


def test_the_preview_has_changes_first_and_like_sections_once() -> None:
    """Sections that are left alone for the same reason are one row, with all their scores."""
    same = {"actions": [], "students": [], "reasons": [], "would": ["Nothing to write."], "state": "synced"}
    sections = [{**same, "section_sis_id": id_, "scores_equal": 3} for id_ in ("4001", "4002")]
    written = {**same, "section_sis_id": "4003", "scores_equal": 1, "actions": ["scores"], "students": [{}]}
    rows = preview_rows([{"name": "calm", "sections": sections}, {"name": "new", "sections": [written, *sections]}])
    assert [assignment["name"] for assignment, _ in rows] == ["new", "calm"]
    assert [(row["sections"], row["scores_equal"]) for row in rows[0][1]] == [(["4003"], 1), (["4001", "4002"], 6)]


def test_the_preview_of_one_assignment_lists_every_student(site: Site) -> None:
    """An assignment of another course is no error."""
    browser = site.browser("operator")
    said = browser.text("/courses/1/plan?assignment=12")
    assert "Reading 2" in said
    assert "Reading 1" not in said
    assert "There are none" in browser.text("/courses/1/plan?assignment=999")
    assert browser.get("/courses/1/plan?assignment=x").status_code == 404


def test_a_preview_without_names_has_ids(site: Site, people: FakePeople) -> None:
    """What Canvas does not give now costs nothing else."""
    people.error = UNAVAILABLE
    said = site.browser("operator").text("/courses/1/plan")
    assert "Students are shown by their ids" in said
    assert "S1 nothing 8 of 10" in said


def test_one_student_is_explained(site: Site) -> None:
    """Chosen by name or SIS id: what `explain --student` says of each assignment."""
    browser = site.browser("operator")
    assert 'action="/courses/1/student"' in browser.get("/courses/1").text
    page = browser.get("/courses/1/student")
    assert '<option value="S1">Zimt, Ada (S1)</option>' in page.text
    assert "Without a SIS id in Canvas, nothing is sent for: Neu, Nia." in text_of(page)
    said = browser.text("/courses/1/student?student=S1")
    assert "Zimt, Ada · S1" in said
    assert "Reading 1" in said
    assert "8 of 10 in Canvas" in said
    assert "no section of the course lists a student with this SIS id" in browser.text("/courses/1/student?student=S9")
    assert browser.get("/courses/1/student?student=%00").status_code == 422
    assert browser.get("/courses/x/student").status_code == 404


def test_a_viewer_gets_the_status_of_a_student_without_score_and_name(site: Site, people: FakePeople) -> None:
    """The SIS id finds the student; no name is read."""
    said = site.browser("viewer").text("/courses/1/student?student=S1")
    assert "waiting" in said
    assert "8 of 10" not in said
    assert "Zimt" not in said
    assert people.asked == []


def test_names_stay_on_the_page(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither Redis nor a log has a name that was shown."""
    browser = site.browser("operator")
    for path in ("/courses/1/plan", "/courses/1/student?student=S1"):
        assert "Zimt" in browser.get(path).text
    redis = site.service.redis
    stored = repr([(key, redis.dump(key)) for key in redis.scan_iter()])
    assert "Zimt" not in stored + "".join(capsys.readouterr())


def test_pages_link_to_canvas(people: FakePeople) -> None:
    """Course, gradebook, assignment and student; not to a sandbox, which has no pages."""
    settings = {"CANVAS_URL": "https://canvas.example", "CANVAS_TOKEN": "secret"}
    browser = site_of(people, **settings).browser("operator")
    page = browser.get("/courses/101").text
    for path in ("", "/gradebook", "/assignments/11"):
        assert f'href="https://canvas.example/courses/101{path}"' in page
    assert 'href="https://canvas.example/courses/1/grades/71"' in browser.get("/courses/1/plan").text
    assert 'href="https://canvas.example/courses/1/grades/71"' in browser.get("/courses/1/student?student=S1").text
    settings["CANVAS_URL"] = "http://127.0.0.1:9"
    assert "127.0.0.1:9" not in site_of(people, **settings).browser("operator").get("/courses/101").text
