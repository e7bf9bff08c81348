"""What `doctor` concludes from what it finds. Against real systems it runs in tests/integration/test_doctor.py."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.clock import ManualClock
from shared.config import load
from workers.cli.doctor import Verdict, configuration, redis
from workers.cli.doctor.result import clock_check, http_date

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


def verdicts(**changed: str) -> dict[str, Verdict]:
    settings = load({f"PASSBACK_{name}": value for name, value in {**GOOD, **changed}.items()}, Path("no.env"))
    return {check.name: check.verdict for check in configuration.checks(settings)}


def test_good_settings_pass() -> None:
    """Every check of them is ok."""
    assert set(verdicts().values()) == {Verdict.OK}


@pytest.mark.parametrize(
    ("changed", "name", "verdict"),
    [
        ({"CANVAS_TOKEN": ""}, "settings: Canvas", Verdict.FAIL),
        ({"POWERSCHOOL_CLIENT_SECRET": ""}, "settings: PowerSchool", Verdict.FAIL),
        ({"CANVAS_ROOT_ACCOUNT_UUID": ""}, "settings: Live Events", Verdict.FAIL),
        ({"LIVE_EVENTS_ALLOW_UNSIGNED": "yes"}, "settings: Live Events", Verdict.WARN),
        ({"WEBHOOK_SECRET": "not base64!"}, "settings: webhooks", Verdict.FAIL),
        ({"WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "settings: webhooks", Verdict.OK),
        ({"DISTRICT_TIME_ZONE": ""}, "settings: time zone", Verdict.WARN),
        ({"CANVAS_URL": "http://canvas.test"}, "canvas: encryption", Verdict.FAIL),
        ({"OPERATOR_PASSWORD": ""}, "web: sign-in", Verdict.WARN),
        ({"OPERATOR_PASSWORD": "", "WEB_HOST": "0.0.0.0"}, "web: sign-in", Verdict.FAIL),
        ({"WEB_HOST": "0.0.0.0"}, "web: sign-in", Verdict.OK),
    ],
)
def test_one_wrong_setting_is_named(changed: dict[str, str], name: str, verdict: Verdict) -> None:
    """It changes the verdict of its own check and of no other."""
    found = verdicts(**changed)
    assert found[name] is verdict
    assert {each for each, other in found.items() if other is not Verdict.OK} == {name} - (
        {name} if verdict is Verdict.OK else set()
    )


def test_every_check_that_does_not_pass_names_its_fix() -> None:
    """And no secret."""
    broken = load({"PASSBACK_WEB_HOST": "0.0.0.0", "PASSBACK_WEBHOOK_SECRET": "canarycan!"}, Path("no.env"))
    checks = [check for check in configuration.checks(broken) if check.verdict is not Verdict.OK]
    assert len(checks) == 6
    assert [check.name for check in checks if not (check.fix or "Set " in check.found)] == []
    assert "canary" not in repr(checks)


@pytest.mark.parametrize(
    ("info", "verdict"),
    [
        ({"aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok"}, Verdict.OK),
        ({}, Verdict.OK),
        ({"aof_last_write_status": "err"}, Verdict.FAIL),
        ({"aof_last_write_status": "ok", "rdb_last_bgsave_status": "err"}, Verdict.FAIL),
    ],
)
def test_a_redis_that_could_not_write_fails(info: dict[str, str], verdict: Verdict) -> None:
    """Whichever of its files it was."""
    assert redis._writes(info).verdict is verdict


@pytest.mark.parametrize(("role", "verdict"), [("master", Verdict.OK), ("slave", Verdict.FAIL)])
def test_a_replica_is_no_place_to_write(role: str, verdict: Verdict) -> None:
    """Only a primary takes changes."""
    assert redis._role({"role": role}).verdict is verdict


@pytest.mark.parametrize("version", ["6.0.16", "5.0.7"])
def test_an_old_redis_fails(version: str) -> None:
    """Before 6.2 it lacks what passback needs."""
    assert redis._version({"redis_version": version}).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("apart_s", "verdict"),
    [(0, Verdict.OK), (4, Verdict.OK), (5, Verdict.WARN), (-5, Verdict.WARN), (60, Verdict.FAIL), (-61, Verdict.FAIL)],
)
def test_clocks_may_differ_a_little(apart_s: int, verdict: Verdict) -> None:
    """Some seconds are noticed, a minute is dangerous, in either direction."""
    assert clock_check("clock", NOW + timedelta(seconds=apart_s), "Mend it.", ManualClock(NOW)).verdict is verdict


@pytest.mark.parametrize("header", [None, "", "yesterday"])
def test_an_unreadable_date_is_no_date(header: str | None) -> None:
    """A system that tells no time is told as such."""
    assert http_date(header) is None
    assert clock_check("clock", None, "").verdict is Verdict.WARN
    assert http_date("Mon, 06 Oct 2031 19:00:00 GMT") == NOW
