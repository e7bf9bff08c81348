"""What stops a sync in the middle: a lost lease, an unwell system, its deadline."""

from datetime import timedelta

import pytest

from shared.domain.outcome import Snooze
from shared.domain.passback.course_state import State
from shared.domain.passback.rules.reasons import Reason
from shared.errors import LeaseLost, ServiceUnavailable
from tests.unit.workers.grade_passback.school import DEADLINE, NOW, School, decimals

MAINTENANCE = ServiceUnavailable("PUT /ws/xte/score: 503", cause="powerschool_unavailable", delay=timedelta(seconds=40))


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_lost_lease_stops_every_further_write(school: School, nth: int) -> None:
    """The lease is renewed before each write; once it is lost, nothing more is written."""
    school.changes.faults.on("renew", LeaseLost("1"), nth=nth, times=99)
    school.sync()
    assert len(school.writes()) == nth - 1


def test_a_lost_lease_is_left_alone(school: School) -> None:
    """Whoever has the course now settles it: no record, no release, no letter from the one that lost it."""
    school.sync(before=school.changes.leases.discard)
    assert school.records.course("1") is None
    assert (school.changes.released, school.changes.later, school.letters()) == ([], [], [])


def test_the_lease_is_renewed_before_every_write(school: School) -> None:
    """As many renewals as writes."""
    school.sync()
    assert school.changes.faults.calls["renew"] == len(school.powerschool.writes) == 3


def test_an_unwell_system_keeps_what_was_done(school: School) -> None:
    """What was written before the system became unwell stays and is recorded as it is."""
    school.powerschool.faults.on("create", MAINTENANCE, nth=2)
    assert school.sync() == Snooze("powerschool_unavailable", timedelta(seconds=40))
    assert school.powerschool.names() == ["Reading 1"]
    assert school.record().written_at == NOW


def test_an_unwell_system_leaves_the_rest_retrying(school: School) -> None:
    """What was not written yet is recorded as retrying, with the cause."""
    school.powerschool.faults.on("write_scores", MAINTENANCE)
    school.sync()
    assert {school.record(id_).state for id_ in ("11", "12")} == {State.RETRYING}
    assert [(f.reason, f.detail) for f in school.record().findings] == [(Reason.RETRYING, "powerschool_unavailable")]
    assert school.record().scores_there == 0


def test_what_needs_no_write_is_synced_though_a_system_is_unwell(school: School) -> None:
    """An assignment that agrees already is synced, whatever happens to the others."""
    school.sync()
    school.grade("S1", "12", "1")
    school.powerschool.faults.on("write_scores", MAINTENANCE)
    school.sync()
    assert (school.record("11").state, school.record("12").state) == (State.SYNCED, State.RETRYING)


def test_an_adopted_assignment_that_agrees_is_synced_though_a_system_is_unwell(school: School) -> None:
    """Remembering a link writes nothing to PowerSchool, so that its assignment does not wait for PowerSchool."""
    school.sync()
    school.links.delete("1", "11", 4001)
    school.grade("S1", "12", "1")
    school.powerschool.faults.on("write_scores", MAINTENANCE)
    school.sync()
    assert (school.record("11").state, school.record("12").state) == (State.SYNCED, State.RETRYING)


def test_an_unwell_system_spends_no_attempt(school: School) -> None:
    """The course waits as long as the system asks, with the attempts it had."""
    school.powerschool.faults.on("create", MAINTENANCE)
    school.sync(attempts=1)
    assert school.changes.later == [("1", timedelta(seconds=40), 1)]


@pytest.mark.parametrize("method", ["categories", "assignments", "plugin_ids"])
def test_a_system_unwell_from_the_start_waits(school: School, method: str) -> None:
    """An outage that is met while reading waits in the same way."""
    school.powerschool.faults.on(method, MAINTENANCE)
    school.sync(attempts=1)
    assert school.changes.later == [("1", timedelta(seconds=40), 1)]


def test_the_work_goes_on_where_it_stopped(school: School) -> None:
    """After an outage the next run writes what is missing and nothing twice."""
    school.powerschool.faults.on("write_scores", MAINTENANCE)
    school.sync()
    school.writes()
    school.sync()
    assert school.writes() == ["scores"]
    assert school.powerschool.points("Reading 1") == decimals(S1="8", S2="9.5")


def test_past_its_deadline_a_sync_goes_on_later() -> None:
    """A sync that takes too long stops before its next write, and is due again at once without a spent attempt."""
    small = School(score_batch=2)
    small.powerschool.before_scores = lambda: small.clock.advance(DEADLINE)
    assert small.sync() == Snooze("sync_deadline", timedelta(0))
    assert small.writes() == ["create", "create", "scores"]
    assert small.changes.later == [("1", timedelta(0), 0)]
    assert {small.record(id_).state for id_ in ("11", "12")} == {State.SYNCED, State.RETRYING}
