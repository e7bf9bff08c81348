"""Dead letters as the pages and the API list and choose them: a group or a page at a time."""

from dataclasses import dataclass
from datetime import datetime

from shared.adapters.redis.dead_letters.dead_messages import ID_PREFIX
from shared.domain.passback.course_state import DeadLetter
from workers.container import Container
from workers.dead_letters.filters import Selection

MESSAGES = "messages"
"""Stands, in place of a cause, for all messages that nobody could read."""


@dataclass(frozen=True, slots=True)
class DeadLetterGroup:
    """How many letters have a cause."""

    cause: str
    letters: int


@dataclass(frozen=True, slots=True)
class DeadLetterPage:
    """Some letters, and after which the next page comes; None at the end."""

    letters: tuple[DeadLetter, ...]
    next_start: str | None


def groups(service: Container) -> list[DeadLetterGroup]:
    """Return the groups, the largest first."""
    counted = [DeadLetterGroup(cause, letters) for cause, letters in service.dead_letters.causes().items()]
    if messages := service.dead_messages.count():
        counted.append(DeadLetterGroup(MESSAGES, messages))
    return sorted(counted, key=lambda group: (-group.letters, group.cause))


def page(service: Container, cause: str | None, start: str | None, limit: int) -> DeadLetterPage:
    """Return a page of the letters of a cause, of all courses' (None), or of `MESSAGES`; `start` is `next_start`."""
    if cause == MESSAGES:
        found = service.dead_messages.page(start, limit + 1)
        return DeadLetterPage(tuple(found[:limit]), found[limit - 1].id if len(found) > limit else None)
    first = int(start) if start and start.isdecimal() else 0
    letters = service.dead_letters
    found = letters.page(first, limit + 1) if cause is None else letters.of_cause(cause, first, limit + 1)
    return DeadLetterPage(tuple(found[:limit]), str(first + limit) if len(found) > limit else None)


def find(service: Container, letter_id: str) -> DeadLetter | None:
    """Return an open letter."""
    if letter_id.startswith(ID_PREFIX):
        return service.dead_messages.find(letter_id)
    return service.dead_letters.find(letter_id)


@dataclass(frozen=True, slots=True)
class DeadLetterSelection:
    """Which letters are meant: these, those of a cause or since a time, or all; what is given has to fit."""

    ids: tuple[str, ...] = ()
    cause: str | None = None
    since: datetime | None = None

    def of(self, service: Container) -> list[DeadLetter]:
        """Return the letters that are meant and still open."""
        if self.ids:
            named = [letter for letter_id in dict.fromkeys(self.ids) if (letter := find(service, letter_id))]
            return Selection(cause=self.cause, since=self.since).of(named)
        if self.cause is None:
            return Selection(since=self.since).of(service.dead_letter_queue.all())
        messages = service.dead_messages.all()
        if self.cause == MESSAGES:
            return Selection(since=self.since).of(messages)
        of_cause = service.dead_letters.of_cause(self.cause, 0, -1)
        return Selection(cause=self.cause, since=self.since).of([*of_cause, *messages])
