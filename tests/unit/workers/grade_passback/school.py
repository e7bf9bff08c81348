"""One valid course with two students and two graded assignments, and everything that syncs it, in memory."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from shared.adapters.redis.client import Lease
from shared.domain.outcome import Outcome
from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.canvas import Assignment, GradebookRow
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.course_state import SectionRecord
from shared.domain.passback.powerschool import RosteredStudent
from shared.domain.passback.rules.reasons import Reason
from tests.fakes import (
    FakeCanvas,
    FakeChanges,
    FakePowerSchool,
    FakeRosters,
    Stores,
    write_check,
)
from tests.manual_clock import ManualClock
from tests.unit.domain.passback.baseline import ASSIGNMENT, CHICAGO, COURSE, HOMEWORK, ROSTERED, SECTION_DCID, graded
from workers.grade_passback.apply.context import WriteTargets
from workers.grade_passback.compare import CourseComparison, SyncPolicy, compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.course_sync import CourseSync
from workers.grade_passback.explain.activity import CourseActivity
from workers.grade_passback.explain.explainer import CourseExplainer
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.grade_passback.sync_job import SyncOutcomeHandler

NOW = datetime(2026, 10, 5, 15, 0, tzinfo=UTC)
WAITS = (timedelta(seconds=30), timedelta(seconds=120))
FULL_WAIT = 0.0  # Dice that take nothing off a wait.
DEADLINE = timedelta(seconds=300)
OTHER = replace(ASSIGNMENT, id="12", name="Reading 2")
STUDENTS = {"S1": 501, "S2": 502}


def row(sis_user_id: str, user_id: str, **scores: str | None) -> GradebookRow:
    """Return a student's row; scores are given as `a11="8"`."""
    submissions = {
        name.removeprefix("a"): graded(score, assignment_id=name.removeprefix("a")) for name, score in scores.items()
    }
    return GradebookRow(user_id, sis_user_id, frozenset({"21"}), submissions)


ROWS = (row("S1", "71", a11="8", a12="5"), row("S2", "72", a11="9.5", a12="6"))


