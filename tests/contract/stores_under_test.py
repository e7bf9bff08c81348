"""The Redis stores with a clock that the tests move, on a Redis of their own."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
from redis.exceptions import ConnectionError as ConnectionFailed

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.redis.sync_queue.streams import STREAM_OF, encode
from shared.domain.passback.changes import Change, ChangeKind, DebounceWindow
from shared.queues import CONSUMER_GROUP, Stream

QUIET = timedelta(seconds=2)
MAX_WAIT = timedelta(seconds=15)
CLAIM_FOR = timedelta(seconds=30)
LEASE_FOR = timedelta(seconds=10)
FIRST_CHANGE = timedelta(milliseconds=200)
REST = 4 * QUIET
NO_WAIT = timedelta(0)
A_MOMENT = timedelta(milliseconds=1)
START = datetime(2021, 3, 4, 9, 0, tzinfo=UTC)


@contextmanager
def running_redis() -> Iterator[Path]:
    """Run a `redis-server` that keeps nothing, and give the path of its socket."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on PATH")
    with tempfile.TemporaryDirectory(prefix="passback-") as folder:
        socket = Path(folder) / "redis.sock"
        arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", folder]
        # As Redis 7 has it by default: 6.2 lets a new user subscribe to every channel.
        arguments += ["--acl-pubsub-default", "resetchannels"]
        server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
        try:
            _wait_until_it_answers(socket)
            yield socket
        finally:
            server.terminate()
            server.wait(timeout=10)


def _wait_until_it_answers(socket: Path) -> None:
    with redis.Redis(unix_socket_path=str(socket)) as client:
        for _ in range(200):
            try:
                client.ping()
            except ConnectionFailed:
                time.sleep(0.02)
            else:
                return
    raise AssertionError("the redis-server of the tests did not answer")


@dataclass
class Time:
    """The time of the stores under test, in milliseconds since the epoch."""

    ms: int = int(START.timestamp() * 1000)

    def __call__(self) -> int:
        return self.ms

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    def advance(self, duration: timedelta) -> None:
        self.ms += round(duration / A_MOMENT)


@dataclass
class District:
    """One Redis with its messages; every `process()` is a worker process of its own on it."""

    client: redis.Redis
    keys: Keys = field(default_factory=Keys)
    time: Time = field(default_factory=Time)
    sent: int = 0
    first_change: timedelta | None = None
    powerschool_interval: timedelta = NO_WAIT

    def process(self) -> SyncQueue:
        """Return the change store as a process that just started has it."""
        windows = DebounceWindow(QUIET, MAX_WAIT, self.first_change)
        return SyncQueue(
            self.client, self.keys, windows, CLAIM_FOR, LEASE_FOR,
            powerschool_interval=self.powerschool_interval, now_ms=self.time,
        )  # fmt: skip

    def send(self, change: Change) -> None:
        """Put a message on its stream, at the time of the tests."""
        self._add(STREAM_OF[change.kind], encode(change))

    def send_broken(self, fields: dict[bytes, bytes]) -> None:
        """Put a message that nobody can read on a stream."""
        self._add(Stream.GRADE_CHANGES, fields)

    def change(self, course_id: str, assignment_id: str | None = None) -> None:
        """Send a grade change of a course."""
        self.send(Change(ChangeKind.GRADE, course_id, assignment_id=assignment_id))

    def read_and_die(self, consumer: str) -> None:
        """Read messages as a process that is killed before it folds them."""
        streams = {self.keys.stream(stream): ">" for stream in Stream}
        self.client.xreadgroup(CONSUMER_GROUP, consumer, streams)

    def let_idle(self, consumer: str, duration: timedelta) -> None:
        """Let what a consumer read and did not acknowledge grow old; tending the streams is due again."""
        for stream in Stream:
            key = self.keys.stream(stream)
            pending = self.client.xpending_range(key, CONSUMER_GROUP, "-", "+", 1000, consumer)
            ids = [entry["message_id"] for entry in pending]
            if ids:
                idle_ms = round(duration / A_MOMENT)
                self.client.xclaim(key, CONSUMER_GROUP, consumer, 0, ids, idle=idle_ms, justid=True)
        self.client.delete(self.keys.streams_tended)

    def _add(self, stream: Stream, fields: dict[bytes, bytes]) -> None:
        self.sent += 1
        self.client.xadd(self.keys.stream(stream), fields, id=f"{self.time.ms}-{self.sent}")
