"""The weekly digest: each teacher once, whoever dies and whatever is away; addresses in no store and no log."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import fakeredis
import pytest
import structlog
from pydantic import SecretStr

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.notifications import TeacherDigests
from shared.domain.notifications.messages import Message
from shared.domain.notifications.state import DeliveryFailure
from shared.domain.notifications.teachers import (
    RETRY_WAITS,
    AssignmentNeeds,
    CourseNeeds,
    Digest,
    DigestPhase,
)
from shared.domain.passback.rules.reasons import Reason
from shared.errors import NotFound, TransientError
from tests.manual_clock import ManualClock
from workers.notifications.delivery import MessageKind, Target
from workers.notifications.teachers import SLICE, TeacherDigest, url_to

CHICAGO = ZoneInfo("America/Chicago")
SUNDAY = datetime(2031, 3, 2, 18, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
URL = SecretStr("mailtos://user:hunter2@smtp.district.example:587/?from=passback@district.example")
NEEDS = (AssignmentNeeds("5", "Essay", (Reason.POINTS_MISSING,), 0),)


class Killed(BaseException):
    """The process ends."""


@dataclass
class School:
    """Canvas's teachers, the courses that need them, a mail server, and a clock that each message moves."""

    teachers_of: dict[str, dict[str, str]]
    open_courses: set[str]
    clock: ManualClock = field(default_factory=lambda: ManualClock(SUNDAY))
    redis: fakeredis.FakeRedis = field(default_factory=lambda: fakeredis.FakeRedis(server=fakeredis.FakeServer()))
    plan: list[DeliveryFailure | BaseException | None] = field(default_factory=list)
    mails: list[tuple[str, Message]] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    takes: timedelta = timedelta(0)

    def teachers(self, course_id: str) -> dict[str, str]:
        if course_id in self.errors:
            raise self.errors[course_id]
        return dict(self.teachers_of[course_id])

    def deliver(self, target: Target, message: Message, _kind: MessageKind) -> DeliveryFailure | None:
        (address,) = parse_qs(urlsplit(target.url.get_secret_value()).query)["to"]
        self.mails.append((address, message))
        self.clock.advance(self.takes)
        outcome = self.plan.pop(0) if self.plan else None
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def needs(self, course_id: str) -> CourseNeeds | None:
        return CourseNeeds(course_id, "Biology", NEEDS) if course_id in self.open_courses else None

    @property
    def store(self) -> TeacherDigests:
        return TeacherDigests(self.redis, Keys())

    def digest(self) -> TeacherDigest:
        return TeacherDigest(
            self.store, lambda: self, self.needs, lambda: sorted(self.teachers_of), self.deliver, self.clock, CHICAGO,
            URL, "https://canvas.example", with_names=False,
        )  # fmt: skip

    def run(self, minutes: int = 1, every: int = 1) -> None:
        for _ in range(0, minutes, every):
            self.digest().run()
            self.clock.advance(MINUTE * every)

    @property
    def addresses(self) -> list[str]:
        return [address for address, _ in self.mails]

    @property
    def state(self) -> Digest:
        found = self.store.read()
        assert found is not None
        return found


def school(**changes: object) -> School:
    """Ada teaches three courses, of which two need her; Bo one of them; Cy has no address; Di's course needs nobody."""
    teachers: Mapping[str, dict[str, str]] = {
        "101": {"1": "ada@district.example", "2": "bo@district.example"},
        "102": {"1": "ada@district.example", "3": ""},
        "103": {"1": "ada@district.example", "4": "di@district.example"},
    }
    made = School({course: dict(each) for course, each in teachers.items()}, {"101", "102"})
    for name, value in changes.items():
        setattr(made, name, value)
    # A new installation begins with the next Monday.
    made.run()
    made.clock.advance(timedelta(days=1))
    return made


def test_each_teacher_is_told_once_a_week_of_all_their_courses() -> None:
    """Only those of courses that need somebody; nobody before the first Monday."""
    one = school()
    assert one.mails == []
    one.run(minutes=20 * 24 * 60, every=60)
    assert sorted(one.addresses) == ["ada@district.example"] * 3 + ["bo@district.example"] * 3
    ada = next(message for address, message in one.mails if address.startswith("ada"))
    assert [f"Course {course}:" in ada.body for course in ("101", "102", "103")] == [True, True, False]
    assert one.state == Digest(one.state.due, sent=2, without_address=1)


def test_a_teacher_whose_work_is_mended_meanwhile_is_not_told() -> None:
    """What counts is what is open when the message is sent."""
    one = school(takes=SLICE)
    one.run()
    assert len(one.mails) == 1
    one.open_courses.clear()
    one.run(minutes=10)
    assert len(one.mails) == 1
    assert one.state.phase is DigestPhase.DONE


