"""`explain` looks at both sides now and joins what passback remembers."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.domain.outcome import Snooze
from shared.errors import ServiceUnavailable, TransientError
from tests.fakes import refused
from tests.unit.workers.grade_passback.school import School, link_of, row

TIMEOUT = TransientError("PUT /ws/xte/score: timeout", cause="powerschool_timeout")


def codes(school: School, assignment_id: str = "11") -> tuple[object, list[object]]:
    """Return state and reason codes."""
    section = school.explain(assignment_id)
    return section["state"], [reason["code"] for reason in section["reasons"]]  # type: ignore[attr-defined]


def test_what_agrees_is_synced(school: School) -> None:
    """An assignment that PowerSchool holds as Canvas does is synced, without reasons."""
    school.sync()
    assert codes(school) == ("synced", [])


def test_pending_writes_are_waiting(school: School) -> None:
    """What differs and was not tried yet waits for its sync; nothing is written by asking."""
    assert codes(school) == ("waiting", [])
    assert school.writes() == []


def test_a_pending_write_of_another_assignment_does_not_matter(school: School) -> None:
    """Only the assignment that differs is waiting."""
    school.sync()
    school.grade("S1", "12", "1")
    assert codes(school) == ("synced", [])
    assert codes(school, "12") == ("waiting", [])


@pytest.mark.parametrize("assignment_id", ["11", None])
def test_a_dead_letter_is_told(school: School, assignment_id: str | None) -> None:
    """Work that is kept for a person says so, whether the letter is the assignment's or its course's."""
    school.dead_letters.add("1", assignment_id, "powerschool_error", "", 3)
    assert codes(school) == ("dead", ["dead_letter"])


def test_the_letter_of_another_assignment_is_not_told(school: School) -> None:
    """A letter is told of its own assignment."""
    school.dead_letters.add("1", "12", "powerschool_error", "", 3)
    assert codes(school) == ("waiting", [])


def test_a_letter_that_is_answered_meanwhile_is_not_told(school: School) -> None:
    """Where nothing is to be written any more, the assignment is synced, though nobody closed its letter yet."""
    school.sync()
    school.dead_letters.add("1", "11", "powerschool_error", "", 3)
    assert codes(school) == ("synced", [])


def test_an_earlier_failure_is_told(school: School) -> None:
    """What failed and will be tried again is retrying, with the cause."""
    school.sync()
    school.grade("S1", "11", "1")
    school.powerschool.faults.on("write_scores", TIMEOUT)
    school.sync()
    assert codes(school) == ("retrying", ["retrying"])
    assert "powerschool_timeout" in str(school.explain()["reasons"])


def test_an_outage_is_told(school: School) -> None:
    """What waits for an unwell system is retrying."""
    school.powerschool.faults.on(
        "create", ServiceUnavailable("503", cause="powerschool_unavailable", delay=timedelta(1))
    )
    assert isinstance(school.sync(), Snooze)
    assert codes(school) == ("retrying", ["retrying"])


def test_a_refusal_of_powerschool_is_told(school: School) -> None:
    """What PowerSchool refused the last time stays blocked with its reason."""
    school.sync()
    school.grade("S1", "11", "1")
    school.powerschool.refused_targets = {link_of(school): "powerschool_locked"}
    school.sync()
    assert codes(school) == ("blocked", ["assignment_locked"])


def test_a_remedied_rule_is_not_told_again(school: School) -> None:
    """A reason that its teacher has removed is gone at once, before the next sync."""
    school.edit(post_to_sis=False)
    school.sync()
    assert codes(school) == ("blocked", ["sis_sync_off"])
    school.edit(post_to_sis=True)
    assert codes(school) == ("waiting", [])


def test_a_rule_is_told_before_memory(school: School) -> None:
    """What a rule keeps back now is told as such, whatever failed before."""
    school.dead_letters.add("1", "11", "powerschool_error", "", 3)
    school.edit(post_to_sis=False)
    assert codes(school) == ("blocked", ["sis_sync_off"])


def test_an_ungraded_assignment_is_waiting(school: School) -> None:
    """An assignment without scores waits for the first one, and that is its reason."""
    school.canvas.rows = (row("S1", "71", a11=None),)
    assert codes(school) == ("waiting", ["not_graded_yet"])


def test_a_student_sees_the_own_score(school: School) -> None:
    """Asked about a student, the answer holds that student's score in PowerSchool, as text."""
    school.sync()
    powerschool = school.explain(student_sis_id="S2")["powerschool"]
    assert powerschool["score"] == {"points": "9.5", "missing": False, "exempt": False}  # type: ignore[index]


def test_a_student_without_a_score_there_has_none(school: School) -> None:
    """Asked about a student whom PowerSchool has no score of, the answer says so."""
    school.canvas.rows = school.canvas.rows[:1]
    school.sync()
    assert school.explain(student_sis_id="S2")["powerschool"]["score"] is None  # type: ignore[index]


def test_only_the_student_asked_about_is_named(school: School) -> None:
    """The reasons of other students are left out."""
    school.canvas.rows = (*school.canvas.rows, row("S8", "78", a11="1"), row("S9", "79", a11="1"))
    [student] = school.explain(student_sis_id="S8")["students"]  # type: ignore[misc, attr-defined]
    assert (student["student_sis_id"], student["code"]) == ("S8", "student_unknown")


def test_the_refused_create_is_told_though_nothing_is_there(school: School) -> None:
    """An assignment whose create was refused is blocked and not in PowerSchool."""
    school.powerschool.faults.always("create", refused("POST: 409", "powerschool_due_date"))
    school.sync()
    assert codes(school) == ("blocked", ["due_date_refused"])
    assert school.explain()["powerschool"] is None


def test_a_section_unknown_to_powerschool_is_told(school: School) -> None:
    """A Canvas section without a counterpart is blocked; nothing of PowerSchool is shown."""
    school.canvas.content = replace(
        school.canvas.content, sections=(replace(school.canvas.content.sections[0], sis_section_id="4999"),)
    )
    assert codes(school) == ("blocked", ["section_unknown"])
