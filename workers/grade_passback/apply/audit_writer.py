"""What a run wrote, told to the audit with each write: what was there before comes from the run's own survey."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from shared.adapters.redis.course_data.audit import Audit
from shared.clock import Clock
from shared.domain.passback.audit import AuditEntry, FieldChange, ScoreChange, WriteContext, WriteKind
from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.planning.diff import OwnedField
from shared.domain.passback.planning.plan import UpdateStep, WriteScoresStep
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, Score
from shared.errors import PermanentError, TransientError
from shared.ports.passback import ScoreRow
from workers.grade_passback.compare import CourseComparison


class AuditWriter:
    """Writes one run's audit entries."""

    def __init__(self, audit: Audit, clock: Clock, comparison: CourseComparison, occasion: WriteContext) -> None:
        self._audit = audit
        self._clock = clock
        self._comparison = comparison
        self._occasion = occasion

    @contextmanager
    def of_write(self, entries: Sequence[AuditEntry]) -> Iterator[None]:
        """Tell of the write that is sent meanwhile, whatever becomes of it and of this process.

        Until its answer is seen, and if it never is, the audit has the write as one whose answer was lost: PowerSchool
        may have it, and then the next sync finds nothing to write.
        """
        course_id = self._comparison.data.course.id
        begun = self._audit.begin(course_id, self._as_of_now(entries, answer_lost=True))
        try:
            yield
        except (TransientError, PermanentError) as error:
            outcome_unknown = isinstance(error, TransientError) and error.outcome_unknown
            self._audit.end(course_id, begun, self._as_of_now(entries, answer_lost=True) if outcome_unknown else ())
            raise
        self._audit.end(course_id, begun, self._as_of_now(entries))

    def created(self, link: Link) -> None:
        """Tell that the link's assignment was created, now or by an earlier run that never saw the answer.

        No write has to begin for it: the claim of a create is found by the next survey.
        """
        desired = self._desired(link.key)
        fields = () if desired is None else tuple(FieldChange(f, None, _field(desired, f)) for f in OwnedField)
        self._audit.add(self._entry(link, WriteKind.CREATE, fields=fields))

    def updated(self, link: Link, step: UpdateStep) -> AuditEntry:
        """Return which fields are changed."""
        changed = (FieldChange(f, _field(step.actual, f), _field(step.desired, f)) for f in step.changed_fields)
        return self._entry(link, WriteKind.UPDATE, fields=tuple(changed))

    def scored(self, link: Link, rows: Iterable[ScoreRow]) -> AuditEntry:
        """Return whose scores are written."""
        before = self._replaced(link.key)
        scores = tuple(self._score(row, before.get(row.student_dcid)) for row in rows)
        return self._entry(link, WriteKind.SCORES, scores=scores)

    def cleared(self, link: Link, scores: Mapping[int, Score]) -> AuditEntry:
        """Return whose scores are emptied, and what they were, by STUDENTS.DCID."""
        changes = (
            ScoreChange(dcid, self._sis_id(dcid), before=_recorded(before), after=None)
            for dcid, before in scores.items()
        )
        return self._entry(link, WriteKind.CLEAR, scores=tuple(changes))

    def _score(self, row: ScoreRow, before: Score | None) -> ScoreChange:
        return ScoreChange(
            student_dcid=row.student_dcid,
            student_sis_id=self._sis_id(row.student_dcid),
            before=None if before is None else _recorded(before),
            after=row.score,
        )

    def _sis_id(self, student_dcid: int) -> str | None:
        student = self._comparison.data.users.get(student_dcid)
        return student.sis_user_id if student else None

    def _entry(
        self,
        link: Link,
        kind: WriteKind,
        fields: tuple[FieldChange, ...] = (),
        scores: tuple[ScoreChange, ...] = (),
    ) -> AuditEntry:
        desired = self._desired(link.key)
        return AuditEntry(
            at=self._clock.now(),
            course_id=self._comparison.data.course.id,
            assignment_id=link.assignment_id,
            section_dcid=link.section_dcid,
            powerschool_assignment_id=link.powerschool_assignment_id,
            powerschool_assignment_section_id=link.powerschool_assignment_section_id,
            kind=kind,
            occasion=self._occasion,
            points_possible=None if desired is None else desired.points,
            fields=fields,
            scores=scores,
        )

    def _as_of_now(self, entries: Sequence[AuditEntry], *, answer_lost: bool = False) -> list[AuditEntry]:
        now = self._clock.now()
        return [replace(entry, at=now, answer_lost=answer_lost) for entry in entries]

    def _desired(self, key: AssignmentKey) -> DesiredAssignment | None:
        return next((p.desired for p in self._comparison.placements if p.key == key), None)

    def _replaced(self, key: AssignmentKey) -> dict[int, Score]:
        steps = (step for step in self._comparison.plan.steps_of(key) if isinstance(step, WriteScoresStep))
        return {dcid: score for step in steps for dcid, score in step.replaces.items()}


def _recorded(score: Score) -> Score:
    """Return the score without the marks that belong to the teacher."""
    return Score(score.points, score.missing, score.exempt)


def _field(of: DesiredAssignment | ActualAssignment, field: OwnedField) -> str:
    match field:
        case OwnedField.DUE_DATE:
            return of.due_date.isoformat()
        case OwnedField.CATEGORY:
            return str(of.category_id or "")
    value = getattr(of, field.value)
    return "" if value is None else str(value)
