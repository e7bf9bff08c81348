"""`passback doctor` against real systems: it names exactly what is wrong, and no secret."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from shared.config import load
from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town
from tests.security.canaries import SECRETS, found
from tests.security.conftest import GuardedTown
from workers.container import Container
from workers.doctor import Check, CheckResult, run_checks
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
    """Return the checks that found a problem, once each of them named its fix and none a secret.

    A skipped one names the check that it needs.
    """
    every = checks(running, **changed)
    bad = [check for check in every if check.verdict not in (CheckResult.OK, CheckResult.SKIP)]
    assert [check for check in bad if not check.fix] == []
    causes = {f"needs {check.name}" for check in bad}
    skipped = [check.found for check in every if check.verdict is CheckResult.SKIP]
    assert [each for each in skipped if not each.startswith(tuple(causes))] == []
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


def test_workers_go_on_undisturbed(running: Town) -> None:
    """No key of what workers share about the two systems changes: neither pace, queue, pause nor token."""

    def shared_keys(service: Container) -> dict[bytes, bytes | None]:
        keys = [*service.redis.scan_iter("passback:system:*"), *service.redis.scan_iter("passback:powerschool:*")]
        return {key: service.redis.dump(key) for key in keys}

    with closing(Container(load(environ(running), Path("no.env")))) as service:
        before = shared_keys(service)
        assert before
        for broken in ({}, {"CANVAS_TOKEN": "wrong", "POWERSCHOOL_URL": "http://127.0.0.1:1"}):
            checks(running, **broken)
            assert shared_keys(service) == before


def test_people_get_it_in_80_columns(running: Town) -> None:
    """A problem comes first, with its fix on a line of its own; the last line counts."""
    done = running.passback("doctor", **{**environ(running, CANVAS_TOKEN="canary-wrong-token"), "COLUMNS": "80"})
    first, second, *_, last = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith("fail canvas: token: Canvas refuses the token (GET /api/v1/users/self: 401)")
    assert second.startswith("     Fix: Make a new access token")
    assert last.startswith("1 problem, ")


def test_a_wrong_token_is_the_only_problem(running: Town) -> None:
    """A wrong token fails its own check, skips what depends on it, and is not printed."""
    assert problems(running, CANVAS_TOKEN="canary-wrong-token") == {"canvas: token": CheckResult.FAIL}


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
    """A missing query fails its own check, those without a grant wait for the grant; nothing is stored for workers."""
    missing = "org.passback.sync.provisioning.staff"
    refused = ["org.passback.sync.provisioning.enrollments", "org.passback.sync.roster.students"]
    running.stage.powerschool_faults(missing_queries=[missing], missing_grants=["cc.dateleft"])
    try:
        found = {check.name: check for check in checks(running)}
        assert found[f"powerschool: {missing}"].verdict is CheckResult.FAIL
        assert found["powerschool: grants"].found == "not granted: cc.dateleft"
        assert {found[f"powerschool: {query}"].found for query in refused} == {"needs powerschool: grants: cc.dateleft"}
        with closing(Container(load(environ(running), Path("no.env")))) as service:
            known = status_json(read_status(service))["unavailable_queries"]
        # The workers have found out about the others by themselves.
        assert missing not in {each["query"] for each in known}  # type: ignore[attr-defined]
    finally:
        running.stage.powerschool_faults()
    assert problems(running) == {}


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
