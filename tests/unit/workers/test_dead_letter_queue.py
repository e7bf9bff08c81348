"""What a person does about dead letters: choose, retry, cancel, discard; and that they stay bounded."""

from datetime import timedelta

from structlog.testing import capture_logs

from shared.adapters.redis.client import epoch_ms
from shared.adapters.redis.dead_letters.dead_messages import MALFORMED
from shared.domain.causes import Cause
from shared.domain.outcome import DeadLetterKind
from shared.domain.passback.changes import ChangeCause
from shared.queues import Queue
from tests.unit.workers.grade_passback.school import School
from workers.dead_letters import DeadLetterQueue, filter_dead_letters, group_by_cause

DAY = timedelta(days=1)
MAX_AGE, MAX_COUNT = 90 * DAY, 10


class Desk:
    """A queue over fakes with three letters: two of course 1, one of course 2, and a message."""

    def __init__(self, school: School) -> None:
        self.school, self.messages = school, school.stores.dead_messages
        self.provisioned: list[str] = []
        self.queue = DeadLetterQueue(
            school.dead_letters,
            self.messages,
            school.changes,
            school.clock,
            self.provisioned.append,
            MAX_AGE,
            MAX_COUNT,
        )
        for course_id, assignment_id, cause in (("1", "11", "timeout"), ("1", "12", "error"), ("2", None, "timeout")):
            school.dead_letters.add(course_id, assignment_id, cause, "", 6)
            school.clock.advance(timedelta(seconds=1))
        self.message = f"message-{epoch_ms(school.clock.now())}-0"
        self.hold(b"payload", b"\xff")

    def hold(self, name: bytes, value: bytes) -> None:
        """Let the message be as if a worker could not read it just now; of a large one, only `cut` is stored."""
        stores, id_ = self.school.stores, self.message.removeprefix("message-")
        fields = {b"stream": Queue.COURSE_SYNCS.encode(), b"reason": MALFORMED, name: value}
        stores.redis.delete(stores.keys.malformed)
        stores.redis.xadd(stores.keys.malformed, fields, id=id_)

    def republished(self) -> list[bytes]:
        """Return the messages that went back to their queue."""
        stores = self.school.stores
        return stores.redis.lrange(f"{stores.keys.prefix}:celery:{Queue.COURSE_SYNCS}", 0, -1)


def test_letters_are_chosen_by_everything_that_is_said(school: School) -> None:
    """Ids, cause and time narrow the choice together; nothing said chooses all."""
    letters = Desk(school).queue.all()
    chosen = filter_dead_letters(letters, cause="timeout", since=letters[1].last_failed_at)
    assert [letter.id for letter in chosen] == ["course-2"]
    assert filter_dead_letters(letters, ids={"assignment-1-12"}) == [letters[1]]
    assert filter_dead_letters(letters, since=letters[3].last_failed_at) == [letters[3]]
    assert filter_dead_letters(letters) == letters


def test_letters_are_selected_where_they_are_kept(school: School) -> None:
    """By ids, each once and only if it is open; by a cause, of courses or of a message; or all messages."""
    desk = Desk(school)
    one, other, whole, message = (each.id for each in desk.queue.all())

    def selected(**conditions: object) -> list[str]:
        return [each.id for each in desk.queue.select(**conditions)]  # type: ignore[arg-type]

    assert selected() == [one, other, whole, message]
    assert selected(ids=[message, one, message, "course-99"]) == [message, one]
    assert selected(ids=[message, one], cause="timeout") == [one]
    assert set(selected(cause="timeout")) == {one, whole}
    assert selected(cause=MALFORMED) == [message]
    assert selected(cause=Cause.MESSAGES) == [message]
    assert selected(cause=Cause.MESSAGES, since=school.clock.now() + DAY) == []


def test_letters_group_by_cause(school: School) -> None:
    """A flood shows as its causes, the largest first, with letters and courses."""
    groups = group_by_cause(Desk(school).queue.all())
    assert [(g["cause"], g["letters"], g["courses"]) for g in groups] == [
        ("timeout", 2, 2), ("error", 1, 1), ("malformed_message", 1, 0),
    ]  # fmt: skip


