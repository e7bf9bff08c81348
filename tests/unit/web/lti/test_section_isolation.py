"""A teacher of one section never sees a student of another one, in any view."""

from dataclasses import replace

import pytest

from shared.errors import ServiceUnavailable
from tests.unit.web.lti.canvas_site import ADA, BO, CY, TEACHER_OF_1, TEACHER_OF_3, CanvasSite
from workers.web.lti.session import LtiRole

MINE = {
    TEACHER_OF_1: ("Zimt", "Anis", "S1", "S2", "95.00", "Period 1"),
    TEACHER_OF_3: ("Kurkuma", "S3", "3.25", "41.50", "Period 3"),
}
VIEWS = (
    ("/lti/course", {}), ("/lti/course", {"names": "1"}), ("/lti/course/names", {}), ("/lti/course/preview", {}),
    ("/lti/course/preview", {"assignment": "11"}), ("/lti/course/history", {}), ("/lti/course/student", {}),
    ("/lti/course/student", {"student": "S1"}), ("/lti/course/student", {"student": "S3"}),
    ("/lti/course/history", {"student": "S3"}), ("/lti/course/history", {"student": "S1"}),
    ("/lti/course/totals", {}), ("/lti/course/totals", {"student": "S1"}), ("/lti/course/totals", {"student": "S3"}),
    ("/lti/post-grades", {"names": "1"}), ("/lti/assignment", {"assignment": "11"}), ("/lti/course/sync", {}),
)  # fmt: skip
UNAVAILABLE = ServiceUnavailable("GET: 503", cause="canvas_unavailable", delay=None)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def canvas() -> CanvasSite:
    """Return a site where a student of each section is held back, and each has scores in the history."""
    canvas = CanvasSite()
    canvas.school.powerschool.refused_students = {501: "", 503: ""}
    canvas.sync()
    return canvas


@pytest.mark.parametrize(("path", "form"), VIEWS)
@pytest.mark.parametrize("mine", [TEACHER_OF_1, TEACHER_OF_3])
def test_no_view_has_a_student_of_another_section(
    canvas: CanvasSite, mine: tuple[str, ...], path: str, form: dict[str, str]
) -> None:
    """Neither name nor id nor score, whatever the form asks for."""
    foreign = MINE[TEACHER_OF_3 if mine == TEACHER_OF_1 else TEACHER_OF_1]
    frame = canvas.frame(mine)
    # A token is random letters, "S3" among them now and then.
    page = frame.post(path, **form).text.replace(frame.token, "")
    # What was typed is shown again in its field.
    page = page.replace(f'value="{form.get("student", "-")}"', "")
    assert not [word for word in foreign if word in page]


def test_each_teacher_sees_the_own_section(canvas: CanvasSite) -> None:
    """The views are not empty: this is what they show."""
    for mine, words in MINE.items():
        pages = "".join(canvas.frame(mine).post(path, **form).text for path, form in VIEWS)
        assert [word for word in words if word not in pages] == []


def test_a_teacher_of_both_sees_both(canvas: CanvasSite) -> None:
    """And whom Canvas names no section of sees nobody."""
    page = canvas.frame((*TEACHER_OF_1, *TEACHER_OF_3)).post("/lti/course", names="1").text
    assert all(person.name in page for person in (ADA, CY))
    for path, form in VIEWS:
        page = canvas.frame(()).post(path, **form).text
        assert not [p for p in (ADA, BO, CY) if p.name in page or f">{p.sis_user_id}" in page], path


@pytest.mark.parametrize("path", ["/lti/course", "/lti/course/history", "/lti/post-grades"])
def test_an_assignment_of_another_section_has_no_name_here(path: str) -> None:
    """A title can name a student. The filter of the history lists the own work alone, as every page does."""
    canvas = CanvasSite()
    canvas.sync()
    records = canvas.site.service.records
    record = records.course("1")
    assert record is not None
    of_other = [s for s in record.assignments[0].sections if s.section_sis_id == "4002"]
    retake = replace(record.assignments[0], assignment_id="14", name="Retake for Cy", sections=tuple(of_other))
    records.save(replace(record, assignments=(*record.assignments, retake)))
    assert of_other
    assert "Retake for Cy" not in canvas.frame(TEACHER_OF_1).post(path).text
    assert "Retake for Cy" in canvas.frame(TEACHER_OF_3).post("/lti/course/history").text


def test_a_student_of_another_section_is_not_explained(canvas: CanvasSite) -> None:
    """The same answer as for nobody: that such a student is in the course is not said."""
    for path in ("/lti/course/student", "/lti/course/totals"):
        answers = [canvas.frame().post(path, student=sis_id) for sis_id in ("S3", "S999")]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].text == answers[1].text


def test_totals_follow_a_section_whose_sis_id_has_moved() -> None:
    """Since the last sync two sections have changed their SIS ids: what counts is who is in the section now."""
    canvas = CanvasSite()
    canvas.sync()
    first, second = canvas.school.canvas.content.sections
    moved = (replace(first, sis_section_id="4002"), replace(second, sis_section_id="4001"))
    canvas.school.canvas.content = replace(canvas.school.canvas.content, sections=moved)
    said = canvas.frame(TEACHER_OF_1).text("/lti/course/totals")
    assert "Zimt, Ada" in said
    assert "Kurkuma" not in said
    assert "41.50" not in said


def test_a_student_who_is_elsewhere_in_powerschool_has_no_score_here() -> None:
    """Canvas lists the student in both sections; PowerSchool has the score in the other one."""
    canvas = CanvasSite()
    rows = canvas.school.canvas.rows
    canvas.school.canvas.rows = tuple(
        replace(row, section_ids=frozenset({"21", "22"})) if row.sis_user_id == "S3" else row for row in rows
    )
    canvas.sync()
    canvas.people.students = lambda course_id, section_ids=None: (CY,)  # type: ignore[method-assign]
    said = canvas.frame(TEACHER_OF_1).text("/lti/course/student", student="S3")
    assert "in another section of the course, which you do not teach" in said
    assert "3.25" not in said
    said = canvas.frame(TEACHER_OF_1).text("/lti/course/totals", student="S3")
    assert "in none of your sections" in said
    assert "41.50" not in said


def test_without_canvas_the_students_are_those_of_the_last_sync(canvas: CanvasSite) -> None:
    """By their ids, and of the own sections alone."""
    canvas.people.error = UNAVAILABLE
    try:
        page = canvas.frame().post("/lti/course/student").text
        assert "S1" in page
        assert "S3" not in page
        assert canvas.frame().post("/lti/course/student", student="S3").status_code == 404
        assert canvas.frame().post("/lti/course/student", student="S1").status_code == 200
    finally:
        canvas.people.error = None


def test_an_administrator_sees_all_sections(canvas: CanvasSite) -> None:
    """In the course, and from the account."""
    page = canvas.frame((), role=LtiRole.ADMIN).post("/lti/course", names="1").text
    assert all(person.name in page for person in (ADA, CY))
    page = canvas.administrator().post("/lti/course", course_id="1", names="1").text
    assert all(person.name in page for person in (ADA, CY))


def test_names_are_on_the_page_alone(canvas: CanvasSite, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither Redis nor a log has a name that was shown."""
    for path, form in VIEWS:
        canvas.frame((*TEACHER_OF_1, *TEACHER_OF_3)).post(path, **form)
    redis = canvas.site.service.redis
    stored = repr([(key, redis.dump(key)) for key in redis.scan_iter()]) + "".join(capsys.readouterr())
    assert not [person for person in (ADA, BO, CY) if person.name.partition(",")[0] in stored]
