"""What all writes of one plan share: the guard, the links, the audit and the result so far.

Also finds out what became of writes whose response was lost: the next read of PowerSchool shows it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import structlog

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.course_data.takeovers import TakeoverResponse, Takeovers
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.outcome import Failure
from shared.domain.passback.audit import (
    Arrival,
    AuditEntry,
    FieldChange,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.planning.diff import agrees, has_value, is_same_description
from shared.domain.passback.planning.links import Link
from shared.domain.passback.planning.plan import ClearScoresStep, UpdateStep, WriteScoresStep
from shared.domain.passback.powerschool import OWNED_FIELDS, ActualAssignment, AssignmentKey, Score, WrittenField
from shared.domain.passback.rules.reasons import REASON_OF_CAUSE, Finding, Reason
from shared.errors import NotFound, PermanentError, RequestRejected, ServiceUnavailable, TransientError
from shared.log_events import LogEvent
from shared.ports.passback import PowerSchoolGradebook, ScoreRow
from workers.grade_passback.compare import CourseComparison, audit_text

log = structlog.get_logger()

# PowerSchool documents no limit.
MAX_SCORES_PER_REQUEST = 200
# Called right before each write; raises what ends the sync.
WriteGuard = Callable[[], None]

# Refusals that say what is wrong with one assignment or student. Any other may be about who made the assignment.
SINGLE_ASSIGNMENT_CAUSES = frozenset(
    {
        Cause.LOCKED, Cause.GRADE_SCALE, Cause.SCORE_TYPE, Cause.DUPLICATE, Cause.DUE_DATE, Cause.CATEGORY,
        Cause.POINTS, Cause.STUDENT, Cause.NOT_TEACHING, Cause.NOT_UPDATED,
    }
)  # fmt: skip


@dataclass
class ApplyResult:
    """The result of applying a plan, by assignment and section.

    Assignments in `refused_names` keep their names for now; their scores are written. Assignments in `deleted` were
    deleted in PowerSchool after they were read; the next pass creates them. `written` counts scores, `written_before`
    those of the sync's earlier passes.
    """

    refused: dict[AssignmentKey, Finding] = field(default_factory=dict)
    refused_names: dict[AssignmentKey, Finding] = field(default_factory=dict)
    refused_students: dict[AssignmentKey, dict[int, Finding]] = field(default_factory=dict)
    failed: dict[AssignmentKey, Failure] = field(default_factory=dict)
    permanent_failures: dict[AssignmentKey, Failure] = field(default_factory=dict)
    deleted: dict[AssignmentKey, Failure] = field(default_factory=dict)
    written: dict[AssignmentKey, int] = field(default_factory=dict)
    written_before: dict[AssignmentKey, int] = field(default_factory=dict)
    links: dict[AssignmentKey, Link] = field(default_factory=dict)
    unavailable: ServiceUnavailable | None = None

    def may_continue(self, key: AssignmentKey) -> bool:
        """Say whether no step of this assignment failed so far."""
        return key not in self.refused and key not in self.failed and key not in self.permanent_failures

    def is_takeover_refused(self, key: AssignmentKey) -> bool:
        """Say whether PowerSchool does not let passback change the assignment, whoever made it."""
        return key in self.refused and self.refused[key].reason is Reason.TAKEOVER_REFUSED

    def record_failure(self, key: AssignmentKey, error: TransientError | PermanentError) -> None:
        """Record the error of this assignment; the others go on."""
        if isinstance(error, TransientError):
            self.failed[key] = Failure(error.cause, str(error), key.assignment_id)
            return
        error_text = error.error_text if isinstance(error, RequestRejected) else ""
        reason = REASON_OF_CAUSE.get(error.cause)
        if reason is Reason.STUDENT_REFUSED:
            # PowerSchool named no student, and wrote no score.
            reason = Reason.REFUSED
        if reason is None:
            self.permanent_failures[key] = Failure(error.cause, f"{error} {error_text}".strip(), key.assignment_id)
        else:
            self.refused[key] = Finding(reason, error_text)

    def record_write(self, key: AssignmentKey, scores: int) -> None:
        """Count written scores, also if there are none: the assignment was written."""
        self.written[key] = self.written.get(key, 0) + scores


@dataclass(frozen=True, slots=True)
class WriteTargets:
    """Where a plan is written: PowerSchool, at most `score_batch` scores per request, and the stores that record it."""

    powerschool: PowerSchoolGradebook
    links: Links
    audit: Audit
    takeovers: Takeovers
    clock: Clock
    score_batch: int


@dataclass
class ApplyContext:
    """Guards and records the writes of one plan.

    `guard` is called before every write, so that a worker without its lease writes nothing. `to_verify` has the
    assignments that are read once more after all writes.
    """

    targets: WriteTargets
    comparison: CourseComparison
    guard: WriteGuard
    write_context: WriteContext
    to_verify: set[AssignmentKey] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        self.result = ApplyResult(links=dict(self.comparison.data.links))
        self._course_id = self.comparison.data.course.id

    def teacher(self, section_dcid: int) -> int:
        """Return the USERS.DCID of the section's lead teacher, for whom passback writes."""
        teacher = self.comparison.data.rosters[section_dcid].teacher_users_dcid
        assert teacher is not None, "a section without a teacher is blocked before this"
        return teacher

    def save_link(self, link: Link) -> None:
        """Store the link if it changed."""
        if self.result.links.get(link.key) != link:
            self.targets.links.save(self._course_id, link)
            self.result.links[link.key] = link

    def delete_link(self, key: AssignmentKey) -> None:
        """Delete the link."""
        self.targets.links.delete(self._course_id, *key)
        self.result.links.pop(key, None)

    def mark_deleted(self, key: AssignmentKey, error: TransientError | PermanentError) -> None:
        """Delete the link of an assignment that was deleted in PowerSchool after the read; the next pass creates it."""
        self.delete_link(key)
        self.result.deleted[key] = Failure(error.cause, str(error), key.assignment_id)

    @contextmanager
    def writing(self, entries: Sequence[AuditEntry]) -> Iterator[None]:
        """Call the guard, and record the write that the block sends, also if this process dies meanwhile.

        Until its response arrives, and if none does, the audit has the write as one whose response was lost. The next
        sync reads whether it arrived (`resolve_lost_responses`).
        """
        self.guard()
        begun = self.targets.audit.begin(self._course_id, self._as_of_now(entries, answer_lost=True))
        try:
            yield
        except (TransientError, PermanentError) as error:
            if isinstance(error, TransientError) and error.outcome_unknown:
                self._mark_written(entries)
            else:
                self.targets.audit.end(self._course_id, begun, ())
            raise
        self.targets.audit.end(self._course_id, begun, self._as_of_now(entries))
        for made_by, key in self._mark_written(entries).items():
            self.targets.takeovers.record_response(self._response(key, made_by))

    def _mark_written(self, entries: Iterable[AuditEntry]) -> dict[str, AssignmentKey]:
        """Mark links that were taken over as written to; return one of the newly marked by its maker."""
        marked: dict[str, AssignmentKey] = {}
        for entry in entries:
            link = self.result.links[AssignmentKey(entry.assignment_id, entry.section_dcid)]
            if link.taken_over is not None and not link.taken_over.is_written:
                self.save_link(replace(link, taken_over=replace(link.taken_over, is_written=True)))
                marked[link.taken_over.made_by] = link.key
        return marked

    def refuse_takeover(self, key: AssignmentKey, error: TransientError | PermanentError) -> bool:
        """Undo takeovers if this refuses the first change of an assignment that was taken over; say whether it does.

        Nothing was written then: the links of the course to all unwritten assignments of the same maker are deleted, so
        that no other one is tried. A refusal that says what is wrong with this assignment alone is none of a takeover.
        """
        link = self.result.links.get(key)
        if link is None or link.taken_over is None or link.taken_over.is_written:
            return False
        if (
            not isinstance(error, RequestRejected)
            or isinstance(error, NotFound)
            or error.cause in SINGLE_ASSIGNMENT_CAUSES
        ):
            return False
        self.targets.takeovers.record_response(self._response(key, link.taken_over.made_by, error))
        log.error(
            LogEvent.TAKEOVER_REFUSED,
            course_id=self._course_id,
            assignment_id=key.assignment_id,
            cause=error.cause,
        )
        for other in [o for o in self.result.links.values() if o.taken_over == link.taken_over]:
            self.result.refused[other.key] = Finding(Reason.TAKEOVER_REFUSED, error.error_text)
            self.delete_link(other.key)
        return True

    def _response(self, key: AssignmentKey, made_by: str, error: RequestRejected | None = None) -> TakeoverResponse:
        said = ("", "") if error is None else (error.cause, error.error_text)
        return TakeoverResponse(self.targets.clock.now(), self._course_id, *key, made_by, *said)

    def record_create(self, link: Link) -> None:
        """Record that the link's assignment was created, now or by an earlier run that never got the response.

        The write needs no entry before it: the next sync finds the link of a pending create.
        """
        desired = self.comparison.desired_of(link.key)
        fields = (
            ()
            if desired is None
            else tuple(FieldChange(f, None, audit_text(self.comparison.data, desired, f)) for f in OWNED_FIELDS)
        )
        self.targets.audit.add(self._entry(link, WriteKind.CREATE, fields=fields))

    def update_entry(self, step: UpdateStep) -> AuditEntry:
        """Return the entry of an update, with the fields that change."""
        data = self.comparison.data
        changes = (
            FieldChange(f, audit_text(data, step.actual, f), audit_text(data, step.desired, f))
            for f in step.changed_fields
        )
        return self._entry(self.result.links[step.key], WriteKind.UPDATE, fields=tuple(changes))

    def scores_entry(self, key: AssignmentKey, rows: Iterable[ScoreRow], kind: WriteKind) -> AuditEntry:
        """Return the entry of scores that are written or cleared, with the scores that they replace."""
        steps = self.comparison.plan.steps_of(key)
        score_steps = (step for step in steps if isinstance(step, WriteScoresStep | ClearScoresStep))
        before = {dcid: score for step in score_steps for dcid, score in step.replaces.items()}
        changes = (self._score_change(key, row, before.get(row.student_dcid)) for row in rows)
        return self._entry(self.result.links[key], kind, scores=tuple(changes))

    def _score_change(self, key: AssignmentKey, row: ScoreRow, before: Score | None) -> ScoreChange:
        student = self.comparison.data.users.get(row.student_dcid)
        # Marks belong to the teacher, and are not recorded.
        recorded = None if before is None else Score(before.points, before.missing, before.exempt)
        submission = student.submissions.get(key.assignment_id) if student else None
        grader = None if submission is None or submission.grader_id is None else str(submission.grader_id)
        return ScoreChange(row.student_dcid, student.sis_user_id if student else None, recorded, row.score, grader)

    def _entry(
        self,
        link: Link,
        kind: WriteKind,
        fields: tuple[FieldChange, ...] = (),
        scores: tuple[ScoreChange, ...] = (),
    ) -> AuditEntry:
        desired = self.comparison.desired_of(link.key)
        return AuditEntry(
            at=self.targets.clock.now(),
            course_id=self._course_id,
            assignment_id=link.assignment_id,
            section_dcid=link.section_dcid,
            powerschool_assignment_id=link.powerschool_assignment_id,
            powerschool_assignment_section_id=link.powerschool_assignment_section_id,
            kind=kind,
            occasion=self.write_context,
            points_possible=None if desired is None else desired.points,
            fields=fields,
            scores=scores,
        )

    def _as_of_now(self, entries: Sequence[AuditEntry], *, answer_lost: bool = False) -> list[AuditEntry]:
        now = self.targets.clock.now()
        return [replace(entry, at=now, answer_lost=answer_lost) for entry in entries]


