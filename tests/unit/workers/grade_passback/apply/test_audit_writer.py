"""Every write to PowerSchool leaves an entry that says what it replaced; nothing else does."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from unittest.mock import Mock

import pytest

from shared.domain.outcome import Snooze
from shared.domain.passback.audit import (
    Arrival,
    AuditEntry,
    FieldChange,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.powerschool import Score
from shared.errors import ServiceUnavailable, TransientError
from tests.unit.domain.passback.baseline import HOMEWORK, SECTION_DCID, graded
from tests.unit.workers.grade_passback.school import NOW, School, change_set, link_of


def entries(school: School, assignment_id: str = "11") -> list[AuditEntry]:
    """Return the assignment's entries since the last look, the oldest first."""
    found = [entry for entry in school.entries() if entry.assignment_id == assignment_id]
    school.forget_entries()
    return found


def test_a_first_sync_leaves_a_create_and_its_scores(school: School) -> None:
    """The entries hold ids, cause, actor, token, the fields and each student's first score."""
    school.sync()
    created, scored = entries(school)
    assert created.kind is WriteKind.CREATE
    assert FieldChange("name", None, "Reading 1") in created.fields
    assert FieldChange("due_date", None, "2026-09-30") in created.fields
    assert scored == AuditEntry(
        at=NOW,
        course_id="1",
        assignment_id="11",
        section_dcid=SECTION_DCID,
        powerschool_assignment_id=link_of(school) - 1000,
        powerschool_assignment_section_id=link_of(school),
        kind=WriteKind.SCORES,
        occasion=WriteContext((ChangeCause.EVENT,), "passback", 1),
        points_possible=Decimal(10),
        scores=(
            ScoreChange(501, "S1", None, Score(Decimal(8))),
            ScoreChange(502, "S2", None, Score(Decimal("9.5"))),
        ),
    )


def test_nothing_changed_leaves_nothing(school: School) -> None:
    """A second run writes nothing and says nothing."""
    school.sync()
    school.forget_entries()
    school.sync()
    assert school.entries() == []


def test_a_value_changed_by_hand_is_kept_as_replaced(school: School) -> None:
    """Canvas wins, and the entry says what it replaced, flags included."""
    school.sync()
    entries(school)
    there = school.powerschool.assignments_there[link_of(school)]
    by_hand = {**there.scores, 501: Score(Decimal(3), missing=True)}
    school.powerschool.assignments_there[link_of(school)] = replace(there, scores=by_hand)
    school.sync()
    (entry,) = entries(school)
    (score,) = entry.scores
    assert (score.before, score.after) == (Score(Decimal(3), missing=True), Score(Decimal(8)))


def test_a_changed_field_is_told_before_and_after(school: School) -> None:
    """An update names the fields that differed, and no others."""
    school.sync()
    entries(school)
    school.edit(name="Reading one", points_possible=Decimal(12))
    school.sync()
    (entry,) = entries(school)
    assert entry.kind is WriteKind.UPDATE
    assert entry.fields == (FieldChange("name", "Reading 1", "Reading one"), FieldChange("points", "10", "12"))


def test_a_refused_write_leaves_nothing(school: School) -> None:
    """What PowerSchool refused was not written; the rest of the batch was."""
    school.powerschool.refused_students = {501: "powerschool_student"}
    school.sync()
    _, scored = entries(school)
    assert [score.student_sis_id for score in scored.scores] == ["S2"]


def test_a_create_whose_answer_was_lost_is_told_once_it_is_known(school: School) -> None:
    """The run that adopts the assignment notes that it was created."""
    school.powerschool.lost_creates = 1
    school.sync()
    assert entries(school, "11") == []
    school.sync()
    assert [entry.kind for entry in entries(school)] == [WriteKind.CREATE, WriteKind.SCORES]


def test_a_failed_batch_leaves_nothing(school: School) -> None:
    """A batch that did not go through is not told as written."""
    school.powerschool.faults.always("write_scores", TransientError("PUT: 500", cause="powerschool_500"))
    school.sync()
    assert {entry.kind for entry in school.entries()} == {WriteKind.CREATE}


LOST = [
    TransientError("PUT: timeout", cause="powerschool_timeout", outcome_unknown=True),
    ServiceUnavailable("PUT: timeout", cause="powerschool_timeout", delay=timedelta(minutes=1), outcome_unknown=True),
]


@pytest.mark.parametrize("error", LOST, ids=["this request", "the whole system"])
def test_scores_whose_answer_was_lost_are_told_as_that(school: School, error: Exception) -> None:
    """PowerSchool may have them. The next sync reads that it has not, and sends them again."""
    school.sync()
    entries(school)
    school.grade("S1", "11", "7")
    school.powerschool.faults.on("write_scores", error)
    school.sync()
    (entry,) = school.stores.writes_begun("1")
    assert (entry.kind, entry.answer_lost, entry.arrival) == (WriteKind.SCORES, True, None)
    assert entry.scores == (ScoreChange(501, "S1", Score(Decimal(8)), Score(Decimal(7))),)
    school.sync()
    lost, again = entries(school)
    assert lost == replace(entry, arrival=Arrival.NOT_ARRIVED)
    assert (again.scores, again.answer_lost) == (entry.scores, False)
    assert school.stores.writes_begun("1") == []


