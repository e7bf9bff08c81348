"""pace: an evening with PowerSchool allowing one request per 200 ms, and the same without that limit.

Real processes, two workers, real time, a smaller district: what matters is that more becomes due than the pace lets
through. The pace counts as used while courses wait; what a course waits is held against what it would wait if all that
wait at its worst moment had their turns one by one.

Without the limit, every course changes once more at the end, all of them at once: Canvas answers slowly enough for
requests to overlap, and it is counted at Canvas's door how many of all workers together are under way at once.
"""

import sys
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime

from shared.sandbox.district.small import user_id_of
from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.rig.remote import FIRST_COURSE, FIRST_STUDENT
from tests.benchmarks.rig.town import Town, town
from tests.benchmarks.rig.windows import Graded, district_evening

STUDENTS, ASSIGNMENTS = 30, 10
POLL_INTERVAL_S = 0.25
TELL_EVERY_S = 15.0
PER_SYNC = 2
WORKERS = 2
POWERSCHOOL_MS, CANVAS_MS = 30, 200
BURST_SCORE = "99.25"


def run(courses: int = 60, changes: int = 600, seconds: float = 30.0, interval_ms: int = 200) -> Result:
    """Play the same evening twice.

    Whoever grades by hand needs 4 s for a change, also if that takes longer than `seconds`: ten changes a course last a
    minute or so. By the windows' arithmetic five syncs a second become due in its first half, and one request per
    200 ms lets 2.5 through. Connecting the courses at that pace takes a minute before, so that all is five minutes.
    """
    trace = district_evening(courses, changes, seconds)
    free = _evening(trace, courses, 0)
    paced = _evening(trace, courses, interval_ms)
    figures = {
        **{f"no limit: {name}": value for name, value in free.items()},
        **{f"one per {interval_ms} ms: {name}": value for name, value in paced.items()},
        "syncs, paced / free": paced["syncs"] / free["syncs"],
    }
    in_flight = max(free["Canvas requests in flight, most"], free["Canvas requests in flight, all courses at once"])
    marks = (
        Mark("attempts spent", paced["attempts spent"], 0, at_most=True),
        Mark("longest backlog / changed courses", paced["longest backlog"] / courses, 1, at_most=True),
        Mark("syncs, paced / free", figures["syncs, paced / free"], 1, at_most=True),
        Mark("pace used while courses wait", paced["pace used"], 0.95),
        Mark("longest wait / fair share", paced["longest wait / fair share"], 1.5, at_most=True),
        Mark(f"Canvas requests in flight, {WORKERS} workers", in_flight, 8, at_most=True),
    )
    return Result("pace", figures, marks)


@dataclass
class _Watch:
    """Samples of the queues during the evening: when, how many courses wait, and the longest wait."""

    running: Town
    name: str
    seen: list[tuple[float, int, float]] = field(default_factory=list)
    attempts: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    def look(self) -> None:
        """Sample at intervals until the evening is over."""
        while not self.over.wait(POLL_INTERVAL_S):
            changes = self.running.service.changes
            now = self.running.service.clock.now()
            due = [course for course in changes.waiting(10_000) if course.due_at <= now]
            states = [changes.state_of(course.course_id).pending for course in due]
            self.attempts += sum(pending.attempts for pending in states if pending is not None)
            longest = max(((now - course.due_at).total_seconds() for course in due), default=0.0)
            self.seen.append((time.time(), len(due) + changes.counts().claimed, longest))
            if len(self.seen) % round(TELL_EVERY_S / POLL_INTERVAL_S) == 0:
                _tell(
                    f"{self.name}: {len(self.seen) * POLL_INTERVAL_S:.0f} s, {self.seen[-1][1]} courses due or syncing"
                )


def _evening(trace: list[Graded], courses: int, interval_ms: int) -> dict[str, float]:
    name = f"pace, {f'one request per {interval_ms} ms' if interval_ms else 'no limit'}"
    settings = {"POWERSCHOOL_MIN_INTERVAL_MS": str(interval_ms)}
    with town(courses, STUDENTS, ASSIGNMENTS, workers=WORKERS, **settings) as running:
        running.stage.powerschool_faults(latency_ms=POWERSCHOOL_MS)
        running.stage.canvas_faults(latency_ms=CANVAS_MS)
        _tell(f"{name}: every course once")
        _every_course_once(running, trace)
        running.clear_requests()
        watch = _Watch(running, name)
        watching = threading.Thread(target=watch.look)
        watching.start()
        try:
            _tell(f"{name}: {len(trace)} changes in {trace[-1].at:.0f} s")
            _play(running, trace)
            running.settle()
        finally:
            watch.over.set()
            watching.join()
        figures = _figures(running, watch, interval_ms)
        if not interval_ms:
            figures["Canvas requests in flight, all courses at once"] = _all_at_once(running, courses)
        return figures


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _all_at_once(running: Town, courses: int) -> float:
    """Change every course at the same moment; return how many requests Canvas then had under way at once."""
    running.clear_requests()
    for course in range(courses):
        _grade(running, Graded(0, course, 1, 0, BURST_SCORE))
    running.settle()
    return running.canvas_in_flight()


def _every_course_once(running: Town, trace: list[Graded]) -> None:
    for course, number in sorted({(graded.course, graded.number) for graded in trace}):
        _grade(running, Graded(0, course, number, 0, "0.5"))
    running.settle()


def _play(running: Town, trace: list[Graded]) -> None:
    began = time.monotonic()
    for graded in trace:
        time.sleep(max(0.0, began + graded.at - time.monotonic()))
        _grade(running, graded)


def _grade(running: Town, graded: Graded) -> None:
    course_id = FIRST_COURSE + graded.course
    user_id = user_id_of(FIRST_STUDENT + graded.course * STUDENTS + graded.student)
    running.stage.act(
        do="grade",
        course_id=course_id,
        assignment_id=course_id * 1000 + graded.number,
        user_id=user_id,
        score=float(graded.score),
    )


def _figures(running: Town, watch: _Watch, interval_ms: int) -> dict[str, float]:
    log = running.stage.requests(running.stage.powerschool_url)
    times = sorted(datetime.fromisoformat(str(one["at"])).timestamp() for one in log)
    reads = sum(str(one["path"]).endswith("gradebook.state") for one in log)
    busy = _busiest(watch.seen)
    used = 0.0
    if busy and interval_ms:
        sent = sum(busy[0] <= at <= busy[1] for at in times)
        used = sent * interval_ms / 1000 / (busy[1] - busy[0])
    backlog = max((waiting for _, waiting, _ in watch.seen), default=0)
    longest = max((wait for _, _, wait in watch.seen), default=0.0)
    fair = max(backlog, 1) * PER_SYNC * interval_ms / 1000
    return {
        "syncs": reads,
        "PowerSchool requests": len(log),
        "attempts spent": watch.attempts,
        "longest backlog": backlog,
        "seconds with a backlog": busy[1] - busy[0] if busy else 0.0,
        "pace used": used,
        "longest wait s": longest,
        "longest wait / fair share": longest / fair if interval_ms else 0.0,
        "Canvas requests in flight, most": running.canvas_in_flight(),
    }


def _busiest(seen: list[tuple[float, int, float]]) -> tuple[float, float] | None:
    """Return the longest stretch in which some course waited all the time."""
    best, began = None, None
    for at, waiting, _ in seen:
        began = (at if began is None else began) if waiting else None
        if began is not None and at > began and (best is None or at - began > best[1] - best[0]):
            best = (began, at)
    return best