def resolve_lost_responses(audit: Audit, comparison: CourseComparison) -> None:
    """Store what became of the course's writes that have no answer; those whose assignment was not read stay.

    What remains of a write is stored before its settled part: if this process dies in between, an entry is there twice
    rather than not at all.
    """
    course_id = comparison.data.course.id
    for write, entries in audit.unanswered(course_id).items():
        judged = [_settled(entry, comparison) for entry in entries]
        settled = [entry for entry in judged if entry.arrival or not entry.answer_lost]
        if settled:
            if remaining := [entry for entry in judged if entry not in settled]:
                audit.begin(course_id, remaining)
            audit.end(course_id, write, settled)


def _settled(entry: AuditEntry, comparison: CourseComparison) -> AuditEntry:
    if not entry.answer_lost or not _was_read(entry, comparison):
        return entry
    target = entry.powerschool_assignment_section_id
    actual = next((a for a in comparison.data.actual if a.assignment_section_id == target), None)
    return replace(entry, arrival=Arrival.CHANGED_SINCE if actual is None else _arrival(entry, actual, comparison))


def _was_read(entry: AuditEntry, comparison: CourseComparison) -> bool:
    """Say whether this look shows what was written: scores are read only of assignments that no rule blocks."""
    key = AssignmentKey(entry.assignment_id, entry.section_dcid)
    placement = next((p for p in comparison.placements if p.key == key), None)
    if entry.kind is WriteKind.UPDATE:
        return key.section_dcid in comparison.data.rosters
    return placement is not None and placement.desired is not None and placement.scores_read


