"""takeover: a district whose vendor made every assignment is taken over, given back, and taken over again.

Both sandboxes over HTTP, the use cases and a Redis of its own in this process. Of the vendor's assignments, a fifth has
another score than Canvas, a seventh another description, a quarter another spelling of its name. A few are ambiguous:
another day, or two copies. Those stay apart; nothing else may.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import structlog

from shared.clock import SystemClock
from shared.config import load
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import sections_of
from shared.domain.passback.rules.reasons import Reason
from shared.domain.passback.takeover_run import TakeoverMode, TakeoverRequest, TakeoverRun
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.canvas.seed import Assignment, Submission
from shared.sandbox.district.builder import District, student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from shared.sandbox.powerschool.app import create_app as powerschool_app
from shared.sandbox.powerschool.seed import SeedAssignment
from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.rig.district import generated_district
from tests.fault_injection.redis_server import RedisServer
from tests.integration.sandbox_server import served
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.sandbox import sandbox_settings
from workers.recorded_actions import RecordedActions

VENDOR = "501"
STUDENTS = 10


@dataclass
class Bench:
    """A district with its passback, and what a worker would do."""

    service: Container
    stage: DemoClient
    courses: list[str]

    def sync_due(self, _seconds: float = 0) -> None:
        """Sync what is due, as a worker does."""
        while claimed := self.service.changes.claim_due(16):
            for course_id in claimed:
                self.service.sync_job.run(course_id)

    def sync_all(self) -> None:
        """Visit every course."""
        for course_id in self.courses:
            self.service.changes.request(course_id, ChangeCause.RECONCILE)
        self.sync_due()

    def run(self, mode: TakeoverMode) -> TakeoverRun:
        """Take the whole district over, or give it back."""
        service = self.service
        service.__dict__["takeover_runner"] = runner = replace(service.takeover_runner, sleep=self.sync_due)
        return runner.carry_out(RecordedActions(service, "benchmark").take_over_many(TakeoverRequest(mode)))

    def name_taken(self) -> int:
        """Return how many assignments find their name taken, by the last syncs."""
        records = (self.service.records.course(course_id) for course_id in self.courses)
        findings = (finding for record in records for _, section in sections_of(record) for finding in section.findings)
        return sum(finding.reason is Reason.NAME_TAKEN for finding in findings)

    def requests(self) -> Counter[str]:
        """Return how many requests each system answered since the last look."""
        found: Counter[str] = Counter()
        for system, url in (("Canvas", self.stage.canvas_url), ("PowerSchool", self.stage.powerschool_url)):
            found[system] = len(self.stage.requests(url))
            self.stage.clear_requests(url)
        return found


def run(courses: int = 20, assignments: int = 25, ambiguous: int = 10) -> Result:
    """Take over `courses` times `assignments` assignments, of which some are `ambiguous`."""
    total = courses * assignments
    with vendors_bench(courses, assignments, ambiguous) as bench:
        before = len(bench.stage.gradebook())
        bench.sync_all()
        taken_before = bench.name_taken()
        bench.requests()
        bench.stage.clear_writes()
        bench.service.pauses.pause("passback", "benchmark", "takeover")
        first, linked_s = _timed(lambda: bench.run(TakeoverMode.LINK))
        linking = bench.requests()
        undone, undone_s = _timed(lambda: bench.run(TakeoverMode.UNDO))
        undoing = bench.requests()
        writes_while_linking = len(bench.stage.writes())
        bench.service.pauses.resume("passback")
        second = bench.run(TakeoverMode.LINK)
        bench.sync_due()
        bench.requests()
        written = Counter(str(write["kind"]) for write in bench.stage.writes())
        bench.stage.clear_writes()
        bench.sync_all()
        again = bench.run(TakeoverMode.LINK)
        figures = {
            "assignments that the vendor made": total,
            "name_taken before": taken_before,
            "name_taken afterwards": bench.name_taken(),
            "assignments too many afterwards": len(bench.stage.gradebook()) - before,
            "linked": first.counts.linked,
            "given back": undone.counts.linked,
            "linked again": second.counts.linked,
            "linked by another run": again.counts.linked,
            "writes to PowerSchool by linking and giving back": writes_while_linking,
            "assignments updated by the syncs": written["update"],
            "assignments in which the syncs changed scores": written["scores"],
            "writes of a second pass": len(bench.stage.writes()),
            "PowerSchool requests a course, linking": linking["PowerSchool"] / courses,
            "Canvas requests a course, linking": linking["Canvas"] / courses,
            "requests of either, giving back": undoing["PowerSchool"] + undoing["Canvas"],
            "seconds, linking": linked_s,
            "seconds, giving back": undone_s,
            "seconds per 1,000 courses at 5 PowerSchool requests/s": linking["PowerSchool"] / courses * 1000 / 5,
        }
    return Result(
        "takeover",
        figures,
        (
            Mark("name_taken left, ambiguous ones included", figures["name_taken afterwards"], ambiguous, at_most=True),
            Mark("duplicates", figures["assignments too many afterwards"], 0, at_most=True),
            Mark("linked", figures["linked"], total - ambiguous),
            Mark("given back", figures["given back"], total - ambiguous),
            Mark("linked again", figures["linked again"], total - ambiguous),
            Mark("linked by another run", figures["linked by another run"], 0, at_most=True),
            Mark("writes by linking", writes_while_linking, 0, at_most=True),
            Mark("writes of a second pass", figures["writes of a second pass"], 0, at_most=True),
            Mark("PowerSchool requests a course", figures["PowerSchool requests a course, linking"], 5, at_most=True),
            Mark("requests of giving back", figures["requests of either, giving back"], 0, at_most=True),
        ),
    )


def _timed(work: Callable[[], TakeoverRun]) -> tuple[TakeoverRun, float]:
    began = time.monotonic()
    return work(), time.monotonic() - began


@contextmanager
def vendors_bench(courses: int, assignments: int, ambiguous: int) -> Iterator[Bench]:
    """Yield such a district with its passback; every course is connected, and none was synced."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    district = vendors_district(courses, assignments, ambiguous)
    with (
        served(canvas_app(district.canvas)) as canvas,
        served(powerschool_app(district.powerschool)) as powerschool,
        RedisServer() as server,
    ):
        settings = {**sandbox_settings(canvas, powerschool), "PASSBACK_REDIS_URL": server.url}
        loaded = load(settings, env_file=Path("/nonexistent"))
        with (
            closing(Container(loaded)) as service,
            closing(DemoClient(canvas, powerschool, SystemClock())) as stage,
        ):
            ids = [str(course.id) for course in district.canvas.courses]
            for course_id in ids:
                service.records.register(course_id)
            yield Bench(service, stage, ids)


