"""Two beats run, as during a deployment: each scheduled task runs once."""

import time
from collections import Counter
from pathlib import Path

import pytest

from shared.adapters.redis.operations.processes import Heartbeat
from tests.integration.town import Town, town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("two-beats")]

INTERVAL_S = 16
WATCHED_S = 4.0


def test_two_beats_do_the_work_of_one(tmp_path: Path) -> None:
    """Both beats send every tick, and in each of their slots Canvas is searched for courses once."""
    with town(tmp_path, RECONCILE_INTERVAL_S=str(INTERVAL_S), SYNC_SCHEDULE="") as running:
        started = time.monotonic()
        for name in ("beat-1", "beat-2"):
            running.processes.start(name, "beat")
        until = started + 30
        while _kinds(running.service.heartbeats.all())["beat"] < 2 or not _searches(running):
            running.processes.check()
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(WATCHED_S)
        slots = int(time.monotonic() - started) // INTERVAL_S + 2
        assert 1 <= _searches(running) <= slots
        assert running.service.redis.llen("passback:celery:housekeeping") < 20


def _kinds(beats: list[Heartbeat]) -> Counter[str]:
    return Counter(beat.process.partition("@")[0] for beat in beats if not beat.is_stale)


def _searches(running: Town) -> int:
    asked = running.stage.requests(running.stage.canvas_url)
    return sum(1 for request in asked if str(request["path"]).startswith("/api/sis/accounts/"))
