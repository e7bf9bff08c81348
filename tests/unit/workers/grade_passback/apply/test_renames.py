"""Names that assignments exchange, and renames that do not succeed: no score ever waits for a name."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from shared.domain.causes import Cause, Scope
from shared.domain.outcome import Done, Retry
from shared.domain.passback.audit import WriteKind
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import State
from shared.domain.passback.powerschool import WrittenField
from shared.domain.passback.rules.reasons import Reason
from shared.errors import LeaseLost, TransientError
from tests.fakes import refused
from tests.unit.domain.passback.baseline import ASSIGNMENT, actual, desired
from tests.unit.workers.grade_passback.school import OTHER, School, change_set, decimals, link_of

ONE, TWO = "Reading 1", "Reading 2"
TIMEOUT = TransientError("PUT /ws/xte/section/assignment/{assignment_id}: timeout", cause="powerschool_timeout")


@pytest.fixture
def synced(school: School) -> School:
    """Return a school whose two assignments are in PowerSchool."""
    school.sync()
    school.writes()
    return school


def names(school: School) -> dict[str, str]:
    """Return the names in PowerSchool by Canvas assignment."""
    there = school.powerschool.assignments_there
    return {a.id: there[link_of(school, a.id)].name for a in school.canvas.content.assignments}


def exchange(school: School) -> None:
    """Exchange the names in Canvas, and grade something as well."""
    school.assign(replace(ASSIGNMENT, name=TWO), replace(OTHER, name=ONE))
    school.grade("S1", "11", "1")
    school.grade("S1", "12", "2")


def scored(school: School) -> bool:
    """Say whether the scores that `exchange` changed are in PowerSchool."""
    there = school.powerschool.assignments_there
    found = [there[link_of(school, id_)].scores[501].points for id_ in ("11", "12")]
    return found == [Decimal(1), Decimal(2)]


def test_names_are_exchanged(synced: School) -> None:
    """In one sync, with one write more than there are names; the scores go with it, once."""
    exchange(synced)
    assert isinstance(synced.sync(), Done)
    assert (names(synced), scored(synced)) == ({"11": TWO, "12": ONE}, True)
    assert synced.writes() == ["update"] * 3 + ["scores"]
    assert synced.reasons("11") == synced.reasons("12") == []
    synced.sync()
    assert synced.writes() == []


@pytest.mark.parametrize(("days", "is_in_the_way"), [(1, False), (0, True)])
def test_a_name_is_in_the_way_on_its_own_day_alone(synced: School, days: int, is_in_the_way: bool) -> None:
    """A teacher's assignment of the same name stops no update of ours, unless both become due on one day."""
    there, id_ = synced.powerschool.assignments_there, link_of(synced)
    other_day = there[id_].due_date + timedelta(days=7)
    there[9001] = replace(there[id_], assignment_id=9000, assignment_section_id=9001, due_date=other_day,
                          created_by_plugin=None, scores={})  # fmt: skip
    due_at = ASSIGNMENT.due_at
    assert due_at is not None
    wanted, before = other_day + timedelta(days=days), there[id_].due_date
    synced.edit(due_at=due_at + timedelta(days=7 + days))
    synced.sync()
    assert there[id_].due_date == (before if is_in_the_way else wanted)
    assert synced.reasons() == ([Reason.NAME_TAKEN] if is_in_the_way else [])


def test_a_temporary_name_is_in_the_audit(synced: School) -> None:
    """Every write is, with what it replaced."""
    exchange(synced)
    synced.sync()
    changed = [
        (change.before, change.after)
        for entry in synced.entries()
        if entry.kind is WriteKind.UPDATE and entry.assignment_id == "11"
        for change in entry.fields
        if change.field == WrittenField.NAME
    ]
    assert changed == [(ONE, "(renaming 11)"), ("(renaming 11)", TWO)]


def test_three_names_go_round(school: School) -> None:
    """One of them gives way, whatever the order."""
    third = replace(ASSIGNMENT, id="13", name="Reading 3")
    school.assign(ASSIGNMENT, OTHER, third)
    school.grade("S1", "13", "4")
    school.sync()
    school.writes()
    school.assign(replace(ASSIGNMENT, name=TWO), replace(OTHER, name="Reading 3"), replace(third, name=ONE))
    school.sync()
    assert names(school) == {"11": TWO, "12": "Reading 3", "13": ONE}
    assert school.writes() == ["update"] * 4


@pytest.mark.parametrize("done", [1, 2, 3])
def test_an_exchange_that_is_interrupted_is_finished(synced: School, done: int) -> None:
    """Whichever write was the last one before the worker lost its lease."""
    exchange(synced)
    call, nth = ("write_scores", 1) if done == len(("parked", "renamed", "given back")) else ("update", done + 1)
    synced.powerschool.faults.on(call, LeaseLost("1"), nth=nth)
    synced.sync()
    assert synced.writes() == ["update"] * done
    synced.sync()
    assert (names(synced), scored(synced)) == ({"11": TWO, "12": ONE}, True)
    synced.writes()
    synced.sync()
    assert synced.writes() == []


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_an_exchange_that_fails_for_now_is_finished_by_the_retry(synced: School, failing: int) -> None:
    """Nobody takes a name that did not become free, and scores do not wait for it."""
    exchange(synced)
    synced.powerschool.faults.on("update", TIMEOUT, nth=failing)
    assert isinstance(synced.sync(), Retry)
    assert len({*names(synced).values()}) == 2
    synced.sync(attempts=1)
    assert (names(synced), scored(synced)) == ({"11": TWO, "12": ONE}, True)


