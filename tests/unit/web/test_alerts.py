"""What is wrong is named, the worst first, with what to do; and what is not wrong is not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from shared.adapters.redis.operations.processes import GONE_AFTER, Heartbeat
from shared.adapters.redis.remote_limits.outages import Outage
from shared.adapters.redis.sync_queue.store import LongWait, WaitingCourse
from shared.domain.actions import EVERYTHING, PROVISIONING, Pause
from shared.domain.causes import Cause
from shared.domain.metrics import HourlyLatency
from shared.domain.notifications.state import DeliveryFailure, NotificationState, TargetState
from shared.domain.notifications.teachers import Digest, DigestPhase
from shared.domain.plugin import (
    PROVISIONING_PREFIX,
    QUERY_FAULTS,
    STATE_QUERY,
    UnavailableQuery,
)
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.domain.wording import describe
from tests.installation import ALIVE, NOW, WELL
from workers.alerts import TOKEN_URGENT, TOKEN_WARNING, Level, alerts, not_judged
from workers.status import SILENCE, InstallationStatus
from workers.web.pages.overview_pages import chart, duration

GONE = Heartbeat("worker@there:3", GONE_AFTER * 2)
PROVISIONER = Heartbeat("provisioning-worker@here:4", timedelta(0))
LATE = WaitingCourse("101", NOW - timedelta(minutes=10), NOW - timedelta(minutes=20), 3)
PAUSED = Pause(EVERYTHING, NOW, "rivera", "moving")
OF_COURSE = Pause("course:101", NOW, "rivera")
NO_QUERY = UnavailableQuery(f"{PROVISIONING_PREFIX}schools", Cause.QUERY_MISSING, NOW, NOW)
DENIED = LongWait("101", NOW - timedelta(minutes=6), "canvas_401")
THROTTLED = LongWait("102", NOW - timedelta(minutes=5), "powerschool_throttled")
OUTAGE = Outage("canvas", "canvas_timeout", NOW - timedelta(minutes=7), NOW + timedelta(seconds=9))
OF_PROVISIONING = Pause(PROVISIONING, NOW, "rivera", "rolled back")
RUN = Run("1", RunKind.ROSTER, RunCause.SCHEDULE, NOW, state=RunState.FAILED)
WAITING_RUN = replace(
    RUN, state=RunState.READING, created_at=NOW - timedelta(minutes=6), waits_for="powerschool_token_refused"
)
OLD_RUN = replace(RUN, state=RunState.DONE, created_at=NOW - timedelta(days=3), finished_at=NOW - timedelta(hours=37))


def codes(status: InstallationStatus) -> list[str]:
    return [alert.code for alert in alerts(status)]


def test_nothing_is_wrong() -> None:
    """An installation that is well has no problem."""
    assert codes(WELL) == []


def test_what_waits_for_long_is_told_with_its_cause() -> None:
    """A cause once, the worst first, with how many courses wait and for how long."""
    credentials, pace = alerts(replace(WELL, long_waits=[DENIED, DENIED._replace(course_id="103"), THROTTLED]))
    assert credentials.title == "2 courses wait for 6 minutes (canvas_401): Canvas refuses passback's token."
    assert (credentials.level, pace.level) == (Level.BAD, Level.WARNING)
    assert pace.title.startswith("Course 102 waits for 5 minutes (powerschool_throttled)")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"processes": ALIVE[:1]}, ["no_worker"]),
        ({"processes": [*ALIVE[:1], GONE]}, ["no_worker"]),
        ({"processes": []}, ["no_worker", "no_beat"]),
        ({"processes": [*ALIVE, GONE]}, ["process_gone"]),
        ({"pauses": [PAUSED]}, ["paused"]),
        ({"outages": [OUTAGE]}, ["system_unwell"]),
        ({"outages": [replace(OUTAGE, since=None, paused_until=None)]}, ["system_unwell"]),
        ({"outages": [OUTAGE], "stale_courses": 3}, ["system_unwell"]),
        ({"stale_courses": 3}, ["courses_stale"]),
        ({"stale_courses": 3, "pauses": [PAUSED]}, ["paused"]),
        ({"redis_memory": 0.8}, []),
        ({"redis_memory": 0.81}, ["redis_memory"]),
        ({"processes": [*ALIVE, Heartbeat("sqs@here:1", GONE_AFTER * 2)]}, ["process_gone"]),
        ({"messages": 1, "oldest_message_at": NOW - timedelta(seconds=60)}, []),
        ({"messages": 1, "oldest_message_at": NOW - timedelta(seconds=61)}, ["messages_waiting"]),
        ({"unavailable_queries": [NO_QUERY]}, ["powerschool_query_missing"]),
        (
            {"dead_letter_causes": {"canvas_403": 1}, "dead_letters_warning": "many"},
            ["dead_letters", "dead_letters_full"],
        ),
        ({"dead_letter_causes": {"canvas_502": 1, "canvas_503": 2, "messages": 1}}, ["dead_letters", "dead_letters"]),
        ({"notifications": NotificationState(targets={"json 1": TargetState("json 1", failed=2)})}, []),
        ({"notifications": NotificationState(targets={"json 1": TargetState("json 1", failed=3)})}, ["notify_failed"]),
        ({"notifications": NotificationState(targets={"json 1": TargetState("json 1", lost=1)})}, ["notify_failed"]),
        ({"teacher_digest": Digest(NOW, DigestPhase.LOST)}, ["teachers_not_told"]),
        ({"teacher_digest": Digest(NOW, DigestPhase.SENDING, failed=2)}, []),
        ({"teacher_digest": Digest(NOW, DigestPhase.SENDING, failed=3)}, ["teachers_not_told"]),
        ({"token_ends_at": NOW + TOKEN_WARNING + timedelta(seconds=1)}, []),
        ({"token_ends_at": NOW + TOKEN_WARNING}, ["token_ends"]),
        ({"token_ends_at": NOW - timedelta(days=1)}, ["token_ends"]),
        ({"token_refused_at": NOW - timedelta(hours=2)}, ["token_refused"]),
        ({"token_refused_at": NOW, "token_ends_at": NOW - timedelta(days=1)}, ["token_refused"]),
        ({"token_refused_at": NOW, "long_waits": [DENIED]}, ["waiting_long"]),
        ({"messages": 5000}, ["messages_waiting"]),
        ({"last_event_at": NOW - SILENCE}, []),
        ({"last_event_at": NOW - SILENCE - timedelta(seconds=1)}, ["silence"]),
        ({"last_event_at": None}, ["silence"]),
        ({"last_event_at": None, "silence_matters": False}, []),
        ({"waiting": [LATE]}, ["overdue"]),
        ({"waiting": [LATE], "pauses": [PAUSED]}, ["paused"]),
        ({"waiting": [LATE], "pauses": [OF_COURSE]}, ["paused"]),
        ({"waiting": [LATE._replace(due_at=NOW)]}, []),
        ({"long_waits": [DENIED]}, ["waiting_long"]),
        ({"long_waits": [DENIED, DENIED, THROTTLED]}, ["waiting_long", "waiting_long"]),
        ({"held_runs": (replace(RUN, state=RunState.HELD),)}, ["plan_held"]),
        ({"last_run": RUN, "processes": [*ALIVE, PROVISIONER]}, ["provisioning_failed"]),
        ({"last_run": replace(RUN, state=RunState.DONE)}, ["no_provisioning_worker"]),
        ({"last_run": WAITING_RUN, "processes": [*ALIVE, PROVISIONER]}, ["provisioning_waits"]),
        ({"last_run": OLD_RUN, "processes": [*ALIVE, PROVISIONER]}, ["provisioning_stale"]),
        ({"last_run": OLD_RUN, "processes": [*ALIVE, PROVISIONER], "pauses": [OF_PROVISIONING]}, ["paused"]),
    ],
)
def test_what_is_wrong_is_named(changed: dict[str, object], expected: list[str]) -> None:
    """Once, and with what to do about it."""
    status = replace(WELL, **changed)  # type: ignore[arg-type]
    assert codes(status) == expected
    assert all(alert.title and alert.remedy for alert in alerts(status))


@pytest.mark.parametrize("fault", QUERY_FAULTS.values())
@pytest.mark.parametrize(
    ("query", "waits"), [(f"{PROVISIONING_PREFIX}schools", "No roster is read"), (STATE_QUERY, "No course is synced")]
)
def test_a_query_that_does_not_run_is_named(query: str, waits: str, fault: Cause) -> None:
    """With what waits for it and what to do about it."""
    (alert,) = alerts(replace(WELL, unavailable_queries=[UnavailableQuery(query, fault, NOW, NOW)]))
    assert query in alert.title
    assert waits in alert.title
    assert (alert.level, alert.remedy) == (Level.BAD, fault.remedy)


def test_a_system_is_unavailable_and_a_person_pauses() -> None:
    """Each has its own word, so that nobody looks for a person who paused PowerSchool."""
    (outage,) = alerts(replace(WELL, outages=[OUTAGE]))
    assert outage.title == "Canvas is unavailable for 7 minutes (canvas_timeout)."
    assert "asks it again in 9 seconds" in outage.remedy
    assert "pause" not in outage.title + outage.remedy
    (pause,) = alerts(replace(WELL, pauses=[PAUSED]))
    assert pause.title == "Everything is paused by rivera: moving"


def test_dead_letters_have_a_problem_per_cause() -> None:
    """By the row of the table of causes, with how many there are and what to do."""
    server, forbidden = alerts(replace(WELL, dead_letter_causes={"canvas_502": 1, "canvas_503": 2, "canvas_403": 1}))
    assert server.title == "3 jobs wait for a person. Canvas kept answering with an error."
    assert forbidden.title.startswith("1 job waits for a person. Canvas does not let")
    assert (server.about, forbidden.about) == ("canvas_", "canvas_403")


def test_what_stopped_being_judged_is_neither_there_nor_over() -> None:
    """Silence after school, what a pause or an outage hides, and memory that Redis does not say."""
    memory = {"redis_memory"}
    after_school = replace(WELL, silence_matters=False, last_event_at=NOW - SILENCE * 2)
    assert not_judged(WELL) == memory
    assert not_judged(replace(WELL, redis_memory=0.5)) == set()
    assert not_judged(after_school) == {*memory, "silence"}
    assert not_judged(replace(after_school, last_event_at=NOW)) == memory
    assert not_judged(replace(WELL, outages=[OUTAGE])) == {*memory, "overdue", "courses_stale"}
    assert not_judged(replace(WELL, pauses=[OF_COURSE])) == {*memory, "courses_stale"}
    assert not_judged(replace(WELL, pauses=[PAUSED])) == {
        *memory, "overdue", "courses_stale", "provisioning_waits", "provisioning_stale",
    }  # fmt: skip


@pytest.mark.parametrize("failure", DeliveryFailure)
def test_a_target_that_takes_no_message_is_named_by_its_scheme(failure: DeliveryFailure) -> None:
    """With why and what to do. What only a person can mend is reported at the first attempt."""
    target = TargetState("mailtos 2", failed=3, last_failure=failure)
    (alert,) = alerts(replace(WELL, notifications=NotificationState(targets={"mailtos 2": target})))
    assert alert.title == f"Nobody is told through mailtos 2: {failure.sentence}"
    assert alert.remedy == failure.remedy


def test_a_token_that_ends_soon_gets_urgent() -> None:
    """Two weeks before, and as a failure for the last two days."""
    ends_at = [NOW + TOKEN_WARNING, NOW + TOKEN_URGENT - timedelta(seconds=1), NOW]
    found = [alert for at in ends_at for alert in alerts(replace(WELL, token_ends_at=at))]
    assert [alert.title for alert in found] == [
        "passback's access token of Canvas ends in 14 days.",
        "passback's access token of Canvas ends in 1 day.",
        "passback's access token of Canvas has ended.",
    ]
    assert [alert.level for alert in found] == [Level.WARNING, Level.BAD, Level.BAD]


def test_the_worst_comes_first() -> None:
    """What lets grades stand still comes before what somebody should look at."""
    status = replace(
        WELL, processes=[ALIVE[0], GONE], messages=5000, dead_letter_causes={"canvas_403": 3}, pauses=[OF_COURSE]
    )
    levels = [alert.level for alert in alerts(status)]
    assert levels == sorted(levels)
    assert levels[0] is Level.BAD
    assert levels[-1] is Level.WARNING


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (119, "119 seconds"), (120, "2 minutes"), (7200, "2 hours"), (86400, "1 day")],
)
def test_durations_are_told_in_one_unit(seconds: int, words: str) -> None:
    """As people say them."""
    assert describe(timedelta(seconds=seconds)) == words


def test_a_chart_grows_with_what_it_shows() -> None:
    """Longer is higher, whatever the scale; an hour without changes has no bar; all is within the box."""
    hours = [HourlyLatency(NOW, counts) for counts in ({}, {2: 10}, {60: 1}, {2: 19, 0: 1})]
    drawn = chart(hours, 320)
    assert [bar.hour for bar in drawn.bars] == hours[1:]
    short, long, mixed = drawn.bars
    assert short.top > long.top
    assert mixed.middle == short.middle
    for bar in drawn.bars:
        assert 0 <= bar.top <= bar.middle <= drawn.floor <= drawn.height
        assert drawn.left <= bar.x < bar.x + bar.width <= drawn.width
    assert [duration(seconds) for seconds in (5, 60, 3600, 0)] == ["5 s", "1 min", "1 h", "over 1 h"]
