"""The Celery app and beat's schedule: strict queues, and delivery that outlives the longest sync."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from celery import Celery
from celery.worker.consumer.consumer import Consumer, Evloop

from shared.adapters.http.client import RESPONSE_TIMEOUT_S
from shared.config import Settings, load
from shared.queues import ROUTES, Queue, Task
from workers.celery.app import MAX_SYNC_DURATION, RECONCILE_TICK_S, beat_schedule, make_app, reconcile_tick_s
from workers.celery.worker import ConsumerPulse


@pytest.fixture
def settings_of(tmp_path: Path) -> Callable[..., Settings]:
    def make(**changes: str) -> Settings:
        return load({f"PASSBACK_{name}": value for name, value in changes.items()}, tmp_path / "no.env")

    return make


@pytest.fixture
def app(settings_of: Callable[..., Settings]) -> Celery:
    return make_app(settings_of())


def test_every_task_has_its_queue(app: Celery) -> None:
    """Each task is routed to the queue that the catalogue gives it; syncs share theirs with nothing."""
    routed = {task: app.amqp.router.route({}, task)["queue"].name for task in Task}
    assert routed == ROUTES
    assert [task for task, queue in routed.items() if queue == Queue.COURSE_SYNCS] == [Task.SYNC_COURSE]


def test_no_queue_is_made_up(app: Celery) -> None:
    """Only the catalogue's queues exist; a message to another one is an error."""
    assert set(app.amqp.queues) == set(Queue)
    assert app.conf.task_create_missing_queues is False


def test_only_json_is_accepted(app: Celery) -> None:
    """Nothing that could run code is unpacked from a message."""
    assert (app.conf.accept_content, app.conf.task_serializer) == (["json"], "json")


def test_a_task_outlives_its_worker(app: Celery) -> None:
    """A message is acknowledged after its work, and given back when its worker dies."""
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost


def test_no_running_sync_is_delivered_again(app: Celery) -> None:
    """The visibility timeout is longer than a sync that waits for both systems when its deadline passes."""
    longest_s = MAX_SYNC_DURATION.total_seconds() + 2 * RESPONSE_TIMEOUT_S
    assert app.conf.broker_transport_options["visibility_timeout"] > longest_s


def test_a_message_of_a_dead_worker_comes_back_soon(app: Celery) -> None:
    """Whether messages have to be given back is looked up every second, not every tenth time of ten seconds."""
    options = app.conf.broker_transport_options
    assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (1, 1)


def test_a_worker_waits_for_its_redis_without_end(app: Celery) -> None:
    """A worker that lost Redis, or starts without it, never gives up: its supervisor would only start it again."""
    assert app.conf.broker_connection_retry_on_startup
    assert app.conf.broker_connection_max_retries is None


def test_a_hung_redis_blocks_nobody(app: Celery) -> None:
    """Every wait for the broker ends."""
    options = app.conf.broker_transport_options
    assert options["socket_timeout"] > 0
    assert options["socket_connect_timeout"] > 0


def test_two_districts_share_no_queue(settings_of: Callable[..., Settings]) -> None:
    """Celery's keys carry the prefix of the settings."""
    prefixes = {
        make_app(settings_of(REDIS_PREFIX=name)).conf.broker_transport_options["global_keyprefix"]
        for name in ("north", "south")
    }
    assert prefixes == {"north:celery:", "south:celery:"}


def test_results_are_not_kept(app: Celery) -> None:
    """What a task came to is in our records; Celery keeps none of it."""
    assert app.conf.task_ignore_result


def test_beat_starts_known_tasks_on_known_queues(settings_of: Callable[..., Settings]) -> None:
    """Every entry of the schedule names a task and a queue of the catalogue."""
    entries = beat_schedule(settings_of()).values()
    assert {entry["task"] for entry in entries} <= set(Task)
    assert {entry["options"]["queue"] for entry in entries} <= set(Queue)


def test_ticks_expire_but_not_by_another_hosts_clock(settings_of: Callable[..., Settings]) -> None:
    """Ticks do not pile up while no worker runs, and are not dropped by a worker whose clock is half an hour ahead."""
    for entry in beat_schedule(settings_of()).values():
        assert 1800 < cast("float", entry["options"]["expires"]) <= 3600


@pytest.mark.parametrize("interval_s", ["60", "120", "86400"])
def test_a_short_interval_has_short_ticks(settings_of: Callable[..., Settings], interval_s: str) -> None:
    """Reconciliation ticks often enough to spread a pass, at least sixteen times per interval."""
    tick_s = reconcile_tick_s(settings_of(RECONCILE_INTERVAL_S=interval_s))
    assert 0 < tick_s <= min(RECONCILE_TICK_S, float(interval_s) / 16)


def test_the_event_loop_is_the_consumers_last_step(app: Celery) -> None:
    """Every step of the consumer starts before the loop blocks, in every process: the steps have one order."""
    blueprint = Consumer.Blueprint(steps={*app.steps["consumer"], ConsumerPulse})
    blueprint.steps = steps = blueprint.claim_steps()
    order = [step.name for step in blueprint._finalize_steps(steps)]
    assert order[-1] == Evloop.name
    requirements = {step.name: [required.name for required in step.requires] for step in steps.values()}
    assert [name for name, required in requirements.items() if Evloop.name in required] == []
