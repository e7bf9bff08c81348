"""Whose scores a sync reads when only grades changed: the graded assignments' and those not at rest. Decision 16."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from shared.domain.outcome import Done, Outcome
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.course_state import State
from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.reasons import Reason
from shared.errors import TransientError
from tests.fakes import refused
from tests.unit.workers.grade_passback.school import School, change_set, decimals, link_of, row

ONE, BOTH = {"11"}, {"11", "12"}
TIMEOUT = TransientError("PUT /ws/xte/score: timeout", cause="powerschool_timeout")


def sync(school: School, changes: PendingChanges | None = None) -> Outcome:
    """Sync the course for a grade in assignment 11, or for these changes; what was read before is forgotten."""
    school.canvas.scores_read.clear()
    school.powerschool.scores_read.clear()
    changes = changes or change_set(graded=ONE)
    lease = school.changes.lease("1")
    sync = school.course_sync
    return school.outcome_handler.run(lease, changes, lambda: sync.run(changes, lambda: None, lease.token)).outcome


def there(school: School, assignment_id: str) -> dict[int, Decimal | None]:
    """Return the scores that PowerSchool has of the assignment, by STUDENTS.DCID."""
    scores = school.powerschool.assignments_there[link_of(school, assignment_id)].scores
    return {dcid: score.points for dcid, score in scores.items()}


@pytest.fixture
def synced(school: School) -> School:
    """Return a school whose two assignments are at rest."""
    school.sync()
    school.writes()
    return school


def test_a_first_sync_reads_everything(school: School) -> None:
    """Of what was never synced nothing is at rest, whatever was graded."""
    sync(school)
    assert school.canvas.scores_read == [BOTH]
    assert (there(school, "11"), there(school, "12")) == (decimals(S1="8", S2="9.5"), decimals(S1="5", S2="6"))


def test_a_grade_reads_its_own_scores_alone(synced: School) -> None:
    """On both sides, and the changed one is written."""
    synced.grade("S1", "11", "7")
    sync(synced)
    assert synced.canvas.scores_read == [ONE]
    assert synced.powerschool.scores_read == [{link_of(synced, "11")}]
    assert synced.writes() == ["scores"]
    assert there(synced, "11") == decimals(S1="7", S2="9.5")


def test_what_is_told_of_the_others_stays_told(school: School) -> None:
    """Their scores were not read: what the last sync said of them is said again, and its time of writing with it."""
    school.canvas.rows = (*school.canvas.rows, row("S9", "79", a12="4"))
    school.sync()
    before = school.record("12")
    assert [s.finding.reason for s in before.students] == [Reason.STUDENT_UNKNOWN]
    assert before.scores_wanted == before.scores_there == 2
    sync(school)
    assert school.record("12") == before


def test_an_event_that_was_lost_is_made_good_by_a_pass(synced: School) -> None:
    """A grade elsewhere does not find it; a pass over the whole course does."""
    synced.grade("S2", "12", "3")
    sync(synced)
    assert synced.writes() == []
    sync(synced, change_set(cause=ChangeCause.RECONCILE, graded=()))
    assert there(synced, "12") == decimals(S1="5", S2="3")


@pytest.mark.parametrize(
    "changes",
    [
        *(
            change_set(cause=cause, graded=ONE)
            for cause in (*ChangeCause,)
            if cause not in (ChangeCause.EVENT, ChangeCause.WEBHOOK)
        ),
        change_set(graded=()),
        change_set(attempts=1, graded=ONE),
        replace(change_set(graded=ONE), unnamed_grades=True),
        replace(change_set(graded=ONE), assignments_changed=True),
        replace(change_set(graded=ONE), causes=frozenset({ChangeCause.EVENT, ChangeCause.RECONCILE})),
    ],
    ids=lambda changes: "+".join(sorted(changes.causes)),
)
def test_everything_is_read_where_more_may_have_changed(synced: School, changes: PendingChanges) -> None:
    """People, passes, due dates, changed assignments, second attempts, and grades of which nobody says where."""
    sync(synced, changes)
    assert synced.canvas.scores_read == [BOTH]


def test_what_was_blocked_is_read_once_it_is_free(school: School) -> None:
    """Somebody may turn on "Sync to SIS" without any event."""
    school.edit("12", post_to_sis=False)
    school.sync()
    assert school.record("12").state is State.BLOCKED
    school.edit("12", post_to_sis=True)
    sync(school)
    assert school.canvas.scores_read == [BOTH]
    assert there(school, "12") == decimals(S1="5", S2="6")


def test_what_failed_is_tried_again(synced: School) -> None:
    """A score that could not be written is not at rest, whatever is graded next."""
    synced.grade("S1", "12", "2")
    synced.powerschool.faults.on("write_scores", TIMEOUT)
    sync(synced, change_set(graded={"12"}))
    assert synced.record("12").state is State.RETRYING
    sync(synced)
    assert synced.canvas.scores_read == [BOTH]
    assert there(synced, "12") == decimals(S1="2", S2="6")


def test_what_was_refused_is_looked_at_again(synced: School) -> None:
    """An assignment that is locked may be open by now."""
    synced.grade("S1", "12", "2")
    synced.powerschool.faults.on("write_scores", refused("PUT /ws/xte/score", "powerschool_locked"))
    sync(synced, change_set(graded={"12"}))
    assert synced.reasons("12") == [Reason.ASSIGNMENT_LOCKED]
    sync(synced)
    assert there(synced, "12") == decimals(S1="2", S2="6")


def test_waiting_for_a_first_score_is_rest(school: School) -> None:
    """An assignment nobody has a score in is left to the event of its first score."""
    school.canvas.rows = tuple(replace(r, submissions={"11": r.submissions["11"]}) for r in school.canvas.rows)
    school.sync()
    assert school.record("12").state is State.WAITING
    school.grade("S1", "12", "3")
    sync(school)
    assert school.canvas.scores_read == [ONE]
    assert school.record("12").state is State.WAITING
    sync(school, change_set(graded={"12"}))
    assert there(school, "12") == decimals(S1="3")


def test_the_others_own_fields_are_compared(synced: School) -> None:
    """Name, date and points need no scores to be read: what differs is made equal."""
    synced.edit("12", name="Reading II", points_possible=Decimal(25))
    sync(synced)
    assert synced.canvas.scores_read == [ONE]
    assert synced.writes() == ["update"]
    changed = synced.powerschool.assignments_there[link_of(synced, "12")]
    assert (changed.name, changed.points) == ("Reading II", Decimal(25))
    assert there(synced, "12") == decimals(S1="5", S2="6")


def delete(school: School) -> None:
    """Delete assignment 12 in PowerSchool, as a teacher may."""
    del school.powerschool.assignments_there[link_of(school, "12")]


def forget(school: School) -> None:
    """Lose the link of assignment 12: it is to be found again, and its recipients with it."""
    school.links.delete("1", "12", next(iter(school.powerschool.assignments_there.values())).section_dcid)


@pytest.mark.parametrize("astray", [delete, forget])
def test_one_that_is_not_as_it_was_left_makes_everything_be_read(
    synced: School, astray: Callable[[School], None]
) -> None:
    """An assignment deleted by hand is created again with all its scores; one whose link was lost is adopted."""
    astray(synced)
    sync(synced)
    assert synced.canvas.scores_read == [ONE, BOTH]
    assert there(synced, "12") == decimals(S1="5", S2="6")
    assert synced.record("12").state is State.SYNCED


def test_a_value_changed_by_hand_is_put_back_with_its_own_assignment(synced: School) -> None:
    """It is "put back at the next sync of that assignment", and not by a grade in another one."""
    target = link_of(synced, "12")
    by_hand = {501: Score(Decimal(1)), 502: Score(Decimal(6))}
    synced.powerschool.assignments_there[target] = replace(synced.powerschool.assignments_there[target], scores=by_hand)
    sync(synced)
    assert there(synced, "12")[501] == 1
    sync(synced, change_set(graded={"12"}))
    assert there(synced, "12")[501] == 5


def test_a_dead_letter_makes_everything_be_read(synced: School) -> None:
    """A course that failed for good may lack anything; a run of all of it closes the letter."""
    synced.grade("S2", "12", "3")
    synced.dead_letters.add("1", None, "canvas_timeout", "", 3)
    assert isinstance(sync(synced), Done)
    assert there(synced, "12") == decimals(S1="5", S2="3")
    assert synced.letters() == []


def test_a_blocked_grade_reads_no_scores_at_all(synced: School) -> None:
    """Where the only graded assignment is kept back, there is nothing to read."""
    synced.edit("11", published=False)
    sync(synced)
    assert synced.canvas.scores_read == []
    assert (synced.record("11").state, synced.record("12").state) == (State.BLOCKED, State.SYNCED)


@pytest.mark.parametrize("named", [{"999"}, {"11", "999"}])
def test_a_grade_of_something_unlisted_makes_everything_be_read(synced: School, named: set[str]) -> None:
    """A checkpoint or a peer review has an id that no list has: any score may have changed, beside named ones too."""
    synced.grade("S2", "12", "3")
    assert isinstance(sync(synced, change_set(graded=named)), Done)
    assert synced.canvas.scores_read == [BOTH]
    assert there(synced, "12") == decimals(S1="5", S2="3")


def test_a_grade_of_what_was_deleted_makes_everything_be_read(synced: School) -> None:
    """Its id is no longer listed either; nothing that is there is written again."""
    synced.assign(*(a for a in synced.canvas.content.assignments if a.id != "12"))
    sync(synced, change_set(graded={"12"}))
    assert synced.canvas.scores_read == [ONE]
    assert synced.writes() == []
