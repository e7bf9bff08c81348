"""A course that Canvas has no more is reported once, and off every schedule; one that comes back is connected again."""

from datetime import timedelta

import pytest

from shared.domain.outcome import Discard, Done
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import State
from shared.domain.passback.rules.reasons import Reason
from shared.errors import AccessDenied, CourseGone, ServiceUnavailable
from tests.fakes import Stores, write_check
from tests.manual_clock import ManualClock
from tests.unit.workers.grade_passback.school import NOW, School, change_set
from workers.grade_passback.course_reader import refuse_unknown_course

GONE = CourseGone("GET /api/v1/courses/{course_id}: 404, course 1")


@pytest.fixture
def gone(school: School) -> School:
    """A school whose only course was synced, and deleted then."""
    school.sync()
    school.canvas.faults.always("course", GONE)
    return school


def test_it_is_reported_once(gone: School) -> None:
    """By one dead letter, which is not back after it was discarded, whatever late events say."""
    assert isinstance(gone.sync(), Discard)
    assert gone.letters() == [(None, "canvas_course_gone")]
    gone.dead_letters.close("1", None)
    assert gone.sync() == Done()
    assert gone.letters() == []


def test_a_letter_that_nobody_discarded_stays(gone: School) -> None:
    """A late event answers nothing."""
    gone.sync()
    gone.sync()
    assert gone.letters() == [(None, "canvas_course_gone")]


def test_letters_of_its_assignments_are_over(gone: School) -> None:
    """Nobody needs to look at them any more."""
    gone.dead_letters.add("1", "11", "powerschool_500", "", 6)
    gone.sync()
    assert gone.letters() == [(None, "canvas_course_gone")]


def test_it_is_on_no_schedule(gone: School) -> None:
    """Neither reconciliation nor the schedule nor a due date looks at it; its links and its record are kept."""
    links = dict(gone.links.of_course("1"))
    gone.sync()
    gone.sync()
    assert not gone.records.is_connected("1")
    assert gone.records.course("1").next_due_at is None
    assert gone.links.of_course("1") == links
    assert (gone.record().state, gone.reasons()) == (State.BLOCKED, [Reason.COURSE_GONE])


def test_explain_says_so(gone: School) -> None:
    """From memory, with who can do something."""
    gone.sync()
    section = gone.explain()
    assert [reason["code"] for reason in section["reasons"]] == ["course_gone"]  # type: ignore[attr-defined]


def test_a_restored_course_is_connected_again(gone: School) -> None:
    """An event for it or a person's sync does it."""
    gone.sync()
    gone.canvas.faults.well()
    assert gone.sync() == Done()
    assert gone.records.is_connected("1")
    assert (gone.letters(), gone.record().state) == ([], State.SYNCED)


def test_a_person_who_asks_is_answered(gone: School) -> None:
    """With the dead letter again: a person wants to know."""
    gone.sync()
    gone.dead_letters.close("1", None)
    lease, changes = gone.changes.lease("1"), change_set(cause=ChangeCause.PERSON)
    check = write_check(gone.changes, lease, gone.clock, timedelta(minutes=5))
    gone.outcome_handler.run(lease, changes, lambda: gone.course_sync.run(changes, check, lease.token))
    assert gone.letters() == [(None, "canvas_course_gone")]


class Checker:
    """A Canvas that answers so."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error
        self.asked = 0

    def check_course(self, course_id: str) -> None:
        self.asked += 1
        if self.error is not None:
            raise self.error


def test_a_course_that_canvas_never_had_is_refused() -> None:
    """Before anything is kept of it."""
    stores = Stores(ManualClock(NOW))
    with pytest.raises(CourseGone):
        refuse_unknown_course(Checker(GONE).check_course, stores.records, "999")
    assert stores.redis.keys() == []


@pytest.mark.parametrize(
    "error",
    [
        None,
        ServiceUnavailable("GET: 503", cause="canvas_unavailable", delay=timedelta(seconds=1)),
        AccessDenied("GET: 401", cause="canvas_401", status=401),
    ],
)
def test_a_course_that_may_be_there_is_not_refused(error: Exception | None) -> None:
    """Its sync finds out."""
    refuse_unknown_course(Checker(error).check_course, Stores(ManualClock(NOW)).records, "7")


def test_a_connected_course_costs_no_request() -> None:
    """Passback knows it."""
    records, checker = Stores(ManualClock(NOW)).records, Checker(GONE)
    records.register("7")
    refuse_unknown_course(checker.check_course, records, "7")
    assert checker.asked == 0
