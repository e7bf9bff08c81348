"""Stand-ins for Canvas, PowerSchool and the sync queue, and the other stores on a Redis in memory.

A test plans failures of a stand-in by method and call.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import fakeredis
import msgspec
import redis

from shared.adapters.redis.client import Lease, epoch_ms, text, time_at
from shared.adapters.redis.course_data.audit import MAX_ENTRIES, Audit, entries_of
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import CategoryMatches, Links
from shared.adapters.redis.course_data.takeovers import Takeovers
from shared.adapters.redis.dead_letters.dead_messages import DeadMessages
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.operations.counters import Counters
from shared.adapters.redis.sync_queue.streams import AggregateResult, UnknownChanges
from shared.clock import Clock
from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.canvas import Course, GradebookRow
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.planning.links import normalize_name
from shared.domain.passback.powerschool import (
    ActualAssignment,
    DesiredAssignment,
    RosteredSection,
    Score,
    TeacherCategory,
)
from shared.errors import GradebookIncomplete, LeaseLost, NotFound, RejectedRow, RequestRejected, TransientError
from shared.ports.passback import CachePolicy, CreatedAssignment, ScoreRow
from workers.grade_passback.sync_job import SyncLimits

MARK = "passback-plugin"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Faults:
    """Errors to raise instead of answering. `calls` counts every call by its method, failed ones included."""

    calls: dict[str, int] = field(default_factory=dict)
    _planned: dict[str, dict[int, Exception]] = field(default_factory=dict)
    _always: dict[str, Exception] = field(default_factory=dict)

    def on(self, method: str, error: Exception, *, nth: int = 1, times: int = 1) -> None:
        """Fail the nth call of the method from now on, and the calls after it, `times` in all."""
        first = self.calls.get(method, 0) + nth
        self._planned.setdefault(method, {}).update(dict.fromkeys(range(first, first + times), error))

    def always(self, method: str, error: Exception) -> None:
        """Fail every call of the method until `well`."""
        self._always[method] = error

    def well(self) -> None:
        """Forget every planned failure."""
        self._planned.clear()
        self._always.clear()

    def check(self, method: str) -> None:
        """Count the call; raise what is planned for it."""
        self.calls[method] = self.calls.get(method, 0) + 1
        error = self._always.get(method) or self._planned.get(method, {}).get(self.calls[method])
        if error is not None:
            raise error


@dataclass
class FakeCanvas:
    """The `CanvasReader`: one course and its rows.

    `readings` holds how the course was asked for, `scores_read` whose scores were, in order. The scores of the
    `too_heavy` assignments are not given.
    """

    content: Course
    rows: tuple[GradebookRow, ...] = ()
    faults: Faults = field(default_factory=Faults)
    readings: list[CachePolicy] = field(default_factory=list)
    scores_read: list[set[str]] = field(default_factory=list)
    remembered: Course | None = None
    too_heavy: set[str] = field(default_factory=set)

    def course(self, course_id: str, reading: CachePolicy = CachePolicy.BYPASS) -> Course:
        self.faults.check("course")
        self.readings.append(reading)
        if reading is CachePolicy.USE and self.remembered is not None:
            frame = self.remembered
            return replace(self.content, sections=frame.sections, groups=frame.groups, is_cached=True)
        if reading is not CachePolicy.BYPASS:
            self.remembered = self.content
        return self.content

    def gradebook(self, course_id: str, assignment_ids: Collection[str]) -> tuple[GradebookRow, ...]:
        self.faults.check("gradebook")
        self.scores_read.append(set(assignment_ids))
        unread = sorted(self.too_heavy & set(assignment_ids))
        read = set(assignment_ids) - set(unread)
        rows = tuple(
            replace(row, submissions={id_: s for id_, s in row.submissions.items() if id_ in read}) for row in self.rows
        )
        if unread:
            error = TransientError("GET submissions: 504 timeout", cause="canvas_timeout")
            raise GradebookIncomplete(rows if len(unread) < len(assignment_ids) else (), dict.fromkeys(unread, error))
        return rows


@dataclass
class FakeRosters:
    """The `RosterReader`: `remembered` is answered, `current` replaces it at a refresh."""

    remembered: dict[str, RosteredSection]
    current: dict[str, RosteredSection] | None = None
    refreshes: int = 0
    faults: Faults = field(default_factory=Faults)

    def sections(self, sis_section_ids: Collection[str], *, refresh: bool = False) -> Mapping[str, RosteredSection]:
        self.faults.check("refresh" if refresh else "sections")
        if refresh:
            self.refreshes += 1
            self.remembered = self.remembered if self.current is None else self.current
        return {sis_id: self.remembered[sis_id] for sis_id in sis_section_ids if sis_id in self.remembered}


@dataclass
class FakePowerSchool:
    """The `PowerSchoolGradebook`: a small gradebook that refuses what a test says.

    `categories_there` are every teacher's but those of `categories_of` (by USERS.DCID). `assignments_there` is keyed
    by assignment section id. `writes` holds what was committed, in order, as
    ("create" | "update" | "scores" | "clear", assignment section ids). `refused_students` are named in the refusal of
    a batch, `refused_targets` (assignment section ids) and `nameless_students` are refused without naming anyone,
    `locked` ones (assignment section ids) cannot be changed, which no read shows. `uncleared_students` keep a batch of
    clears from being taken. `before_scores` runs before every batch, as a person
    at PowerSchool would. `scores_read` holds of which assignment sections scores were asked for, in order.
    `stores` is what it makes of an assignment that is written.
    """

    categories_there: tuple[TeacherCategory, ...]
    assignments_there: dict[int, ActualAssignment] = field(default_factory=dict)
    writes: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    refused_students: dict[int, str] = field(default_factory=dict)
    refused_targets: dict[int, str] = field(default_factory=dict)
    nameless_students: set[int] = field(default_factory=set)
    uncleared_students: set[int] = field(default_factory=set)
    lost_creates: int = 0
    lost_scores: int = 0
    locked: set[int] = field(default_factory=set)
    categories_of: dict[int, tuple[TeacherCategory, ...]] = field(default_factory=dict)
    category_refreshes: int = 0
    before_scores: Callable[[], None] = lambda: None
    scores_read: list[set[int]] = field(default_factory=list)
    stores: Callable[[ActualAssignment], ActualAssignment] = lambda written: written
    last_id: int = 7000

    def plugin_ids(self) -> frozenset[str]:
        self.faults.check("plugin_ids")
        return frozenset({MARK})

    def categories(self, users_dcid: int, year_id: int, *, refresh: bool = False) -> tuple[TeacherCategory, ...]:
        self.faults.check("categories")
        self.category_refreshes += refresh
        return self.categories_of.get(users_dcid, self.categories_there)

    def assignments(
        self, sections: Sequence[RosteredSection], scores_of: Collection[int]
    ) -> tuple[ActualAssignment, ...]:
        self.faults.check("assignments")
        self.scores_read.append(set(scores_of))
        taught = {section.dcid for section in sections}
        return tuple(
            a if id_ in scores_of else replace(a, scores={})
            for id_, a in self.assignments_there.items()
            if a.section_dcid in taught
        )

    def sections_of_assignments(self, users_dcid: int, section_dcids: Sequence[int]) -> dict[int, frozenset[int]]:
        self.faults.check("sections_of_assignments")
        spans: dict[int, frozenset[int]] = {}
        for a in self.assignments_there.values():
            spans[a.assignment_id] = spans.get(a.assignment_id, frozenset()) | {a.section_dcid}
        return {id_: span for id_, span in spans.items() if span & set(section_dcids)}

    def create(self, users_dcid: int, desired: DesiredAssignment) -> CreatedAssignment:
        self.faults.check("create")
        self._refuse_duplicates(desired, None)
        self.last_id += 1
        id_ = self.last_id
        self.assignments_there[id_] = ActualAssignment(
            assignment_id=id_ - 1000,
            assignment_section_id=id_,
            section_dcid=desired.section_dcid,
            name=desired.name,
            due_date=desired.due_date,
            points=desired.points,
            category_id=desired.category_id,
            description=desired.description or "",
            created_by_plugin=MARK,
            counted=desired.counted is not False,
            scores_published=desired.scores_published is not False,
        )
        self.assignments_there[id_] = self.stores(self.assignments_there[id_])
        self.writes.append(("create", (id_,)))
        if self.lost_creates:
            self.lost_creates -= 1
            raise TransientError("POST /ws/xte/section/assignment/: timeout", cause="powerschool_timeout")
        return CreatedAssignment(id_ - 1000, id_)

    def update(self, users_dcid: int, actual: ActualAssignment, desired: DesiredAssignment) -> None:
        self.faults.check("update")
        id_ = actual.assignment_section_id
        if id_ not in self.assignments_there:
            raise not_found("GET /ws/xte/section/assignment/{assignment_id}: 404")
        if id_ in self.locked:
            raise refused("PUT /ws/xte/section/assignment/{assignment_id}: 409", "powerschool_locked")
        self._refuse_duplicates(desired, id_)
        self.assignments_there[id_] = replace(
            self.assignments_there[id_],
            name=desired.name,
            due_date=desired.due_date,
            points=desired.points,
            category_id=desired.category_id,
            **_given(
                description=desired.description, counted=desired.counted, scores_published=desired.scores_published
            ),
        )
        self.assignments_there[id_] = self.stores(self.assignments_there[id_])
        self.writes.append(("update", (id_,)))

    def _refuse_duplicates(self, desired: DesiredAssignment, own: int | None) -> None:
        wanted = (desired.section_dcid, normalize_name(desired.name), desired.due_date)
        for id_, a in self.assignments_there.items():
            if id_ != own and (a.section_dcid, normalize_name(a.name), a.due_date) == wanted:
                raise refused("/ws/xte/section/assignment: 409", "powerschool_duplicate", words="already exists")

    def write_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        self.faults.check("write_scores")
        self.before_scores()
        self._refuse_what_is_gone(rows)
        self._refuse_students(rows)
        self._refuse_targets(rows)
        if self.nameless_students & {row.student_dcid for row in rows}:
            raise refused("PUT /ws/xte/score: 409", "powerschool_409", words="Validation Failed")
        for row in rows:
            there = self.assignments_there[row.assignment_section_id]
            assert row.score is not None
            score = msgspec.structs.replace(row.score, marks=row.marks)
            scores = {**there.scores, row.student_dcid: score}
            self.assignments_there[row.assignment_section_id] = replace(there, scores=scores)
        self.writes.append(("scores", tuple(sorted({row.assignment_section_id for row in rows}))))
        if self.lost_scores:
            self.lost_scores -= 1
            raise TransientError("PUT /ws/xte/score: timeout", cause="powerschool_timeout", outcome_unknown=True)

    def clear_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        self.faults.check("clear_scores")
        if self.uncleared_students & {row.student_dcid for row in rows}:
            raise refused("PUT /ws/xte/score: 409", "powerschool_409", words="Validation Failed")
        for row in rows:
            there = self.assignments_there[row.assignment_section_id]
            scores = {**there.scores, row.student_dcid: Score(None)}
            self.assignments_there[row.assignment_section_id] = replace(there, scores=scores)
        self.writes.append(("clear", tuple(sorted({row.assignment_section_id for row in rows}))))

    def points(self, name: str) -> dict[int, Decimal | None]:
        """Return the scores of the only assignment of this name, by STUDENTS.DCID."""
        (found,) = [a for a in self.assignments_there.values() if a.name == name]
        return {dcid: score.points for dcid, score in found.scores.items()}

    def names(self) -> list[str]:
        """Return the names of all assignments, in order of their making."""
        return [a.name for a in self.assignments_there.values()]

    def _refuse_what_is_gone(self, rows: Sequence[ScoreRow]) -> None:
        for row in rows:
            if row.assignment_section_id not in self.assignments_there:
                raise not_found("PUT /ws/xte/score: 500", row.assignment_section_id)

    def _refuse_students(self, rows: Sequence[ScoreRow]) -> None:
        named = [row for row in rows if row.student_dcid in self.refused_students]
        if named:
            bad = [RejectedRow("score", row.assignment_section_id, row.student_dcid) for row in named]
            raise refused("PUT /ws/xte/score: 409", self.refused_students[named[0].student_dcid], rows=bad)

    def _refuse_targets(self, rows: Sequence[ScoreRow]) -> None:
        for row in rows:
            if row.assignment_section_id in self.refused_targets:
                raise refused("PUT /ws/xte/score: 409", self.refused_targets[row.assignment_section_id])


def _given(**values: object) -> dict[str, Any]:
    """Return the values that are said."""
    return {name: value for name, value in values.items() if value is not None}


def refused(message: str, cause: str, *, words: str = "", rows: Sequence[RejectedRow] = ()) -> RequestRejected:
    """Return a refusal."""
    return RequestRejected(message, cause=cause, status=409, error_text=words, rows=rows)


def not_found(message: str, assignment_section_id: int | None = None) -> NotFound:
    """Return the answer about something that was deleted."""
    rows = [] if assignment_section_id is None else [RejectedRow("AssignmentSection", assignment_section_id)]
    return NotFound(message, cause="powerschool_404", status=404, rows=rows)


class Stores:
    """The Redis stores of a district, on a Redis in memory and in the time of `clock`."""

    def __init__(self, clock: Clock) -> None:
        self.redis: redis.Redis = fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.keys = keys = Keys()

        def now_ms() -> int:
            return epoch_ms(clock.now())

        self.links = Links(self.redis, keys)
        self.takeovers = Takeovers(self.redis, keys)
        self.records = CourseStates(self.redis, keys)
        self.associations = CategoryMatches(self.redis, keys)
        self.audit = Audit(self.redis, keys, timedelta(days=400), MAX_ENTRIES, now_ms=now_ms)
        self.dead_letters = DeadLetters(self.redis, keys, now_ms=now_ms)
        self.dead_messages = DeadMessages(self.redis, keys)
        self.pauses = Pauses(self.redis, keys, clock)
        self.counters = Counters(self.redis, keys)
        self.unknown = UnknownChanges(self.redis, keys)

    def visits(self) -> dict[str, datetime | None]:
        """Return when each connected course was last synced or visited, None for never."""
        visited = self.redis.zrange(self.keys.courses, 0, -1, withscores=True)
        return {text(course): time_at(at) if at else None for course, at in visited}  # type: ignore[misc]

    def visit(self, visits: Mapping[str, datetime | None]) -> None:
        """Let these courses be connected, and visited at these times."""
        self.redis.zadd(self.keys.courses, {course: epoch_ms(at) if at else 0 for course, at in visits.items()})

    def due(self, dates: Mapping[str, datetime]) -> None:
        """Let the courses have these next due dates."""
        self.redis.zadd(self.keys.due_dates, {course: epoch_ms(at) for course, at in dates.items()})

    def hear_unknown(self, *times: datetime) -> None:
        """Let a change of unknown course be heard at each of these times."""
        self.redis.zadd(self.keys.unknown, {f"assignment:{epoch_ms(at)}": epoch_ms(at) for at in times})

    def audit_entries(self, course_id: str) -> list[AuditEntry]:
        """Return the entries of the course's writes that are over, the oldest first."""
        stored = self.redis.xrange(self.keys.audit(course_id))
        return [entry for _, fields in stored for entry in entries_of(fields[b"entry"])]

    def writes_begun(self, course_id: str) -> list[AuditEntry]:
        """Return the entries of the course's writes that are not over."""
        return [entry for stored in self.redis.hvals(self.keys.writes_begun(course_id)) for entry in entries_of(stored)]

    def forget(self, *keys: str) -> None:
        """Delete these keys."""
        self.redis.delete(*keys)


