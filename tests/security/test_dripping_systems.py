"""Real processes and a Canvas whose responses drip, never end or inflate: other courses are synced meanwhile."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town, town
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("security")]

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
    """A worker with one thread syncs another course while the first gets strange responses; no process ends."""
    here = one_thread
    here.stage.canvas_faults(strange=[{**strange, "path_prefix": f"/api/v1/courses/{Ids.OUTAGE_COURSE}/"}])
    here.clear_requests()
    points = 1 + STRANGE.index(strange)
    here.stage.grade("first", Ids.OUTAGE_COURSE, 1061, user_id_of(Ids.STUDENTS_OUTAGE[0]), points)
    wait_until(lambda: _asked(here), WAITS_AT_MOST_S)
    here.stage.grade("second", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), points)
    wait_until(lambda: _written(here), WAITS_AT_MOST_S, "the other course waits")
    here.processes.check()


def _asked(here: Town) -> bool:
    """Say whether a strange response was sent."""
    log = here.stage.requests(here.stage.canvas_url)
    return any(f"/courses/{Ids.OUTAGE_COURSE}/" in str(each["path"]) for each in log)


def _written(here: Town) -> bool:
    log = here.powerschool_requests()
    return any(each["path"] == "/ws/xte/score" and each["status"] == 200 for each in log)


def test_a_worker_ends_while_an_answer_drips(one_thread: Town) -> None:
    """SIGTERM ends a worker while a response drips."""
    here = one_thread
    drip = {"how": "drip", "seconds": 600, "path_prefix": "/api/v1/courses/"}
    here.stage.canvas_faults(strange=[drip])
    here.clear_requests()
    here.stage.grade("third", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), 9)
    wait_until(lambda: here.stage.requests(here.stage.canvas_url) or here.processes.exit_code("worker") is not None)
    time.sleep(1)
    here.processes.signal("worker", signal.SIGTERM)
    wait_until(lambda: here.processes.exit_code("worker") is not None, STOPS_WITHIN_S, "the worker does not end")
    assert here.processes.exit_code("worker") == 0
