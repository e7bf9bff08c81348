"""`passback doctor` against real systems: it names exactly what is wrong, and no secret."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from shared.config import load
from shared.domain.causes import Cause
from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town
from tests.security.canaries import SECRETS, found
from tests.security.conftest import GuardedTown
from workers.cli.doctor import Check, CheckResult, run_checks
from workers.container import Container
from workers.status import read_status, status_json

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("security")]

# Signed events only, as an installation should have it; the other tests of this town may have left dead letters.
WELL = {"LIVE_EVENTS_ALLOW_UNSIGNED": "no"}
# The town has no provisioning worker.
LEFT_BEHIND = {"dead letters", "process: provisioning-worker"}


@pytest.fixture(scope="module")
def running(guarded: GuardedTown) -> Town:
    guarded.town.stage.grade("first", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), 7)
    guarded.town.settle()
    return guarded.town


def environ(running: Town, **changed: str) -> dict[str, str]:
    return {**running.environ, **{f"PASSBACK_{name}": value for name, value in {**WELL, **changed}.items()}}


def checks(running: Town, **changed: str) -> list[Check]:
    with closing(Container(load(environ(running, **changed), Path("no.env")))) as service:
        return run_checks(service)


def problems(running: Town, **changed: str) -> dict[str, CheckResult]:
    """Return the checks that did not pass, once each of them named its fix and none a secret."""
    bad = [check for check in checks(running, **changed) if check.verdict is not CheckResult.OK]
    assert [check for check in bad if not check.fix and "Set " not in check.found] == []
    assert found(repr(bad), [*SECRETS, *(value for value in changed.values() if "canary" in value)]) == []
    return {check.name: check.verdict for check in bad if check.name not in LEFT_BEHIND}


def test_a_healthy_installation_passes(running: Town) -> None:
    """Every check is ok; the doctor only reads, and prints JSON without a secret."""
    running.clear_requests()
    done = running.passback("doctor", "--json", **environ(running))
    bad = [check for check in json.loads(done.stdout) if check["verdict"] != "ok" and check["check"] not in LEFT_BEHIND]
    assert (done.returncode, bad) == (0, []), done.stderr
    assert found(done.stdout + done.stderr, SECRETS) == []
    asked = [*running.powerschool_requests(), *running.stage.requests(running.stage.canvas_url)]
    assert asked
    reading = [r for r in asked if "/ws/schema/query/" not in r["path"] and "/oauth/" not in r["path"]]
    assert {r["method"] for r in reading} == {"GET"}
    assert running.stage.writes() == []


def test_a_wrong_token_fails_the_checks_that_need_it(running: Town) -> None:
    """A wrong token fails Canvas's checks only, and is not printed."""
    assert problems(running, CANVAS_TOKEN="canary-wrong-token") == {
        "canvas: token": CheckResult.FAIL,
        "canvas: fields": CheckResult.FAIL,
        "canvas: imports": CheckResult.WARN,
    }


def test_ids_that_do_not_match_are_found_out(running: Town) -> None:
    """A SIS id template that finds no section fails the check of sections."""
    assert problems(running, SECTION_SIS_ID="X{section_dcid}") == {"ids: sections": CheckResult.FAIL}


def test_a_token_that_may_not_import_is_told(running: Town) -> None:
    """A token without the import right is a warning, unless provisioning is switched off."""
    stranger = {"CANVAS_PROVISIONING_TOKEN": "canary-of-nobody"}
    assert problems(running, **stranger) == {"canvas: imports": CheckResult.WARN}
    assert problems(running, **stranger, PROVISION_SCHEDULE="") == {}


def test_keys_out_of_reach_are_told(running: Town) -> None:
    """Unreachable keys fail the check: every event would be rejected."""
    assert problems(running, LIVE_EVENTS_JWKS_URL="http://127.0.0.1:1/jwks") == {"live events: keys": CheckResult.FAIL}


def test_pages_that_canvas_names_elsewhere_are_told(running: Town) -> None:
    """Page links to another host are a warning; pages are read from the configured host."""
    running.stage.canvas_faults(link_origin="https://vanity.example")
    try:
        assert problems(running) == {"canvas: page links": CheckResult.WARN}
    finally:
        running.stage.canvas_faults()


def test_a_redis_that_is_away_fails_alone(running: Town) -> None:
    """An unavailable Redis fails its own check only, and its password is not printed."""
    away = "redis://:canary-password@127.0.0.1:1/0"
    assert problems(running, REDIS_URL=away) == {"redis": CheckResult.FAIL}


def test_queries_that_do_not_run_are_named(running: Town) -> None:
    """A missing query and one without a grant fail their own checks; `status` shows them until they run again."""
    missing = "org.passback.sync.provisioning.staff"
    refused = ["org.passback.sync.provisioning.enrollments", "org.passback.sync.roster.students"]
    running.stage.powerschool_faults(missing_queries=[missing], missing_grants=["cc.dateleft"])
    try:
        expected = {f"powerschool: {query}": CheckResult.FAIL for query in (missing, *refused)}
        found = problems(running)
        assert {name: verdict for name, verdict in found.items() if name in expected} == expected
        with closing(Container(load(environ(running), Path("no.env")))) as service:
            told = status_json(read_status(service))["unavailable_queries"]
        assert {(each["query"], each["cause"]) for each in told} == {  # type: ignore[attr-defined]
            (missing, Cause.QUERY_MISSING),
            *((query, Cause.QUERY_NOT_GRANTED) for query in refused),
        }
    finally:
        running.stage.powerschool_faults()
    assert problems(running) == {}
    with closing(Container(load(environ(running), Path("no.env")))) as service:
        assert status_json(read_status(service))["unavailable_queries"] == []


@pytest.mark.parametrize(
    ("learnt", "told_ms", "words"),
    [
        ("262.400", "0", r"powerschool: a request per 2\d\d ms, learned from throttling; none configured"),
        ("262.400", "100", r"powerschool: a request per 2\d\d ms, learned from throttling; 100 ms configured"),
        ("0.000", "100", "powerschool: 100 ms configured, and nothing was throttled recently"),
    ],
)
def test_the_learnt_rate_is_told_beside_the_configured_one(
    running: Town, learnt: str, told_ms: str, words: str
) -> None:
    """A learnt rate is no failure; the check shows it beside the configured one."""
    with closing(Container(load(environ(running), Path("no.env")))) as service:
        # As it is learnt: without a limit that was throttled just now, the doctor's own requests would shorten it.
        rate = {"interval": learnt, "limit": float(learnt) / 1.07, "calm": service.redis.time()[0] * 1000}
        service.redis.hset(service.keys.rate("powerschool"), mapping=rate)  # type: ignore[arg-type]
    try:
        told = {check.name: check for check in checks(running, POWERSCHOOL_MIN_INTERVAL_MS=told_ms)}
    finally:
        with closing(Container(load(environ(running), Path("no.env")))) as service:
            service.redis.delete(service.keys.rate("powerschool"))
    assert told["rates"].verdict is CheckResult.OK
    assert re.search(words, told["rates"].found)