@dataclass
class FakeCourseFinder:
    """The `CanvasReader` of a discovery: courses with the time they end, None for one that goes on; some repeatedly."""

    courses: dict[str, datetime | None] = field(default_factory=dict)
    assignments_each: int = 2
    faults: Faults = field(default_factory=Faults)

    def courses_to_sync(self, ended_after: datetime) -> Iterator[str]:
        self.faults.check("courses_to_sync")
        for course_id, ends_at in self.courses.items():
            if ends_at is None or ends_at > ended_after:
                yield from [course_id] * self.assignments_each


@dataclass
class FakeChanges:
    """The `SyncQueue`, as far as one process sees it.

    `messages` are course ids not yet folded, `due` and `claimed` the courses at those steps, `leases` the leases
    in force. `later` holds what was released for later: course, delay, attempts.
    """

    messages: list[str] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    change_sets: dict[str, PendingChanges] = field(default_factory=dict)
    leases: set[Lease] = field(default_factory=set)
    requested: list[tuple[str, ChangeCause]] = field(default_factory=list)
    released: list[Lease] = field(default_factory=list)
    later: list[tuple[str, timedelta, int]] = field(default_factory=list)
    heard: dict[str, datetime] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    last_token: int = 0

    def lease(self, course_id: str) -> Lease:
        """Return a new lease of the course."""
        self.last_token += 1
        lease = Lease(course_id, self.last_token)
        self.leases.add(lease)
        return lease

    def request(
        self,
        course_id: str,
        cause: ChangeCause,
        assignment_ids: Collection[str] = (),
        *,
        actor: str = "",
        origin: ChangeCause | None = None,
    ) -> None:
        self.faults.check("request")
        self.requested.append((course_id, cause))

    def aggregate(self, consumer: str, limit: int, block: timedelta) -> AggregateResult:
        self.faults.check("aggregate")
        folded, self.messages = self.messages[:limit], self.messages[limit:]
        self.due += [course for course in dict.fromkeys(folded) if course not in self.due]
        return AggregateResult(len(folded), 0, 0)

    def claim_due(self, limit: int) -> list[str]:
        self.faults.check("claim_due")
        room = limit - len(self.claimed)
        claimed, self.due = self.due[:room], self.due[room:]
        self.claimed += claimed
        return claimed

    def claims_ended(self) -> None:
        """Let every claim end unanswered."""
        self.due, self.claimed = self.claimed + self.due, []

    def start_sync(self, course_id: str) -> tuple[Lease, PendingChanges] | None:
        self.faults.check("start_sync")
        if course_id not in self.claimed:
            return None
        self.claimed.remove(course_id)
        return self.lease(course_id), self.change_sets[course_id]

    def renew(self, lease: Lease) -> None:
        self.faults.check("renew")
        if lease not in self.leases:
            raise LeaseLost(lease.course_id)

    def release(self, lease: Lease) -> bool:
        self.faults.check("release")
        held = lease in self.leases
        self.leases.discard(lease)
        self.released.append(lease)
        return held

    def reschedule(self, lease: Lease, delay: timedelta, attempts: int, cause: str = "") -> bool:
        self.faults.check("reschedule")
        held = lease in self.leases
        self.leases.discard(lease)
        self.later.append((lease.course_id, delay, attempts))
        return held

    def time_until_next(self) -> timedelta | None:
        return timedelta(0) if self.due or self.claimed else None

    def has_ready_courses(self) -> bool:
        self.faults.check("has_ready_courses")
        return bool(self.due or self.claimed)

    def last_event_of(self, course_id: str) -> datetime | None:
        return self.heard.get(course_id)

    def taken_of(self, course_id: str) -> PendingChanges | None:
        leased = any(lease.course_id == course_id for lease in self.leases)
        return PendingChanges(course_id, EPOCH, EPOCH, 1, frozenset()) if leased else None


def write_check(changes: FakeChanges, lease: Lease, clock: Clock, length: timedelta) -> Callable[[], None]:
    """Return the check before each write of a sync for which nobody waits: it ends at its deadline alone."""
    return SyncLimits(changes, lease, clock, clock.now() + length, length).check_write  # type: ignore[arg-type]