def test_a_retry_of_provisioning_asks_for_a_run(school: School) -> None:
    """The rosters are read anew; the letter stays open, marked, until a run succeeds, or a person discards it."""
    desk = Desk(school)
    letter = school.dead_letters.add_provisioning("7", "import_failed", "", 6)
    done = desk.queue.retry([letter], "operator")
    assert (done.retried, desk.provisioned) == (("provisioning",), ["operator"])
    [kept] = [each for each in desk.queue.all() if each.kind is DeadLetterKind.PROVISIONING]
    assert kept.retried_at is not None
    assert desk.queue.export_json(kept)["source"] == "7"
    desk.queue.discard([kept], "operator")
    assert "provisioning" not in [each.id for each in desk.queue.all()]


def test_a_retry_looks_at_each_course_once(school: School) -> None:
    """A course with several letters is asked for once, by the person; its letters stay open, marked."""
    desk = Desk(school)
    done = desk.queue.retry(desk.queue.all(), "operator")
    assert done.retried == ("assignment-1-11", "assignment-1-12", "course-2", desk.message)
    assert school.changes.requested == [("1", ChangeCause.PERSON), ("2", ChangeCause.PERSON)]
    assert desk.republished() == [b"\xff"]
    assert {letter.retried_at for letter in desk.queue.all()} == {school.clock.now()}
    assert len(desk.queue.all()) == 3


def test_a_retry_may_be_cancelled(school: School) -> None:
    """Once cancelled between two jobs, the rest is untouched and can be retried later."""
    desk, answers = Desk(school), iter([False, True])
    done = desk.queue.retry(desk.queue.all(), "operator", lambda: next(answers))
    assert (done.retried, done.not_attempted) == (("assignment-1-11", "assignment-1-12", "course-2"), (desk.message,))
    assert desk.republished() == []


def test_what_cannot_go_back_is_said(school: School) -> None:
    """A message that cannot be put back stays where it is, and does not keep others from being retried."""
    desk = Desk(school)
    desk.hold(b"cut", b"1")
    done = desk.queue.retry(desk.queue.all(), "operator")
    assert done.not_possible == (desk.message,)
    assert desk.messages.count() == 1


def test_discarded_letters_are_gone(school: School) -> None:
    """Discarding removes letters and messages, does none of their work, and is in the log with who did it."""
    desk = Desk(school)
    with capture_logs() as lines:
        assert desk.queue.discard(desk.queue.all(), "operator") == 4
    assert desk.queue.all() == []
    assert school.changes.requested == []
    assert {(line["event"], line["actor"]) for line in lines} == {("dead_letter_discarded", "operator")}


def test_too_old_and_too_many_letters_are_dropped(school: School) -> None:
    """What is past its age goes, then the oldest until the count is kept; each is in the log first."""
    desk = Desk(school)
    school.clock.advance(90 * DAY - timedelta(seconds=1))
    school.dead_letters.add("3", None, "timeout", "", 6)
    with capture_logs() as lines:
        assert desk.queue.enforce_limits() == 2
    assert [line["letter_id"] for line in lines] == ["assignment-1-11", "assignment-1-12"]
    for n in range(12):
        school.dead_letters.add(f"9{n}", None, "timeout", "", 6)
        school.clock.advance(timedelta(seconds=1))
    surplus = [letter.id for letter in desk.queue.all()[:-MAX_COUNT]]
    with capture_logs() as lines:
        assert desk.queue.enforce_limits() == len(surplus)
    assert [line["letter_id"] for line in lines] == surplus
    assert len(desk.queue.all()) == MAX_COUNT


def test_a_person_is_warned_before(school: School) -> None:
    """From four fifths of the count, and nine tenths of the age, the status warns; nothing is dropped by then."""
    desk = Desk(school)
    assert desk.queue.warning() is None
    for n in range(4):
        school.dead_letters.add(f"9{n}", None, "timeout", "", 6)
    assert desk.queue.warning() is not None
    desk.queue.discard(desk.queue.all()[1:], "operator")
    assert desk.queue.warning() is None
    school.clock.advance(85 * DAY)
    assert desk.queue.warning() is not None
    assert desk.queue.enforce_limits() == 0
