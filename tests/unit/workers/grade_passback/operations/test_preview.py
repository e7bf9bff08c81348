"""The preview of a sync: every assignment with what would be done and why, each student's score before and after."""

from dataclasses import replace
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from shared.domain.passback.canvas import Unreadable
from tests.unit.workers.grade_passback.school import NOW, ROWS, School, row
from workers.cli.terminal.plan_text import plan_text
from workers.grade_passback.operations.preview import ScoreAction, plan_preview


def preview(school: School, assignment_id: str | None = None) -> Any:  # JSON
    return plan_preview(school.reader, "1", NOW, assignment_id)


def section(school: School, assignment_id: str = "11") -> Any:  # JSON
    """Return what the whole preview says of one assignment in the only section."""
    (found,) = [each for each in preview(school)["assignments"] if each["assignment_id"] == assignment_id]
    return found["sections"][0]


def shown(school: School, assignment_id: str | None = None) -> str:
    console = Console(width=80, file=StringIO())
    with console.capture() as printed:
        console.print(plan_text(preview(school, assignment_id)))
    assert all(len(line.rstrip()) <= 80 for line in printed.get().splitlines())
    return " ".join(printed.get().split())


def scores(found: Any) -> dict[str, tuple[str | None, ...]]:  # JSON
    """Return what would be done with each student's score, and its points before and after."""
    points = [(each["before"] or {}).get("points") for each in found["students"]]
    after = [(each["after"] or {}).get("points") for each in found["students"]]
    names = [each["student_sis_id"] for each in found["students"]]
    actions = [str(each["do"]) for each in found["students"]]
    return dict(zip(names, zip(actions, points, after, strict=True), strict=True))


def test_what_powerschool_lacks_is_created_with_its_scores() -> None:
    """Each assignment says why, each student has no score before and one after."""
    school = School()
    found = section(school)
    assert found["would"] == ["Create the assignment: PowerSchool does not have it.", "Send 2 new scores."]
    assert scores(found) == {"S1": ("send", None, "8"), "S2": ("send", None, "9.5")}
    assert found["state"] == "waiting"
    assert preview(school)["summary"] == "A sync would create 2 assignments and send 4 scores."
    assert "student S1: nothing → 8 of 10" in shown(school)


def test_what_agrees_is_listed_too() -> None:
    """Every assignment is there; scores that agree are counted, and listed for one assignment alone."""
    school = School()
    school.sync()
    found = section(school)
    assert found["would"] == ["Nothing to write: PowerSchool agrees with Canvas."]
    assert (found["students"], found["scores_equal"], found["state"]) == ([], 2, "synced")
    assert preview(school)["summary"] == "A sync would write nothing."
    (one,) = preview(school, "11")["assignments"]
    assert scores(one["sections"][0]) == {"S1": ("nothing", "8", "8"), "S2": ("nothing", "9.5", "9.5")}
    assert "student S2: 9.5 of 10" in shown(school, "11")
    assert "no such assignment" in shown(school, "999")


def test_changes_show_what_they_replace() -> None:
    """Fields with both values, and a score with the points possible that it was out of."""
    school = School()
    school.sync()
    school.grade("S1", "11", "12")
    school.edit("11", name="Reading one", points_possible=Decimal(20))
    found = section(school)
    assert found["would"] == [
        "Update the assignment: PowerSchool differs in name, points possible.",
        "Send 1 changed score.",
    ]
    assert [(each["field"], each["before"], each["after"]) for each in found["fields"]] == [
        ("name", "Reading 1", "Reading one"),
        ("points possible", "10", "20"),
    ]
    text = shown(school)
    assert "student S1: 8 of 10 → 12 of 20" in text
    assert "update 1 assignment and send 1 score" in text


def test_what_is_kept_back_has_its_reasons() -> None:
    """Of the assignment and of each student; the score that is there stays."""
    school = School()
    school.sync()
    school.edit("12", published=False)
    school.grade("S2", "11", None)
    school.canvas.rows = (*school.canvas.rows, row("S9", "79", a11="4"))
    blocked, found = section(school, "12"), section(school)
    assert (blocked["would"], blocked["state"]) == (["Nothing is sent."], "blocked")
    assert [reason["code"] for reason in blocked["reasons"]] == ["not_published"]
    assert {each["student_sis_id"]: each["code"] for each in found["students"]} == {
        "S2": "score_cleared",
        "S9": "student_unknown",
    }
    assert scores(found)["S2"] == (ScoreAction.HOLD, "9.5", "9.5")
    assert found["scores_equal"] == 1
    assert "student S9: student_unknown" in shown(school)


def test_a_cleared_score_is_emptied_where_the_district_wants_that() -> None:
    """The score before, and nothing after."""
    school = School(clear_scores=True)
    school.sync()
    school.grade("S2", "11", None)
    assert section(school)["would"] == ["Empty 1 score: Canvas has none any more."]
    assert scores(section(school)) == {"S2": ("empty", "9.5", None)}
    assert preview(school)["summary"] == "A sync would empty 1 score."


def test_an_assignment_that_nobody_graded_waits() -> None:
    """It is listed with its reason, and sends nobody's missing flag yet."""
    school = School()
    school.canvas.rows = tuple(replace(each, submissions={}) for each in ROWS)
    found = section(school)
    assert found["would"] == ["Nothing for now."]
    assert [reason["code"] for reason in found["reasons"]] == ["not_graded_yet"]
    assert (found["students"], found["scores_equal"]) == ([], 0)


@pytest.mark.parametrize("unreadable", [(), (Unreadable("12", "assignment 12: no usable name"),)])
def test_an_assignment_without_a_placement_is_listed(unreadable: tuple[Unreadable, ...]) -> None:
    """What Canvas has no more, or sends in an odd form, keeps what PowerSchool has, and says why."""
    school = School()
    school.sync()
    others = tuple(each for each in school.canvas.content.assignments if each.id != "12")
    school.canvas.content = replace(school.canvas.content, assignments=others, unreadable=unreadable)
    found = section(school, "12")
    assert found["would"] == ["Nothing is sent."]
    assert found["reasons"]


def test_an_assignment_deleted_in_powerschool_is_created_again() -> None:
    """The preview says that it was there."""
    school = School()
    school.sync()
    school.powerschool.assignments_there.clear()
    assert section(school)["would"][0] == "Create the assignment: it was deleted in PowerSchool."
