"""What is told, when, and how often: conditions and a clock in, what a target lacks out."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.notifications.rules import (
    CLEAR_AFTER,
    GAP_AFTER,
    MAX_CLEAR_AFTER,
    RETRY_WAITS,
    Pending,
    checked,
    clear_after,
    delivered,
    failed,
    gaps_of,
    is_due,
    pending,
)
from shared.domain.notifications.state import Condition, DeliveryFailure, Episode, NotificationState, TargetState

START = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
TICK = timedelta(minutes=1)
DAY = timedelta(days=1)
NEVER = START - DAY
LETTERS = Condition("dead_letters:canvas_", "dead_letters", "1 job waits for a person.")
OUTAGE = Condition("system_unwell:canvas", "system_unwell", "Canvas is unavailable.")
SILENCE = Condition("silence", "silence", "Canvas has sent no event.")
GONE = Condition("process_gone:worker", "process_gone", "worker@host:1 was last seen long ago.")
OWN = Condition("notify_failed:json 1", "notify_failed", "Nobody is told through json 1.")


@dataclass
class Told:
    """A target that takes every message, and the checks that lead to them, a minute apart."""

    now: datetime = START
    state: NotificationState = field(default_factory=NotificationState)
    messages: list[Pending] = field(default_factory=list)
    summary_due: datetime = NEVER

    def check(self, *found: Condition, minutes: int = 1, not_judged: Sequence[str] = (), quiet: bool = False) -> None:
        for _ in range(minutes):
            self.state = checked(self.state, found, not_judged, ["json 1"], self.now, self.summary_due)
            message = pending(self.state, "json 1", self.now, self.summary_due)
            if message and not quiet:
                self.messages.append(message)
                target = delivered(self.state.target("json 1"), message, self.now)
                self.state = NotificationState(
                    self.state.checked_at, self.state.episodes, {"json 1": target}, self.state.gaps
                )
            self.now += TICK

    @property
    def keys(self) -> list[tuple[list[str], list[str]]]:
        return [([e.condition.key for e in m.opened], [e.condition.key for e in m.ended]) for m in self.messages]


def test_a_condition_is_told_once_and_so_is_its_end() -> None:
    """However long it lasts and however its numbers change."""
    notified = Told()
    for jobs in range(1, 1001):
        notified.check(Condition(LETTERS.key, LETTERS.code, f"{jobs} jobs wait for a person."))
    assert notified.keys == [([LETTERS.key], [])]
    notified.check(minutes=600)
    assert notified.keys == [([LETTERS.key], []), ([], [LETTERS.key])]
    (ended,) = notified.messages[1].ended
    assert (ended.since, ended.ended_at) == (START, START + 1000 * TICK)
    assert ended.condition.title == "1000 jobs wait for a person."


@pytest.mark.parametrize(("minutes", "messages"), [(10, 0), (11, 1)])
def test_a_condition_is_told_once_it_lasted(minutes: int, messages: int) -> None:
    """A system that is away for ten minutes is told after ten minutes; one that came back before never was."""
    notified = Told()
    notified.check(OUTAGE, minutes=minutes)
    assert len(notified.messages) == messages
    notified.check(minutes=60)
    assert len(notified.messages) == 2 * messages


def test_an_absence_shorter_than_ten_minutes_is_no_end() -> None:
    """The end is when it was last gone, and is told once it stayed away."""
    notified = Told()
    notified.check(LETTERS)
    notified.check(minutes=int(CLEAR_AFTER / TICK) - 1)
    notified.check(LETTERS)
    assert len(notified.messages) == 1
    notified.check(minutes=int(CLEAR_AFTER / TICK) + 1)
    (ended,) = notified.messages[1].ended
    assert ended.ended_at == START + timedelta(minutes=11)


def test_quiet_hours_lose_nothing_and_collapse() -> None:
    """What is still there is told at their end; what came and went meanwhile is not; an end waits, too."""
    notified = Told()
    notified.check(LETTERS)
    notified.check(SILENCE, quiet=True, minutes=60)
    notified.check(quiet=True, minutes=60)
    notified.check(OUTAGE, quiet=True, minutes=60)
    notified.check(OUTAGE)
    assert notified.keys == [([LETTERS.key], []), ([OUTAGE.key], [LETTERS.key])]


def test_what_ended_and_began_again_in_quiet_hours_is_still_there() -> None:
    """The target knows of it: nothing is told until it is over."""
    notified = Told()
    notified.check(LETTERS)
    notified.check(quiet=True, minutes=120)
    notified.check(LETTERS, quiet=True)
    notified.check(LETTERS, minutes=10)
    assert notified.keys == [([LETTERS.key], [])]


def test_what_is_not_judged_is_not_over() -> None:
    """School ends, and whether events come again is not known: nothing is told until one came or school is on."""
    notified = Told()
    notified.check(SILENCE)
    notified.check(not_judged=["silence"], minutes=16 * 60)
    notified.check(SILENCE, minutes=60)
    assert notified.keys == [([SILENCE.key], [])]
    notified.check(minutes=11)
    assert notified.keys[1:] == [([], [SILENCE.key])]


def test_not_judged_minutes_do_not_count_towards_an_end() -> None:
    """An absence that nobody could see is none."""
    notified = Told()
    notified.check(SILENCE)
    notified.check()
    notified.check(not_judged=["silence"], minutes=30)
    notified.check(minutes=10)
    assert len(notified.messages) == 1
    notified.check()
    assert len(notified.messages) == 2


@settings(max_examples=10)
@given(st.lists(st.booleans(), min_size=24 * 60, max_size=24 * 60))
def test_a_condition_that_comes_and_goes_does_not_flood(is_there: list[bool]) -> None:
    """Whatever it does within a day: a few messages, each end after its beginning."""
    notified = Told()
    for there in is_there:
        notified.check(*([LETTERS] if there else []))
    assert len(notified.messages) <= 16
    assert [bool(message.ended) for message in notified.messages] == [n % 2 == 1 for n in range(len(notified.messages))]


@pytest.mark.parametrize("minutes", [11, 20, 45, 90, 200])
def test_a_steady_flapping_becomes_one_long_episode(minutes: int) -> None:
    """On and off for days, however fast: at most a dozen messages on the first day, and less than one per off later."""
    notified = Told()
    for _ in range(24 * 60 // (2 * minutes)):
        notified.check(LETTERS, minutes=minutes)
        notified.check(minutes=minutes)
    assert len(notified.messages) <= 12


def test_the_wait_for_an_end_doubles_up_to_six_hours() -> None:
    """And no number of returns makes it longer."""
    waits = [clear_after(Episode(LETTERS, START, returns=returns)) for returns in (0, 1, 2, 5, 6, 10_000)]
    assert waits == [CLEAR_AFTER, CLEAR_AFTER * 2, CLEAR_AFTER * 4, CLEAR_AFTER * 32, MAX_CLEAR_AFTER, MAX_CLEAR_AFTER]


def test_what_restarts_leave_behind_is_in_the_summary_only() -> None:
    """Nobody is woken by an upgrade; the summary has it under what is open."""
    notified = Told()
    notified.check(GONE, minutes=600)
    assert notified.messages == []
    assert [episode.condition for episode in notified.state.open_episodes] == [GONE]


def test_a_target_is_not_told_that_it_fails() -> None:
    """Others are."""
    state = checked(NotificationState(), [OWN], (), ["json 1", "json 2"], START, NEVER)
    later = START + timedelta(hours=1)
    assert not pending(state, "json 1", later, NEVER)
    assert pending(state, "json 2", later, NEVER)


def test_the_daily_summary_is_told_once_and_tells_what_is_open() -> None:
    """What it lists is not told once more; a new target begins with the next one."""
    notified = Told()
    notified.check(OUTAGE)
    assert notified.messages == []
    notified.summary_due = notified.now
    notified.check(OUTAGE, minutes=60)
    (message,) = notified.messages
    assert message.summary == notified.summary_due
    assert [episode.condition for episode in message.opened] == [OUTAGE]


def test_a_target_that_is_added_is_told_what_is_open() -> None:
    """And the others are not told again; one that is removed is forgotten."""
    state = checked(NotificationState(), [LETTERS], (), ["json 1"], START, NEVER)
    target = delivered(state.target("json 1"), pending(state, "json 1", START, NEVER), START)
    state = NotificationState(START, state.episodes, {"json 1": target})
    state = checked(state, [LETTERS], (), ["mailtos 1", "json 1"], START, NEVER)
    assert pending(state, "mailtos 1", START, NEVER).opened
    assert not pending(state, "json 1", START, NEVER)
    assert list(checked(state, [LETTERS], (), ["mailtos 1"], START, NEVER).targets) == ["mailtos 1"]


def test_attempts_are_bounded_and_then_the_message_is_lost() -> None:
    """It counts as told: the message of its end says what it was, and the daily summary has what is still open."""
    message = Pending((Episode(LETTERS, START),))
    target, now, attempts = TargetState("json 1"), START, 0
    while not target.lost:
        assert is_due(target, message, now)
        target = failed(target, message, DeliveryFailure.TIMED_OUT, now)
        attempts += 1
        if target.next_attempt_at is not None:
            assert not is_due(target, message, target.next_attempt_at - timedelta(seconds=1))
            now = target.next_attempt_at
    assert attempts == len(RETRY_WAITS) + 1
    assert target.notified == {LETTERS.key}
    assert target.failing_since == START
    assert delivered(target, Pending(ended=message.opened), now) == TargetState("json 1", delivered_at=now)


def test_an_end_outlives_the_memory_of_returns_while_it_is_untold() -> None:
    """A target whose server is away for two days still hears that it is over."""
    notified = Told()
    notified.check(LETTERS)
    notified.check(quiet=True, minutes=3 * 24 * 60)
    notified.check()
    assert notified.keys == [([LETTERS.key], []), ([], [LETTERS.key])]
    notified.check(minutes=2)
    assert notified.state.episodes == {}


def test_a_time_without_checks_is_remembered() -> None:
    """For the summary: nobody can be told by a worker that does not run."""
    notified = Told()
    notified.check(minutes=2)
    notified.now += GAP_AFTER
    notified.check(minutes=2)
    (gap,) = notified.state.gaps
    assert gap.end - gap.start == GAP_AFTER + TICK
    target = notified.state.target("json 1")
    assert gaps_of(notified.state, target) == [gap]
    assert gaps_of(notified.state, replace(target, summary=gap.end)) == []


def test_a_time_in_which_nobody_was_to_be_told_is_no_gap() -> None:
    """The setting was empty for a month: that says nothing about workers."""
    state = checked(NotificationState(START), [], (), ["json 1"], START + 30 * DAY, NEVER)
    assert state.gaps == ()
