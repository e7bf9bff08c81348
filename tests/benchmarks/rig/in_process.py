"""Passback in this process: the real use cases, adapters and Lua, a Redis of its own, and remotes that cost nothing."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

import httpx
import structlog

from shared.adapters.canvas import canvas_client
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.redis.sync_queue.store import CLAIM_DURATION, LEASE_DURATION, SyncQueue
from shared.adapters.redis.sync_queue.streams import STREAM_OF, encode
from shared.config import Settings, load
from shared.domain.passback.changes import Change, ChangeKind
from tests.benchmarks.rig.remote import CANVAS, FIRST_COURSE, POWERSCHOOL, Remote
from tests.fault_injection.redis_server import RedisServer
from tests.manual_clock import ManualClock
from workers.container import Container, windows_of

ROOT = Path(__file__).parents[3]
START = datetime(2026, 10, 5, 17, 0, tzinfo=UTC)


class TimedPassback(Container):
    """Passback with time in the benchmark's hands and transports in place of the network."""

    def __init__(self, settings: Settings, remote: Remote, clock: ManualClock) -> None:
        super().__init__(settings, clock=clock)
        self._transport = remote
        windows, now_ms = windows_of(settings), lambda: epoch_ms(clock.now())
        self.changes = SyncQueue(self.redis, self.keys, windows, CLAIM_DURATION, LEASE_DURATION, now_ms=now_ms)

    @cached_property
    def canvas(self) -> CanvasClient:
        """The Canvas client."""
        return canvas_client(self.settings, self.redis, self.keys, self.clock, transport=self._transport)

    @cached_property
    def powerschool(self) -> PowerSchool:
        """The PowerSchool client."""
        return powerschool(self.settings, self.redis, self.keys, self.clock, transport=self._transport)


@dataclass
class Rig:
    """Everything one benchmark in this process needs."""

    remote: Remote
    service: TimedPassback
    clock: ManualClock
    sent: int = 0

    def send(self, changes: Iterable[tuple[datetime, Change]]) -> None:
        """Put messages on their streams as if receivers had, at these times, which may only grow."""
        with self.service.redis.pipeline(transaction=False) as pipeline:
            for at, change in changes:
                self.sent += 1
                stream = self.service.keys.stream(STREAM_OF[change.kind])
                entry: dict[bytes, bytes] = encode(change)
                pipeline.execute_command(
                    "XADD", stream, f"{epoch_ms(at)}-{self.sent}", *(part for pair in entry.items() for part in pair)
                )
            pipeline.execute()

    def sync_due(self, limit: int = 16) -> list[str]:
        """Claim and sync what is due now; return the courses, in order."""
        synced: list[str] = []
        while claimed := self.service.changes.claim_due(limit):
            for course_id in claimed:
                self.service.sync_job.run(course_id)
            synced += claimed
        return synced

    def aggregate(self) -> int:
        """Fold everything that is on the streams; return how many messages."""
        folded = 0
        while some := self.service.changes.aggregate("benchmark", 500, timedelta(0)).aggregated:
            folded += some
        return folded

    def change(self, course_id: int, number: int = 1) -> Change:
        """Return the change that a grade of an assignment raises."""
        return Change(ChangeKind.GRADE, str(course_id), assignment_id=str(course_id * 1000 + number))

    def send_again(self, asked: Iterable[httpx.Request]) -> None:
        """Send these requests with httpx alone, and do nothing with the answers: the limit of what a client can do."""
        with httpx.Client(transport=self.remote) as http:
            for one in asked:
                assert http.request(one.method, one.url, headers=one.headers, content=one.content).content

    def warm_up(self, courses: int) -> None:
        """Sync every course once, so that links, rosters and records are there, as in a running district."""
        self.send((self.clock.now(), self.change(FIRST_COURSE + index)) for index in range(courses))
        self.aggregate()
        self.clock.advance(timedelta(seconds=60))
        assert len(self.sync_due()) == courses
        if self.remote.rows or self.service.changes.counts().due:
            raise SystemExit("the two sides did not agree from the beginning")
        self.remote.requests.clear()
        self.remote.cpu_s = 0.0


def epoch_ms(moment: datetime) -> int:
    """Return the time in milliseconds, as Redis has it."""
    return round(moment.timestamp() * 1000)


@contextmanager
def rig(students: int, assignments: int, **settings: str) -> Iterator[Rig]:
    """Yield a rig of classes of this size; `settings` are variables without their prefix."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    clock = ManualClock(START)
    remote = Remote(students, assignments, START.date())
    with RedisServer() as server:
        given = {
            "REDIS_URL": server.url,
            "CANVAS_URL": CANVAS,
            "CANVAS_TOKEN": "token",
            "POWERSCHOOL_URL": POWERSCHOOL,
            "POWERSCHOOL_CLIENT_ID": "id",
            "POWERSCHOOL_CLIENT_SECRET": "secret",
            "DISTRICT_TIME_ZONE": "America/Los_Angeles",
            **settings,
        }
        loaded = load({f"PASSBACK_{name}": value for name, value in given.items()}, env_file=Path("/nonexistent"))
        with closing(TimedPassback(loaded, remote, clock)) as service:
            service.redis.ping()
            yield Rig(remote, service, clock)


def cpu_of(work: Callable[[], object], remote: Remote | None = None) -> float:
    """Return the CPU seconds that this process spent on `work`, without those of the remote's answers."""
    theirs = remote.cpu_s if remote else 0.0
    began = time.process_time()
    work()
    spent = time.process_time() - began
    return spent - ((remote.cpu_s - theirs) if remote else 0.0)