def test_a_slice_ends_and_the_next_one_goes_on() -> None:
    """Messages to administrators do not wait for those to a thousand teachers."""
    people = {str(number): f"t{number}@district.example" for number in range(10)}
    one = school(takes=SLICE / 2, teachers_of={"101": people}, open_courses={"101"})
    for sent in (2, 4, 6):
        one.run()
        assert len(one.mails) == sent
    one.run(minutes=5)
    assert sorted(one.addresses) == sorted(people.values())


def test_a_process_that_dies_while_it_sends_tells_nobody_twice() -> None:
    """The teacher is told at the most once: next week's digest has what is still open."""
    one = school()
    one.plan = [Killed()]
    with pytest.raises(Killed):
        one.run()
    one.run(minutes=60)
    assert sorted(one.addresses) == ["ada@district.example", "bo@district.example"]


def test_a_message_of_which_nobody_knows_whether_it_arrived_is_not_sent_again() -> None:
    """A server that answers too late may have it; the others' messages wait a little."""
    one = school()
    one.plan = [DeliveryFailure.TIMED_OUT]
    one.run()
    assert len(one.mails) == 1
    one.run(minutes=10)
    assert len(one.mails) == len(set(one.addresses)) == 2


def test_a_mail_server_that_is_away_is_asked_again_and_then_this_week_is_given_up() -> None:
    """Nobody is lost while it is asked; afterwards it is a problem that is shown, until next week."""
    one = school()
    one.plan = [DeliveryFailure.NOT_CONNECTED] * 3
    one.run(minutes=24 * 60, every=5)
    assert sorted(one.addresses[3:]) == ["ada@district.example", "bo@district.example"]
    assert not one.state.is_failing
    one.plan = [DeliveryFailure.CREDENTIALS_REFUSED] * 100
    one.clock.advance(timedelta(days=6))
    one.mails.clear()
    one.run(minutes=3 * 24 * 60, every=5)
    assert len(one.mails) == len(RETRY_WAITS) + 1
    assert one.state.phase is DigestPhase.LOST
    assert one.state.is_failing
    one.plan.clear()
    one.clock.advance(timedelta(days=5))
    one.run(minutes=10)
    assert one.state.phase is DigestPhase.DONE


def test_an_address_that_is_refused_keeps_no_other_from_theirs() -> None:
    """It is counted, and not tried again."""
    one = school()
    one.plan = [DeliveryFailure.REFUSED]
    one.run(minutes=10)
    assert len(one.mails) == 2
    assert (one.state.sent, one.state.refused) == (1, 1)


def test_canvas_that_is_away_is_asked_again() -> None:
    """A course that it does not have, or does not show, is left out."""
    one = school()
    one.errors = {"101": TransientError("GET users: 503", cause="canvas_503")}
    one.run(minutes=4)
    assert one.mails == []
    one.errors = {"102": NotFound("GET users: 404", cause="canvas_404", status=404)}
    one.run(minutes=60)
    assert sorted(one.addresses) == ["ada@district.example", "bo@district.example"]
    assert one.state.unread == 1


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "ada@x.example,eve@evil.example",
        "ada@x.example\r\nBcc: e@evil.example",
        "a b@x.example",
        "<a@x.example>",
    ],
)
def test_what_is_not_one_address_gets_no_message(address: str) -> None:
    """Somebody's profile in Canvas adds no recipient."""
    one = school(teachers_of={"101": {"1": address}}, open_courses={"101"})
    one.run(minutes=10)
    assert one.mails == []
    assert one.state.without_address == 1


def test_addresses_and_names_are_neither_stored_nor_logged() -> None:
    """Nor is the mail server's password."""
    one = school(takes=SLICE)
    one.plan = [DeliveryFailure.NOT_CONNECTED]
    stored = b""
    with structlog.testing.capture_logs() as logs:
        for _ in range(20):
            one.run()
            for key in one.redis.scan_iter():
                stored += b" " + b" ".join(one.redis.dump(key) or b"" for _ in range(1))
    assert logs
    said = f"{logs} {stored!r}"
    assert [word for word in ("@district", "ada", "Biology", "Essay", "hunter2") if word in said] == []


def test_the_recipient_of_the_url_is_replaced() -> None:
    """Everything else of it stays; a path, a copy and another recipient do not."""
    server = "mailtos://u%40d:p%2Fw@smtp.example:465"
    url = SecretStr(f"{server}/x@y.example?to=a@b.example&cc=c@d.example&mode=ssl&from=P <p@d>")
    made = url_to(url, "ada+1@district.example").get_secret_value()
    assert made == f"{server}?mode=ssl&from=P%20%3Cp%40d%3E&to=ada%2B1%40district.example"


def test_two_processes_tell_a_teacher_once() -> None:
    """Also if one lost the lease while it read an address."""
    one = school()
    store = one.store
    store.begin(Digest(SUNDAY, DigestPhase.SENDING), [])
    store.course_read("101", ["1"])
    assert store.take("1")
    assert not store.take("1")
