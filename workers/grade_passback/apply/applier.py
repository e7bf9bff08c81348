"""Carrying out a plan in PowerSchool: links, assignments, then scores in batches, each part failing alone."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import assert_never

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.links import Links
from shared.clock import Clock
from shared.domain.causes import Cause, Scope
from shared.domain.outcome import Failure
from shared.domain.passback.audit import AuditEntry, WriteContext
from shared.domain.passback.planning.desired import DesiredAssignment, Echo, Link
from shared.domain.passback.planning.diff import OwnedField
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    CreateStep,
    LinkExistingStep,
    PlanNote,
    Step,
    UnlinkStep,
    UpdateStep,
    WriteScoresStep,
)
from shared.domain.passback.planning.stored_forms import CLEARED, is_repeated, seen, sent
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
from shared.ports.passback import PowerSchoolGradebook, ScoreRow
from workers.grade_passback.apply.audit_writer import AuditWriter
from workers.grade_passback.apply.bisection import Halving, is_of_a_row
from workers.grade_passback.apply.renames import NamesInUse, keeps_due_date, name_taken, refusal_of_name, without_rename
from workers.grade_passback.apply.result import ApplyResult
from workers.grade_passback.compare import CourseComparison
from workers.grade_passback.earlier_refusals import reason_not_cleared
from workers.grade_passback.lease import WriteGuard
from workers.runtime.outcome_handler import ADMINISTRATOR_DELAY

# PowerSchool documents no limit.
MAX_SCORES_PER_REQUEST = 200


class PlanApplier:
    """Carries out plans. The guard is asked before every write, so that a worker without its lease writes nothing."""

    def __init__(
        self, powerschool: PowerSchoolGradebook, links: Links, score_batch: int, audit: Audit, clock: Clock
    ) -> None:
        self._powerschool = powerschool
        self._links = links
        self._score_batch = score_batch
        self._audit = audit
        self._clock = clock

    def apply(self, comparison: CourseComparison, guard: WriteGuard, occasion: WriteContext) -> ApplyResult:
        """Carry out the survey's plan as far as possible. Raises `LeaseLost`; every other trouble is in the result."""
        trail = AuditWriter(self._audit, self._clock, comparison, occasion)
        run = _Run(self._powerschool, self._links, self._score_batch, comparison, guard, trail)
        try:
            run.everything()
        except ServiceUnavailable as error:
            run.applied.unwell = error
        return run.applied


