"""Checks, messages and what is stored between: two processes, one that dies, servers that are away, quiet hours."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import fakeredis
import pytest
import structlog
from pydantic import SecretStr

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.notifications import LEASE_DURATION, Notifications
from shared.domain.actions import EVERYTHING, Pause
from shared.domain.notifications.messages import MAY_HAVE_ARRIVED, Message
from shared.domain.notifications.rules import RETRY_WAITS
from shared.domain.notifications.state import DeliveryFailure, TargetState
from shared.errors import TransientError
from tests.installation import NOW, WELL
from tests.manual_clock import ManualClock
from workers.alerts import alerts
from workers.notifications.delivery import MessageKind, Target, targets_of
from workers.notifications.notifier import Notifier
from workers.notifications.reading import NotifySettings
from workers.status import InstallationStatus

CHICAGO = ZoneInfo("America/Chicago")
SECRET = "hunter2-secret"
URL = f"json://user:{SECRET}@127.0.0.1:9/hook"
MINUTE = timedelta(minutes=1)
# In Chicago: far from the daily summary.
NOON = datetime(2031, 3, 4, 18, 0, tzinfo=UTC)
LETTERS = replace(WELL, dead_letter_causes={"canvas_503": 1})


class Killed(BaseException):
    """The process ends."""


@dataclass
class Server:
    """Takes messages, or does what a test plans."""

    messages: list[tuple[str, Message, MessageKind]] = field(default_factory=list)
    plan: list[DeliveryFailure | BaseException | None] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None

    def __call__(self, target: Target, message: Message, kind: MessageKind) -> DeliveryFailure | None:
        self.messages.append((target.id, message, kind))
        self.meanwhile()
        outcome = self.plan.pop(0) if self.plan else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    @property
    def subjects(self) -> list[str]:
        return [message.subject for _, message, _ in self.messages]


class Installation:
    """One installation with a clock, checked once a minute."""

    def __init__(self, urls: str = URL, quiet: str = "", at: datetime = NOON) -> None:
        self.redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.store = Notifications(self.redis, Keys())
        self.clock, self.server, self.can_send = ManualClock(at), Server(), True
        self.settings = NotifySettings(targets_of(SecretStr(urls)), quiet, CHICAGO, "https://passback.example")

    def check(self, status: InstallationStatus = WELL, minutes: int = 1, every: int = 1) -> None:
        for _ in range(0, minutes, every):
            self.once(status)
            self.clock.advance(MINUTE * every)

    def once(self, status: InstallationStatus) -> None:
        notifier = Notifier(self.store, self.settings, self.clock, self.server, can_send=self.can_send)
        now = self.clock.now()
        notifier.run(replace(status, now=now, notifications=self.store.read(), last_event_at=now))

    def target(self, target_id: str = "json 1") -> TargetState:
        return self.store.read().target(target_id)


def test_a_thousand_dead_letters_are_one_message_and_one_end() -> None:
    """However many jobs, courses and codes of one cause there are."""
    one = Installation()
    for count in range(1, 1001, 50):
        one.check(replace(WELL, dead_letter_causes={"canvas_502": count, "canvas_503": count}))
    one.check(minutes=30)
    assert one.server.subjects == [
        "passback: 2 jobs wait for a person. Canvas kept answering with an error.",
        "passback: over: 1902 jobs wait for a person. Canvas kept answering with an error.",
    ]
    assert [kind for _, _, kind in one.server.messages] == [MessageKind.WARNING, MessageKind.SUCCESS]


def test_no_message_has_a_name() -> None:
    """Who paused passback and why is on the Overview, where people have signed in."""
    one = Installation()
    pause = Pause(EVERYTHING, NOW, "Ada Zimt", "waiting for Bo Anis")
    one.check(replace(WELL, pauses=[pause]), minutes=5 * 60, every=5)
    one.check(minutes=30)
    assert one.server.subjects == ["passback: Everything is paused.", "passback: over: Everything is paused."]
    said = str(one.server.messages) + str(one.redis.get(Keys().notifications))
    assert [name for name in ("Ada", "Zimt", "Bo Anis") if name in said] == []


def test_the_url_stays_where_it_is() -> None:
    """Neither what is stored nor what is logged nor how a target is shown has it."""
    one = Installation()
    one.server.plan = [DeliveryFailure.TIMED_OUT]
    with structlog.testing.capture_logs() as logs:
        one.check(LETTERS, minutes=3)
    stored = b"".join(one.redis.get(key) or b"" for key in one.redis.scan_iter())
    said = f"{logs} {stored!r} {one.settings!r} {one.target()!r}"
    assert logs
    assert [secret for secret in (SECRET, "127.0.0.1", "hook") if secret in said] == []


def test_what_was_interrupted_is_sent_again_and_says_so() -> None:
    """Between sending and recording a process may end: the message may be there, and is sent at least once."""
    one = Installation()
    one.server.plan = [Killed()]
    with pytest.raises(Killed):
        one.once(LETTERS)
    one.check(LETTERS, minutes=5)
    first, second = (message for _, message, _ in one.server.messages)
    assert not first.body.startswith(MAY_HAVE_ARRIVED)
    assert second.body.startswith(MAY_HAVE_ARRIVED)
    assert second.subject == first.subject


def test_a_process_that_is_interrupted_each_time_does_not_send_for_ever() -> None:
    """An interruption is an attempt, and attempts are bounded."""
    one = Installation()
    one.server.plan = [Killed() for _ in range(100)]
    for _ in range(12 * 12):
        try:
            one.once(LETTERS)
        except Killed:
            # Redis ends the lease of the dead process; here no time passes for it.
            one.redis.delete(Keys().notifications_lease)
        one.clock.advance(5 * MINUTE)
    assert len(one.server.messages) == len(RETRY_WAITS) + 1
    assert one.target().lost == 1


def test_of_two_processes_one_checks() -> None:
    """While it sends, the other one does nothing."""
    one = Installation()
    one.server.meanwhile = lambda: one.once(LETTERS)
    one.check(LETTERS, minutes=5)
    assert len(one.server.messages) == 1


def test_a_process_that_lost_its_lease_records_nothing() -> None:
    """Another one has taken over: what the first one wrote would undo it."""
    one = Installation()
    one.server.meanwhile = lambda: one.redis.set(Keys().notifications_lease, "another")
    with pytest.raises(TransientError):
        one.once(LETTERS)
    assert one.target().sending_since == NOON
    assert one.redis.get(Keys().notifications_lease) == b"another"


def test_the_lease_ends_by_itself() -> None:
    """So that a process that was killed holds nobody up for longer than minutes."""
    one = Installation()
    with one.store.lease() as token:
        assert token
        assert 0 < one.redis.pttl(Keys().notifications_lease) <= LEASE_DURATION.total_seconds() * 1000
        with one.store.lease() as other:
            assert other is None
    assert not one.redis.exists(Keys().notifications_lease)


def test_a_server_that_is_away_is_asked_again_and_gets_the_present_state() -> None:
    """What is over by then is not told; attempts are far apart, and a failing target is a problem that is shown."""
    one = Installation()
    one.server.plan = [DeliveryFailure.NOT_CONNECTED] * 4
    one.check(LETTERS, minutes=30)
    assert len(one.server.messages) == 4
    (alert,) = alerts(replace(WELL, notifications=one.store.read()))
    assert (alert.code, alert.about) == ("notify_failed", "json 1")
    one.check(minutes=120)
    assert len(one.server.messages) == 4
    one.check(replace(WELL, redis_memory=0.9), minutes=12)
    assert one.server.subjects[4:] == ["passback: Redis uses 90% of its memory."]
    assert not list(one.store.read().failing())


def test_a_lost_message_is_reported_until_one_arrives() -> None:
    """And is not sent later, when nobody waits for it; the next summary lists what is open."""
    one = Installation()
    one.server.plan = [DeliveryFailure.CREDENTIALS_REFUSED] * (len(RETRY_WAITS) + 1)
    with structlog.testing.capture_logs() as logs:
        one.check(LETTERS, minutes=12 * 60, every=10)
    assert len(one.server.messages) == len(RETRY_WAITS) + 1
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["notification_lost"]
    assert [target.lost for target in one.store.read().failing()] == [1]
    one.check(LETTERS, minutes=12 * 60, every=10)
    (_, summary, _) = one.server.messages[-1]
    assert summary.subject == "passback, daily summary: 1 thing needs a person"
    assert "Canvas kept answering" in summary.body
    assert not list(one.store.read().failing())


def test_one_target_that_fails_holds_no_other_up() -> None:
    """Each has its own state; the one that works is told of the other."""
    one = Installation(urls=f"{URL} mailto://127.0.0.1")
    fails_for_json = Server()

    def deliver(target: Target, message: Message, kind: MessageKind) -> DeliveryFailure | None:
        fails_for_json.messages.append((target.id, message, kind))
        return DeliveryFailure.TIMED_OUT if target.id == "json 1" else None

    for _ in range(60):
        now = one.clock.now()
        status = replace(LETTERS, now=now, last_event_at=now, notifications=one.store.read())
        Notifier(one.store, one.settings, one.clock, deliver, can_send=True).run(status)
        one.clock.advance(MINUTE)
    mails = [message.subject for target_id, message, _ in fails_for_json.messages if target_id == "mailto 1"]
    assert mails == [
        "passback: 1 job waits for a person. Canvas kept answering with an error.",
        "passback: Nobody is told through json 1: its server did not answer in time.",
    ]


def test_a_wrong_recipient_does_not_make_others_hear_twice() -> None:
    """The message is not sent again, and the target is reported."""
    one = Installation()
    one.server.plan = [DeliveryFailure.RECIPIENT_REFUSED]
    one.check(LETTERS, minutes=60)
    assert len(one.server.messages) == 1
    assert [target.failure for target in one.store.read().failing()] == [DeliveryFailure.RECIPIENT_REFUSED]


def test_without_the_extra_nothing_is_lost() -> None:
    """It is a problem at once, no attempt is spent, and once it is installed everything open is told."""
    one = Installation()
    one.can_send = False
    one.check(LETTERS, minutes=24 * 60, every=15)
    assert one.server.messages == []
    (alert,) = alerts(replace(WELL, notifications=one.store.read()))
    assert "pip install 'passback[notify]'" in alert.remedy
    one.can_send = True
    one.check(LETTERS)
    assert len(one.server.messages) == 1
    assert not list(one.store.read().failing())


def local(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2031, month, day, hour, minute, tzinfo=CHICAGO).astimezone(UTC)


@pytest.mark.parametrize(
    ("evening", "morning", "hours"),
    [
        (local(8, 22), local(9, 6), 7),  # The clocks leave out an hour in this night …
        (local(1, 22, month=11), local(2, 6, month=11), 9),  # … and pass one twice in this one.
        (local(4, 22), local(5, 6), 8),
    ],
)
def test_quiet_hours_end_on_the_districts_clocks(evening: datetime, morning: datetime, hours: int) -> None:
    """Whatever the night does, the message goes at six: one, with what is still there."""
    one = Installation(quiet="* 0-5,22-23 * * *", at=evening)
    assert morning - evening == timedelta(hours=hours)
    one.check(replace(LETTERS, redis_memory=0.9), minutes=60)
    one.check(replace(LETTERS, redis_memory=0.1), minutes=(hours - 1) * 60)
    assert one.clock.now() == morning
    assert one.server.messages == []
    one.check(LETTERS)
    assert one.server.subjects == ["passback: 1 job waits for a person. Canvas kept answering with an error."]


def test_the_daily_summary_goes_once_a_day_and_waits_for_the_end_of_quiet_hours() -> None:
    """Three days, one of them without an hour: three summaries, the first thing of the day."""
    one = Installation(quiet="* 0-6 * * *", at=local(7, 12))
    one.check(minutes=3 * 24 * 60, every=10)
    assert one.server.subjects == ["passback, daily summary: nothing needs a person"] * 3


def test_what_another_version_stored_is_no_end_of_messages() -> None:
    """What cannot be read counts as nothing: what is open is told once more."""
    one = Installation()
    one.redis.set(Keys().notifications, json.dumps({"episodes": [1]}))
    one.check(LETTERS, minutes=3)
    assert len(one.server.messages) == 1


@pytest.mark.parametrize(
    ("urls", "ids"),
    [
        ("", []),
        ("json://a  mailtos://b json://c", ["json 1", "mailtos 1", "json 2"]),
        ("mailtos://b JSON://a", ["mailtos 1", "json 1"]),
    ],
)
def test_targets_are_named_by_scheme_and_number(urls: str, ids: Sequence[str]) -> None:
    """One that is added changes the name of no other."""
    assert [target.id for target in targets_of(SecretStr(urls))] == ids
