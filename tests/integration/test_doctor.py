"""`passback doctor` against real systems, whole and broken: what is wrong is named, nothing else is, and no secret."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from shared.sandbox.district import Ids, user_id_of
from tests.integration.town import Town, town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("doctor")]

PASSWORD = "canary-operator-password"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    settings = {"QUIET_PERIOD_S": "0.5", "OPERATOR_PASSWORD": PASSWORD, "DISTRICT_TIME_ZONE": "America/Los_Angeles"}
    with town(tmp_path_factory.mktemp("logs"), **settings) as one:
        one.processes.start("beat", "beat")
        one.stage.grade("first", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), 7)
        one.settle()
        yield one


def doctor(running: Town, **changed: str) -> tuple[int, dict[str, str], str]:
    """Return the exit code, the checks that did not pass by their verdicts, and all that was printed."""
    environ = {**running.environ, **{f"PASSBACK_{name}": value for name, value in changed.items()}}
    done = subprocess.run(
        [sys.executable, "-m", "workers.cli", "doctor", "--json"],
        env=environ,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    checks = json.loads(done.stdout)
    bad = {check["check"]: check["verdict"] for check in checks if check["verdict"] != "ok"}
    assert [
        check for check in checks if check["verdict"] != "ok" and not check["fix"] and "Set " not in check["found"]
    ] == []
    return done.returncode, bad, done.stdout + done.stderr


def test_a_healthy_installation_passes(running: Town) -> None:
    """Everything is ok, from the settings to the sections' SIS ids; nothing is written anywhere."""
    running.forget_requests()
    code, bad, told = doctor(running)
    assert (code, bad) == (0, {}), told
    assert PASSWORD not in told
    asked = [*running.powerschool_requests(), *running.stage.requests(running.stage.canvas_url)]
    assert asked
    assert {r["method"] for r in asked if "/ws/schema/query/" not in r["path"] and "/oauth/" not in r["path"]} == {
        "GET"
    }
    assert running.stage.writes() == []


def test_a_wrong_token_fails_the_checks_that_need_it(running: Town) -> None:
    """Canvas's checks fail, PowerSchool's do not, and the token is not printed."""
    code, bad, told = doctor(running, CANVAS_TOKEN="canary-wrong-token")
    assert code == 1
    assert bad == {"canvas: token": "fail", "canvas: fields": "fail", "canvas: imports": "warn"}
    assert "canary" not in told


def test_ids_that_do_not_match_are_found_out(running: Town) -> None:
    """A template that does not fit the district finds no section."""
    code, bad, told = doctor(running, SECTION_SIS_ID="X{section_dcid}")
    assert (code, bad) == (1, {"ids: sections": "fail"}), told


def test_a_token_that_may_not_import_is_told(running: Town) -> None:
    """Grades go on without; provisioning will not, unless it is switched off."""
    _, bad, told = doctor(running, CANVAS_PROVISIONING_TOKEN="canary-of-nobody")
    assert bad == {"canvas: imports": "warn"}
    assert "canary" not in told
    assert doctor(running, CANVAS_PROVISIONING_TOKEN="canary-of-nobody", PROVISION_SCHEDULE="")[1] == {}


def test_keys_out_of_reach_are_told(running: Town) -> None:
    """Without them no event is believed."""
    code, bad, _ = doctor(running, LIVE_EVENTS_JWKS_URL="http://127.0.0.1:1/jwks")
    assert (code, bad) == (1, {"live events: keys": "fail"})


def test_a_redis_that_is_away_fails_alone(running: Town) -> None:
    """What needs Redis is not asked; its address's password is not printed."""
    code, bad, told = doctor(running, REDIS_URL="redis://:canary-password@127.0.0.1:1/0")
    assert (code, bad) == (1, {"redis": "fail"})
    assert "canary" not in told
