"""Real processes and a Canvas that drips, never ends or packs gigabytes: it costs its own course, and no worker."""

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town, town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("security")]

# With the bounds of exchanges and lists, a course holds the only thread for some of them; without, for the sandbox's.
WAITS_AT_MOST_S = 90.0
STOPS_WITHIN_S = 40.0
TIMEOUT = {"shared.adapters.http.client:RESPONSE_TIMEOUT_S": 1}
STRANGE = (
    {"how": "drip", "seconds": 600},
    {"how": "bomb", "megabytes": 512},
    {"how": "large", "megabytes": 128},
    {"how": "pages"},
)


@pytest.fixture(scope="module")
def one_thread(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    logs: Path = tmp_path_factory.mktemp("dripping")
    with town(logs, TIMEOUT, WORKER_THREADS="1", RETRY_WAITS_S="1,1,1") as one:
        yield one


@pytest.mark.parametrize("strange", STRANGE, ids=lambda each: str(each["how"]))
def test_another_course_is_synced_meanwhile(one_thread: Town, strange: dict[str, object]) -> None:
    """With one thread, whose first course gets the strange answers; no process ends."""
    here = one_thread
    here.stage.canvas_faults(strange=[{**strange, "path_prefix": f"/api/v1/courses/{Ids.OUTAGE_COURSE}/"}])
    here.forget_requests()
    points = 1 + STRANGE.index(strange)
    here.stage.grade("first", Ids.OUTAGE_COURSE, 1061, user_id_of(Ids.STUDENTS_OUTAGE[0]), points)
    _until(lambda: _asked(here))
    here.stage.grade("second", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), points)
    _until(lambda: _written(here))
    here.processes.check()


def _until(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + WAITS_AT_MOST_S
    while not happened():
        assert time.monotonic() < until, "the other course waits"
        time.sleep(0.2)


def _asked(here: Town) -> bool:
    """Say whether a strange answer was met."""
    log = here.stage.requests(here.stage.canvas_url)
    return any(f"/courses/{Ids.OUTAGE_COURSE}/" in str(each["path"]) for each in log)


def _written(here: Town) -> bool:
    log = here.powerschool_requests()
    return any(each["path"] == "/ws/xte/score" and each["status"] == 200 for each in log)


def test_a_worker_ends_while_an_answer_drips(one_thread: Town) -> None:
    """It is told to stop, and does."""
    here = one_thread
    drip = {"how": "drip", "seconds": 600, "path_prefix": "/api/v1/courses/"}
    here.stage.canvas_faults(strange=[drip])
    here.forget_requests()
    here.stage.grade("third", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), 9)
    _until(lambda: bool(here.stage.requests(here.stage.canvas_url)) or here.processes.exit_code("worker") is not None)
    time.sleep(1)
    here.processes.signal("worker", signal.SIGTERM)
    until = time.monotonic() + STOPS_WITHIN_S
    while (code := here.processes.exit_code("worker")) is None:
        assert time.monotonic() < until, "the worker does not end"
        time.sleep(0.2)
    assert code == 0
