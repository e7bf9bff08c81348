"""Courses with every kind of difference between two totals, on both sandboxes behind real sockets."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import fakeredis
import httpx

from shared.config import load
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.canvas.seed import Assignment, CourseSeed, GradingPeriod, Group, Section, Submission
from shared.sandbox.district.builder import DistrictBuilder, enrolled, student_dcid_of, user_id_of
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.fakes import FakeChanges, write_check
from tests.integration.clients.test_clients_against_sandbox import served
from tests.manual_clock import ManualClock
from workers.container import Container
from workers.grade_passback.operations.totals import StudentTotals

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
COURSE, SECTION, DCID, TEACHER = 500, 5001, 45001, 2101
HOMEWORK, QUIZ, TESTS = 3101, 3102, 3103
CATEGORIES = {4301: "Homework", 4302: "Quiz", 4303: "Tests", 4304: "Participation"}
GROUPS = {HOMEWORK: "Homework", QUIZ: "Quiz", TESTS: "Tests"}
STUDENTS = (10501, 10502, 10503)
FIRST = 9001
ZONE = ZoneInfo("America/Los_Angeles")


@dataclass
class Plan:
    """A course as it is seeded in Canvas: everything but the frame."""

    assignments: list[Assignment] = field(default_factory=list)
    submissions: list[Submission] = field(default_factory=list)
    groups: dict[int, dict[str, Any]] = field(default_factory=dict)
    weighted: bool = False
    periods: list[GradingPeriod] = field(default_factory=list)
    overrides: dict[int, float] = field(default_factory=dict)
    hides_totals: bool = False

    def work(self, name: str, points: float | None, *scores: float | None, **fields: Any) -> int:
        """Add an assignment with the students' scores in their order; return its id."""
        key = FIRST + len(self.assignments)
        due = {"due_at": NOON + timedelta(days=2), "assignment_group_id": HOMEWORK}
        assignment = Assignment.model_validate({"id": key, "name": name, "points_possible": points, **due, **fields})
        self.assignments.append(assignment)
        for number, score in zip(STUDENTS, scores, strict=False):
            if score is not None:
                self.submission(key, number, score=score)
        return key

    def submission(self, assignment_id: int, number: int, **fields: Any) -> None:
        """Add a student's submission."""
        self.submissions.append(Submission(assignment_id=assignment_id, user_id=user_id_of(number), **fields))