def vendors_district(courses: int, assignments: int, ambiguous: int) -> District:
    """Return a graded district whose vendor made every assignment; of so many courses, the first one is ambiguous."""
    district = generated_district(courses, STUDENTS, assignments, seed=1)
    seeds: list[SeedAssignment] = []
    for index, course in enumerate(district.canvas.courses):
        students = [int(student.sis_user_id or 0) for student in course.students]
        for number, work in enumerate(course.assignments):
            scores = {student: float((student + work.id) % 5 + 1) for student in students}
            course.submissions += [
                Submission(assignment_id=work.id, user_id=user_id_of(student), score=score)
                for student, score in scores.items()
            ]
            copies = 0 if number or index >= ambiguous else 1 + index % 2
            seeds += _vendors(work, int(course.sis_course_id or 0), scores, len(seeds), copies)
    return replace(district, powerschool=district.powerschool.model_copy(update={"assignments": seeds}))


def _vendors(
    work: Assignment, section_dcid: int, scores: Mapping[int, float], number: int, copies: int
) -> Iterator[SeedAssignment]:
    """Yield what the vendor made of an assignment: one of the same day, or `copies` of other days."""
    assert work.due_at is not None
    differing = {next(iter(scores)): Decimal(7)} if number % 5 == 0 else {}
    for days in range(1, copies + 1) if copies else [0]:
        yield SeedAssignment(
            section_dcid=section_dcid,
            name=f"{work.name.upper()} " if number % 4 == 0 else work.name,
            due_date=work.due_at.date() + timedelta(days=days),
            points=Decimal(str(work.points_possible)),
            category_id=Ids.CATEGORY_HOMEWORK,
            description="<p>Made by the vendor</p>" if number % 7 == 0 else None,
            created_by_plugin=VENDOR,
            scores={student_dcid_of(s): Decimal(str(score)) for s, score in {**scores, **differing}.items()},
        )
