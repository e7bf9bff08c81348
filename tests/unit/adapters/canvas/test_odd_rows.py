"""Lists are read row by row: what nobody foresaw in one row fails alone, named by its id."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from scripted_remote import ScriptedRemote, answer

from shared.adapters.canvas.client import CanvasClient
from shared.adapters.powerschool import PowerSchool
from shared.domain.passback.canvas import GradebookRow, Unreadable
from shared.errors import UnexpectedResponse
from shared.ports.passback import CachePolicy
from tests.unit.adapters.canvas.test_canvas_client import (
    ASSIGNMENT,
    BASE,
    GROUP,
    ROW,
    SECTION,
    SUBMISSION,
    course_of,
    without,
)
from tests.unit.adapters.canvas.test_submission_rows import SECTION as ROSTERED
from tests.unit.adapters.canvas.test_submission_rows import STATE, STATE_ROW

GRADES = f"{BASE}/students/submissions"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("grading_type", "portfolio"),
        ("grading_type", None),
        ("due_at", "20261-12-05T00:00:00Z"),
        ("due_at", "0001-01-01T00:00:00Z"),
        ("due_at", "9999-12-31T23:59:59Z"),
        ("due_at", "2031-10-08"),
        ("due_at", 1949356799),
        ("name", "Quiz \ud83d"),
        ("description", "Read \ud83d"),
        ("points_possible", "ten"),
        ("points_possible", "NaN"),
        ("points_possible", "1e40"),
        ("name", None),
        ("published", "perhaps"),
        ("assignment_group_id", None),
        ("submission_types", None),
        ("overrides", None),
        ("overrides", [{"course_section_id": 51, "due_at": "soon"}]),
    ],
)
def test_an_odd_assignment_fails_alone(canvas: CanvasClient, remote: ScriptedRemote, field: str, value: object) -> None:
    """It is named with its field; the other one is read."""
    course = course_of(canvas, remote, without(ASSIGNMENT, id="70", **{field: value}), ASSIGNMENT)
    assert [assignment.id for assignment in course.assignments] == ["71"]
    (odd,) = course.unreadable
    assert odd.assignment_id == "70"
    assert odd.what.startswith(f"assignment 70: no usable {field}")


@pytest.mark.parametrize("row", [None, "text", 7, [], {}, {"id": {"a": 1}}, {"id": "a name with blanks"}])
def test_a_row_that_has_no_id_fails_alone(canvas: CanvasClient, remote: ScriptedRemote, row: Any) -> None:
    """It is told of, without what it says."""
    course = course_of(canvas, remote, ASSIGNMENT, row)
    assert [assignment.id for assignment in course.assignments] == ["71"]
    (odd,) = course.unreadable
    assert odd.assignment_id is None
    assert odd.what.startswith("assignment without a usable id")
    assert "blanks" not in odd.what


def test_an_odd_assignment_that_was_deleted_is_none(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Nobody has to look at it."""
    gone = without(ASSIGNMENT, id="70", workflow_state="deleted", grading_type=None)
    assert course_of(canvas, remote, ASSIGNMENT, gone).unreadable == ()


@pytest.mark.parametrize(
    ("listing", "row", "what"),
    [
        ("sections", without(SECTION, id="52", sis_section_id={"a": 1}), "section 52: no usable sis_section_id"),
        ("sections", without(SECTION, id="52", sis_section_id="\ud83d"), "section 52: no usable sis_section_id"),
        ("assignment_groups", without(GROUP, id="62", name=None), "assignment group 62: no usable name"),
    ],
)
def test_an_odd_section_or_group_fails_alone(
    canvas: CanvasClient, remote: ScriptedRemote, listing: str, row: Mapping[str, Any], what: str
) -> None:
    """The course is not remembered so: the next sync reads the list again."""
    good = {"sections": SECTION, "assignment_groups": GROUP}
    course_of(canvas, remote, ASSIGNMENT)
    remote.on("GET", f"{BASE}/{listing}", answer([row, good[listing]]))
    for reading in (CachePolicy.REFRESH, CachePolicy.USE):
        course = canvas.course("41", reading)
        assert (list(course.groups), [section.id for section in course.sections]) == (["61"], ["51"])
        assert course.unreadable == (Unreadable(None, what),)