@dataclass
class School:
    """Canvas and PowerSchool, and a worker between them."""

    score_batch: int = 100
    default_category: str = ""
    clear_scores: bool = False
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    canvas: FakeCanvas = field(
        default_factory=lambda: FakeCanvas(replace(COURSE, assignments=(ASSIGNMENT, OTHER)), ROWS)
    )
    rosters: FakeRosters = field(default_factory=lambda: FakeRosters({"4001": ROSTERED}))
    powerschool: FakePowerSchool = field(default_factory=lambda: FakePowerSchool((HOMEWORK,)))
    changes: FakeChanges = field(default_factory=FakeChanges)
    activity: CourseActivity | None = None
    stores: Stores = field(init=False)
    reader: CourseReader = field(init=False)
    course_sync: CourseSync = field(init=False)
    outcome_handler: SyncOutcomeHandler = field(init=False)

    def __post_init__(self) -> None:
        self.stores = stores = Stores(self.clock)
        self.links, self.records, self.associations = stores.links, stores.records, stores.associations
        self.audit, self.dead_letters, self.pauses = stores.audit, stores.dead_letters, stores.pauses
        policy = SyncPolicy(CHICAGO, 14, self.default_category, clear_scores=self.clear_scores)
        self.reader = CourseReader(
            self.canvas,
            self.rosters,
            self.powerschool,
            self.links,
            self.records,
            self.clock,
            policy,
            self.associations,
        )
        self.takeovers = stores.takeovers
        targets = WriteTargets(self.powerschool, self.links, self.audit, self.takeovers, self.clock, self.score_batch)
        self.course_sync = CourseSync(
            self.reader,
            targets,
            self.rosters,
            self.records,
            self.associations,
            self.dead_letters,
        )
        self.outcome_handler = SyncOutcomeHandler(self.changes, self.dead_letters, WAITS, lambda: FULL_WAIT)

    def sync(self, attempts: int = 0, *, before: Callable[[Lease], None] = lambda _: None) -> Outcome:
        """Sync the course once, as the task does; `attempts` runs of this work failed before."""
        lease = self.changes.lease("1")
        before(lease)
        changes = change_set(attempts)
        check = write_check(self.changes, lease, self.clock, DEADLINE)
        sync = self.course_sync
        return self.outcome_handler.run(lease, changes, lambda: sync.run(changes, check, lease.token)).outcome

    def compare(self) -> CourseComparison:
        """Return both sides now."""
        return compare(self.reader.read("1", asked_for_by_person=False))

    def explain(self, assignment_id: str = "11", student_sis_id: str | None = None) -> Json:
        """Return what `explain` says of one assignment in the only section."""
        answer = self.explanation(assignment_id, student_sis_id)
        (assignment,) = answer["assignments"]  # type: ignore[misc, attr-defined]
        (section,) = assignment["sections"]
        return section  # type: ignore[no-any-return]

    def explanation(self, assignment_id: str | None = None, student_sis_id: str | None = None) -> Json:
        """Return the whole explanation."""
        explainer = CourseExplainer(
            lambda: self.reader,
            self.records,
            self.dead_letters,
            self.audit,
            self.changes,
            self.pauses,
            self.clock,
            lambda _: self.activity or CourseActivity(self.clock.now()),
        )
        return explainer.explain(ExplainQuery("1", assignment_id, student_sis_id))

    def record(self, assignment_id: str = "11") -> SectionRecord:
        """Return what is remembered of one assignment in the only section."""
        record = self.records.course("1")
        assert record is not None
        (found,) = [a for a in record.assignments if a.assignment_id == assignment_id]
        return found.sections[0]

    def reasons(self, assignment_id: str = "11") -> list[Reason]:
        """Return the reasons that are remembered of one assignment."""
        return [finding.reason for finding in self.record(assignment_id).findings]

    def letters(self) -> list[tuple[str | None, str]]:
        """Return the open dead letters: assignment and cause."""
        return [(letter.assignment_id, letter.cause) for letter in self.dead_letters.all()]

    def entries(self) -> list[AuditEntry]:
        """Return the audit entries of the course's writes that are over, the oldest first."""
        return self.stores.audit_entries("1")

    def forget_entries(self) -> None:
        """Delete the audit entries."""
        self.stores.forget(self.stores.keys.audit("1"))

    def forget_links(self) -> None:
        """Delete the links."""
        self.stores.forget(self.stores.keys.links("1"))

    def edit(self, assignment_id: str = "11", **fields: object) -> None:
        """Change an assignment in Canvas."""
        edited = tuple(
            replace(a, **fields) if a.id == assignment_id else a  # type: ignore[arg-type]
            for a in self.canvas.content.assignments
        )
        self.assign(*edited)

    def assign(self, *assignments: Assignment) -> None:
        """Let Canvas have these assignments."""
        self.canvas.content = replace(self.canvas.content, assignments=assignments)

    def grade(self, sis_user_id: str, assignment_id: str, score: str | None) -> None:
        """Enter a score in Canvas."""
        submission = graded(score, assignment_id=assignment_id)
        self.canvas.rows = tuple(
            replace(r, submissions={**r.submissions, assignment_id: submission}) if r.sis_user_id == sis_user_id else r
            for r in self.canvas.rows
        )

    def enroll(self, sis_user_id: str, dcid: int) -> None:
        """Let PowerSchool have a student whom the remembered roster lacks."""
        students = {**ROSTERED.students, sis_user_id: RosteredStudent(dcid, active=True)}
        self.rosters.current = {"4001": replace(ROSTERED, students=students)}

    def writes(self) -> list[str]:
        """Return what was written to PowerSchool since the last look, by kind."""
        kinds = [kind for kind, _ in self.powerschool.writes]
        self.powerschool.writes.clear()
        return kinds


def change_set(
    attempts: int = 0, cause: ChangeCause = ChangeCause.EVENT, graded: Iterable[str] = ("11", "12")
) -> PendingChanges:
    """Return a pending change of the course, in which the scores of these assignments may have changed."""
    return PendingChanges("1", NOW, NOW, 1, frozenset({cause}), frozenset(graded), attempts)


def link_of(school: School, assignment_id: str = "11") -> int:
    """Return the assignment section id that the assignment is linked to."""
    linked = school.links.of_course("1")[assignment_id, SECTION_DCID].powerschool_assignment_section_id
    assert linked is not None
    return linked


def decimals(**points: str) -> dict[int, Decimal]:
    """Return scores by STUDENTS.DCID from scores by SIS id."""
    return {STUDENTS[sis_id]: Decimal(value) for sis_id, value in points.items()}
