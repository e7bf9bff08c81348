"""Not one event arrives: the schedule alone makes PowerSchool agree, and says how much it had to."""

import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town, town
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("town")]

INTERVAL_S = 8.0
# What the processes take to start, and a sync to run, on a slow machine.
SLACK_S = 45.0


@pytest.fixture(scope="module")
def deaf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A town whose Canvas tells nobody anything."""
    logs = tmp_path_factory.mktemp("logs")
    with town(logs, RECONCILE_INTERVAL_S=str(INTERVAL_S), SYNC_SCHEDULE="", QUIET_PERIOD_S="0.2") as one:
        events = {"target": f"{one.web}/events/canvas", "drop": 1}
        one.stage.http.put(f"{one.stage.canvas_url}/_sandbox/events", json=events).raise_for_status()
        yield one


def test_a_course_that_no_event_told_of_is_found_and_kept(deaf: Town) -> None:
    """Grades of an unknown course arrive within two intervals of beat's start; later ones, within one, were missed."""
    first, second = Ids.STUDENTS_HEALTHY[0], Ids.STUDENTS_HEALTHY[1]
    deaf.stage.grade("unheard", Ids.HEALTHY_COURSE, 1021, user_id_of(first), 7.125)
    assert deaf.service.records.count() == 0
    deaf.processes.start("beat", "beat")
    wait_until(lambda: deaf.score("Warm-up 1", Ids.HEALTHY_DCID, first) == Decimal("7.125"), 2 * INTERVAL_S + SLACK_S)

    # The first sync of a course found by a pass is no repair: no event was ever due for it.
    wait_until(deaf.is_idle, SLACK_S)
    assert deaf.service.counters.read("repairs") == {}
    deaf.stage.grade("unheard", Ids.HEALTHY_COURSE, 1021, user_id_of(second), 2.5)
    wait_until(lambda: deaf.score("Warm-up 1", Ids.HEALTHY_DCID, second) == Decimal("2.5"), INTERVAL_S + SLACK_S)
    # A sync is counted once it is settled.
    wait_until(lambda: deaf.service.counters.read("repairs").get("scores") == 1, SLACK_S)

    # And `status` tells who is alive, and what was repaired that no event had told of.
    wait_until(
        lambda: any(name.startswith(b"beat") for name in deaf.service.redis.hkeys(deaf.service.keys.heartbeats)),
        SLACK_S,
    )
    status = json.loads(deaf.passback("status", "--json").stdout)
    assert sorted(process["process"].split("@")[0] for process in status["processes"]) == ["beat", "web", "worker"]
    assert {process["state"] for process in status["processes"]} == {"alive"}
    assert status["repairs"] == {"assignments": 1, "scores": 1}
