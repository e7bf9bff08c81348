"""Lists and selects dead letters for the pages and the API."""

from collections.abc import Sequence
from datetime import datetime

from shared.adapters.redis.dead_letters.dead_messages import ID_PREFIX
from shared.domain.outcome import DeadLetter
from workers.container import Container
from workers.dead_letters import filter_dead_letters

MESSAGES = "messages"
"""Stands, in place of a cause, for all unreadable messages."""


def page(
    service: Container, cause: str | None, start: str | None, limit: int
) -> tuple[Sequence[DeadLetter], str | None]:
    """Return a page of a cause's dead letters, of all courses' (None), or of `MESSAGES`, and the next page's `start`.

    `start` is None at the beginning, and after the last page.
    """
    if cause == MESSAGES:
        messages = service.dead_messages.page(start, limit + 1)
        return messages[:limit], messages[limit - 1].id if len(messages) > limit else None
    first = int(start) if start and start.isdecimal() else 0
    store = service.dead_letters
    found = store.page(first, limit + 1) if cause is None else store.of_cause(cause, first, limit + 1)
    return found[:limit], str(first + limit) if len(found) > limit else None


def find(service: Container, dead_letter_id: str) -> DeadLetter | None:
    """Return an open dead letter."""
    store = service.dead_messages if dead_letter_id.startswith(ID_PREFIX) else service.dead_letters
    return store.find(dead_letter_id)


def select(
    service: Container, ids: Sequence[str] = (), cause: str | None = None, since: datetime | None = None
) -> list[DeadLetter]:
    """Return the open dead letters that match every given condition; all of them without one."""
    if ids:
        named = [found for dead_letter_id in dict.fromkeys(ids) if (found := find(service, dead_letter_id))]
        return filter_dead_letters(named, cause=cause, since=since)
    if cause is None:
        return filter_dead_letters(service.dead_letter_queue.all(), since=since)
    messages = service.dead_messages.all()
    if cause == MESSAGES:
        return filter_dead_letters(messages, since=since)
    of_cause = [*service.dead_letters.of_cause(cause, 0, -1), *messages]
    return filter_dead_letters(of_cause, cause=cause, since=since)
