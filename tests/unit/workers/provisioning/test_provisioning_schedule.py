"""When runs begin by themselves: their time, a new data version, a hint."""

from datetime import timedelta

import pytest

from shared.domain.actions import PROVISIONING
from shared.domain.provisioning.run import RunCause, RunState
from shared.errors import ServiceUnavailable
from shared.ports.provisioning import DataVersion
from tests.unit.workers.provisioning.provisioning_kit import NOON, SECOND, Campus, users

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CHANGED, SAME = DataVersion("17", has_changed=True), DataVersion("17", has_changed=False)


@pytest.fixture
def campus() -> Campus:
    """Return an installation that provisions at four, holds its rosters, and has answered today's four o'clock."""
    campus = Campus(schedule="0 4 * * *")
    campus.has(users(1))
    campus.feed.version = SAME
    campus.process().tick()
    assert causes(campus) == [RunCause.SCHEDULE]
    return campus


def causes(campus: Campus) -> list[RunCause]:
    """Return why the runs began that nobody asked for."""
    return [run.cause for run in reversed(campus.runs.newest(50)) if run.cause is not RunCause.PERSON]


def ticks(campus: Campus, length: timedelta, every: timedelta = MINUTE) -> None:
    for _ in range(length // every):
        campus.clock.advance(every)
        campus.process().tick()


def hint(campus: Campus, ms: int) -> None:
    campus.redis.set(campus.keys.roster_changed_at, ms)


def test_a_day_has_one_scheduled_run(campus: Campus) -> None:
    """It begins at its time, and once; a time that was missed is made up for."""
    ticks(campus, 15 * HOUR, every=30 * MINUTE)
    assert causes(campus) == [RunCause.SCHEDULE]
    ticks(campus, 2 * HOUR, every=30 * MINUTE)
    assert causes(campus) == [RunCause.SCHEDULE] * 2
    campus.clock.advance(timedelta(days=3))
    campus.process().tick()
    campus.process().tick()
    assert causes(campus) == [RunCause.SCHEDULE] * 3


def test_changes_are_looked_for_between(campus: Campus) -> None:
    """The data version is asked for once per interval, and nothing is read while it is the same."""
    reads = campus.feed.reads
    ticks(campus, HOUR)
    assert (campus.feed.reads, causes(campus)) == (reads, [RunCause.SCHEDULE])
    campus.feed.version = CHANGED
    ticks(campus, 16 * MINUTE)
    assert causes(campus) == [RunCause.SCHEDULE, RunCause.DATA_VERSION]


def test_a_hint_brings_a_look_forward(campus: Campus) -> None:
    """Hints of one moment are one look, a minute after the last one at the earliest."""
    campus.feed.version = CHANGED
    hint(campus, 1_900_000_000_000)
    campus.clock.advance(2 * SECOND)
    campus.process().tick()
    assert causes(campus) == [RunCause.SCHEDULE]
    assert campus.redis.get(campus.keys.rosters_changed) is None
    ticks(campus, 2 * MINUTE)
    assert causes(campus) == [RunCause.SCHEDULE, RunCause.NOTIFICATION]
    assert campus.redis.get(campus.keys.rosters_changed) is not None, "a confirmed change voids what was cached"


def test_a_hint_that_the_data_version_denies_reads_nothing(campus: Campus) -> None:
    """Anybody may send a hint: where PowerSchool says that nothing changed, nothing is read."""
    hint(campus, 1_900_000_000_000)
    ticks(campus, 10 * MINUTE)
    assert causes(campus) == [RunCause.SCHEDULE]
    assert campus.redis.get(campus.keys.rosters_changed) is None


def test_without_data_versions_a_hint_is_enough(campus: Campus) -> None:
    """A PowerSchool that tells no version is read at its hint, and at no other time but the scheduled one."""
    campus.feed.version = None
    ticks(campus, HOUR)
    assert causes(campus) == [RunCause.SCHEDULE]
    hint(campus, 1_900_000_000_000)
    ticks(campus, 5 * MINUTE)
    assert causes(campus) == [RunCause.SCHEDULE, RunCause.NOTIFICATION]


def test_a_held_plan_is_not_read_again_without_a_change(campus: Campus) -> None:
    """What was read for it counts as seen."""
    campus.feed.version = CHANGED
    ticks(campus, 16 * MINUTE)
    assert campus.runs.schedule_state().data_version == "17"


def test_without_a_schedule_nothing_begins_by_itself() -> None:
    """An empty schedule switches looks off as well; PowerSchool is not asked for anything."""
    campus = Campus(schedule="")
    campus.feed.faults.always("changes_since", AssertionError())
    hint(campus, 1_900_000_000_000)
    ticks(campus, HOUR)
    assert campus.runs.newest(9) == []


def test_while_it_is_paused_nothing_begins(campus: Campus) -> None:
    """The time that passed meanwhile is made up for afterwards."""
    campus.pauses.pause(PROVISIONING, "operator")
    ticks(campus, 24 * HOUR, every=HOUR)
    assert causes(campus) == [RunCause.SCHEDULE]
    campus.pauses.resume(PROVISIONING)
    campus.process().tick()
    assert causes(campus) == [RunCause.SCHEDULE] * 2


def test_an_unwell_powerschool_keeps_no_open_run_waiting(campus: Campus) -> None:
    """Where the look fails, what is open goes on all the same."""
    campus.feed.faults.always(
        "changes_since", ServiceUnavailable("down", cause="powerschool_unavailable", delay=SECOND)
    )
    campus.clock.advance(20 * MINUTE)
    run = campus.desk.request("tester")
    campus.process().tick()
    waiting = campus.runs.find(run.id)
    assert waiting is not None
    assert (waiting.waits_for, waiting.attempts) == ("powerschool_unavailable", 0)
    campus.feed.faults.well()
    assert campus.over(run).state is RunState.DONE


def test_the_scheduled_run_renews_old_bases() -> None:
    """What was last sent whole a week ago is sent whole again at night; a run that a person asks for does not."""
    campus = Campus(schedule="0 4 * * *", remaster_days=7)
    campus.has(users(1))
    campus.clock.current = NOON + timedelta(days=7)
    assert campus.ask().uploads == ()
    campus.process().tick()
    assert [options.remaster for _, _, options in campus.imports.started] == [True]
    ticks(campus, timedelta(days=1), every=6 * HOUR)
    assert len(campus.imports.started) == 1
