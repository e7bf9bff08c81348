"""In-memory stand-ins for the ports of `shared.ports.passback`, with failures that a test plans by method and call."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from shared.adapters.redis.sync_queue.store import AggregateResult
from shared.adapters.redis.values import Lease
from shared.clock import Clock
from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.canvas import Course, GradebookRow
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.course_state import CourseRecord, DeadLetter, DeadLetterKind
from shared.domain.passback.planning.assignment_matching import normalize_name
from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, RosteredSection, Score, TeacherCategory
from shared.domain.passback.rules.categories import CategoryAssociation
from shared.domain.pauses import EVERYTHING, Pause, course_target
from shared.errors import GradebookIncomplete, LeaseLost, NotFound, RejectedRow, RequestRejected, TransientError
from shared.ports.passback import CachePolicy, CreatedAssignment, ScoreRow
from workers.grade_passback.lease import SyncTimeSlice

MARK = "passback-plugin"


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
            return replace(self.content, sections=frame.sections, groups=frame.groups, remembered=True)
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


@dataclass
class FakeLinks:
    """The `Links`."""

    links: dict[str, dict[AssignmentKey, Link]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def of_course(self, course_id: str) -> Mapping[AssignmentKey, Link]:
        self.faults.check("of_course")
        return dict(self.links.get(course_id, {}))

    def save(self, course_id: str, link: Link) -> None:
        self.faults.check("save")
        self.links.setdefault(course_id, {})[link.key] = link

    def delete(self, course_id: str, assignment_id: str, section_dcid: int) -> None:
        self.faults.check("delete")
        self.links.get(course_id, {}).pop(AssignmentKey(assignment_id, section_dcid), None)


@dataclass
class FakeCategoryAssociations:
    """The `CategoryAssociations`."""

    associations: dict[str, dict[str, CategoryAssociation]] = field(default_factory=dict)

    def of_course(self, course_id: str) -> Mapping[str, CategoryAssociation]:
        return dict(self.associations.get(course_id, {}))

    def save(self, course_id: str, group_id: str, association: CategoryAssociation) -> None:
        self.associations.setdefault(course_id, {})[group_id] = association

    def delete(self, course_id: str, group_id: str) -> None:
        self.associations.get(course_id, {}).pop(group_id, None)


@dataclass
class FakeRecords:
    """The `Records`. `visits` holds when each connected course was last synced or visited, None for never."""

    saved: dict[str, CourseRecord] = field(default_factory=dict)
    visits: dict[str, datetime | None] = field(default_factory=dict)
    gone: dict[str, datetime] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def save(self, record: CourseRecord, canvas_section_ids: Collection[str] = ()) -> None:
        self.faults.check("save")
        self.saved[record.course_id] = record
        self.visits[record.course_id] = record.synced_at
        self.gone.pop(record.course_id, None)

    def course(self, course_id: str) -> CourseRecord | None:
        self.faults.check("course")
        return self.saved.get(course_id)

    def register(self, course_id: str) -> bool:
        is_new = course_id not in self.visits
        self.visits.setdefault(course_id, None)
        return is_new

    def close(self, course_id: str, at: datetime) -> bool:
        self.visits.pop(course_id, None)
        is_news = course_id not in self.gone
        self.gone.setdefault(course_id, at)
        return is_news

    def is_connected(self, course_id: str) -> bool:
        return course_id in self.visits

    def count(self) -> int:
        return len(self.visits)

    def least_recently_visited(self, synced_before: datetime, limit: int) -> list[str]:
        stale = [(at, id_) for id_, at in self.visits.items() if at is None or at < synced_before]
        stale.sort(key=lambda visit: (visit[0] is not None, visit[0] or synced_before, visit[1]))
        return [id_ for _, id_ in stale[:limit]]

    def mark_visited(self, course_id: str, at: datetime) -> None:
        if course_id in self.visits:
            self.visits[course_id] = max(at, self.visits[course_id] or at)


@dataclass
class FakeDeadLetters:
    """The `DeadLetters`, by course and assignment."""

    clock: Clock
    letters: dict[tuple[str, str | None], DeadLetter] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def add(
        self,
        course_id: str,
        assignment_id: str | None,
        cause: str,
        answer: str,
        attempts: int,
        *,
        failed_before: Sequence[datetime] = (),
    ) -> DeadLetter:
        self.faults.check("add")
        key, now = (course_id, assignment_id), self.clock.now()
        times = (*failed_before, now)
        first = self.letters[key].first_failed_at if key in self.letters else times[0]
        id_ = "-".join(part for part in key if part is not None)
        letter = DeadLetter(id_, course_id, assignment_id, cause, answer, attempts, first, now, attempt_times=times)
        self.letters[key] = letter
        return letter

    def add_provisioning(
        self, run_id: str, cause: str, answer: str, attempts: int, *, failed_before: Sequence[datetime] = ()
    ) -> DeadLetter:
        key, now = ("", "provisioning"), self.clock.now()
        times = (*failed_before, now)
        first = self.letters[key].first_failed_at if key in self.letters else times[0]
        kind = DeadLetterKind.PROVISIONING
        letter = DeadLetter(key[1], "", None, cause, answer, attempts, first, now, kind, times, source=run_id)
        self.letters[key] = letter
        return letter

    def close_provisioning(self) -> None:
        self.letters.pop(("", "provisioning"), None)

    def of_course(self, course_id: str) -> list[DeadLetter]:
        self.faults.check("of_course")
        return [letter for (course, _), letter in self.letters.items() if course == course_id]

    def all(self) -> list[DeadLetter]:
        return list(self.letters.values())

    def close(self, course_id: str, assignment_id: str | None) -> None:
        self.faults.check("close")
        self.letters.pop((course_id, assignment_id), None)

    def count(self) -> int:
        return len(self.letters)

    def oldest_at(self) -> datetime | None:
        return min((letter.first_failed_at for letter in self.letters.values()), default=None)

    def mark_retried(self, letter_id: str) -> bool:
        self.faults.check("mark_retried")
        for key, letter in self.letters.items():
            if letter.id == letter_id:
                self.letters[key] = replace(letter, retried_at=self.clock.now())
                return True
        return False


@dataclass
class FakeDeadMessages:
    """The `DeadMessages`. `republished` are the ids that went back; `unwilling` those that cannot."""

    letters: dict[str, DeadLetter] = field(default_factory=dict)
    republished: list[str] = field(default_factory=list)
    unwilling: set[str] = field(default_factory=set)

    def all(self) -> list[DeadLetter]:
        return list(self.letters.values())

    def content(self, letter_id: str) -> Mapping[bytes, bytes]:
        return {b"payload": b"\xff"} if letter_id in self.letters else {}

    def count(self) -> int:
        return len(self.letters)

    def oldest_at(self) -> datetime | None:
        return min((letter.first_failed_at for letter in self.letters.values()), default=None)

    def republish(self, letter_id: str) -> bool:
        if letter_id in self.unwilling or self.letters.pop(letter_id, None) is None:
            return False
        self.republished.append(letter_id)
        return True

    def discard(self, letter_ids: Collection[str]) -> int:
        return sum(self.letters.pop(letter_id, None) is not None for letter_id in letter_ids)


@dataclass
class FakePauses:
    """The `Pauses`."""

    clock: Clock
    held: dict[str, Pause] = field(default_factory=dict)

    def pause(self, target: str, actor: str, reason: str = "") -> bool:
        if target in self.held:
            return False
        self.held[target] = Pause(target, self.clock.now(), actor, reason)
        return True

    def resume(self, target: str) -> bool:
        return self.held.pop(target, None) is not None

    def all(self) -> list[Pause]:
        return list(self.held.values())

    def of_course(self, course_id: str) -> Pause | None:
        return self.held.get(course_target(course_id)) or self.held.get(EVERYTHING)


@dataclass
class FakeAudit:
    """The `Audit`: entries in the order of their writing."""

    entries: list[AuditEntry] = field(default_factory=list)
    begun: dict[str, list[AuditEntry]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)

    def begin(self, course_id: str, entries: Sequence[AuditEntry]) -> str:
        self.faults.check("begin")
        assert {entry.course_id for entry in entries} == {course_id}
        self.entries += [entry for interrupted in self.begun.values() for entry in interrupted]
        self.begun = {str(len(self.entries)): list(entries)}
        return str(len(self.entries))

    def end(self, course_id: str, write: str, entries: Sequence[AuditEntry]) -> None:
        self.faults.check("end")
        self.begun.pop(write, None)
        for entry in entries:
            assert entry.course_id == course_id
            self.add(entry)

    def add(self, entry: AuditEntry) -> None:
        self.faults.check("add")
        self.entries.append(entry)

    def of_course(self, course_id: str, since: datetime | None = None) -> Iterator[AuditEntry]:
        return (e for e in reversed(self.entries) if e.course_id == course_id and (since is None or e.at >= since))


@dataclass
class FakeDueDates:
    """The `DueDates`: the next due date of each course that has one."""

    dates: dict[str, datetime] = field(default_factory=dict)

    def passed(self, moment: datetime) -> dict[str, datetime]:
        return {course_id: due_at for course_id, due_at in self.dates.items() if due_at <= moment}

    def delete(self, passed: Mapping[str, datetime]) -> None:
        self.dates = {id_: due_at for id_, due_at in self.dates.items() if passed.get(id_) != due_at}


@dataclass
class FakeCounters:
    """The `Counters`: numbers by name and label."""

    numbers: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, name: str, label: str, amount: int = 1) -> None:
        self.numbers[name, label] = self.numbers.get((name, label), 0) + amount

    def read(self, name: str) -> dict[str, int]:
        return {label: number for (own, label), number in self.numbers.items() if own == name}


@dataclass
class FakeCourseFinder:
    """The `CourseFinder`: courses with the time they end, None for one that goes on; listed once per assignment."""

    courses: dict[str, datetime | None] = field(default_factory=dict)
    assignments_each: int = 2
    faults: Faults = field(default_factory=Faults)

    def courses_to_sync(self, ended_after: datetime) -> Iterator[str]:
        self.faults.check("courses_to_sync")
        for course_id, ends_at in self.courses.items():
            if ends_at is None or ends_at > ended_after:
                yield from [course_id] * self.assignments_each


@dataclass
class FakeUnknownChanges:
    """The `UnknownChanges`: when each was heard."""

    heard: list[datetime] = field(default_factory=list)

    def count(self) -> int:
        return len(self.heard)

    def oldest_at(self) -> datetime | None:
        return min(self.heard, default=None)

    def discard_before(self, moment: datetime) -> int:
        kept = [at for at in self.heard if at >= moment]
        closed = len(self.heard) - len(kept)
        self.heard = kept
        return closed


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
        self, course_id: str, cause: ChangeCause, assignment_ids: Collection[str] = (), *, actor: str = ""
    ) -> None:
        self.faults.check("request")
        self.requested.append((course_id, cause))

    def aggregate(self, consumer: str, limit: int, block: timedelta) -> AggregateResult:
        self.faults.check("aggregate")
        normalize_name, self.messages = self.messages[:limit], self.messages[limit:]
        self.due += [course for course in dict.fromkeys(normalize_name) if course not in self.due]
        return AggregateResult(len(normalize_name), 0, 0)

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


def whole_turn(clock: Clock, length: timedelta) -> SyncTimeSlice:
    """Return a turn that nobody else waits for: over at its deadline alone."""
    return SyncTimeSlice(clock, clock.now() + length, length, lambda: False)
