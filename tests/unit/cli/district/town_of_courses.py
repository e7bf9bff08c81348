"""Courses of two schools on a Redis in memory, and a worker that syncs what is due whenever somebody waits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import fakeredis

from shared.clock import SystemClock
from shared.config import load
from shared.domain.passback.changes import PendingChanges
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, SectionRoster, State
from shared.domain.passback.powerschool import Term
from workers.container import Container

FALL = Term(date(2026, 8, 17), date(2026, 12, 18), 36)
SPRING = Term(date(2027, 1, 5), date(2027, 5, 28), 36)
EARLIER = datetime(2026, 10, 1, tzinfo=UTC)


def record(
    course_id: str, at: datetime, state: State = State.SYNCED, school: int = 100, term: Term = FALL
) -> CourseRecord:
    """Return what a sync of the course recorded."""
    roster = SectionRoster("4711", 4711, (), school, term)
    work = AssignmentRecord("11", "Reading", (SectionRecord("4711", state),))
    return CourseRecord(course_id, at, (work,), rosters=(roster,), name=f"Course {course_id}")


@dataclass
class WorkerClock(SystemClock):
    """A clock whose waits let the worker work; `ahead` moves on with each, so that nothing waits for real."""

    work: Callable[[], None] = lambda: None
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        """Return the time, which has moved on by what was slept."""
        return super().now() + self.ahead

    def sleep(self, duration: timedelta) -> None:
        """Let the worker work, and move on."""
        self.ahead += duration
        self.work()


@dataclass
class Courses:
    """Courses 101 to 104 of school 100 and 201 to 203 of school 200, the last of them of the spring."""

    service: Container
    clock: WorkerClock
    synced: list[str] = field(default_factory=list)
    changes: list[PendingChanges] = field(default_factory=list)
    outcome: Callable[[str], State | None] = lambda _: State.SYNCED
    most_waiting: int = 0

    def work(self) -> None:
        """Sync two due courses, as a worker does."""
        queue = self.service.changes
        self.most_waiting = max(self.most_waiting, sum(queue.counts()))
        for course_id in queue.claim_due(2):
            taken = queue.start_sync(course_id)
            assert taken is not None
            lease, changes = taken
            state = self.outcome(course_id)
            self.changes.append(changes)
            if state is None:
                queue.reschedule(lease, timedelta(hours=1), changes.attempts + 1, "canvas_500")
                continue
            known = self.service.records.course(course_id)
            assert known is not None
            roster = known.rosters[0]
            assert roster.school_number is not None
            assert roster.term is not None
            at = self.clock.now()
            self.service.records.save(record(course_id, at, state, roster.school_number, roster.term))
            queue.release(lease)
            self.synced.append(course_id)


@contextmanager
def courses_on(server: fakeredis.FakeServer) -> Iterator[Courses]:
    """Yield the courses, with a worker that is alive."""
    clock = WorkerClock()
    service = Container(load({}, env_file=Path("no.env")), redis=fakeredis.FakeRedis(server=server), clock=clock)
    for course_id in ("101", "102", "103", "104"):
        service.records.save(record(course_id, EARLIER))
    for course_id in ("201", "202"):
        service.records.save(record(course_id, EARLIER, school=200))
    service.records.save(record("203", EARLIER, school=200, term=SPRING))
    service.heartbeats.record("worker@host:1")
    courses = Courses(service, clock)
    clock.work = courses.work
    yield courses
    service.close()
