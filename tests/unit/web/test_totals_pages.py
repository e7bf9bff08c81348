"""Why totals differ, on the pages and in the API: for whoever may see scores, read live and stored nowhere."""

import pytest

from tests.unit.web.site_kit import FakePeople, Site
from tests.unit.workers.grade_passback.school import School
from tests.unit.workers.grade_passback.school_totals import totals_reader
from workers.web.pages.rendering import Renderer
from workers.web.views.live_reads import course_totals


@pytest.fixture
def site() -> Site:
    site, school = Site(), School()
    site.service.canvas_account = FakePeople()  # type: ignore[assignment]
    site.service.course_reader = school.reader
    site.service.totals = totals_reader(school)
    return site


def test_the_course_lists_its_students_and_causes(site: Site) -> None:
    """The largest difference first, each student with a link to the steps; the course's page leads there."""
    browser = site.browser("operator")
    assert 'href="/courses/1/totals"' in browser.get("/courses/1").text
    page = browser.get("/courses/1/totals")
    said = browser.text("/courses/1/totals")
    assert "Not in PowerSchool: 2 students." in said
    assert said.index("77.50") < said.index("65.00")
    assert 'href="/courses/1/totals?student=S1"' in page.text
    assert "Zimt, Ada" in said


def test_a_student_is_led_from_one_total_to_the_other(site: Site) -> None:
    """Step by step, with what to do once for each cause; an unknown student is said so."""
    browser = site.browser("operator")
    said = browser.text("/courses/1/totals?student=S1")
    for words in ("Canvas's total", "65.00", "Reading 1", "Reading 2", "PowerSchool's gradebook", "What to do"):
        assert words in said
    assert said.count("Do what the reason says") == 1
    assert "No section of the course lists a student" in browser.text("/courses/1/totals?student=nobody")
    assert browser.get("/courses/1/totals?student=" + "x" * 300).status_code == 422
    assert 'href="/courses/1/totals?student=S1"' in browser.get("/courses/1/student?student=S1").text


def test_a_viewer_sees_causes_and_no_total(site: Site) -> None:
    """On the page and in the API: how many students a cause concerns, and nobody's numbers."""
    browser = site.browser("viewer")
    for path in ("/courses/1/totals", "/courses/1/totals?student=S1"):
        said = browser.text(path)
        assert "65.00" not in said
        assert "8 of 10" not in said
        assert "people who may see scores" in said
    answer = browser.get("/api/v1/courses/1/totals").json()
    assert answer["scores_withheld"] is True
    assert set(answer["students"][0]) == {"user_id", "student_sis_id", "section_sis_id", "message"}
    assert answer["causes"][0]["count"] == 2


def test_the_api_has_the_same(site: Site) -> None:
    """Numbers are text, to stay exact; the changes add up."""
    (student,) = site.browser("operator").get("/api/v1/courses/1/totals?student_sis_id=S1").json()["students"]
    assert (student["canvas"], student["powerschool"], student["difference"]) == ("65.00", None, "-65.00")
    assert [step["change"] for step in student["steps"]] == ["-15.00", "-50.00"]
    assert student["own_grade"]["store_code"] is None


def test_a_teacher_of_some_sections_gets_these(site: Site) -> None:
    """What the page inside Canvas asks for, with the same macros."""
    assert course_totals(site.service, "1", None, ["22"])["students"] == []
    (student,) = course_totals(site.service, "1", "S2", ["21"])["students"]  # type: ignore[misc]
    renderer = Renderer(site.service.clock, None, "")
    template = '{% from "course/totals.html" import totals_steps %}{{ totals_steps(student) }}'
    shown = renderer._environment.from_string(template).render(student=student)  # as any template does
    assert "77.50" in shown
    assert "Reading 1" in shown


def test_nothing_is_stored_or_logged(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither totals nor scores nor names."""
    browser = site.browser("operator")
    capsys.readouterr()
    assert "77.50" in browser.get("/courses/1/totals").text
    redis = site.service.redis
    stored = repr([(key, redis.dump(key)) for key in redis.scan_iter()])
    for secret in ("77.50", "Zimt"):
        assert secret not in stored + "".join(capsys.readouterr())
