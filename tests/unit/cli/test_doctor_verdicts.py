"""What `doctor` concludes from what it finds. Against real systems: tests/integration/doctor."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.config import load
from tests.manual_clock import ManualClock
from workers.doctor import CheckResult, configuration, redis
from workers.doctor.result import clock_check, http_date

NOW = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
GOOD = {
    "CANVAS_URL": "https://canvas.test",
    "CANVAS_TOKEN": "canary-canvas-token",
    "CANVAS_ROOT_ACCOUNT_UUID": "uuid",
    "POWERSCHOOL_URL": "https://powerschool.test",
    "POWERSCHOOL_CLIENT_ID": "client",
    "POWERSCHOOL_CLIENT_SECRET": "canary-client-secret",
    "DISTRICT_TIME_ZONE": "America/Chicago",
    "OPERATOR_PASSWORD": "canary password of length",
}


def verdicts(**changed: str) -> dict[str, CheckResult]:
    settings = load({f"PASSBACK_{name}": value for name, value in {**GOOD, **changed}.items()}, Path("no.env"))
    return {check.name: check.verdict for check in configuration.checks(settings)}


def test_good_settings_pass() -> None:
    """Every check of them is ok."""
    assert set(verdicts().values()) == {CheckResult.OK}


@pytest.mark.parametrize(
    ("changed", "name", "verdict"),
    [
        ({"CANVAS_TOKEN": ""}, "settings: Canvas", CheckResult.FAIL),
        ({"POWERSCHOOL_CLIENT_SECRET": ""}, "settings: PowerSchool", CheckResult.FAIL),
        ({"CANVAS_ROOT_ACCOUNT_UUID": ""}, "settings: Live Events", CheckResult.FAIL),
        ({"LIVE_EVENTS_ALLOW_UNSIGNED": "yes"}, "settings: Live Events", CheckResult.WARN),
        ({"WEBHOOK_SECRET": "not base64!"}, "settings: webhooks", CheckResult.FAIL),
        ({"WEBHOOK_SECRET": "whsec_n0!"}, "settings: webhooks", CheckResult.FAIL),
        ({"WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "settings: webhooks", CheckResult.OK),
        ({"DISTRICT_TIME_ZONE": ""}, "settings: time zone", CheckResult.WARN),
        ({"CANVAS_URL": "http://canvas.test"}, "canvas: encryption", CheckResult.FAIL),
        ({"OPERATOR_PASSWORD": ""}, "web: sign-in", CheckResult.WARN),
    ],
)
def test_one_wrong_setting_is_named(changed: dict[str, str], name: str, verdict: CheckResult) -> None:
    """It changes the verdict of its own check and of no other."""
    found = verdicts(**changed)
    assert found[name] is verdict
    assert {each for each, other in found.items() if other is not CheckResult.OK} == {name} - (
        {name} if verdict is CheckResult.OK else set()
    )


def test_every_check_that_does_not_pass_names_its_fix() -> None:
    """And no secret."""
    broken = load({"PASSBACK_WEBHOOK_SECRET": "canarycan!"}, Path("no.env"))
    checks = [check for check in configuration.checks(broken) if check.verdict is not CheckResult.OK]
    assert len(checks) == 6
    assert [check.name for check in checks if not check.fix] == []
    assert "canary" not in repr(checks)


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ({"aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok"}, CheckResult.OK),
        ({}, CheckResult.OK),
        ({"aof_last_write_status": "err"}, CheckResult.FAIL),
        ({"aof_last_write_status": "ok", "rdb_last_bgsave_status": "err"}, CheckResult.FAIL),
    ],
)
def test_a_redis_that_could_not_write_fails(info: dict[str, str], verdict: CheckResult) -> None:
    """Whichever of its files it was."""
    assert redis._writes(info).verdict is verdict


@pytest.mark.parametrize(("role", "verdict"), [("master", CheckResult.OK), ("slave", CheckResult.FAIL)])
def test_a_replica_is_no_place_to_write(role: str, verdict: CheckResult) -> None:
    """Only a primary takes changes."""
    assert redis._role({"role": role}).verdict is verdict


@pytest.mark.parametrize("version", ["6.0.16", "5.0.7"])
def test_an_old_redis_fails(version: str) -> None:
    """Before 6.2 it lacks what passback needs."""
    assert redis._version({"redis_version": version}).verdict is CheckResult.FAIL


@pytest.mark.parametrize(
    ("apart_s", "verdict"),
    [
        (0, CheckResult.OK),
        (4, CheckResult.OK),
        (5, CheckResult.WARN),
        (-5, CheckResult.WARN),
        (60, CheckResult.FAIL),
        (-61, CheckResult.FAIL),
    ],
)
def test_clocks_may_differ_a_little(apart_s: int, verdict: CheckResult) -> None:
    """Some seconds are noticed, a minute is dangerous, in either direction."""
    assert clock_check("clock", NOW + timedelta(seconds=apart_s), "Mend it.", ManualClock(NOW)).verdict is verdict


@pytest.mark.parametrize("header", [None, "", "yesterday"])
def test_an_unreadable_date_is_no_date(header: str | None) -> None:
    """A system that tells no time is told as such."""
    assert http_date(header) is None
    assert clock_check("clock", None, "").verdict is CheckResult.WARN
    assert http_date("Mon, 06 Oct 2031 19:00:00 GMT") == NOW
