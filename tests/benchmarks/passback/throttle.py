"""throttle: changed courses under a PowerSchool that permits a request per interval that is not configured.

Real processes, two workers, real time. For each interval that PowerSchool permits, each that passback is told, and both
ways in which PowerSchool may say no, every course changes at the same moment, and nothing that was learnt before is
known. The limit is the ideal: the requests that were needed, an interval apart. The naive twin does what a first
implementation does: each throttled answer ends its sync, which begins anew after the pause that the answer asks for.

After it, Canvas throttles six requests in a row.
"""

import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from queue import Empty, SimpleQueue
from typing import Any

import httpx

from shared.adapters.redis.operations.queue_stats import QueueStats
from shared.config import Settings
from shared.domain.metrics import CounterName
from shared.sandbox.district.small import user_id_of
from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.passback.twin import put, signed_in
from tests.benchmarks.rig.remote import FIRST_COURSE, FIRST_DCID, FIRST_STUDENT
from tests.benchmarks.rig.town import Town, town
from tests.benchmarks.rig.windows import REST_QUIET_PERIODS

STUDENTS, ASSIGNMENTS = 4, 2
WORKERS = 2
POWERSCHOOL_MS = 30
# The first seconds, in which the rate is learnt, are left out.
LEARNING_S = 20.0
LIMIT = 1.3
TWIN_THREADS = 16
CANVAS_REFUSALS = 6
CANVAS_SCORE = 77.25


def run(
    courses: int = 50,
    permitted_ms: Sequence[int] = (100, 250, 400, 1000),
    told_ms: Sequence[int] = (0, 100),
    styles: Sequence[str] = ("403", "429"),
) -> Result:
    """Play every combination, with the twin beside those without a configured interval."""
    figures: dict[str, float] = {}
    seen: list[Seen] = []
    for told in told_ms:
        settings = {"POWERSCHOOL_MIN_INTERVAL_MS": str(told)}
        with town(courses, STUDENTS, ASSIGNMENTS, workers=WORKERS, **settings) as running:
            _every_course_once(running, courses)
            for number, (permitted, style) in enumerate(product(permitted_ms, styles)):
                name = f"{permitted} ms permitted, {told} told, {style}"
                _tell(name)
                score = 10.0 + number + told / 1000
                seen.append(_throttled(running, courses, permitted, style, score))
                figures |= {f"{name}: {what}": value for what, value in seen[-1].figures(permitted).items()}
                if not told:
                    share = _twins_share(running, courses, permitted, style, seen[-1].ideal_s(permitted))
                    figures[f"{name}: the twin's courses in {LIMIT:g} of the ideal time"] = share
            running.stage.powerschool_faults()
            if not told:
                for status in (403, 429):
                    seconds = _canvas_says_no(running, status, CANVAS_SCORE + status / 1000)
                    figures[f"Canvas throttles, {status}: agreement after the last answer s"] = seconds
    return Result("throttle", figures, _marks(figures))


def _marks(figures: dict[str, float]) -> tuple[Mark, ...]:
    def of(what: str) -> list[float]:
        return [value for name, value in figures.items() if name.endswith(f": {what}")]

    return (
        Mark("goodput, the least", min(of("goodput")), 0.8),
        Mark("agreement / ideal time, the most", max(of("agreement / ideal")), LIMIT, at_most=True),
        Mark("throttled after 20 s, the most", max(of("throttled after 20 s")), 0.1, at_most=True),
        Mark("attempts spent", sum(of("attempts spent")), 0, at_most=True),
        Mark("dead letters", sum(of("dead letters")), 0, at_most=True),
        Mark("courses overtaken twice", sum(of("courses overtaken twice")), 0, at_most=True),
        Mark(
            f"agreement after {CANVAS_REFUSALS} throttled Canvas answers s",
            max(of("agreement after the last answer s")), 10, at_most=True,
        ),
    )  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """The result of one combination: PowerSchool's responses and writes since the grades.

    `answers` are times (s) and statuses, `written` the times of each course's writes.
    """

    began: float
    answers: list[tuple[float, int]]
    written: dict[int, list[float]]
    attempts: int
    letters: int
    gathered_s: float

    def figures(self, permitted_ms: int) -> dict[str, float]:
        """Return the figures."""
        useful = [at for at, status in self.answers if status < 300]
        slots = (useful[-1] - useful[0]) * 1000 / permitted_ms + 1
        late = [status for at, status in self.answers if at - self.answers[0][0] > LEARNING_S]
        agreement_s = max(max(times) for times in self.written.values()) - self.began
        return {
            "goodput": len(useful) / slots,
            "agreement s": agreement_s,
            "agreement / ideal": agreement_s / self.ideal_s(permitted_ms),
            "PowerSchool requests": len(self.answers),
            "throttled answers": len(self.answers) - len(useful),
            "throttled after 20 s": sum(status >= 300 for status in late) / len(late) if late else 0.0,
            "attempts spent": self.attempts,
            "dead letters": self.letters,
            "courses overtaken twice": self._overtaken_twice(),
        }

    def ideal_s(self, permitted_ms: int) -> float:
        """Return how long the needed requests take an interval apart, the gathering of the first change before them."""
        return self.gathered_s + sum(status < 300 for _, status in self.answers) * permitted_ms / 1000

    def _overtaken_twice(self) -> int:
        """Return how many courses waited for their first write while another one had two."""
        second = min((sorted(times)[1] for times in self.written.values() if len(times) > 1), default=float("inf"))
        return sum(min(times) > second for times in self.written.values())


