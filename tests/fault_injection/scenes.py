"""Rare interleavings, each played alone, so that no later change can repair what was lost in it."""

import random
import signal
import time

from shared.adapters.redis.sync_queue.store import QueueState
from shared.sandbox.district.small import Ids, user_id_of
from tests.fault_injection.plant import SETTLED_WITHIN_S, WORKERS, Plant

COURSE, ASSIGNMENT = Ids.HEALTHY_COURSE, 1021
FIRST, SECOND, *_ = map(user_id_of, Ids.STUDENTS_HEALTHY)
# PowerSchool takes this long to answer, so that a sync can be met between what it has read and what it writes.
SLOW_MS = 800
# The end of the path at which Canvas is asked for scores.
SUBMISSIONS = "/students/submissions"


def play_one(plant: Plant, number: int, rng: random.Random) -> None:
    """Play the scene of that number; afterwards PowerSchool must equal what the rules demand."""
    scenes = (
        change_during_a_sync,
        outage_after_the_last_change,
        worker_continued_late,
        killed_under_a_write,
    )
    scenes[number % len(scenes)](plant, rng.randrange(200, 400) / 4)


def change_during_a_sync(plant: Plant, score: float) -> bool:
    """While a course syncs, one more score changes, and nothing after it. Return whether it was known in time."""
    _slow(plant)
    _meet_in_the_middle_of(plant, score)
    plant.wait(plant.has_aggregated_all, SETTLED_WITHIN_S)
    known = _known_changes(plant)
    _grade(plant, SECOND, score + 1)
    plant.wait(lambda: _known_changes(plant) > known or not _syncs(plant), SETTLED_WITHIN_S)
    in_time = _syncs(plant)
    _repair(plant)
    return in_time


def outage_after_the_last_change(plant: Plant, score: float) -> None:
    """PowerSchool goes into maintenance under the sync of the last change, and comes back."""
    plant.stage.powerschool_faults(maintenance=True)
    _grade(plant, FIRST, score)
    pause = plant.service.keys.pause("powerschool")
    plant.wait(lambda: bool(plant.service.redis.exists(pause)), SETTLED_WITHIN_S)
    _repair(plant)


def worker_continued_late(plant: Plant, score: float) -> None:
    """A worker stops between reading and writing; another one writes a newer score; then the first one goes on."""
    dead, other = WORKERS
    plant.processes.signal(other, signal.SIGSTOP)
    _slow(plant)
    _meet_in_the_middle_of(plant, score)
    plant.processes.signal(dead, signal.SIGSTOP)
    plant.processes.signal(other, signal.SIGCONT)
    _repair(plant)
    _grade(plant, FIRST, score + 1)
    plant.wait(plant.is_idle, SETTLED_WITHIN_S)
    plant.processes.signal(dead, signal.SIGCONT)
    time.sleep(3 * SLOW_MS / 1000)


def killed_under_a_write(plant: Plant, score: float) -> None:
    """A worker stops while PowerSchool carries its write out, and is killed before it reads the response."""
    killed, other = WORKERS
    _slow(plant)
    plant.processes.signal(other, signal.SIGSTOP)
    written = len(plant.stage.writes())
    _grade(plant, FIRST, score)
    begun = plant.service.keys.writes_begun(str(COURSE))
    plant.wait(lambda: bool(plant.service.redis.exists(begun)), SETTLED_WITHIN_S)
    time.sleep(SLOW_MS / 4000)
    plant.processes.signal(killed, signal.SIGSTOP)
    plant.wait(lambda: len(plant.stage.writes()) > written, SETTLED_WITHIN_S)
    plant.kill(killed)
    _repair(plant)
    plant.processes.signal(other, signal.SIGCONT)


def _grade(plant: Plant, user_id: int, score: float) -> None:
    plant.stage.grade("scene", COURSE, ASSIGNMENT, user_id, score)


def _slow(plant: Plant) -> None:
    plant.wait(plant.is_idle, SETTLED_WITHIN_S)
    plant.stage.powerschool_faults(latency_ms=SLOW_MS)


def _repair(plant: Plant) -> None:
    plant.stage.powerschool_faults()


def _meet_in_the_middle_of(plant: Plant, score: float) -> None:
    """Grade, and return when the sync of it has read Canvas and waits for PowerSchool's first answer."""
    plant.stage.clear_requests(plant.stage.canvas_url)
    _grade(plant, FIRST, score)
    plant.wait(lambda: _has_read_scores(plant), SETTLED_WITHIN_S)


def _has_read_scores(plant: Plant) -> bool:
    return any(str(read["path"]).endswith(SUBMISSIONS) for read in plant.stage.requests(plant.stage.canvas_url))


def _syncs(plant: Plant) -> bool:
    return plant.service.changes.state_of(str(COURSE)).queue_state is QueueState.LEASED


def _known_changes(plant: Plant) -> int:
    """Return how many changes wait for the course's next sync."""
    pending = plant.service.changes.state_of(str(COURSE)).pending
    return pending.count if pending else 0
