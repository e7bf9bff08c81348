"""Real processes on a real Redis, broken at random: what is promised holds all the same."""

import signal

import pytest

from deploy.reliability.plant import WORKERS, Plant
from deploy.reliability.recovery import RECOVERED_WITHIN_S, after_redis_restart, after_worker_kill
from deploy.reliability.run import run

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.xdist_group("plant")]


@pytest.mark.parametrize("seed", [901, 902])
def test_whatever_breaks_powerschool_equals_the_rules_answer(plant: Plant, seed: int) -> None:
    """After random kills, stops, outages and lost answers nothing is lost, stale, doubled or written elsewhere."""
    outcome = run(plant, seed, seconds=5)
    assert outcome.is_clean, outcome
    assert outcome.dead_letters == 0
    assert outcome.acts > 0
    assert outcome.faults


def test_a_worker_outlives_its_redis(plant: Plant) -> None:
    """Redis killed under a running sync ends no worker; the same process finishes the work once Redis is back."""
    before = {name: plant.pid(name) for name in WORKERS}
    assert after_redis_restart(plant, 41.5) < RECOVERED_WITHIN_S
    assert {name: plant.pid(name) for name in WORKERS} == before


def test_a_killed_workers_course_is_synced_by_another(plant: Plant) -> None:
    """A course whose worker was killed in the middle of its sync is finished by the other worker."""
    assert after_worker_kill(plant, 42.5) < RECOVERED_WITHIN_S


def test_a_worker_told_to_stop_gives_its_course_to_another(plant: Plant) -> None:
    """SIGTERM in the middle of a sync: the worker ends without an error, and the other one finishes the course."""
    assert after_worker_kill(plant, 43.5, signal.SIGTERM) < RECOVERED_WITHIN_S
    assert plant.wait(lambda: plant.processes.exit_code(WORKERS[0]) == 0, RECOVERED_WITHIN_S, leave=WORKERS[0])
    plant.tend()
