"""Carrying out a plan in PowerSchool: links, assignments, then scores in batches, each part failing alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from shared.clock import Clock
from shared.domain.adoption import Key
from shared.domain.audit import Occasion
from shared.domain.desired import DesiredAssignment, Link
from shared.domain.outcome import Failure
from shared.domain.plan import Adopt, Clear, Create, Forget, Scores, Step, Update
from shared.domain.reasons import Finding, Reason
from shared.errors import LeaseLost, NotFound, PermanentError, Refused, SystemUnwell, TransientError
from shared.ports import Audit, Links, PowerSchoolGradebook, ScoreRow
from workers.grade_passback.audit_trail import AuditTrail
from workers.grade_passback.leases import Guard
from workers.grade_passback.survey import Survey
from workers.settle import ADMINISTRATOR_DELAY, CONCERNS_EVERY_COURSE

# What PowerSchool's refusals mean to a teacher. A refusal that is not here is one that no rule describes.
REASON_OF_CAUSE = {
    "powerschool_locked": Reason.ASSIGNMENT_LOCKED,
    "powerschool_not_teaching": Reason.TEACHER_DOES_NOT_TEACH_SECTION,
    "powerschool_due_date": Reason.DUE_DATE_REFUSED,
    "powerschool_category": Reason.CATEGORY_REFUSED,
    "powerschool_points": Reason.POINTS_REFUSED,
    "powerschool_grade_scale": Reason.GRADE_SCALE_MISSING,
    "powerschool_duplicate": Reason.NAME_TAKEN,
    "powerschool_grant_missing": Reason.GRANT_MISSING,
    "powerschool_student": Reason.STUDENT_REFUSED,
    "powerschool_409": Reason.REFUSED,
}

# Only a write reveals these; every other reason is found by looking.
REVEALED_BY_WRITING = frozenset({*REASON_OF_CAUSE.values(), Reason.RETRYING} - {Reason.NAME_TAKEN})


@dataclass
class Applied:
    """What became of a plan, by assignment and section.

    `gone` was deleted in PowerSchool while we looked: a new survey creates it again. `written` counts scores;
    `written_before` those of this run's earlier looks.
    """

    refused: dict[Key, Finding] = field(default_factory=dict)
    refused_students: dict[Key, dict[int, Finding]] = field(default_factory=dict)
    failed: dict[Key, Failure] = field(default_factory=dict)
    dead: dict[Key, Failure] = field(default_factory=dict)
    gone: dict[Key, Failure] = field(default_factory=dict)
    written: dict[Key, int] = field(default_factory=dict)
    written_before: dict[Key, int] = field(default_factory=dict)
    links: dict[Key, Link] = field(default_factory=dict)
    unwell: SystemUnwell | None = None

    def is_open(self, key: Key) -> bool:
        """Say whether nothing stands in the way of this assignment's next step."""
        return key not in self.refused and key not in self.failed and key not in self.dead

    def note(self, key: Key, error: TransientError | PermanentError) -> None:
        """Keep what went wrong for this assignment; the others go on."""
        if isinstance(error, TransientError):
            self.failed[key] = Failure(error.cause, str(error), key[0])
            return
        words = error.words if isinstance(error, Refused) else ""
        reason = REASON_OF_CAUSE.get(error.cause)
        if reason is None:
            self.dead[key] = Failure(error.cause, f"{error} {words}".strip(), key[0])
        else:
            self.refused[key] = Finding(reason, words)

    def note_written(self, key: Key, scores: int) -> None:
        """Count what was written."""
        self.written[key] = self.written.get(key, 0) + scores


class Applier:
    """Carries out plans. The guard is asked before every write, so that a worker without its lease writes nothing."""

    def __init__(
        self, powerschool: PowerSchoolGradebook, links: Links, score_batch: int, audit: Audit, clock: Clock
    ) -> None:
        self._powerschool = powerschool
        self._links = links
        self._score_batch = score_batch
        self._audit = audit
        self._clock = clock

    def apply(self, survey: Survey, guard: Guard, occasion: Occasion) -> Applied:
        """Carry out the survey's plan as far as possible. Raises `LeaseLost`; every other trouble is in the result."""
        trail = AuditTrail(self._audit, self._clock, survey, occasion)
        run = _Run(self._powerschool, self._links, self._score_batch, survey, guard, trail)
        try:
            run.everything()
        except SystemUnwell as error:
            run.applied.unwell = error
        return run.applied