def _throttled(running: Town, courses: int, permitted_ms: int, style: str, score: float) -> Seen:
    """Change every course at the same moment; return the result once all agree."""
    service = running.service
    service.redis.delete(service.keys.rate("powerschool"))
    attempts, letters = _attempts(running), service.dead_letters.count()
    # So that every course is at rest, and its change a first one.
    time.sleep(REST_QUIET_PERIODS * service.settings.quiet_period_s + 1)
    running.stage.powerschool_faults(latency_ms=POWERSCHOOL_MS, throttle_interval_ms=permitted_ms, throttle_style=style)
    running.clear_requests()
    began = service.clock.now().timestamp()
    for course in range(courses):
        _grade(running, course, score)
    running.settle()
    answers = _answers(running.stage.requests(running.stage.powerschool_url))
    written: dict[int, list[float]] = {}
    for write in running.stage.writes():
        written.setdefault(int(str(write["section_dcid"])), []).append(_seconds(write["at"]))
    if len(written) != courses:
        raise SystemExit(f"{courses - len(written)} courses were not written")
    spent, dead = _attempts(running) - attempts, service.dead_letters.count() - letters
    return Seen(began, answers, written, spent, dead, Settings.model_fields["first_change_s"].default)


def _canvas_says_no(running: Town, status: int, score: float) -> float:
    """Let Canvas throttle the next requests; return how long after the last refusal the grade is in PowerSchool."""
    body = f"{status} (Rate Limit Exceeded)"
    refusals = [{"path_prefix": "/api/", "status": status, "body": body, "times": CANVAS_REFUSALS}]
    running.stage.canvas_faults(fail_next=refusals)
    running.service.redis.delete(running.service.keys.rate("canvas"))
    running.clear_requests()
    _grade(running, 0, score)
    running.settle()
    refused = [at for at, answer in _answers(running.stage.requests(running.stage.canvas_url)) if answer == status]
    if len(refused) != CANVAS_REFUSALS:
        raise SystemExit(f"Canvas refused {len(refused)} requests")
    running.stage.canvas_faults()
    return max(_seconds(write["at"]) for write in running.stage.writes()) - max(refused)


def _twins_share(running: Town, courses: int, permitted_ms: int, style: str, ideal_s: float) -> float:
    """Return the share of its courses that the naive twin has written when passback has to be done."""
    running.stage.powerschool_faults()
    sections = _assignment_sections(running)
    twin = _Twin(running.stage.powerschool_url, SimpleQueue(), time.monotonic() + LIMIT * ideal_s)
    for course in range(courses):
        twin.courses.put(sections[FIRST_DCID + course])
    running.stage.powerschool_faults(latency_ms=POWERSCHOOL_MS, throttle_interval_ms=permitted_ms, throttle_style=style)
    threads = [threading.Thread(target=twin.work) for _ in range(TWIN_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(twin.done) / courses


class _Twin:
    """Threads that take course after course: a read, then a score. A throttled answer pauses all, and ends the sync."""

    def __init__(self, url: str, courses: "SimpleQueue[int]", until: float) -> None:
        self.courses = courses
        self.done: list[int] = []
        self._http = signed_in(url)
        self._until = until
        self._paused_until = 0.0

    def work(self) -> None:
        """Sync until all is done or the time is over."""
        while (now := time.monotonic()) < self._until:
            if now < self._paused_until:
                time.sleep(0.01)
                continue
            try:
                target = self.courses.get_nowait()
            except Empty:
                # Others may still give theirs back.
                time.sleep(0.01)
                continue
            try:
                self._http.get("/ws/schema/table/students/count").raise_for_status()
                put(self._http, {"": target}, "", str(FIRST_STUDENT), 50.0)
            except httpx.HTTPStatusError as error:
                asked = float(error.response.headers.get("Retry-After", 1))
                self._paused_until = time.monotonic() + asked
                self.courses.put(target)
            else:
                self.done.append(target)


def _every_course_once(running: Town, courses: int) -> None:
    for course in range(courses):
        _grade(running, course, 1.0)
    running.settle()


def _grade(running: Town, course: int, score: float) -> None:
    course_id = FIRST_COURSE + course
    user_id = user_id_of(FIRST_STUDENT + course * STUDENTS)
    running.stage.grade("grade", course_id, course_id * 1000 + 1, user_id, score)


def _assignment_sections(running: Town) -> dict[int, int]:
    return {int(str(row["section_dcid"])): int(str(row["assignment_section_id"])) for row in running.stage.gradebook()}


def _attempts(running: Town) -> int:
    """Return how many runs failed so far, as the workers have counted them."""
    counted = QueueStats(running.service.redis, running.service.keys).counter(CounterName.SYNCS)
    outcomes = Counter[str]()
    for (outcome, *_), number in counted.items():
        outcomes[outcome] += number
    return outcomes["failed"] + outcomes["dead"]


def _answers(log: Sequence[dict[str, Any]]) -> list[tuple[float, int]]:
    """Return when requests came and how they were answered; those that PowerSchool does not throttle left out."""
    answers = ((_seconds(one["at"]), int(one["status"])) for one in log if one["path"] != "/ws/v1/metadata")
    return sorted(answers)


def _seconds(at: object) -> float:
    return datetime.fromisoformat(str(at)).timestamp()


def _tell(what: str) -> None:
    print(f"throttle: {what}", file=sys.stderr, flush=True)