def test_a_lost_answer_of_what_had_arrived_is_settled_by_the_next_look(school: School) -> None:
    """The next sync finds nothing to write, and says why."""
    school.sync()
    entries(school)
    school.grade("S1", "11", "7")
    school.powerschool.lost_scores = 1
    school.sync()
    school.sync()
    (entry,) = entries(school)
    assert (entry.answer_lost, entry.arrival) == (True, Arrival.ARRIVED)


def test_what_was_changed_meanwhile_is_told_as_that(school: School) -> None:
    """Neither the value from before nor the one that was sent is there."""
    school.sync()
    entries(school)
    school.grade("S1", "11", "7")
    school.powerschool.faults.on("write_scores", LOST[0])
    school.sync()
    there = school.powerschool.assignments_there[link_of(school)]
    school.powerschool.assignments_there[link_of(school)] = replace(there, scores={501: Score(Decimal(3))})
    school.sync()
    assert entries(school)[0].arrival is Arrival.CHANGED_SINCE


def test_a_lost_answer_waits_while_powerschool_is_not_looked_at(school: School) -> None:
    """The assignment is kept back now: its scores are not read, and nothing is claimed of them."""
    school.sync()
    school.grade("S1", "11", "7")
    school.powerschool.faults.on("write_scores", LOST[0])
    school.sync()
    school.edit(post_to_sis=False)
    school.sync()
    (entry,) = school.stores.writes_begun("1")
    assert entry.arrival is None
    school.edit(post_to_sis=True)
    school.sync()
    assert school.stores.writes_begun("1") == []
    assert [each.arrival for each in entries(school) if each.answer_lost] == [Arrival.NOT_ARRIVED]


def test_of_one_request_each_assignment_is_settled_once_it_is_read(school: School) -> None:
    """One of two is kept back now: what became of the other is known, and this one waits."""
    school.sync()
    school.grade("S1", "11", "7")
    school.grade("S1", "12", "6")
    school.powerschool.faults.on("write_scores", LOST[0])
    school.sync()
    assert {entry.assignment_id for entry in school.stores.writes_begun("1")} == {"11", "12"}
    school.edit("12", post_to_sis=False)
    school.sync()
    assert [(entry.assignment_id, entry.arrival) for entry in school.stores.writes_begun("1")] == [("12", None)]
    school.edit("12", post_to_sis=True)
    school.sync()
    assert school.stores.writes_begun("1") == []
    lost = [(entry.assignment_id, entry.arrival) for entry in school.entries() if entry.answer_lost]
    assert lost == [("11", Arrival.NOT_ARRIVED), ("12", Arrival.NOT_ARRIVED)]


def test_an_entry_names_who_graded(school: School) -> None:
    """By the Canvas id, as Canvas has it now; a quiz that graded has a negative one."""
    school.sync()
    entries(school)
    school.canvas.rows = tuple(
        replace(row, submissions={**row.submissions, "11": graded("7", assignment_id="11", grader_id=grader)})
        for row, grader in zip(school.canvas.rows, ("12", -78), strict=True)
    )
    school.sync()
    (entry,) = entries(school)
    assert [score.graded_by for score in entry.scores] == ["12", "-78"]


def test_a_category_is_told_by_its_name(school: School) -> None:
    """With its id, since names change."""
    school.sync()
    (created, _) = entries(school)
    assert FieldChange("category", None, f"{HOMEWORK.name} ({HOMEWORK.id})") in created.fields


def test_an_update_whose_answer_was_lost_is_told_as_that(school: School) -> None:
    """The same for an assignment's own fields."""
    school.sync()
    entries(school)
    school.edit(name="Reading one")
    school.powerschool.faults.on("update", LOST[0])
    school.sync()
    school.sync()
    entry, again = entries(school)
    assert (entry.kind, entry.answer_lost, entry.arrival) == (WriteKind.UPDATE, True, Arrival.NOT_ARRIVED)
    assert entry.fields == again.fields == (FieldChange("name", "Reading 1", "Reading one"),)


def test_a_write_is_told_before_it_is_sent(school: School) -> None:
    """Where nobody lives to see the answer, the entry is there, as that of a lost one; the next look settles it."""
    school.sync()
    entries(school)
    school.grade("S1", "11", "7")
    school.powerschool.faults.on("write_scores", SystemExit())
    with pytest.raises(SystemExit):
        school.sync()
    (begun,) = school.stores.writes_begun("1")
    assert (begun.kind, begun.answer_lost, entries(school)) == (WriteKind.SCORES, True, [])
    assert begun.scores == (ScoreChange(501, "S1", Score(Decimal(8)), Score(Decimal(7))),)
    school.sync()
    assert [entry.answer_lost for entry in entries(school)] == [True, False]


def test_what_cannot_be_told_is_not_sent(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is unwell: the work waits, and PowerSchool is not written to."""
    school.sync()
    school.grade("S1", "11", "7")
    away = ServiceUnavailable("EVALSHA", cause="redis_unavailable", delay=timedelta(seconds=5))
    monkeypatch.setattr(school.audit, "begin", Mock(side_effect=away))
    assert isinstance(school.sync(), Snooze)
    assert school.powerschool.assignments_there[link_of(school)].scores[501].points == 8


def test_a_persons_sync_names_the_person() -> None:
    """The actor is whoever asked; what happened by itself is passback's."""
    asked = replace(change_set(cause=ChangeCause.PERSON), actors=frozenset({"rivera", "chen"}))
    assert WriteContext.of(asked, 7) == WriteContext((ChangeCause.PERSON,), "chen, rivera", 7)
    assert WriteContext.of(change_set(), 8).actor == "passback"
