"""All attacks on the web process, from one process: port, seconds. Prints the number of each attack as JSON.

Each attack is a coroutine that runs until its time is over, without a password. `X-Forwarded-For` names several
senders, as behind a proxy that the web process trusts.
"""

import asyncio
import json
import random
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

HOST = "127.0.0.1"
CHUNKED = b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
HALF = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{"
PATHS = (b"/sign-in", b"/courses/1/sync", b"/api/v1/courses/1/sync", b"/metrics", b"/livez", b"/events/canvas")
GARBAGE = (b"\x16\x03\x01\x02\x00" * 20, b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n")
BLOCK = 256_000


class Attackers:
    """All attacks on one port. `done` counts each of them."""

    def __init__(self, port: int, until: float) -> None:
        self._port = port
        self._until = until
        self._random = random.Random(port)
        self.done: Counter[str] = Counter()

    def all(self) -> list[Awaitable[None]]:
        """Return every attack, as often as it is made at once."""
        several: list[tuple[int, str, Callable[[], Awaitable[None]]]] = [
            (3, "pipelined", lambda: self._pour(b"", b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")),
            (2, "pipelined events", lambda: self._pour(b"", HALF % b"/events/canvas" + b" " * 499)),
            (3, "trailers", lambda: self._pour(CHUNKED, b"a: b\r\n")),
            (1, "extensions", lambda: self._pour(CHUNKED[:-5] + b"2;a=", b"b")),
            (2, "headers", lambda: self._pour(b"GET /livez HTTP/1.1\r\n", b"a:\r\n")),
            (1, "an unread body", lambda: self._pour(HALF.replace(b"500", b"90000000") % b"/livez", b"x")),
            (4, "large bodies", self._large_body),
            (250, "silent", lambda: self._hold(b"")),
            (100, "half a head", lambda: self._hold(b"GET /livez HTTP/1.1\r\nHos")),
            (180, "half a body", lambda: self._hold(HALF % self._random.choice(PATHS))),
            (20, "guesses", self._guess),
            (4, "unread answers", self._read_nothing),
            (3, "garbage", lambda: self._ask(self._random.choice(GARBAGE))),
            (
                2,
                "hints",
                lambda: self._ask(b"POST /events/powerschool HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
            ),
            (2, "forged events", lambda: self._ask(_post(b"/events/canvas", b"eyJhbGciOiJub25lIn0.e30."))),
        ]
        return [self._again(name, attack) for number, name, attack in several for _ in range(number)]

    async def _again(self, name: str, attack: Callable[[], Awaitable[None]]) -> None:
        while time.monotonic() < self._until:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + self._until - time.monotonic() + 1):
                    await attack()
            self.done[name] += 1
            await asyncio.sleep(self._random.uniform(0.05, 0.2))

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection(HOST, self._port, limit=4096)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def _pour(self, head: bytes, unit: bytes) -> None:
        """Send without end and read nothing, until the server hangs up or takes no more."""
        block = unit * (BLOCK // len(unit) + 1)
        async with self._connected() as (_, writer):
            writer.write(head)
            async with asyncio.timeout(10):
                for _ in range(100):
                    writer.write(block)
                    await writer.drain()

    async def _large_body(self) -> None:
        """Send most of the largest body that a receiver reads, and stop."""
        async with self._connected() as (reader, writer):
            writer.write(
                b"POST /events/canvas HTTP/1.1\r\nHost: a\r\nContent-Length: 1999999\r\n\r\n" + b" " * 1_900_000
            )
            await reader.read()

    async def _hold(self, beginning: bytes) -> None:
        """Send a beginning and wait."""
        async with self._connected() as (reader, writer):
            writer.write(beginning)
            await reader.read()

    async def _guess(self) -> None:
        """Guess the operator's password at a page that asks for it."""
        basic = b64encode(f"operator:{self._random.random()}".encode())
        sender = f"198.51.{self._random.randrange(256)}.{self._random.randrange(256)}".encode()
        path = self._random.choice((b"/metrics", b"/api/v1/status"))
        head = b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        await self._ask(head + b"X-Forwarded-For: " + sender + b"\r\nAuthorization: Basic " + basic + b"\r\n\r\n")

    async def _read_nothing(self) -> None:
        """Ask for the largest page there is without a password, and never read it."""
        async with self._connected() as (_, writer):
            writer.write(b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n")
            await asyncio.sleep(5)

    async def _ask(self, request: bytes) -> None:
        """Send a request and read its answer."""
        async with self._connected() as (reader, writer):
            writer.write(request)
            async with asyncio.timeout(10):
                await reader.read(1000)


def _post(path: bytes, body: bytes) -> bytes:
    return b"POST " + path + b" HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def attack(port: int, seconds: float) -> Counter[str]:
    """Attack for so long; return how often each attack was made."""
    attackers = Attackers(port, time.monotonic() + seconds)
    await asyncio.gather(*attackers.all())
    return attackers.done


if __name__ == "__main__":
    json.dump(asyncio.run(attack(int(sys.argv[1]), float(sys.argv[2]))), sys.stdout)