class _Run:
    """One plan being carried out."""

    def __init__(
        self,
        powerschool: PowerSchoolGradebook,
        links: Links,
        score_batch: int,
        survey: Survey,
        guard: Guard,
        trail: AuditTrail,
    ) -> None:
        self._powerschool = powerschool
        self._links = links
        self._score_batch = score_batch
        self._course_id = survey.course.id
        self._survey = survey
        self._guard = guard
        self._trail = trail
        self.applied = Applied(links=dict(survey.links))

    def everything(self) -> None:
        """Take the plan's steps in their order; scores of one section go together."""
        scores: dict[int, list[Scores]] = {}
        for step in self._survey.plan.steps:
            if isinstance(step, Scores):
                scores.setdefault(step.section_dcid, []).append(step)
            else:
                self._alone(step)
        for section_dcid, steps in scores.items():
            self._section_scores(section_dcid, steps)

    def _alone(self, step: Step) -> None:
        key = (step.assignment_id, step.section_dcid)
        try:
            self._take(step, key)
        except (SystemUnwell, LeaseLost):
            raise
        except (TransientError, PermanentError) as error:
            _stop_if_nobody_may(error)
            if isinstance(step, Update) and isinstance(error, NotFound):
                self._forget(key, error)
            else:
                self.applied.note(key, error)

    def _take(self, step: Step, key: Key) -> None:
        match step:
            case Forget():
                self._links.forget(self._course_id, *key)
                self.applied.links.pop(key, None)
            case Adopt(link=link):
                self._adopt(key, link)
            case Create(desired=desired):
                self._create(key, desired)
            case Update(actual=actual, desired=desired):
                self._guard()
                self._powerschool.update(self._teacher(key), actual, desired)
                self._trail.updated(self.applied.links[key], step)
                self._rename(key, desired)
                self.applied.note_written(key, 0)
            case Scores() | Clear():
                raise AssertionError("scores are written by section, and clearing them is not publicly known")
            case never:
                assert_never(never)

    def _adopt(self, key: Key, link: Link) -> None:
        claim = self._survey.links.get(key)
        self._keep(link)
        if claim is not None and claim.is_claim:
            # The create was sent by an earlier run; only now is it known that it was carried out.
            self._trail.created(link)

    def _create(self, key: Key, desired: DesiredAssignment) -> None:
        """Claim the link, then create: if the answer is lost, the next survey finds the claim and adopts.

        A refusal proves that nothing was created, so that the claim is given up.
        """
        claim = Link(desired.assignment_id, desired.section_dcid, desired.name, desired.due_date)
        self._guard()
        self._keep(claim)
        try:
            created = self._powerschool.create(self._teacher(key), desired)
        except Refused:
            self._links.forget(self._course_id, *key)
            self.applied.links.pop(key, None)
            raise
        link = replace(
            claim,
            powerschool_assignment_id=created.assignment_id,
            powerschool_assignment_section_id=created.assignment_section_id,
        )
        self._trail.created(link)
        self._keep(link)
        self.applied.note_written(key, 0)

    def _section_scores(self, section_dcid: int, steps: Sequence[Scores]) -> None:
        rows = [row for step in steps for row in self._rows(step)]
        for batch in _batches(rows, self._score_batch):
            self._send(section_dcid, batch)

    def _rows(self, step: Scores) -> list[ScoreRow]:
        key = (step.assignment_id, step.section_dcid)
        link = self.applied.links.get(key)
        if not self.applied.is_open(key) or link is None or link.powerschool_assignment_section_id is None:
            return []
        target = link.powerschool_assignment_section_id
        return [ScoreRow(target, s.student_dcid, s.points, missing=s.missing, exempt=s.exempt) for s in step.rows]

    def _send(self, section_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Write the rows. PowerSchool refuses a batch as a whole: what it names is taken out, the rest sent again."""
        while rows:
            self._guard()
            try:
                self._powerschool.put_scores(self._teacher(("", section_dcid)), rows)
            except (SystemUnwell, LeaseLost):
                raise
            except (TransientError, PermanentError) as error:
                _stop_if_nobody_may(error)
                rows = self._without_the_bad(section_dcid, rows, error)
            else:
                self._sent(section_dcid, rows)
                return

    def _without_the_bad(
        self, section_dcid: int, rows: Sequence[ScoreRow], error: TransientError | PermanentError
    ) -> Sequence[ScoreRow]:
        """Note what the error is about and return the rows that may be sent again: always fewer than before."""
        gone = {row.assignment_section_id for row in error.rows} if isinstance(error, NotFound) else set()
        if gone & {row.assignment_section_id for row in rows}:
            for key in self._keys(section_dcid, gone):
                self._forget(key, error)
            return [row for row in rows if row.assignment_section_id not in gone]
        bad = [row for row in rows if isinstance(error, Refused) and _names(error, row)]
        if bad:
            self._refuse_students(section_dcid, bad, error)
            return [row for row in rows if row not in bad]
        for target in sorted({row.assignment_section_id for row in rows}):
            own = [row for row in rows if row.assignment_section_id == target]
            if len(own) < len(rows) and isinstance(error, PermanentError):
                self._send(section_dcid, own)
            else:
                for key in self._keys(section_dcid, {target}):
                    self.applied.note(key, error)
        return []

    def _refuse_students(
        self, section_dcid: int, bad: Iterable[ScoreRow], error: TransientError | PermanentError
    ) -> None:
        reason = REASON_OF_CAUSE.get(error.cause, Reason.STUDENT_REFUSED)
        for row in bad:
            for key in self._keys(section_dcid, {row.assignment_section_id}):
                self.applied.refused_students.setdefault(key, {})[row.student_dcid] = Finding(reason)

    def _sent(self, section_dcid: int, rows: Sequence[ScoreRow]) -> None:
        for target in {row.assignment_section_id for row in rows}:
            own = [row for row in rows if row.assignment_section_id == target]
            students = frozenset(row.student_dcid for row in own)
            for key in self._keys(section_dcid, {target}):
                link = self.applied.links[key]
                self._trail.scored(link, own)
                self.applied.note_written(key, len(students))
                if not students <= link.sent_to:
                    self._keep(replace(link, sent_to=link.sent_to | students))

    def _keys(self, section_dcid: int, targets: Iterable[int | None]) -> list[Key]:
        wanted = set(targets)
        return [
            key
            for key, link in self.applied.links.items()
            if key[1] == section_dcid and link.powerschool_assignment_section_id in wanted
        ]

    def _teacher(self, key: Key) -> int:
        teacher = self._survey.rosters[key[1]].teacher_users_dcid
        assert teacher is not None, "a section without a teacher is blocked before this"
        return teacher

    def _keep(self, link: Link) -> None:
        self._links.save(self._course_id, link)
        self.applied.links[(link.assignment_id, link.section_dcid)] = link

    def _rename(self, key: Key, desired: DesiredAssignment) -> None:
        link = self.applied.links[key]
        if (link.name, link.due_date) != (desired.name, desired.due_date):
            self._keep(replace(link, name=desired.name, due_date=desired.due_date))

    def _forget(self, key: Key, error: TransientError | PermanentError) -> None:
        """Forget a link whose assignment was deleted in PowerSchool while we looked; a new survey creates it again."""
        self._links.forget(self._course_id, *key)
        self.applied.links.pop(key, None)
        self.applied.gone[key] = Failure(error.cause, str(error), key[0])


def _stop_if_nobody_may(error: TransientError | PermanentError) -> None:
    """Raise `SystemUnwell` for refused credentials: no assignment is to blame, and what was done is kept."""
    if error.cause in CONCERNS_EVERY_COURSE and error.cause not in REASON_OF_CAUSE:
        raise SystemUnwell(str(error), cause=error.cause, delay=ADMINISTRATOR_DELAY) from error


def _names(error: Refused, row: ScoreRow) -> bool:
    return any(
        bad.student_dcid == row.student_dcid and bad.assignment_section_id in (None, row.assignment_section_id)
        for bad in error.rows
    )


def _batches(rows: Sequence[ScoreRow], size: int) -> Iterable[list[ScoreRow]]:
    return (list(rows[start : start + size]) for start in range(0, len(rows), size))
