"""How long it takes: from a kill until the grade that it interrupted is in PowerSchool."""

import signal
import time
from collections.abc import Callable

from shared.adapters.redis.sync_queue.store import QueueState
from shared.sandbox.district.small import Ids, user_id_of
from tests.fault_injection.plant import WORKERS, Plant
from tests.fault_injection.teachers import SINGLE_GRADE
from workers.dev.demo.expectations import expected_scores, wanted_scores

RECOVERED_WITHIN_S = 30.0
PLACE = (1021, Ids.HEALTHY_DCID)
STUDENT = user_id_of(Ids.STUDENTS_HEALTHY[0])


def after_worker_kill(plant: Plant, score: float, how: signal.Signals = signal.SIGKILL) -> float:
    """End the worker that syncs a course; return how many seconds the other one needs to sync it."""
    syncing, other = WORKERS
    plant.processes.signal(other, signal.SIGSTOP)
    plant.stage.powerschool_faults(latency_ms=300)
    _grade(plant, score)
    course = str(Ids.HEALTHY_COURSE)
    plant.wait(lambda: plant.service.changes.state_of(course).queue_state is QueueState.LEASED, RECOVERED_WITHIN_S)
    plant.kill(syncing, how)
    plant.processes.signal(other, signal.SIGCONT)
    return _seconds_until_there(plant, leave=syncing, then=plant.stage.powerschool_faults)


def after_redis_restart(plant: Plant, score: float) -> float:
    """Kill Redis under a sync; return how many seconds after it is back the grade is there."""
    plant.stage.powerschool_faults(latency_ms=300)
    _grade(plant, score)
    time.sleep(0.6)
    plant.redis.kill()
    time.sleep(0.5)
    plant.redis.start()
    return _seconds_until_there(plant, leave="", then=plant.stage.powerschool_faults)


def _grade(plant: Plant, score: float) -> None:
    plant.stage.grade(SINGLE_GRADE, Ids.HEALTHY_COURSE, PLACE[0], STUDENT, score)


def _seconds_until_there(plant: Plant, leave: str, then: Callable[[], None]) -> float:
    started = time.monotonic()
    there = plant.wait(lambda: _is_there(plant), RECOVERED_WITHIN_S, leave)
    seconds = time.monotonic() - started
    then()
    return seconds if there else float("inf")


def _is_there(plant: Plant) -> bool:
    wanted = wanted_scores(plant.stage.submissions(), PLACE)
    names = plant.stage.assignment_names()
    rows = [r for r in plant.stage.gradebook() if r["section_dcid"] == PLACE[1] and r["name"] == names[str(PLACE[0])]]
    return any(wanted.items() <= expected_scores(row).items() for row in rows)
