"""The product's promises about reliability, by their numbers, each with the tests that prove it."""

import ast
import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.store import QueueState, SyncQueue
from shared.adapters.redis.sync_queue.streams import STREAM_OF, encode
from shared.domain.passback.changes import Change, ChangeKind, DebounceWindow
from shared.sandbox.district.small import Ids, student_dcid_of, user_id_of
from tests.fault_injection.plant import SETTLED_WITHIN_S, Plant
from tests.fault_injection.redis_server import RedisServer

ROOT = Path(__file__).parents[2]

PROMISES: dict[str, tuple[str, ...]] = {
    "1 no lost change": (
        "tests/contract/sync_queue/test_no_change_is_lost.py::test_no_change_is_lost_whatever_dies",
        "tests/reliability/test_faults.py::test_whatever_breaks_powerschool_equals_the_rules_answer",
        "tests/reliability/test_faults.py::test_a_killed_workers_course_is_synced_by_another",
        "tests/reliability/test_faults.py::test_a_worker_told_to_stop_gives_its_course_to_another",
        "tests/reliability/test_faults.py::test_a_worker_outlives_its_redis",
    ),
    "2 convergent and quiet": (
        "tests/integration/passback/test_end_to_end.py::test_a_burst_costs_few_requests_and_a_second_run_none",
    ),
    "3 never stale over fresh": (
        "tests/unit/workers/grade_passback/test_interrupted_sync.py::test_a_lost_lease_stops_every_further_write",
        "tests/contract/sync_queue/test_sync_queue_contract.py::test_an_ended_lease_gives_no_right",
        "tests/reliability/test_faults.py::test_whatever_breaks_powerschool_equals_the_rules_answer",
    ),
    "4 a change during a sync is not swallowed": (
        "tests/contract/sync_queue/test_sync_queue_contract.py::test_changes_during_a_sync_cause_exactly_one_more",
    ),
    "5 bounded wait": (
        "tests/contract/sync_queue/test_sync_queue_contract.py::test_never_later_than_the_maximum_wait",
        "tests/reliability/test_promises.py::test_a_stream_of_events_without_end_holds_no_grade_up",
        "tests/contract/sync_queue/test_first_change_contract.py::test_the_first_change_is_due_after_a_short_gathering",
    ),
    "6 isolation": (
        "tests/unit/workers/grade_passback/test_outcome_handler.py::test_dead_assignments_leave_the_rest_done",
        "tests/contract/sync_queue/test_aggregate_contract.py::test_malformed_messages_are_kept_aside",
        "tests/reliability/test_promises.py::test_a_huge_course_does_not_hold_up_a_small_one",
        "tests/unit/workers/grade_passback/test_sync_limits.py::test_after_its_slice_a_course_gives_way_to_those_that_wait",
        "tests/contract/sync_queue/test_sync_queue_contract.py::test_a_change_goes_before_a_pass_over_all_courses",
    ),
    "7 an outage burns no attempts, the backlog is bounded by courses": (
        "tests/unit/workers/grade_passback/test_interrupted_sync.py::test_an_unwell_system_spends_no_attempt",
        "tests/integration/passback/test_end_to_end.py::test_an_outage_spends_no_attempt",
        "tests/reliability/test_faults.py::test_an_outage_costs_nothing_but_time",
        "tests/unit/adapters/http/test_remote_api.py::test_a_probe_tells_an_outage_from_one_requests_trouble",
        "tests/reliability/test_promises.py::test_a_flood_of_events_leaves_one_sync_per_course",
    ),
    "8 one shared pace": (
        "tests/contract/sync_queue/test_canvas_in_flight_contract.py::test_workers_and_provisioning_share_one_bound",
        "tests/unit/adapters/redis/test_remote_limiter.py::test_all_workers_share_one_pace",
        "tests/unit/adapters/redis/test_remote_limiter.py::test_throttling_pauses_every_worker_at_once",
        "tests/unit/adapters/redis/test_rate.py::test_a_system_that_permits_less_is_used_at_its_real_rate",
        "tests/integration/clients/test_throttled_systems.py::test_an_interval_that_changes_needs_no_restart",
        "tests/unit/adapters/powerschool/test_powerschool_token.py::test_one_token_serves_all_workers",
        "tests/reliability/test_promises.py::test_two_workers_fetch_one_token",
    ),
    "9 lost responses make no duplicates": (
        "tests/unit/workers/grade_passback/test_sync_job.py::test_a_lost_create_answer_makes_no_duplicate",
        "tests/integration/passback/test_end_to_end.py::test_a_lost_create_answer_makes_no_duplicate",
    ),
    "10 every event can be lost": (
        "tests/unit/workers/grade_passback/apply/test_graded_scores.py::test_an_event_that_was_lost_is_made_good_by_a_pass",
        "tests/unit/workers/grade_passback/scheduled/test_reconcile.py::test_a_pass_ends_within_the_interval",
        "tests/reliability/test_faults.py::test_whatever_breaks_powerschool_equals_the_rules_answer",
    ),
    "11 silence is noticed": (
        "tests/contract/sync_queue/test_aggregate_contract.py::test_silence_can_be_noticed",
        "tests/architecture/test_watching.py::test_promtool_agrees",
        "tests/unit/workers/test_school_hours.py::test_school_that_has_just_begun_has_not_lasted",
    ),
    "12 provisioning is safe": (
        "tests/integration/provisioning/test_provisioning.py::test_canvas_equals_powerschool_and_a_second_run_does_nothing",
        "tests/integration/provisioning/test_provisioning.py::test_an_empty_feed_is_held",
        "tests/integration/provisioning/test_provisioning.py::test_a_school_that_is_missing_holds_itself_alone",
        "tests/integration/provisioning/test_provisioning.py::test_a_list_that_changes_during_every_reading_is_held",
        "tests/integration/provisioning/test_provisioning.py::test_one_odd_row_is_kept_as_it_was_and_the_rest_goes_on",
        "tests/integration/provisioning/test_provisioning.py::test_a_truncated_feed_is_never_planned",
        "tests/integration/provisioning/test_provisioning_killed.py::test_a_killed_worker_leaves_no_double_import",
        "tests/unit/adapters/powerschool/test_provisioning_reads_only.py::test_the_feed_has_no_method_that_writes",
    ),
    "13 private": (
        "tests/security/test_canaries.py::test_no_log_has_any",
        "tests/security/test_provisioning_canaries.py::test_rosters_leave_no_name_behind",
    ),
    "14 nobody gets in": (
        "tests/security/test_hostile_requests.py::test_odd_bodies_are_refused",
        "tests/unit/web/test_sign_in.py::test_pages_ask_for_a_sign_in",
        "tests/unit/web/test_sign_in.py::test_a_form_of_another_session_is_refused",
        "tests/unit/events/test_signatures.py::test_another_district_is_refused",
    ),
    "two beats fire once": (
        "tests/contract/operations/test_interval_lock_contract.py::test_one_of_several_beats_counts",
        "tests/unit/workers/grade_passback/scheduled/test_full_sync.py::test_two_beats_run_one_night",
        "tests/reliability/test_two_beats.py::test_two_beats_do_the_work_of_one",
    ),
    "hosts whose clocks differ agree": (
        "tests/contract/operations/test_shared_clock_contract.py::test_a_wrong_clock_is_set_right",
        "tests/reliability/test_faults.py::test_whatever_breaks_powerschool_equals_the_rules_answer",
    ),
    "a full or slow Redis turns into 503": (
        "tests/integration/web/test_receivers_redis.py::test_a_hanging_redis_keeps_nobody_waiting",
        "tests/integration/web/test_receivers_redis.py::test_too_many_waiting_are_refused_at_once",
    ),
}

