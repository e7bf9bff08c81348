"""An assignment whose scores Canvas does not give, in pages of any size, is tried again alone."""

from shared.domain.outcome import Done, Retry
from shared.domain.passback.course_state import State
from shared.domain.passback.rules.reasons import Reason
from tests.unit.workers.grade_passback.school import WAITS, School


def test_the_others_arrive_and_it_alone_is_tried_again(school: School) -> None:
    """Its reason says so; what PowerSchool has of it stays."""
    school.sync()
    school.writes()
    for assignment_id in ("11", "12"):
        school.grade("S1", assignment_id, "1")
    school.canvas.too_heavy = {"11"}
    outcome = school.sync()
    assert isinstance(outcome, Retry)
    assert [(each.assignment_id, each.cause) for each in outcome.failures] == [("11", "canvas_timeout")]
    assert school.writes() == ["scores"]
    assert (school.powerschool.points("Reading 1")[501], school.powerschool.points("Reading 2")[501]) == (8, 1)
    assert (school.record("11").state, school.reasons("11")) == (State.RETRYING, [Reason.RETRYING])
    assert school.record("12").state is State.SYNCED
    school.canvas.too_heavy = set()
    assert isinstance(school.sync(attempts=1), Done)
    assert (school.writes(), school.powerschool.points("Reading 1")[501]) == (["scores"], 1)


def test_it_is_a_dead_letter_of_its_own_once_the_attempts_are_spent(school: School) -> None:
    """Also where nothing but it was to be read."""
    school.canvas.too_heavy = {"11", "12"}
    school.sync(attempts=len(WAITS))
    assert sorted(school.letters()) == [("11", "canvas_timeout"), ("12", "canvas_timeout")]
    assert school.writes() == []
    assert school.explain()["state"] == State.DEAD
    school.canvas.too_heavy = set()
    school.sync()
    assert (school.letters(), school.explain()["state"]) == ([], State.SYNCED)
