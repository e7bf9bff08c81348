"""`explain --student`: every student and assignment of a course has an answer, with both systems there and without."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.passback.powerschool import RosteredStudent
from shared.errors import AccessDenied, ServiceUnavailable
from tests.unit.domain.passback.baseline import ROSTERED, graded
from tests.unit.workers.grade_passback.school import NOW, School, link_of, row

AWAY = ServiceUnavailable("GET /api/v1/courses/{course_id}: 503", cause="canvas_unavailable", delay=timedelta(1))


def student(school: School, sis_id: str, assignment_id: str = "11") -> Any:
    """Return the student's part of the answer about one assignment."""
    (assignment,) = school.explanation(assignment_id, sis_id)["assignments"]  # type: ignore[misc, attr-defined]
    return assignment["student"]


def standing(school: School, sis_id: str, assignment_id: str = "11") -> tuple[str, str]:
    """Return standing and sentence."""
    response = student(school, sis_id, assignment_id)
    return response["standing"], response["sentence"]


def test_a_sent_score_is_told_with_its_last_write(school: School) -> None:
    """The answer says how many of how many, and when, by whom and instead of what it was written."""
    school.sync()
    response = student(school, "S2")
    assert (response["standing"], response["sentence"]) == ("sent", "Sent: 9.5 of 10.")
    assert response["last_write"] == {
        "at": NOW.isoformat(),
        "actor": "passback",
        "before": None,
        "after": {"points": "9.5", "missing": False, "exempt": False},
    }


def test_a_new_score_is_waiting(school: School) -> None:
    """Both sides are told."""
    school.sync()
    school.grade("S1", "11", "9")
    assert standing(school, "S1") == (
        "waiting",
        "Waiting: 9 of 10 in Canvas, PowerSchool has 8 of 10. The next sync sends it.",
    )


def test_a_held_assignment_still_tells_what_is_there(school: School) -> None:
    """An assignment that is kept back now shows the score that an earlier sync sent."""
    school.sync()
    school.edit(post_to_sis=False)
    what, sentence = standing(school, "S1")
    assert what == "held"
    assert sentence == 'Held: "Sync to SIS" is off for this assignment. PowerSchool has 8 of 10.'


def test_when_everything_is_held_the_students_are_still_known(school: School) -> None:
    """A course with nothing eligible answers for its students, and for strangers."""
    school.edit("11", published=False)
    school.edit("12", published=False)
    assert standing(school, "S1")[0] == "held"
    assert standing(school, "S404")[0] == "not_in_course"


def test_an_ungraded_student_has_nothing_to_send(school: School) -> None:
    """Classmates' scores do not matter."""
    school.grade("S1", "11", None)
    school.sync()
    assert standing(school, "S1") == ("nothing_to_send", "Nothing to send: Canvas has no score for this student.")


def test_work_that_is_not_assigned_to_the_student(school: School) -> None:
    """The student may be in the course and the work still not be the student's."""
    unassigned = graded("8", assignment_visible=False)
    school.canvas.rows = (replace(row("S1", "71"), submissions={"11": unassigned}), school.canvas.rows[1])
    assert "not assigned" in standing(school, "S1")[1]


@pytest.mark.parametrize(
    ("students", "words"),
    [
        ({}, "PowerSchool has no student"),
        ({"S3": RosteredStudent(503, active=False)}, "not active in this section"),
    ],
)
def test_a_student_without_a_place_in_powerschool(
    school: School, students: dict[str, RosteredStudent], words: str
) -> None:
    """Unknown, dropped or transferred: the sentence says which, with a score and without."""
    school.rosters.remembered = {"4001": replace(ROSTERED, students={**ROSTERED.students, **students})}
    school.canvas.rows = (*school.canvas.rows, row("S3", "73", a11="5", a12=None))
    for assignment_id in ("11", "12"):
        what, sentence = standing(school, "S3", assignment_id)
        assert what == "held"
        assert words in sentence


def test_a_refused_student_is_held_and_the_class_is_not(school: School) -> None:
    """What PowerSchool refused for one student is told of that student; the section is synced."""
    school.powerschool.refused_students = {501: "powerschool_student"}
    school.sync()
    assert standing(school, "S1")[0] == "held"
    assert "refused this student" in standing(school, "S1")[1]
    assert standing(school, "S2")[0] == "sent"
    assert school.explain("11")["state"] == "synced"


def test_a_cleared_score_is_told_with_what_is_left(school: School) -> None:
    """The score that Canvas no longer has is still in PowerSchool."""
    school.sync()
    school.grade("S1", "11", None)
    what, sentence = standing(school, "S1")
    assert what == "held"
    assert sentence.endswith("PowerSchool has 8 of 10.")


def test_a_name_that_is_taken_holds_everybody(school: School) -> None:
    """Neither the assignment nor its grades are sent."""
    school.sync()
    link_id = link_of(school)
    there = school.powerschool.assignments_there[link_id]
    school.powerschool.assignments_there[link_id] = replace(there, created_by_plugin=None)
    school.forget_links()
    school.forget_entries()
    assert standing(school, "S1")[0] == "held"


@pytest.mark.parametrize("error", [AWAY, AccessDenied("GET: 401", cause="canvas_401", status=401)])
def test_without_canvas_the_last_sync_answers(school: School, error: Exception) -> None:
    """The answer is as of the last sync, says so and why, and still knows every student."""
    school.sync()
    school.clock.advance(timedelta(hours=1))
    school.canvas.faults.always("course", error)
    response = school.explanation("11", "S1")
    assert (response["live"], response["as_of"]) == (False, NOW.isoformat())
    assert response["trouble"]["code"] == error.cause  # type: ignore[index, attr-defined]
    assert standing(school, "S1") == ("sent", "Sent: 8 of 10.")
    assert standing(school, "S404")[0] == "not_in_course"
    section = school.explain("11", "S1")
    assert section["state"] == "synced"
    assert section["powerschool"]["score"]["points"] == "8"  # type: ignore[index]


def test_without_powerschool_the_last_sync_answers(school: School) -> None:
    """PowerSchool's outage is told like Canvas's; held assignments keep their reasons."""
    school.edit(post_to_sis=False)
    school.sync()
    school.powerschool.faults.always("assignments", AWAY)
    assert standing(school, "S1")[1].startswith('Held: "Sync to SIS" is off')
    assert standing(school, "S1", "12") == ("sent", "Sent: 5 of 10.")


def test_without_anything_remembered_there_is_no_answer(school: School) -> None:
    """A course that was never synced says so."""
    school.canvas.faults.always("course", AWAY)
    response = school.explanation()
    assert (response["as_of"], response["assignments"]) == (None, [])


def test_the_chain_is_told(school: School) -> None:
    """The answer says when the course was last heard of, last synced and looked at."""
    school.sync()
    heard = NOW - timedelta(minutes=1)
    school.changes.heard["1"] = heard
    school.clock.advance(timedelta(hours=1))
    response = school.explanation()
    assert response["last_event_at"] == heard.isoformat()
    assert response["synced_at"] == NOW.isoformat()
    assert (response["live"], response["as_of"]) == (True, school.clock.now().isoformat())


def test_a_dead_letter_is_remembered(school: School) -> None:
    """What was given up since the last sync is dead in the remembered answer, too."""
    school.powerschool.faults.always("write_scores", AWAY)
    school.sync()
    school.dead_letters.add("1", "11", "powerschool_500", "", 3)
    school.canvas.faults.always("course", AWAY)
    assert school.explain("11")["state"] == "dead"
    assert school.explain("12")["state"] == "retrying"