@pytest.mark.parametrize("name", [None, 7, {}, "Period \ud83d"])
def test_an_odd_name_of_a_section_costs_nothing(canvas: CanvasClient, remote: ScriptedRemote, name: object) -> None:
    """It is only shown: a course of one section would stop for it."""
    course_of(canvas, remote, ASSIGNMENT)
    remote.on("GET", f"{BASE}/sections", answer([without(SECTION, name=name)]))
    course = canvas.course("41")
    assert ([section.name for section in course.sections], course.unreadable) == ([""], ())


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", 7), ("name", "History \ud83d"), ("time_zone", 7), ("time_zone", {}), ("time_zone", "../etc/passwd")],
)
def test_an_odd_name_or_time_zone_of_a_course_costs_nothing(
    canvas: CanvasClient, remote: ScriptedRemote, field: str, value: object
) -> None:
    """The name is only shown, and the district has a time zone as well."""
    course_of(canvas, remote, ASSIGNMENT)
    remote.on("GET", BASE, answer({"id": "41", "name": "History", "time_zone": "America/Chicago", field: value}))
    course = canvas.course("41")
    assert [assignment.id for assignment in course.assignments] == ["71"]
    assert (course.name, course.time_zone is None) == (("", False) if field == "name" else ("History", True))


def gradebook(canvas: CanvasClient, remote: ScriptedRemote, *rows: Any) -> dict[str, GradebookRow]:
    remote.on("GET", GRADES, answer(list(rows)))
    return {row.user_id: row for row in canvas.gradebook("41", ["71", "72"])}


@pytest.mark.parametrize(
    ("field", "value"),
    [("score", "A-"), ("score", "NaN"), ("score", "-Infinity"), ("score", "1E+99999"), ("score", {}), ("excused", "x")],
)
def test_an_odd_submission_fails_alone(canvas: CanvasClient, remote: ScriptedRemote, field: str, value: object) -> None:
    """The student's other score, and everybody else's, are read."""
    marks = [without(SUBMISSION, **{field: value}), without(SUBMISSION, assignment_id="72")]
    rows = gradebook(canvas, remote, without(ROW, user_id="80", sis_user_id="3000", submissions=marks), ROW)
    assert set(rows["80"].submissions) == {"72"}
    assert rows["80"].unreadable == {"71": field}
    assert (set(rows["81"].submissions), rows["81"].unreadable) == ({"71"}, {})


@pytest.mark.parametrize(
    ("field", "value", "score"), [("score", "10.5", "10.5"), ("workflow_state", None, "9.1"), ("score", 10, "10")]
)
def test_what_is_only_unusual_is_read(
    canvas: CanvasClient, remote: ScriptedRemote, field: str, value: object, score: str
) -> None:
    """Numbers as text, and a workflow state that is null, say all that is needed."""
    rows = gradebook(canvas, remote, without(ROW, submissions=[without(SUBMISSION, **{field: value})]))
    assert rows["81"].submissions["71"].score == Decimal(score)