def _arrival(entry: AuditEntry, actual: ActualAssignment, comparison: CourseComparison) -> Arrival:
    """Compare what PowerSchool has with what was sent and with what was there. It takes a batch as a whole or not."""
    found = {*_fields(entry, actual, comparison), *(_score(change, actual) for change in entry.scores)}
    if Arrival.ARRIVED in found:
        return Arrival.ARRIVED
    return Arrival.NOT_ARRIVED if Arrival.NOT_ARRIVED in found else Arrival.CHANGED_SINCE


def _fields(entry: AuditEntry, actual: ActualAssignment, comparison: CourseComparison) -> Iterable[Arrival]:
    for change in entry.fields:
        there = audit_text(comparison.data, actual, WrittenField(change.field))
        if is_same_description(change.after or "", there):
            yield Arrival.ARRIVED
        else:
            yield Arrival.NOT_ARRIVED if is_same_description(change.before or "", there) else Arrival.CHANGED_SINCE


def _score(change: ScoreChange, actual: ActualAssignment) -> Arrival:
    there = actual.scores.get(change.student_dcid)
    if _is(change.after, there):
        return Arrival.ARRIVED
    return Arrival.NOT_ARRIVED if _is(change.before, there) else Arrival.CHANGED_SINCE


def _is(value: Score | None, there: Score | None) -> bool:
    if value is None:
        return there is None or not has_value(there)
    return agrees(value, there)
