"""`passback notify`: what a person sees, and what the command says where nothing can be sent."""

import json

import fakeredis
import pytest
from typer.testing import CliRunner

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.notifications import Notifications, TeacherDigests
from shared.domain.notifications.state import (
    Condition,
    DeliveryFailure,
    Episode,
    NotificationState,
    TargetState,
)
from shared.domain.notifications.teachers import Digest, DigestPhase
from tests.command_line import app
from tests.installation import NOW
from workers.cli.district import notify

SECRET = "hunter2-secret"
URLS = f"json://user:{SECRET}@127.0.0.1:9/hook mailtos://user:{SECRET}@smtp.district.example?to=it@district.example"
LETTERS = Condition("dead_letters:canvas_", "dead_letters", "3 jobs wait for a person.", "Retry them.", "/dead-letters")


@pytest.fixture
def redis(monkeypatch: pytest.MonkeyPatch) -> fakeredis.FakeRedis:
    client = fakeredis.FakeRedis(server=fakeredis.FakeServer())
    monkeypatch.setattr("workers.container.connect", lambda _: client)
    monkeypatch.setenv("PASSBACK_NOTIFY_URLS", URLS)
    monkeypatch.setenv("PASSBACK_DISTRICT_TIME_ZONE", "America/Chicago")
    monkeypatch.setenv("PASSBACK_NOTIFY_QUIET_HOURS", "")
    return client


def save(client: fakeredis.FakeRedis, state: NotificationState) -> None:
    store = Notifications(client, Keys())
    with store.lease() as token:
        assert token
        store.save(state, token)


def test_status_shows_what_is_open_and_what_does_not_arrive(redis: fakeredis.FakeRedis) -> None:
    """On the district's clocks, with the fix; the exit code is 1, and no secret is shown."""
    notified = TargetState("json 1", frozenset({LETTERS.key}), delivered_at=NOW)
    failing = TargetState("mailtos 1", failed=4, last_failure=DeliveryFailure.CREDENTIALS_REFUSED, next_attempt_at=NOW)
    episodes = {LETTERS.key: Episode(LETTERS, NOW)}
    save(redis, NotificationState(NOW, episodes, {"json 1": notified, "mailtos 1": failing}))
    shown = CliRunner().invoke(app, ["notify", "status"])
    assert shown.exit_code == 1
    assert shown.stdout.splitlines() == [
        "json 1: last message 2031-03-04 06:00:00 CST",
        f"mailtos 1: {DeliveryFailure.CREDENTIALS_REFUSED.sentence} {DeliveryFailure.CREDENTIALS_REFUSED.remedy}",
        "  4 attempts failed; the next is at 2031-03-04 06:00:00 CST",
        "Needs a person:",
        "- 3 jobs wait for a person. Retry them.",
        "  since 2031-03-04 06:00:00 CST; told: json 1",
    ]
    in_json = CliRunner().invoke(app, ["notify", "status", "--json"])
    assert json.loads(in_json.stdout)["open"][0]["told"] == ["json 1"]
    assert SECRET not in shown.stdout + in_json.stdout


def test_status_of_an_installation_that_never_checked(redis: fakeredis.FakeRedis) -> None:
    """Says so: nothing needs a person only as far as somebody looked."""
    shown = CliRunner().invoke(app, ["notify", "status"])
    assert shown.exit_code == 0
    assert "Nothing was checked yet" in shown.stdout


def test_status_without_targets(redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names the setting."""
    monkeypatch.delenv("PASSBACK_NOTIFY_URLS")
    assert "PASSBACK_NOTIFY_URLS is not set" in CliRunner().invoke(app, ["notify", "status"]).stdout


def test_without_the_extra_the_test_names_it(redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setattr(notify, "has_apprise", lambda: False)
    done = CliRunner().invoke(app, ["notify", "test"])
    assert done.exit_code == 2
    assert "pip install 'passback[notify]'" in done.stderr


def test_a_target_that_does_not_exist(redis: fakeredis.FakeRedis) -> None:
    """Names those that there are."""
    done = CliRunner().invoke(app, ["notify", "test", "--target", "slack 1"])
    assert done.exit_code == 2
    assert "there is json 1, mailtos 1" in done.stderr


def test_the_test_says_of_each_target_whether_it_took_the_message(
    redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 1 if one did not. What waits for the one that did is tried again at once."""
    waiting = {an_id: TargetState(an_id, failed=4, next_attempt_at=NOW) for an_id in ("json 1", "mailtos 1")}
    save(redis, NotificationState(NOW, targets=waiting))
    answers = {"json 1": None, "mailtos 1": DeliveryFailure.HOST_UNKNOWN}
    monkeypatch.setattr(notify, "deliver", lambda target, *_, **__: answers[target.id])
    done = CliRunner().invoke(app, ["notify", "test"])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "json 1: its server took the message",
        "mailtos 1: no server of this name was found. Correct the host in its URL.",
    ]
    targets = Notifications(redis, Keys()).read().targets
    assert {an_id: each.next_attempt_at for an_id, each in targets.items()} == {"json 1": None, "mailtos 1": NOW}


@pytest.mark.parametrize("urls", ["it@district.example", f"json://a {SECRET}", "://a"])
def test_a_setting_that_is_no_list_of_urls_is_refused_without_its_value(
    urls: str, redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, with how to write it."""
    monkeypatch.setenv("PASSBACK_NOTIFY_URLS", urls)
    done = CliRunner().invoke(app, ["notify", "status"])
    assert done.exit_code == 2
    assert "PASSBACK_NOTIFY_URLS is no list of URLs" in done.stderr
    assert SECRET not in done.stderr


def test_a_test_to_an_address_goes_by_the_mail_server_for_teachers(
    redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And to nobody else."""
    monkeypatch.setenv(
        "PASSBACK_NOTIFY_TEACHERS_URL", f"mailtos://user:{SECRET}@smtp.district.example?to=all@x.example"
    )
    sent = []
    monkeypatch.setattr(notify, "deliver", lambda target, *_, **__: sent.append(target.url.get_secret_value()))
    done = CliRunner().invoke(app, ["notify", "test", "--to", "rivera@district.example"])
    assert done.exit_code == 0
    assert sent == [f"mailtos://user:{SECRET}@smtp.district.example?to=rivera%40district.example"]
    assert SECRET not in done.output


def test_status_shows_how_far_the_digest_of_teachers_is(
    redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In numbers; the exit code is 1 once it was given up."""
    monkeypatch.setenv("PASSBACK_NOTIFY_TEACHERS_URL", "mailtos://smtp.district.example")
    lost = Digest(NOW, DigestPhase.LOST, sent=3, last_failure=DeliveryFailure.HOST_UNKNOWN)
    TeacherDigests(redis, Keys()).save(lost)
    shown = CliRunner().invoke(app, ["notify", "status"])
    assert shown.exit_code == 1
    assert (
        "teachers: digest of 2031-03-04 06:00:00 CST is lost: 3 told, 0 refused, 0 without an address. "
        "no server of this name was found."
    ) in shown.stdout


def test_the_mail_server_for_teachers_is_a_mail_server(
    redis: fakeredis.FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chat has no address of each teacher."""
    monkeypatch.setenv("PASSBACK_NOTIFY_TEACHERS_URL", f"slack://{SECRET}")
    done = CliRunner().invoke(app, ["notify", "status"])
    assert done.exit_code == 2
    assert "PASSBACK_NOTIFY_TEACHERS_URL is no URL of a mail server" in done.stderr
    assert SECRET not in done.stderr
