"""A load generator of its own process: keep-alive connections, each with one request under way at a time."""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast

import uvloop

MAX_REQUESTS = 1_000_000
GRACE_S = 10.0


class Connection(asyncio.Protocol):
    """Sends the next request as soon as the last one is answered, until its time is over."""

    def __init__(self, requests: list[bytes], first: int, until: float) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[bytes] = Counter()
        self.done = asyncio.get_running_loop().create_future()
        self._requests = requests
        self._next = first
        self._until = until
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Record a complete response, and send the next request."""
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < _content_length(head):
            return
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at)
        self.statuses[head[9:12]] += 1
        self._answer = b""
        if now >= self._until or len(self.latencies) >= MAX_REQUESTS:
            self._transport.close()
        else:
            self._send()

    def connection_lost(self, _exc: Exception | None) -> None:
        """Mark the connection as done."""
        self.done.set_result(None)

    def _send(self) -> None:
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += 1


def _content_length(head: bytes) -> int:
    _, _, rest = head.partition(b"content-length: ")
    return int(rest.partition(b"\r\n")[0] or 0)


def post(path: str, body: bytes) -> bytes:
    """Return a whole HTTP request with this body."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: receiver\r\nuser-agent: load\r\naccept: */*\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def generate(port: int, bodies: list[bytes], connections: int, seconds: float) -> dict[str, object]:
    """Return what `connections` senders measured in `seconds`: events a second and latencies in milliseconds."""
    requests = [post("/events/canvas", body) for body in bodies]
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    senders = []
    for first in range(connections):
        _, sender = await loop.create_connection(
            lambda first=first: Connection(requests, first * 7, began + seconds), "127.0.0.1", port
        )
        senders.append(sender)
    async with asyncio.timeout(seconds + GRACE_S):
        await asyncio.gather(*(sender.done for sender in senders))
    took = time.perf_counter() - began
    return _summary(senders, took)


def _summary(senders: list[Connection], took: float) -> dict[str, object]:
    latencies = sorted(latency for sender in senders for latency in sender.latencies)
    statuses: Counter[bytes] = sum((sender.statuses for sender in senders), Counter())
    percentiles = statistics.quantiles(latencies, n=100)
    return {
        "per_second": statuses[b"202"] / took,
        "accepted": statuses[b"202"],
        "others": sum(statuses.values()) - statuses[b"202"],
        "p50_ms": percentiles[49] * 1000,
        "p99_ms": percentiles[98] * 1000,
    }


def main() -> None:
    """Send and print the summary as JSON."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--bodies", type=Path, required=True, help="file with one body per line")
    arguments.add_argument("--connections", type=int, default=64)
    arguments.add_argument("--seconds", type=float, default=2.0)
    given = arguments.parse_args()
    bodies = given.bodies.read_bytes().splitlines()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(generate(given.port, bodies, given.connections, given.seconds)), sys.stdout)


if __name__ == "__main__":
    main()