class _Run:
    """One plan being carried out."""

    def __init__(
        self,
        powerschool: PowerSchoolGradebook,
        links: Links,
        score_batch: int,
        comparison: CourseComparison,
        guard: WriteGuard,
        trail: AuditWriter,
    ) -> None:
        self._powerschool = powerschool
        self._links = links
        self._score_batch = score_batch
        self._course_id = comparison.data.course.id
        self._comparison = comparison
        self._guard = guard
        self._trail = trail
        self._names = NamesInUse(comparison.data.actual)
        self._sent_names: dict[AssignmentKey, str] = {}
        self.applied = ApplyResult(links=dict(comparison.data.links))
        self._to_verify: set[AssignmentKey] = set()

    def everything(self) -> None:
        """Take the plan's steps in their order; scores of one section go together."""
        scores: dict[int, list[WriteScoresStep]] = {}
        clears: list[ClearScoresStep] = []
        for step in self._comparison.plan.steps:
            match step:
                case WriteScoresStep():
                    scores.setdefault(step.key.section_dcid, []).append(step)
                case ClearScoresStep():
                    clears.append(step)
                case _:
                    self._alone(step)
        for section_dcid, steps in scores.items():
            self._section_scores(section_dcid, steps)
        for clear in clears:
            self._alone(clear)
        self._verify_writes()

    def _verify_writes(self) -> None:
        """Read what was made or changed once more: what differs now is how PowerSchool stores it.

        One request for the whole run, and none where scores alone were written: the next look sees to them, save those
        that were written before and did not come back as sent.
        """
        keys = {key for key in self._to_verify if key in self.applied.links}
        sections = [self._comparison.data.rosters[dcid] for dcid in sorted({key.section_dcid for key in keys})]
        targets = {self.applied.links[key].powerschool_assignment_section_id for key in keys} - {None}
        if not targets:
            return
        try:
            found = self._powerschool.assignments(sections, {target for target in targets if target is not None})
        except (ServiceUnavailable, LeaseLost):
            raise
        except (TransientError, PermanentError) as error:
            for key in keys:
                self.applied.note(key, error)
            return
        there = {(actual.section_dcid, actual.assignment_section_id): actual for actual in found}
        for key in sorted(keys):
            link, desired = self.applied.links[key], self._comparison.desired_of(key)
            actual = there.get((key.section_dcid, link.powerschool_assignment_section_id or 0))
            if desired is not None and actual is not None:
                if self._awaits_name(key, desired):
                    # Its new name was not sent: what PowerSchool has is no form of it.
                    desired = replace(desired, name=actual.name, due_date=actual.due_date)
                self._save_if_new(replace(link, echoes=seen(desired, actual, link, after_write=True)))

    def _alone(self, step: Step, *, may_keep_name: bool = True) -> None:
        key = step.key
        try:
            self._take(step, key)
        except (ServiceUnavailable, LeaseLost):
            raise
        except (TransientError, PermanentError) as error:
            _stop_if_nobody_may(error)
            refused = refusal_of_name(step, error) if may_keep_name else None
            if isinstance(step, UpdateStep | ClearScoresStep) and isinstance(error, NotFound):
                self._forget(key, error)
            elif isinstance(step, UpdateStep) and refused is not None:
                self._update_without_name(key, step, refused, keep_due_date=keeps_due_date(error))
            else:
                self.applied.note(key, error)

    def _take(self, step: Step, key: AssignmentKey) -> None:
        match step:
            case UnlinkStep():
                self._links.delete(self._course_id, *key)
                self.applied.links.pop(key, None)
            case LinkExistingStep(link=link):
                self._adopt(key, link)
            case PlanNote(zeros=zeros, echoes=echoes):
                self._save(replace(self.applied.links[key], zeros=zeros, echoes=echoes))
            case CreateStep() | UpdateStep() if in_the_way := self._names.in_the_way(step, self.applied.links.get(key)):
                self._wait_for_name(key, step, name_taken(in_the_way))
            case CreateStep(desired=desired):
                self._create(key, desired)
            case UpdateStep(actual=actual, desired=desired):
                self._guard()
                with self._trail.of_write([self._trail.updated(self.applied.links[key], step)]):
                    self._powerschool.update(self._teacher(key.section_dcid), actual, desired)
                self._names.written(key.section_dcid, actual.assignment_section_id, desired.name, desired.due_date)
                self._sent_names[key] = desired.name
                if not step.is_temporary:
                    self._rename(key, desired)
                self.applied.record_write(key, 0)
                self._to_verify.add(key)
            case ClearScoresStep():
                self._clear(key, step)
            case WriteScoresStep():
                raise AssertionError("scores are written by section")
            case never:
                assert_never(never)

    def _wait_for_name(self, key: AssignmentKey, step: CreateStep | UpdateStep, taken: Finding) -> None:
        """Leave out what needs a name that did not become free; the next survey plans it again."""
        if isinstance(step, UpdateStep):
            self._update_without_name(key, step, taken, keep_due_date=True)
        else:
            self.applied.refused[key] = taken

    def _update_without_name(
        self, key: AssignmentKey, step: UpdateStep, refused: Finding, *, keep_due_date: bool
    ) -> None:
        """Change all but the name of an assignment that is there, and let its scores go on."""
        self.applied.kept_names[key] = refused
        link = self.applied.links[key]
        rest = None if step.is_temporary else without_rename(step, link, keep_due_date=keep_due_date)
        if rest is not None and not self._names.in_the_way(rest, link):
            self._alone(rest, may_keep_name=False)

    def _awaits_name(self, key: AssignmentKey, desired: DesiredAssignment) -> bool:
        """Say whether the plan, a refusal or a failure left the assignment with another name than Canvas has."""
        plan = self._comparison.plan
        renames = [s for s in plan.steps_of(key) if isinstance(s, UpdateStep) and OwnedField.NAME in s.changed_fields]
        is_taken = any(f.finding.reason is Reason.NAME_TAKEN for f in plan.findings_of(key))
        return is_taken or (bool(renames) and self._sent_names.get(key) != desired.name)

    def _adopt(self, key: AssignmentKey, link: Link) -> None:
        claim = self._comparison.data.links.get(key)
        self._save(link)
        if claim is not None and claim.is_claim:
            # The create was sent by an earlier run; only now is it known that it was carried out.
            self._trail.created(link)

    def _create(self, key: AssignmentKey, desired: DesiredAssignment) -> None:
        """Claim the link, then create: if the answer is lost, the next survey finds the claim and adopts.

        A refusal proves that nothing was created, so that the claim is given up.
        """
        claim = Link(desired.assignment_id, desired.section_dcid, desired.name, desired.due_date)
        self._guard()
        self._save(claim)
        try:
            created = self._powerschool.create(self._teacher(key.section_dcid), desired)
        except RequestRejected:
            self._links.delete(self._course_id, *key)
            self.applied.links.pop(key, None)
            raise
        link = replace(
            claim,
            powerschool_assignment_id=created.assignment_id,
            powerschool_assignment_section_id=created.assignment_section_id,
        )
        self._trail.created(link)
        self._save(link)
        self._names.written(key.section_dcid, created.assignment_section_id, desired.name, desired.due_date)
        self.applied.record_write(key, 0)
        self._to_verify.add(key)

    def _clear(self, key: AssignmentKey, step: ClearScoresStep) -> None:
        """Empty the scores, in batches; who is cleared is no longer one that a score was sent to."""
        link = self.applied.links.get(key)
        if not self.applied.is_open(key) or link is None or link.powerschool_assignment_section_id is None:
            return
        target = link.powerschool_assignment_section_id
        rows = [ScoreRow(target, dcid, None, _marks(score)) for dcid, score in sorted(step.replaces.items())]
        for batch in _batches(rows, self._score_batch):
            self._clear_batch(key, step, batch, Halving.of(len(batch)))

    def _clear_batch(
        self, key: AssignmentKey, step: ClearScoresStep, rows: Sequence[ScoreRow], halving: Halving
    ) -> None:
        """Empty the scores. A batch is refused as a whole: whom the refusal names is left out.

        Where it names nobody, each half is sent by itself.
        """
        while rows:
            self._guard()
            try:
                with self._trail.of_write(self._cleared_entry(key, step, rows)):
                    self._powerschool.clear_scores(self._teacher(key.section_dcid), rows)
            except RequestRejected as refused:
                if isinstance(refused, NotFound | AccessDenied) or Cause(refused.cause).scope is Scope.ASSIGNMENT:
                    raise
                bad = [row for row in rows if _names(refused, row)]
                if not bad:
                    parts = halving.parts(rows, refused)
                    for part in parts:
                        self._clear_batch(key, step, part, halving)
                    if not parts:
                        self._save_uncleared(key, step, rows)
                    return
                self._save_uncleared(key, step, bad)
                rows = [row for row in rows if row not in bad]
            else:
                self._cleared(key, rows)
                return

    def _save_uncleared(self, key: AssignmentKey, step: ClearScoresStep, rows: Sequence[ScoreRow]) -> None:
        """Note whose scores PowerSchool did not clear: the survey does not plan it again unless a person asks."""
        uncleared = {row.student_dcid: Finding(reason_not_cleared(step, row.student_dcid)) for row in rows}
        self.applied.refused_students.setdefault(key, {}).update(uncleared)

    def _cleared(self, key: AssignmentKey, rows: Sequence[ScoreRow]) -> None:
        self.applied.record_write(key, 0)
        link, students = self.applied.links[key], {row.student_dcid for row in rows}
        # Whether the scores are empty now is seen at the next look: how PowerSchool empties one is not publicly known.
        echoes = {**link.echoes, **{str(dcid): Echo(CLEARED) for dcid in students}}
        self._save(replace(link, sent_to=link.sent_to - students, zeros=link.zeros - students, echoes=echoes))

    def _cleared_entry(self, key: AssignmentKey, step: ClearScoresStep, rows: Sequence[ScoreRow]) -> list[AuditEntry]:
        replaced = {row.student_dcid: step.replaces[row.student_dcid] for row in rows}
        return [self._trail.cleared(self.applied.links[key], replaced)]

    def _section_scores(self, section_dcid: int, steps: Sequence[WriteScoresStep]) -> None:
        rows = [row for step in steps for row in self._rows(step)]
        for batch in _batches(rows, self._score_batch):
            halving = Halving.of(len(batch))
            self._send(section_dcid, batch, halving)
            self._refuse_alone(section_dcid, halving)

    def _rows(self, step: WriteScoresStep) -> list[ScoreRow]:
        key = step.key
        link = self.applied.links.get(key)
        if not self.applied.is_open(key) or link is None or link.powerschool_assignment_section_id is None:
            return []
        target = link.powerschool_assignment_section_id
        return [ScoreRow(target, dcid, score, _marks(step.replaces.get(dcid))) for dcid, score in step.scores.items()]

    def _send(self, section_dcid: int, rows: Sequence[ScoreRow], halving: Halving) -> None:
        """Write the rows. PowerSchool refuses a batch as a whole: what it names is taken out, the rest sent again."""
        while rows:
            self._guard()
            try:
                with self._trail.of_write(self._scored_entry(section_dcid, rows)):
                    self._powerschool.write_scores(self._teacher(section_dcid), rows)
            except (ServiceUnavailable, LeaseLost):
                raise
            except (TransientError, PermanentError) as error:
                _stop_if_nobody_may(error)
                rows = self._without_the_bad(section_dcid, rows, error, halving)
            else:
                self._sent(section_dcid, rows)
                return

    def _without_the_bad(
        self, section_dcid: int, rows: Sequence[ScoreRow], error: TransientError | PermanentError, halving: Halving
    ) -> Sequence[ScoreRow]:
        """Note what the error is about and return the rows that may be sent again: always fewer than before.

        Where it names nobody, the parts of the batch have been sent when this returns.
        """
        gone = {row.assignment_section_id for row in error.rows} if isinstance(error, NotFound) else set()
        if gone & {row.assignment_section_id for row in rows}:
            for key in self._keys(section_dcid, gone):
                self._forget(key, error)
            return [row for row in rows if row.assignment_section_id not in gone]
        bad = [row for row in rows if _names(error, row)]
        if bad:
            self._refuse_students(section_dcid, bad, error)
            return [row for row in rows if row not in bad]
        parts = halving.parts(rows, error)
        for part in parts:
            self._send(section_dcid, part, halving)
        if not parts and len(rows) == 1 and isinstance(error, PermanentError) and is_of_a_row(error):
            halving.alone.append((rows[0], error))
        elif not parts:
            for key in self._keys(section_dcid, {row.assignment_section_id for row in rows}):
                self._record_refused_scores(key, error)
        return []

    def _refuse_alone(self, section_dcid: int, halving: Halving) -> None:
        """Note the rows that were refused by themselves.

        The student is to blame where PowerSchool takes others' scores of the assignment, else the assignment is.
        """
        refused = {(row.assignment_section_id, row.student_dcid) for row, _ in halving.alone}
        for row, error in halving.alone:
            for key in self._keys(section_dcid, {row.assignment_section_id}):
                sent_to = self.applied.links[key].sent_to
                if any((row.assignment_section_id, student_dcid) not in refused for student_dcid in sent_to):
                    self._refuse_students(section_dcid, [row], error)
                else:
                    self._record_refused_scores(key, error)

    def _record_refused_scores(self, key: AssignmentKey, error: TransientError | PermanentError) -> None:
        """Note a refusal of an assignment's scores; where a teacher changed its score type, that is the reason."""
        other_type = self._other_score_type(key)
        if other_type and isinstance(error, RequestRejected) and not isinstance(error, NotFound | AccessDenied):
            self.applied.refused[key] = Finding(Reason.SCORE_TYPE_CHANGED, other_type)
        else:
            self.applied.note(key, error)

    def _other_score_type(self, key: AssignmentKey) -> str:
        """Return the assignment's score type where it is not points any more, empty where it is or is unknown."""
        actual = self._comparison.actual_of(key)
        return "" if actual is None or actual.score_type in (None, "POINTS") else str(actual.score_type)

    def _refuse_students(
        self, section_dcid: int, bad: Iterable[ScoreRow], error: TransientError | PermanentError
    ) -> None:
        reason = REASON_OF_CAUSE.get(error.cause, Reason.STUDENT_REFUSED)
        reason = Reason.STUDENT_REFUSED if reason is Reason.REFUSED else reason
        for row in bad:
            for key in self._keys(section_dcid, {row.assignment_section_id}):
                if other_type := self._other_score_type(key):
                    self.applied.refused[key] = Finding(Reason.SCORE_TYPE_CHANGED, other_type)
                else:
                    self.applied.refused_students.setdefault(key, {})[row.student_dcid] = Finding(reason)

    def _sent(self, section_dcid: int, rows: Sequence[ScoreRow]) -> None:
        for key, own in self._by_link(section_dcid, rows):
            students = frozenset(row.student_dcid for row in own)
            self.applied.record_write(key, len(students))
            link = self.applied.links[key]
            scores = {row.student_dcid: row.score for row in own if row.score is not None}
            if any(is_repeated(link, dcid, score) for dcid, score in scores.items()):
                self._to_verify.add(key)
            desired = self._comparison.desired_of(key)
            zeros = (link.zeros - students) | (students & desired.flag_only if desired else frozenset())
            echoes = sent(link, scores)
            self._save_if_new(replace(link, sent_to=link.sent_to | students, zeros=zeros, echoes=echoes))

    def _scored_entry(self, section_dcid: int, rows: Sequence[ScoreRow]) -> list[AuditEntry]:
        return [self._trail.scored(self.applied.links[key], own) for key, own in self._by_link(section_dcid, rows)]

    def _by_link(self, section_dcid: int, rows: Iterable[ScoreRow]) -> list[tuple[AssignmentKey, list[ScoreRow]]]:
        own: dict[int, list[ScoreRow]] = {}
        for row in rows:
            own.setdefault(row.assignment_section_id, []).append(row)
        return [(key, some) for target, some in own.items() for key in self._keys(section_dcid, {target})]

    def _keys(self, section_dcid: int, targets: Iterable[int | None]) -> list[AssignmentKey]:
        wanted = set(targets)
        return [
            key
            for key, link in self.applied.links.items()
            if key.section_dcid == section_dcid and link.powerschool_assignment_section_id in wanted
        ]

    def _teacher(self, section_dcid: int) -> int:
        teacher = self._comparison.data.rosters[section_dcid].teacher_users_dcid
        assert teacher is not None, "a section without a teacher is blocked before this"
        return teacher

    def _save(self, link: Link) -> None:
        self._links.save(self._course_id, link)
        self.applied.links[link.key] = link

    def _save_if_new(self, link: Link) -> None:
        if self.applied.links[link.key] != link:
            self._save(link)

    def _rename(self, key: AssignmentKey, desired: DesiredAssignment) -> None:
        link = self.applied.links[key]
        if (link.name, link.due_date) != (desired.name, desired.due_date):
            self._save(replace(link, name=desired.name, due_date=desired.due_date))

    def _forget(self, key: AssignmentKey, error: TransientError | PermanentError) -> None:
        """Forget a link whose assignment was deleted in PowerSchool while we looked; a new survey creates it again."""
        self._links.delete(self._course_id, *key)
        self.applied.links.pop(key, None)
        self.applied.gone[key] = Failure(error.cause, str(error), key.assignment_id)


def _stop_if_nobody_may(error: TransientError | PermanentError) -> None:
    """Raise `ServiceUnavailable` for refused credentials: no assignment is to blame, and what was done is kept."""
    if Cause(error.cause).scope is Scope.DISTRICT and error.cause not in REASON_OF_CAUSE:
        raise ServiceUnavailable(str(error), cause=error.cause, delay=ADMINISTRATOR_DELAY) from error


def _names(error: TransientError | PermanentError, row: ScoreRow) -> bool:
    if not isinstance(error, RequestRejected) or Cause(error.cause).scope is Scope.ASSIGNMENT:
        return False
    return any(
        bad.student_dcid == row.student_dcid and bad.assignment_section_id in (None, row.assignment_section_id)
        for bad in error.rows
    )


def _marks(score: Score | None) -> frozenset[Mark] | None:
    return NO_MARKS if score is None else score.marks


def _batches(rows: Sequence[ScoreRow], size: int) -> Iterable[list[ScoreRow]]:
    return (list(rows[start : start + size]) for start in range(0, len(rows), size))