def test_a_submission_that_names_no_assignment_may_be_of_any(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Of any that is not there: none of those is sent, and none is taken as cleared."""
    marks = [without(SUBMISSION, assignment_id=None), without(SUBMISSION, assignment_id="72")]
    rows = gradebook(canvas, remote, without(ROW, submissions=marks))
    assert (set(rows["81"].submissions), rows["81"].unreadable) == ({"72"}, {"71": "assignment_id"})


@pytest.mark.parametrize("field", ["section_id", "sis_user_id", "submissions"])
def test_an_odd_row_costs_one_student(canvas: CanvasClient, remote: ScriptedRemote, field: str) -> None:
    """The student is named by the Canvas user id, all of the work as unreadable."""
    remote.on("GET", f"{BASE}/enrollments", answer([]))
    rows = gradebook(canvas, remote, without(ROW, user_id="80", **{field: {"a": 1}}), ROW)
    assert set(rows["80"].unreadable) == {"71", "72"}
    assert set(rows["81"].submissions) == {"71"}


def test_a_good_row_of_the_same_student_makes_up_for_an_odd_one(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Canvas lists a student of two sections twice, with the same submissions."""
    rows = gradebook(canvas, remote, without(ROW, section_id={"a": 1}), ROW)
    assert (set(rows["81"].submissions), set(rows["81"].unreadable)) == ({"71"}, {"72"})


def test_a_field_that_every_row_lacks_is_a_missing_right(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """That is no odd row: the course is not synced without it."""
    with pytest.raises(UnexpectedResponse, match="due_at"):
        course_of(canvas, remote, without(ASSIGNMENT, "due_at"), without(ASSIGNMENT, "due_at", id="72"))
    with pytest.raises(UnexpectedResponse, match=r"submissions\.score"):
        gradebook(canvas, remote, without(ROW, submissions=[without(SUBMISSION, "score")]))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("score_points", "A-"),
        ("score_points", "NaN"),
        ("score_points", "sNaN"),
        ("score_points", "Infinity"),
        ("score_points", "1e999999"),
        ("is_missing", "perhaps"),
        ("is_exempt", {}),
        ("score_kind", 7),
    ],
)
def test_an_odd_score_in_powerschool_costs_itself(
    ps: PowerSchool, remote: ScriptedRemote, field: str, value: object
) -> None:
    """It is neither held nor taken as missing; the assignment and the other score are read."""
    odd = {**STATE_ROW, "student_dcid": "502", field: value}
    for rows in ([odd, STATE_ROW], [STATE_ROW, odd]):
        remote.on("POST", STATE, answer({"record": rows}))
        (found,) = ps.gradebook.assignments([ROSTERED], {800})
        assert (set(found.scores), found.unreadable_scores, found.unreadable) == ({501}, {502: field}, "")
        assert found.name == STATE_ROW["name"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("due_date", "20261-12-05"),
        ("points", "ten"),
        ("points", "NaN"),
        ("points", "-Infinity"),
        ("points", "1e40"),
        ("weight", "NaN"),
        ("name", None),
        ("name", "Quiz \ud83d"),
        ("category_id", "x"),
    ],
)
def test_an_odd_assignment_in_powerschool_costs_itself(
    ps: PowerSchool, remote: ScriptedRemote, field: str, value: object
) -> None:
    """It is there, so that it does not look deleted; the other one is read."""
    odd = {**STATE_ROW, "assignment_id": "701", "assignment_section_id": "801", field: value}
    remote.on("POST", STATE, answer({"record": [odd, STATE_ROW]}))
    found = {each.assignment_section_id: each for each in ps.gradebook.assignments([ROSTERED], {800, 801})}
    assert (found[801].unreadable, found[800].unreadable) == (field, "")
    assert set(found[800].scores) == {501}


@pytest.mark.parametrize(
    "unusual",
    [
        {
            "description": None,
            "is_missing": None,
            "is_exempt": None,
            "score_kind": None,
            "is_counted": None,
            "weight": None,
        },
        {"is_missing": "", "is_exempt": "", "is_late": "", "scores_published": "", "weight": "", "score_points": ""},
    ],
)
def test_what_says_nothing_is_read_as_left_out(
    ps: PowerSchool, remote: ScriptedRemote, unusual: Mapping[str, Any]
) -> None:
    """PowerQueries leave out nulls; one that sends them, or blanks, says the same."""
    remote.on("POST", STATE, answer({"record": [{**STATE_ROW, **unusual}]}))
    (found,) = ps.gradebook.assignments([ROSTERED], {800})
    assert (found.unreadable, found.unreadable_scores) == ("", {})
    assert (found.scores[501].missing, found.scores[501].exempt) == (False, False)


def test_a_row_of_nobody_knows_which_assignment_is_unexpected(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """Without it an assignment might look deleted, and would be created again."""
    remote.on("POST", STATE, answer({"record": [STATE_ROW, {**STATE_ROW, "assignment_section_id": "one"}]}))
    with pytest.raises(UnexpectedResponse):
        ps.gradebook.assignments([ROSTERED], {800})


@pytest.mark.parametrize(("field", "value"), [("isactive", "perhaps"), ("name", None), ("name", "Labs \ud83d")])
def test_an_odd_category_is_left_out(ps: PowerSchool, remote: ScriptedRemote, field: str, value: object) -> None:
    """Also where the list is remembered."""
    good, odd = ({"teachercategoryid": number, "name": "Homework", "isactive": True} for number in (11, 12))
    remote.on("GET", "/ws/xte/teacher_category", answer([{**odd, field: value}, good]))
    for _ in range(2):
        assert [category.id for category in ps.gradebook.categories(501, 41)] == [11]
    assert len(remote.asked("GET", "/ws/xte/teacher_category")) == 1
