"""Which dead letters are meant, how they group, and which are too many. Values in, values out."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from shared.domain.passback.course_state import DeadLetter, DeadLetterKind

# How long a dead letter is stored after its last failure, and how many are stored. The oldest are deleted first.
MAX_AGE = timedelta(days=90)
MAX_DEAD_LETTERS = 10_000
# A person is told before the bound is reached, not by it.
NEARLY_FULL = 0.8
NEARLY_TOO_OLD = 0.9


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person asks for; a letter is meant if everything that is given fits. `since` is inclusive."""

    ids: frozenset[str] = frozenset()
    cause: str | None = None
    since: datetime | None = None

    def of(self, letters: Iterable[DeadLetter]) -> list[DeadLetter]:
        """Return the letters that are meant, in their order."""
        return [letter for letter in letters if self._fits(letter)]

    def _fits(self, letter: DeadLetter) -> bool:
        return (
            (not self.ids or letter.id in self.ids)
            and self.cause in (None, letter.cause)
            and (self.since is None or letter.last_failed_at >= self.since)
        )


@dataclass(frozen=True, slots=True)
class CauseGroup:
    """The letters of one cause: how many, of how many courses, and between which failures."""

    cause: str
    letters: int
    courses: int
    first_failed_at: datetime
    last_failed_at: datetime


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long dead letters are kept after their last failure, and how many of them."""

    age: timedelta
    count: int

    def surplus(self, letters: Collection[DeadLetter], now: datetime) -> list[DeadLetter]:
        """Return the letters to drop: those that are too old, and the oldest of those that are too many."""
        by_age = sorted(letters, key=lambda letter: letter.last_failed_at)
        too_many = len(by_age) - self.count
        return [each for n, each in enumerate(by_age) if n < too_many or each.last_failed_at < now - self.age]

    def warning(self, count: int, oldest_at: datetime | None, now: datetime) -> str | None:
        """Return what a person should know before letters are dropped; None while there is room and time."""
        if count >= self.count * NEARLY_FULL:
            return f"{count} of at most {self.count} dead letters: the oldest will be dropped; retry or discard some"
        if oldest_at is not None and now - oldest_at >= self.age * NEARLY_TOO_OLD:
            days = self.age.days
            return f"the oldest dead letter is from {oldest_at:%Y-%m-%d}: letters are dropped after {days} days"
        return None


def by_cause(letters: Iterable[DeadLetter]) -> list[CauseGroup]:
    """Return the letters' groups, the largest first."""
    ordered = sorted(letters, key=lambda letter: letter.cause)
    groups = [_group(cause, list(members)) for cause, members in groupby(ordered, key=lambda letter: letter.cause)]
    return sorted(groups, key=lambda group: (-group.letters, group.cause))


def _group(cause: str, letters: Sequence[DeadLetter]) -> CauseGroup:
    return CauseGroup(
        cause=cause,
        letters=len(letters),
        courses=len({letter.course_id for letter in letters if letter.kind is DeadLetterKind.COURSE}),
        first_failed_at=min(letter.first_failed_at for letter in letters),
        last_failed_at=max(letter.last_failed_at for letter in letters),
    )


def jobs(letters: Iterable[DeadLetter]) -> list[list[DeadLetter]]:
    """Return what is retried at once: a course's letters together, since one sync answers them; a message alone."""
    found: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        found.setdefault(letter.course_id or letter.id, []).append(letter)
    return list(found.values())
