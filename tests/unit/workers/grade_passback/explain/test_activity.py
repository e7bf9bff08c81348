"""What a course does now is said as it is: outages, pauses, attempts, the rate, and what waits for them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import fakeredis
import pytest

from shared.adapters.redis.client import epoch_ms
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.outages import Outage, read_outages
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter, SystemRate
from shared.adapters.redis.sync_queue.store import CourseQueueState, LongWait, QueueState
from shared.domain.actions import EVERYTHING, Pause, course_target
from shared.domain.passback.changes import ChangeCause, PendingChanges
from tests.manual_clock import ManualClock
from workers.grade_passback.explain.activity import CourseActivity, activity_json

NOW = datetime(2026, 10, 5, 12, 20, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=8)
SOON = NOW + timedelta(seconds=30)
CHANGES = PendingChanges("1", SINCE, NOW, 3, frozenset({ChangeCause.EVENT}), frozenset({"11"}))
WAITING = CourseActivity(NOW, CourseQueueState(QueueState.DUE, SOON, CHANGES), zone=ZoneInfo("America/Chicago"))
AWAY = Outage("powerschool", "powerschool_unavailable", SINCE, NOW + timedelta(seconds=50))
FAILED = LongWait("1", SINCE, "powerschool_timeout")
SLOW = SystemRate("powerschool", timedelta(seconds=2), timedelta(0))
OVERDUE = replace(WAITING, queue=CourseQueueState(QueueState.DUE, SINCE, CHANGES))
UP_TO_DATE = CourseActivity(NOW, zone=ZoneInfo("America/Chicago"))
SYNCING = replace(WAITING, queue=CourseQueueState(QueueState.LEASED, SOON, replace(CHANGES, count=1)), taken=CHANGES)
RETRIED = replace(WAITING, wait=FAILED, queue=CourseQueueState(QueueState.DUE, SOON, replace(CHANGES, attempts=2)))


@pytest.mark.parametrize(
    ("activity", "state", "sentence"),
    [
        (UP_TO_DATE, "idle", "Nothing waits."),
        (replace(UP_TO_DATE, dead_letters=1), "idle", "1 dead letter waits for a person."),
        (WAITING, "waiting", "3 changes wait. Their sync begins at 07:20:30."),
        (OVERDUE, "waiting", "3 changes wait, due since 07:12:00."),
        (replace(UP_TO_DATE, outages=[AWAY]), "idle", "PowerSchool has not answered since 07:12; nothing waits."),
        (
            replace(WAITING, outages=[AWAY], wait=FAILED),
            "unavailable",
            "PowerSchool has not answered since 07:12; 3 changes wait. Next attempt at 07:20:50.",
        ),
        (
            replace(WAITING, outages=[replace(AWAY, cause="powerschool_throttled")]),
            "unavailable",
            "PowerSchool has asked passback to wait since 07:12; 3 changes wait. Next attempt at 07:20:50.",
        ),
        (
            replace(OVERDUE, rates=[SLOW]),
            "rate_limited",
            "PowerSchool permits a request every 2 seconds; 3 changes wait, due since 07:12:00.",
        ),
        (
            RETRIED,
            "retrying",
            (
                "2 attempts failed: PowerSchool kept answering with an error (powerschool_timeout); 3 changes wait. "
                "Next attempt at 07:20:30."
            ),
        ),
        (
            replace(WAITING, wait=LongWait("1", SINCE, "powerschool_401")),
            "deferred",
            (
                "Waits since 07:12: PowerSchool refuses passback's credentials (powerschool_401); 3 changes wait. "
                "Next attempt at 07:20:30."
            ),
        ),
        (
            replace(WAITING, pause=Pause(course_target("1"), SINCE, "rivera", "is being copied")),
            "paused",
            "This course is paused by rivera since 07:12 (is being copied); 3 changes wait.",
        ),
        (
            replace(WAITING, pause=Pause(EVERYTHING, SINCE - timedelta(days=1), "rivera"), outages=[AWAY]),
            "paused",
            (
                "Everything is paused by rivera since 2026-10-04 07:12; 3 changes wait. "
                "PowerSchool has not answered since 07:12."
            ),
        ),
        (replace(WAITING, has_worker=False), "no_worker", "No worker is running; 3 changes wait."),
        (
            replace(UP_TO_DATE, has_worker=False, unread=5),
            "idle",
            "No worker is running; 5 unread messages wait, perhaps for this course.",
        ),
        (SYNCING, "syncing", "3 changes are being synced; 1 change came meanwhile."),
        (
            replace(SYNCING, rates=[SLOW]),
            "syncing",
            "3 changes are being synced; 1 change came meanwhile. PowerSchool permits a request every 2 seconds.",
        ),
    ],
)
def test_a_course_says_what_it_does(activity: CourseActivity, state: str, sentence: str) -> None:
    """In one sentence each, with times in the district's zone; everything that applies is said."""
    found = activity_json(activity)
    assert (found["state"], found["sentence"]) == (state, sentence)


def test_the_facts_are_there_for_machines() -> None:
    """Numbers, codes and times in UTC."""
    found = activity_json(replace(WAITING, outages=[AWAY]))
    assert (found["changes"], found["changes_since"], found["cause"]) == (
        3, SINCE.isoformat(), "powerschool_unavailable"
    )  # fmt: skip
    assert found["systems"] == [
        {"system": "powerschool", "name": "PowerSchool", "cause": AWAY.cause, "since": SINCE.isoformat()}
    ]
    assert found["next_attempt_at"] == (NOW + timedelta(seconds=50)).isoformat()


def test_an_outage_is_known_from_its_first_failure_to_its_first_success() -> None:
    """A single failure is none; later pauses do not change since when; a good response ends it."""
    client, keys, clock = fakeredis.FakeRedis(server=fakeredis.FakeServer()), Keys(), ManualClock(NOW)
    limiter = RemoteLimiter(client, keys, "powerschool", clock, timedelta(0), now_ms=lambda: epoch_ms(clock.now()))
    limiter.record_failure("powerschool_timeout", for_everybody=False)
    assert read_outages(client, keys) == []
    clock.advance(timedelta(seconds=20))
    limiter.record_failure("powerschool_unavailable", for_everybody=True)
    [outage] = read_outages(client, keys)
    assert (outage.system, outage.cause, outage.since) == ("powerschool", "powerschool_unavailable", NOW)
    assert outage.paused_until is not None
    client.delete(keys.pause("powerschool"))
    [outage] = read_outages(client, keys)
    assert (outage.since, outage.paused_until) == (NOW, None)
    limiter.release(limiter.acquire(), succeeded=True)
    assert read_outages(client, keys) == []
