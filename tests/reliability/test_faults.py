"""Real processes on a real Redis under random faults: every promise holds."""

import shutil
import signal
from pathlib import Path

import pytest

from tests.fault_injection.outage import outage
from tests.fault_injection.plant import SETTLED_WITHIN_S, WORKERS, Plant, running_plant
from tests.fault_injection.recovery import RECOVERED_WITHIN_S, after_redis_restart, after_worker_kill
from tests.fault_injection.run import run
from tests.fault_injection.scenes import ASSIGNMENT, COURSE, FIRST, change_during_a_sync, killed_under_a_write
from tests.fault_injection.verdict import judge, not_ours

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.xdist_group("plant")]


@pytest.mark.parametrize("seed", [901, 902])
def test_whatever_breaks_powerschool_equals_the_rules_answer(plant: Plant, seed: int) -> None:
    """After random kills, stops, outages and lost answers nothing is lost, stale, doubled or written elsewhere."""
    outcome = run(plant, seed, seconds=4)
    assert outcome.is_clean, outcome
    assert outcome.dead_letters == 0
    assert outcome.acts > 0
    assert outcome.faults


def test_an_outage_costs_nothing_but_time(plant: Plant) -> None:
    """PowerSchool or Canvas down, silent, in maintenance, throttled or in error: no attempt spent, no grade lost."""
    came_to = outage(plant, seconds=9, seed=903)
    assert came_to.is_clean, came_to


@pytest.mark.xdist_group("planted")
def test_the_suite_finds_what_is_planted(tmp_path: Path) -> None:
    """The suite finds a planted defect: changes during a sync are lost."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    with running_plant(tmp_path, defect="swallows_changes_during_a_sync") as plant:
        before = not_ours(plant.stage)
        plant.stage.grade("first", COURSE, ASSIGNMENT, FIRST, 43.5)
        assert plant.wait(lambda: bool(plant.stage.writes()) and plant.is_idle(), SETTLED_WITHIN_S)
        # On a busy machine a change may arrive after the sync, which then cannot lose it.
        assert any(change_during_a_sync(plant, score) for score in (44.5, 46.5, 48.5))
        assert plant.wait(plant.is_idle, SETTLED_WITHIN_S)
        verdict = judge(plant.stage, {COURSE: [ASSIGNMENT]}, before, plant.service.audit)
        assert verdict.lost or verdict.stale


def test_a_write_whose_worker_was_killed_is_in_the_audit(plant: Plant) -> None:
    """The write of a worker that was killed before the response is in the audit, and is not repeated."""
    before, course = not_ours(plant.stage), str(COURSE)
    plant.stage.grade("first", COURSE, ASSIGNMENT, FIRST, 45.5)
    assert plant.wait(lambda: bool(plant.stage.writes()) and plant.is_idle(), SETTLED_WITHIN_S)
    written = len(plant.stage.writes())
    killed_under_a_write(plant, 46.5)
    assert plant.wait(plant.is_idle, SETTLED_WITHIN_S)
    assert len(plant.stage.writes()) == written + 1
    assert next(plant.service.audit.of_course(course)).answer_lost
    assert judge(plant.stage, {COURSE: [ASSIGNMENT]}, before, plant.service.audit).is_clean


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
