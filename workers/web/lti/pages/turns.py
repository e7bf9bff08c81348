"""Bounds what one person can ask of Canvas and PowerSchool: of the pages that read both, one is made at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary


@dataclass(eq=False)
class _Turn:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0


class Turns:
    """Gives each person one turn at a time in this process.

    Whoever asks again waits until the first page is there, and takes up no thread. Of several that wait the newest
    alone is made: nobody looks at the others any more. Nothing is kept of who does not wait.
    """

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, person: str) -> AsyncIterator[bool]:
        """Wait for the person's turn, and hold it. Yield whether this is still what the person asked for last."""
        turn = self._turns.setdefault(person, _Turn())
        turn.asked += 1
        number = turn.asked
        async with turn.lock:
            yield number == turn.asked
