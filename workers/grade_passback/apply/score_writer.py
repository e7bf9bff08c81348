"""Writes and clears scores in batches. A refused batch is split until the rows that PowerSchool refuses are found."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from shared.domain.causes import Cause, Scope
from shared.domain.passback.audit import WriteKind
from shared.domain.passback.planning.diff import CLEARED, echoes_after_write, is_repeated
from shared.domain.passback.planning.links import Echo
from shared.domain.passback.planning.plan import ClearScoresStep, WriteScoresStep
from shared.domain.passback.powerschool import NO_MARKS, AssignmentKey, Mark, Score
from shared.domain.passback.rules.reasons import REASON_OF_CAUSE, Finding, Reason
from shared.errors import (
    AccessDenied,
    LeaseLost,
    NotFound,
    PermanentError,
    RequestRejected,
    ServiceUnavailable,
    TransientError,
)
from shared.ports.passback import ScoreRow
from workers.grade_passback.apply.context import ApplyContext
from workers.grade_passback.compare import reason_not_cleared
from workers.runtime.jobs import ADMINISTRATOR_DELAY

# One bad row of n is isolated after about log2(n) refusals; this many bad rows are found in every batch.
BAD_ROWS_FOUND = 4


@dataclass
class _Bisection:
    """How a refused batch is split. `refusals_left` limits the requests that look for bad rows.

    `isolated` has the rows that were refused by themselves, with the refusal.
    """

    remaining_refusals: int
    isolated: list[tuple[ScoreRow, PermanentError]] = field(default_factory=list)

    def parts(self, rows: Sequence[ScoreRow], error: TransientError | PermanentError) -> tuple[Sequence[ScoreRow], ...]:
        """Return the parts to send by themselves; none where no part would fare better, or enough were tried.

        Rows of several assignments are split between assignments, since a refusal may be about one of them. A refusal
        of a whole assignment, of credentials, or a failure that may pass does not split the rows of an assignment.
        """
        if isinstance(error, TransientError) or self.remaining_refusals <= 0:
            return ()
        self.remaining_refusals -= 1
        targets = sorted({row.assignment_section_id for row in rows})
        if len(targets) > 1:
            first = set(targets[: len(targets) // 2])
            return (
                [row for row in rows if row.assignment_section_id in first],
                [row for row in rows if row.assignment_section_id not in first],
            )
        if len(rows) < 2 or not _is_of_a_row(error):
            return ()
        return rows[: len(rows) // 2], rows[len(rows) // 2 :]

    def is_refused_again(self, row: ScoreRow) -> bool:
        """Say whether a second row of the same assignment was refused by itself."""
        return sum(other.assignment_section_id == row.assignment_section_id for other, _ in self.isolated) > 1


class ScoreWriter:
    """Writes the scores of one plan, in batches."""

    def __init__(self, context: ApplyContext) -> None:
        self._context = context
        self._result = context.result
        self._batch_size = context.targets.score_batch

    def write(self, section_dcid: int, steps: Iterable[WriteScoresStep]) -> None:
        """Write the scores of one section. Raises `ServiceUnavailable` and `LeaseLost`; other errors are recorded."""
        rows = [
            ScoreRow(target, dcid, score, _marks(step.replaces.get(dcid)))
            for step in steps
            if (target := self._target(step.key)) is not None
            for dcid, score in step.scores.items()
        ]
        for batch, bisection in self._batches(rows):
            self._write_batch(section_dcid, batch, bisection)
            self._record_isolated(section_dcid, bisection)

    def clear(self, step: ClearScoresStep) -> None:
        """Clear the scores of one assignment. Raises the errors that are not about single rows."""
        target = self._target(step.key)
        if target is None:
            return
        rows = [ScoreRow(target, dcid, None, _marks(score)) for dcid, score in sorted(step.replaces.items())]
        for batch, bisection in self._batches(rows):
            self._clear_batch(step, batch, bisection)

    def _target(self, key: AssignmentKey) -> int | None:
        """Return the assignment section to write to, None if there is none or an earlier step failed."""
        link = self._result.links.get(key)
        return link.powerschool_assignment_section_id if link is not None and self._result.may_continue(key) else None

    def _batches(self, rows: Sequence[ScoreRow]) -> Iterable[tuple[Sequence[ScoreRow], _Bisection]]:
        for start in range(0, len(rows), self._batch_size):
            batch = rows[start : start + self._batch_size]
            yield batch, _Bisection(BAD_ROWS_FOUND * (len(batch).bit_length() + 1))

    def _write_batch(self, section_dcid: int, rows: Sequence[ScoreRow], bisection: _Bisection) -> None:
        """Write the rows. PowerSchool refuses a batch as a whole: drop the rows it names and send the rest again."""
        rows = self._still_linked(rows)
        while rows:
            by_key = self._by_key(section_dcid, rows)
            entries = [self._context.scores_entry(key, of_key, WriteKind.SCORES) for key, of_key in by_key]
            try:
                with self._context.writing(entries):
                    self._context.targets.powerschool.write_scores(self._context.teacher(section_dcid), rows)
            except (ServiceUnavailable, LeaseLost):
                raise
            except (TransientError, PermanentError) as error:
                raise_if_district_wide(error)
                rows = self._without_rejected_rows(section_dcid, rows, error, bisection)
            else:
                for key, of_key in by_key:
                    self._after_write(key, of_key)
                return

    def _without_rejected_rows(
        self, section_dcid: int, rows: Sequence[ScoreRow], error: TransientError | PermanentError, bisection: _Bisection
    ) -> Sequence[ScoreRow]:
        """Record what the error is about and return the rows that may be sent again: always fewer than before.

        Where the error names no row, the parts of the batch have been sent when this returns.
        """
        deleted = {row.assignment_section_id for row in error.rows} if isinstance(error, NotFound) else set()
        if deleted & {row.assignment_section_id for row in rows}:
            for key in self._keys(section_dcid, deleted):
                self._context.mark_deleted(key, error)
            return [row for row in rows if row.assignment_section_id not in deleted]
        rejected = [row for row in rows if _is_rejected(row, error)]
        if rejected:
            self._mark_students_refused(section_dcid, rejected, error)
            return [row for row in rows if row not in rejected]
        self._split(section_dcid, rows, error, bisection)
        return []

    def _split(
        self, section_dcid: int, rows: Sequence[ScoreRow], error: TransientError | PermanentError, bisection: _Bisection
    ) -> None:
        """Send the parts of a refused batch; where there are none, record what the error is about."""
        keys = self._keys(section_dcid, {row.assignment_section_id for row in rows})
        if len(keys) == 1 and isinstance(error, AccessDenied) and self._context.refuse_takeover(keys[0], error):
            return
        parts = bisection.parts(rows, error)
        for part in parts:
            self._write_batch(section_dcid, part, bisection)
        if not parts and len(rows) == 1 and isinstance(error, PermanentError) and _is_of_a_row(error):
            bisection.isolated.append((rows[0], error))
            if bisection.is_refused_again(rows[0]):
                # No bad student: PowerSchool takes no score of the assignment.
                self._context.refuse_takeover(keys[0], error)
        elif not parts:
            for key in keys:
                if not self._context.refuse_takeover(key, error):
                    self._record_refused_scores(key, error)

    def _still_linked(self, rows: Sequence[ScoreRow]) -> Sequence[ScoreRow]:
        """Return the rows without those whose link was deleted, since PowerSchool refused another one of its maker."""
        linked = {link.powerschool_assignment_section_id for link in self._result.links.values()}
        return [row for row in rows if row.assignment_section_id in linked]

    def _record_isolated(self, section_dcid: int, bisection: _Bisection) -> None:
        """Record the rows that were refused by themselves.

        The reason is the student's where PowerSchool has other scores of the assignment, else the assignment's.
        """
        refused = {(row.assignment_section_id, row.student_dcid) for row, _ in bisection.isolated}
        for row, error in bisection.isolated:
            for key in self._keys(section_dcid, {row.assignment_section_id}):
                if self._context.refuse_takeover(key, error):
                    continue
                sent_to = self._result.links[key].sent_to
                if any((row.assignment_section_id, student_dcid) not in refused for student_dcid in sent_to):
                    self._mark_students_refused(section_dcid, [row], error)
                else:
                    self._record_refused_scores(key, error)

    def _record_refused_scores(self, key: AssignmentKey, error: TransientError | PermanentError) -> None:
        """Record a refusal of an assignment's scores; if a teacher changed its score type, that is the reason."""
        other_type = self._other_score_type(key)
        if other_type and isinstance(error, RequestRejected) and not isinstance(error, NotFound | AccessDenied):
            self._result.refused[key] = Finding(Reason.SCORE_TYPE_CHANGED, other_type)
        else:
            self._result.record_failure(key, error)

    def _other_score_type(self, key: AssignmentKey) -> str:
        """Return the assignment's score type if it is not points any more, empty if it is or is unknown."""
        actual = self._context.comparison.actual_of(key)
        return "" if actual is None or actual.score_type in (None, "POINTS") else str(actual.score_type)

    def _mark_students_refused(
        self, section_dcid: int, rows: Iterable[ScoreRow], error: TransientError | PermanentError
    ) -> None:
        reason = REASON_OF_CAUSE.get(error.cause, Reason.STUDENT_REFUSED)
        reason = Reason.STUDENT_REFUSED if reason is Reason.REFUSED else reason
        for row in rows:
            for key in self._keys(section_dcid, {row.assignment_section_id}):
                if other_type := self._other_score_type(key):
                    self._result.refused[key] = Finding(Reason.SCORE_TYPE_CHANGED, other_type)
                else:
                    self._result.refused_students.setdefault(key, {})[row.student_dcid] = Finding(reason)

    def _after_write(self, key: AssignmentKey, rows: Sequence[ScoreRow]) -> None:
        students = frozenset(row.student_dcid for row in rows)
        self._result.record_write(key, len(students))
        link = self._result.links[key]
        scores = {row.student_dcid: row.score for row in rows if row.score is not None}
        if any(is_repeated(link, dcid, score) for dcid, score in scores.items()):
            self._context.to_verify.add(key)
        desired = self._context.comparison.desired_of(key)
        zeros = (link.zeros - students) | (students & desired.flag_only if desired else frozenset())
        sent_to, echoes = link.sent_to | students, echoes_after_write(link, scores)
        self._context.save_link(replace(link, sent_to=sent_to, zeros=zeros, echoes=echoes))

    def _clear_batch(self, step: ClearScoresStep, rows: Sequence[ScoreRow], bisection: _Bisection) -> None:
        """Clear the scores. Of a refused batch, drop the rows that PowerSchool names, or send the halves."""
        context, key = self._context, step.key
        while rows:
            try:
                with context.writing([context.scores_entry(key, rows, WriteKind.CLEAR)]):
                    context.targets.powerschool.clear_scores(context.teacher(key.section_dcid), rows)
            except RequestRejected as error:
                if context.refuse_takeover(key, error):
                    return
                if isinstance(error, NotFound | AccessDenied) or Cause(error.cause).scope is Scope.ASSIGNMENT:
                    raise
                rejected = [row for row in rows if _is_rejected(row, error)]
                if not rejected:
                    parts = bisection.parts(rows, error)
                    for part in parts:
                        self._clear_batch(step, part, bisection)
                    if not parts:
                        self._mark_not_cleared(step, rows)
                    return
                self._mark_not_cleared(step, rejected)
                rows = [row for row in rows if row not in rejected]
            else:
                self._after_clear(key, rows)
                return

    def _mark_not_cleared(self, step: ClearScoresStep, rows: Sequence[ScoreRow]) -> None:
        """Record whose scores PowerSchool did not clear. They are not cleared again unless a person asks."""
        findings = {row.student_dcid: Finding(reason_not_cleared(step, row.student_dcid)) for row in rows}
        self._result.refused_students.setdefault(step.key, {}).update(findings)

    def _after_clear(self, key: AssignmentKey, rows: Sequence[ScoreRow]) -> None:
        """Update the link: the students are no longer among those to whom a score was sent."""
        self._result.record_write(key, 0)
        link, students = self._result.links[key], {row.student_dcid for row in rows}
        # The next read shows whether the scores are empty: how PowerSchool clears one is not publicly known.
        echoes = {**link.echoes, **{str(dcid): Echo(CLEARED) for dcid in students}}
        sent_to, zeros = link.sent_to - students, link.zeros - students
        self._context.save_link(replace(link, sent_to=sent_to, zeros=zeros, echoes=echoes))

    def _by_key(self, section_dcid: int, rows: Iterable[ScoreRow]) -> list[tuple[AssignmentKey, list[ScoreRow]]]:
        by_target: dict[int, list[ScoreRow]] = {}
        for row in rows:
            by_target.setdefault(row.assignment_section_id, []).append(row)
        return [(key, of_key) for target, of_key in by_target.items() for key in self._keys(section_dcid, {target})]

    def _keys(self, section_dcid: int, targets: set[int | None]) -> list[AssignmentKey]:
        return [
            key
            for key, link in self._result.links.items()
            if key.section_dcid == section_dcid and link.powerschool_assignment_section_id in targets
        ]


def raise_if_district_wide(error: TransientError | PermanentError) -> None:
    """Raise `ServiceUnavailable` for an error that concerns all assignments, as refused credentials do."""
    if Cause(error.cause).scope is Scope.DISTRICT and error.cause not in REASON_OF_CAUSE:
        raise ServiceUnavailable(str(error), cause=error.cause, delay=ADMINISTRATOR_DELAY) from error


def _is_of_a_row(error: TransientError | PermanentError) -> bool:
    """Say whether a single row may be the reason of the refusal."""
    if not isinstance(error, RequestRejected) or isinstance(error, NotFound | AccessDenied):
        return False
    return Cause(error.cause).scope is not Scope.ASSIGNMENT


def _is_rejected(row: ScoreRow, error: TransientError | PermanentError) -> bool:
    """Say whether the refusal names the row."""
    if not isinstance(error, RequestRejected) or Cause(error.cause).scope is Scope.ASSIGNMENT:
        return False
    return any(
        rejected.student_dcid == row.student_dcid
        and rejected.assignment_section_id in (None, row.assignment_section_id)
        for rejected in error.rows
    )


def _marks(score: Score | None) -> frozenset[Mark] | None:
    return NO_MARKS if score is None else score.marks