@dataclass
class Gradebooks:
    """Both sandboxes, and passback between them."""

    canvas_url: str
    powerschool_url: str
    service: Container
    clock: ManualClock

    def seed(self, plan: Plan) -> None:
        """Start again with this course."""
        builder = DistrictBuilder(NOON.date(), ZONE)
        builder.add_teacher(TEACHER, CATEGORIES, inactive={})
        builder.add_section(DCID, [TEACHER], STUDENTS, course="TOT500")
        builder.courses.append(
            CourseSeed(
                id=COURSE,
                name="Totals",
                sis_course_id=str(DCID),
                sections=[Section(id=SECTION, name="Period 1", sis_section_id=str(DCID))],
                groups=[Group(id=key, name=name, **plan.groups.get(key, {})) for key, name in GROUPS.items()],
                students=enrolled(STUDENTS, SECTION),
                assignments=plan.assignments,
                submissions=plan.submissions,
                apply_assignment_group_weights=plan.weighted,
                grading_periods=plan.periods,
                override_scores=plan.overrides,
                hide_final_grades=plan.hides_totals,
            )
        )
        district = builder.build()
        for url, seed in ((self.canvas_url, district.canvas), (self.powerschool_url, district.powerschool)):
            _ok(httpx.post(f"{url}/_sandbox/seed", content=seed.model_dump_json()))
            _ok(httpx.put(f"{url}/_sandbox/faults", json={}))
        self.service.redis.flushall()

    def canvas(self, do: str, **arguments: object) -> None:
        """Do something in Canvas."""
        _ok(httpx.post(f"{self.canvas_url}/_sandbox/act", json={"do": do, "course_id": COURSE, **arguments}))

    def powerschool(self, do: str, **arguments: object) -> None:
        """Do something in PowerSchool."""
        _ok(httpx.post(f"{self.powerschool_url}/_sandbox/act", json={"do": do, **arguments}))

    def faults(self, **knobs: object) -> None:
        """Set PowerSchool's faults."""
        _ok(httpx.put(f"{self.powerschool_url}/_sandbox/faults", json=knobs))

    def sync(self) -> None:
        """Sync the course as a person does."""
        changes = FakeChanges()
        lease = changes.lease(str(COURSE))
        pending = PendingChanges(str(COURSE), NOON, NOON, 1, frozenset({ChangeCause.PERSON}), frozenset(), 0)
        check = write_check(changes, lease, self.clock, timedelta(minutes=5))
        self.service.course_sync.run(pending, check, lease.token)

    def rows(self) -> dict[str, Any]:
        """Return PowerSchool's assignments by name."""
        return {row["name"]: row for row in httpx.get(f"{self.powerschool_url}/_sandbox/state").json()}

    def id_of(self, name: str) -> int:
        """Return the assignment section id of the assignment in PowerSchool."""
        return int(self.rows()[name]["assignment_section_id"])

    def own_work(self, name: str, points: float, category: int, *scores: float | None) -> int:
        """Let the teacher make an assignment in PowerSchool, with the students' scores in their order."""
        due = (NOON + timedelta(days=3)).date().isoformat()
        fields = {"section_dcid": DCID, "name": name, "due_date": due, "points": str(points), "category_id": category}
        self.powerschool("create", **fields)
        key = self.id_of(name)
        for number, score in zip(STUDENTS, scores, strict=False):
            if score is not None:
                where = {"assignment_section_id": key, "student_dcid": student_dcid_of(number)}
                self.powerschool("rescore", **where, points=str(score))
        return key

    def totals(self) -> dict[str, StudentTotals]:
        """Return passback's explanations by the students' SIS ids."""
        found = self.service.totals.read(str(COURSE)).students
        return {str(each.student_sis_id): each for each in found}

    def canvas_totals(self) -> dict[str, dict[str, Any]]:
        """Return the totals that Canvas itself shows, by SIS id."""
        response = httpx.get(
            f"{self.canvas_url}/api/v1/courses/{COURSE}/enrollments?per_page=100",
            headers={"Authorization": "Bearer sandbox-token"},
        )
        return {each["sis_user_id"]: each["grades"] for each in response.json() if "grades" in each}

    def term_grades(self) -> dict[str, Decimal]:
        """Return the grades that PowerSchool itself shows, by student number."""
        url = "/ws/schema/query/org.passback.sync.totals.term_grades"
        rows = self.service.powerschool.api.query(url, [("pagesize", "0")], {"section_dcids": [DCID]}).body
        assert isinstance(rows, dict)
        records: Any = rows.get("record", [])
        return {str(int(row["student_dcid"]) - 70_000): Decimal(row["grade_percent"]) for row in records}


@contextmanager
def gradebooks() -> Iterator[Gradebooks]:
    """Yield both sandboxes and passback."""
    clock = ManualClock(NOON)
    with ExitStack() as stack:
        canvas_url = stack.enter_context(served(canvas_app(_nothing().canvas, clock=clock)))
        powerschool_url = stack.enter_context(served(powerschool_app(_nothing().powerschool, clock)))
        settings = load(
            {
                "PASSBACK_CANVAS_URL": canvas_url,
                "PASSBACK_CANVAS_TOKEN": "sandbox-token",
                "PASSBACK_POWERSCHOOL_URL": powerschool_url,
                "PASSBACK_POWERSCHOOL_CLIENT_ID": "sandbox-client",
                "PASSBACK_POWERSCHOOL_CLIENT_SECRET": "sandbox-secret",
                "PASSBACK_POWERSCHOOL_MIN_INTERVAL_MS": "0",
            }
        )
        service = stack.enter_context(closing(Container(settings, redis=fakeredis.FakeRedis(), clock=clock)))
        yield Gradebooks(canvas_url, powerschool_url, service, clock)


def _nothing() -> Any:
    builder = DistrictBuilder(NOON.date(), ZONE)
    return builder.build()


def _ok(response: httpx.Response) -> None:
    assert response.is_success, response.text