COURSES = 2000
EVENTS = 100_000


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_has_its_tests(promise: str) -> None:
    """The tests that are said to prove a promise exist."""
    for node in PROMISES[promise]:
        path, _, name = node.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        assert name in {f.name for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef)}, node


@pytest.fixture
def flooded() -> Iterator[redis.Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    with RedisServer() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        yield client


@pytest.mark.slow
@pytest.mark.redis
def test_a_flood_of_events_leaves_one_sync_per_course(flooded: redis.Redis) -> None:
    """100,000 events for 2,000 courses, read by two workers in turn, leave 2,000 courses due and nothing else."""
    keys, second = Keys(), timedelta(seconds=1)
    stores = [SyncQueue(flooded, keys, DebounceWindow(second, second), second, second) for _ in range(2)]
    stream = keys.stream(STREAM_OF[ChangeKind.GRADE])
    for start in range(0, EVENTS, 10_000):
        pipeline = flooded.pipeline(transaction=False)
        for number in range(start, start + 10_000):
            pipeline.xadd(stream, encode(Change(ChangeKind.GRADE, str(1 + number % COURSES), assignment_id="1")))
        pipeline.execute()
    folded = 0
    while folded < EVENTS:
        batch = sum(store.aggregate(f"w{n}", 1000, timedelta(0)).aggregated for n, store in enumerate(stores))
        assert batch, f"{folded} folded, then nothing"
        folded += batch
    assert stores[0].pending_messages() == 0
    assert stores[0].counts() == (COURSES, 0, 0)


def written(plant: Plant, student: int) -> bool:
    return any(student_dcid_of(student) in write["students"] for write in plant.stage.writes())


def settle(plant: Plant) -> None:
    assert plant.wait(plant.is_idle, SETTLED_WITHIN_S), "not at rest"
    plant.stage.clear_writes()
    plant.stage.clear_requests(plant.stage.powerschool_url)


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.xdist_group("plant")
def test_a_stream_of_events_without_end_holds_no_grade_up(plant: Plant) -> None:
    """While a course changes faster than its quiet period, its first grade still arrives."""
    settle(plant)
    course, assignment = Ids.OUTAGE_COURSE, Ids.OUTAGE_COURSE * 10 + 1
    first, other = Ids.STUDENTS_OUTAGE[0], user_id_of(Ids.STUDENTS_OUTAGE[1])
    plant.stage.grade("first", course, assignment, user_id_of(first), 50.25)
    until = time.monotonic() + 30
    number = 0
    while not written(plant, first):
        assert time.monotonic() < until
        number += 1
        plant.stage.grade("stream", course, assignment, other, number % 50)
        time.sleep(0.05)
    settle(plant)


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.xdist_group("plant")
def test_a_huge_course_does_not_hold_up_a_small_one(plant: Plant) -> None:
    """A grade of a small course arrives while a course with many scores is still being written."""
    settle(plant)
    plant.stage.powerschool_faults(latency_ms=400)
    students = [*Ids.STUDENTS_A, *Ids.STUDENTS_B]
    scores = [(user_id_of(student), 60 + student % 7 + 0.5) for student in students]
    plant.stage.take_quiz("flood", Ids.COURSE, Ids.CHAPTER_QUIZ, scores)
    changes = plant.service.changes
    assert plant.wait(lambda: changes.state_of(str(Ids.COURSE)).queue_state is QueueState.LEASED, 30)
    small = Ids.STUDENTS_OUTAGE[2]
    plant.stage.grade("small", Ids.OUTAGE_COURSE, Ids.OUTAGE_COURSE * 10 + 2, user_id_of(small), 51.25)
    assert plant.wait(lambda: written(plant, small), 30)
    assert changes.state_of(str(Ids.COURSE)).queue_state is not QueueState.IDLE
    plant.stage.powerschool_faults()
    settle(plant)


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.xdist_group("plant")
def test_two_workers_fetch_one_token(plant: Plant) -> None:
    """When the access token ends while several courses sync in two processes, one new token is fetched."""
    settle(plant)
    plant.stage.powerschool_faults(expire_tokens=True)
    for course, student in ((Ids.OUTAGE_COURSE, Ids.STUDENTS_OUTAGE[3]), (Ids.HEALTHY_COURSE, Ids.STUDENTS_HEALTHY[3])):
        plant.stage.grade("token", course, course * 10 + 1, user_id_of(student), 52.25)
    assert plant.wait(lambda: written(plant, Ids.STUDENTS_HEALTHY[3]) and written(plant, Ids.STUDENTS_OUTAGE[3]), 30)
    asked = plant.stage.requests(plant.stage.powerschool_url)
    assert sum(str(request["path"]).startswith("/oauth/") for request in asked) == 1