@pytest.mark.parametrize("locked", ["11", "12"])
def test_an_exchange_with_one_that_cannot_be_renamed(synced: School, locked: str) -> None:
    """Both have their old names in the end, the other one's scores go, and nothing is tried again by itself."""
    other = {"11": "12", "12": "11"}[locked]
    exchange(synced)
    synced.powerschool.locked = {link_of(synced, locked)}
    synced.sync()
    assert names(synced) == {"11": ONE, "12": TWO}
    assert synced.reasons(locked)[-1] is Reason.ASSIGNMENT_LOCKED
    assert synced.reasons(other) == [Reason.NAME_TAKEN]
    there = synced.powerschool.assignments_there[link_of(synced, other)].scores
    assert there[501].points == {"11": 1, "12": 2}[other]
    for _ in range(2):
        synced.writes()
        synced.sync()
        assert [kind for kind in synced.writes() if kind == "update"] == []
        assert synced.reasons(locked) == [Reason.NAME_TAKEN, Reason.ASSIGNMENT_LOCKED]
    synced.powerschool.locked.clear()
    lease = synced.changes.lease("1")
    asked = change_set(cause=ChangeCause.PERSON)
    synced.outcome_handler.run(lease, asked, lambda: synced.course_sync.run(asked, lambda: None, lease.token))
    assert (names(synced), scored(synced)) == ({"11": TWO, "12": ONE}, True)


def by_hand(school: School, name: str) -> None:
    """Let a teacher make an assignment of this name, due when the others are."""
    school.powerschool.assignments_there[7900] = actual(desired(name=name), id=7900, created_by_plugin=None, scores={})


def test_a_name_that_is_taken_holds_no_score_back(synced: School) -> None:
    """The old name stays, everything else follows Canvas, and the reason is told."""
    by_hand(synced, "Essay")
    synced.edit("11", name="Essay", points_possible=Decimal(20))
    synced.grade("S1", "11", "1")
    synced.sync()
    assert synced.reasons() == [Reason.NAME_TAKEN]
    there = synced.powerschool.assignments_there[link_of(synced)]
    assert (there.name, there.points, there.scores[501].points) == (ONE, Decimal(20), Decimal(1))
    synced.writes()
    synced.sync()
    assert (synced.writes(), synced.record().state) == ([], State.BLOCKED)
    assert "still sent" in synced.explain()["reasons"][0]["message"]  # type: ignore[index]
    (assignment,) = synced.explanation("11", "S1")["assignments"]  # type: ignore[misc, attr-defined]
    assert assignment["student"]["standing"] == "sent"


def test_a_rename_that_powerschool_refuses_holds_no_score_back(synced: School) -> None:
    """A teacher took the name after it was looked at: all but the name is changed, and the scores go."""
    synced.edit("11", name="Essay", points_possible=Decimal(20))
    synced.grade("S1", "11", "1")
    taken = refused("PUT /ws/xte/section/assignment/{assignment_id}: 409", "powerschool_duplicate", words="exists")
    synced.powerschool.faults.on("update", taken)
    assert isinstance(synced.sync(), Done)
    assert synced.reasons() == [Reason.DUPLICATE_REFUSED]
    there = synced.powerschool.assignments_there[link_of(synced)]
    assert (there.name, there.points, there.scores[501].points) == (ONE, Decimal(20), Decimal(1))


def test_an_update_that_is_refused_for_something_else_is_told_as_that(synced: School) -> None:
    """Without the name it is refused as well: then it is not the name, and the scores wait as before."""
    synced.edit("11", name="Essay", points_possible=Decimal(20))
    synced.grade("S1", "11", "1")
    points = refused("PUT /ws/xte/section/assignment/{assignment_id}: 409", "powerschool_points")
    synced.powerschool.faults.on("update", points, times=2)
    synced.sync()
    assert Reason.POINTS_REFUSED in synced.reasons()
    assert synced.powerschool.points(ONE) == decimals(S1="8", S2="9.5")


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause.scope is Scope.ASSIGNMENT])
def test_what_is_about_the_whole_assignment_is_not_tried_without_its_name(synced: School, cause: Cause) -> None:
    """A locked assignment takes no other change either."""
    synced.edit("11", name="Essay", points_possible=Decimal(20))
    synced.powerschool.faults.on("update", refused("PUT: 409", cause), times=2)
    synced.sync()
    assert synced.powerschool.faults.calls["update"] == 1
    assert synced.powerschool.assignments_there[link_of(synced)].points != Decimal(20)


def test_namesakes_do_not_keep_each_other_out(school: School) -> None:
    """Two of one name, both graded before the first sync: the first one goes, the other says which."""
    school.assign(ASSIGNMENT, replace(OTHER, name=ONE))
    school.sync()
    assert school.powerschool.points(ONE) == decimals(S1="8", S2="9.5")
    assert (school.reasons("11"), school.reasons("12")) == ([], [Reason.NAME_TAKEN])
    assert school.record("12").findings[0].detail == "Canvas assignment 11"
    school.edit("12", name=TWO)
    school.sync()
    assert school.powerschool.points(TWO) == decimals(S1="5", S2="6")
