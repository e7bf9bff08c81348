"""Applies a plan to PowerSchool: links and assignments, then scores in batches. Each assignment fails by itself."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import assert_never

from shared.domain.causes import Cause, Scope
from shared.domain.passback.audit import WriteContext
from shared.domain.passback.planning.diff import echoes_after_read
from shared.domain.passback.planning.links import Link, normalize_name, temporary_name
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    CreateStep,
    LinkExistingStep,
    Step,
    UnlinkStep,
    UpdateLinkStep,
    UpdateStep,
    WriteScoresStep,
)
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, DesiredAssignment, WrittenField
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
from workers.grade_passback.apply.context import ApplyContext, ApplyResult, WriteGuard, WriteTargets
from workers.grade_passback.apply.score_writer import ScoreWriter, raise_if_district_wide
from workers.grade_passback.compare import CourseComparison

# PowerSchool refuses the name together with the due date.
_NAME_AND_DUE_DATE = frozenset({Cause.DUPLICATE, Cause.DUE_DATE})


def apply_plan(
    targets: WriteTargets, comparison: CourseComparison, guard: WriteGuard, write_context: WriteContext
) -> ApplyResult:
    """Apply the plan as far as possible. Raises `LeaseLost`; every other error is in the result."""
    context = ApplyContext(targets, comparison, guard, write_context)
    try:
        _Run(context).run()
    except ServiceUnavailable as error:
        context.result.unavailable = error
    return context.result


class _Run:
    """One plan being applied."""

    def __init__(self, context: ApplyContext) -> None:
        self._context = context
        self._result = context.result
        self._comparison = context.comparison
        self._scores = ScoreWriter(context)
        self._names = _NamesInUse(context.comparison.data.actual)
        self._sent_names: dict[AssignmentKey, str] = {}

    def run(self) -> None:
        """Apply the steps in their order; the scores of a section go together."""
        scores: dict[int, list[WriteScoresStep]] = {}
        clears: list[ClearScoresStep] = []
        for step in self._comparison.plan.steps:
            match step:
                case WriteScoresStep():
                    scores.setdefault(step.key.section_dcid, []).append(step)
                case ClearScoresStep():
                    clears.append(step)
                case _:
                    self._apply_step(step)
        for section_dcid, steps in scores.items():
            self._scores.write(section_dcid, steps)
        for clear in clears:
            self._apply_step(clear)
        self._verify_writes()

    def _verify_writes(self) -> None:
        """Read what was created or updated once more: what differs now is how PowerSchool stores it.

        One request for all, and none where only scores were written: the next sync reads them. Scores that were
        written before and did not come back as sent are read here, too.
        """
        keys = {key for key in self._context.to_verify if key in self._result.links}
        sections = [self._comparison.data.rosters[dcid] for dcid in sorted({key.section_dcid for key in keys})]
        targets = {self._result.links[key].powerschool_assignment_section_id for key in keys} - {None}
        if not targets:
            return
        try:
            found = self._context.targets.powerschool.assignments(sections, {id_ for id_ in targets if id_ is not None})
        except (ServiceUnavailable, LeaseLost):
            raise
        except (TransientError, PermanentError) as error:
            for key in keys:
                self._result.record_failure(key, error)
            return
        by_id = {(actual.section_dcid, actual.assignment_section_id): actual for actual in found}
        for key in sorted(keys):
            link, desired = self._result.links[key], self._comparison.desired_of(key)
            actual = by_id.get((key.section_dcid, link.powerschool_assignment_section_id or 0))
            if desired is not None and actual is not None:
                if self._awaits_name(key, desired):
                    # Its new name was not sent: PowerSchool's name is not a stored form of it.
                    desired = replace(desired, name=actual.name, due_date=actual.due_date)
                self._context.save_link(
                    replace(link, echoes=echoes_after_read(desired, actual, link, after_write=True))
                )

    def _apply_step(self, step: Step, *, may_skip_name: bool = True) -> None:
        if self._result.is_takeover_refused(step.key):
            return
        try:
            self._execute(step)
        except (ServiceUnavailable, LeaseLost):
            raise
        except (TransientError, PermanentError) as error:
            raise_if_district_wide(error)
            if self._context.refuse_takeover(step.key, error):
                return
            refused = _refusal_of_name(step, error) if may_skip_name else None
            if isinstance(step, UpdateStep | ClearScoresStep) and isinstance(error, NotFound):
                self._context.mark_deleted(step.key, error)
            elif isinstance(step, UpdateStep) and refused is not None:
                self._update_without_name(step, refused, same_due_date=_includes_due_date(error))
            else:
                self._result.record_failure(step.key, error)

    def _execute(self, step: Step) -> None:
        key, links = step.key, self._result.links
        match step:
            case UnlinkStep():
                self._context.delete_link(key)
            case LinkExistingStep(link=link):
                self._link_existing(link)
            case UpdateLinkStep(zeros=zeros, echoes=echoes):
                self._context.save_link(replace(links[key], zeros=zeros, echoes=echoes))
            case CreateStep() | UpdateStep() if in_the_way := self._names.in_the_way(step, links.get(key)):
                self._wait_for_name(step, _name_taken(in_the_way))
            case CreateStep(desired=desired):
                self._create(key, desired)
            case UpdateStep():
                self._update(step)
            case ClearScoresStep():
                self._scores.clear(step)
            case WriteScoresStep():
                raise AssertionError("scores are written by section")
            case never:
                assert_never(never)

    def _link_existing(self, link: Link) -> None:
        earlier = self._comparison.data.links.get(link.key)
        self._context.save_link(link)
        if earlier is not None and earlier.is_claim:
            # An earlier run sent the create; only now is it known that PowerSchool carried it out.
            self._context.record_create(link)

    def _create(self, key: AssignmentKey, desired: DesiredAssignment) -> None:
        """Store the link of a pending create, then create: if the response is lost, the next sync finds both.

        A refusal proves that nothing was created, so that the link is deleted.
        """
        pending = Link(desired.assignment_id, desired.section_dcid, desired.name, desired.due_date)
        self._context.guard()
        self._context.save_link(pending)
        try:
            created = self._context.targets.powerschool.create(self._context.teacher(key.section_dcid), desired)
        except RequestRejected:
            self._context.delete_link(key)
            raise
        link = replace(
            pending,
            powerschool_assignment_id=created.assignment_id,
            powerschool_assignment_section_id=created.assignment_section_id,
        )
        self._context.record_create(link)
        self._context.save_link(link)
        self._after_write(key, created.assignment_section_id, desired)

    def _update(self, step: UpdateStep) -> None:
        key, actual, desired = step.key, step.actual, step.desired
        with self._context.writing([self._context.update_entry(step)]):
            self._context.targets.powerschool.update(self._context.teacher(key.section_dcid), actual, desired)
        self._sent_names[key] = desired.name
        if not step.is_temporary:
            link = replace(self._result.links[key], name=desired.name, due_date=desired.due_date)
            self._context.save_link(link)
        self._after_write(key, actual.assignment_section_id, desired)

    def _after_write(self, key: AssignmentKey, assignment_section_id: int, desired: DesiredAssignment) -> None:
        self._names.written(key.section_dcid, assignment_section_id, desired.name, desired.due_date)
        self._result.record_write(key, 0)
        self._context.to_verify.add(key)

    def _wait_for_name(self, step: CreateStep | UpdateStep, taken: Finding) -> None:
        """Leave out what needs a name that did not become free; the next sync plans it again."""
        if isinstance(step, UpdateStep):
            self._update_without_name(step, taken, same_due_date=True)
        else:
            self._result.refused[step.key] = taken

    def _update_without_name(self, step: UpdateStep, refused: Finding, *, same_due_date: bool) -> None:
        """Update all fields except for the name, and let the scores be written."""
        self._result.refused_names[step.key] = refused
        link = self._result.links[step.key]
        remaining = None if step.is_temporary else _without_rename(step, link, same_due_date=same_due_date)
        if remaining is not None and not self._names.in_the_way(remaining, link):
            self._apply_step(remaining, may_skip_name=False)

    def _awaits_name(self, key: AssignmentKey, desired: DesiredAssignment) -> bool:
        """Say whether the plan, a refusal or a failure left the assignment with another name than Canvas has."""
        plan = self._comparison.plan
        renames = [s for s in plan.steps_of(key) if isinstance(s, UpdateStep) and WrittenField.NAME in s.changed_fields]
        is_taken = any(f.finding.reason is Reason.NAME_TAKEN for f in plan.findings_of(key))
        return is_taken or (bool(renames) and self._sent_names.get(key) != desired.name)


class _NamesInUse:
    """The names and due dates that the assignments of the sections have while a plan is applied.

    The plan relies on its own order: if a rename fails, the name is not free for the next assignment.
    """

    def __init__(self, actual: Iterable[ActualAssignment]) -> None:
        self._names: dict[tuple[int, int], tuple[str, date]] = {}
        for a in actual:
            self.written(a.section_dcid, a.assignment_section_id, a.name, a.due_date)

    def written(self, section_dcid: int, assignment_section_id: int, name: str, due_date: date) -> None:
        """Record the name and due date that were written."""
        self._names[section_dcid, assignment_section_id] = (normalize_name(name), due_date)

    def in_the_way(self, step: CreateStep | UpdateStep, link: Link | None) -> list[int]:
        """Return the assignment section ids that have the name that the step would give.

        An assignment that has the name already, or had it before a temporary one, conflicts only with one of the same
        due date.
        """
        desired, name = step.desired, normalize_name(step.desired.name)
        updated, former_names = None, set()
        if isinstance(step, UpdateStep):
            updated = step.actual.assignment_section_id
            former_names = {self._names.get((desired.section_dcid, updated), ("", desired.due_date))[0]}
            former_names |= {normalize_name(link.name)} if link is not None else set()
        return sorted(
            id_
            for (section_dcid, id_), (other, due_date) in self._names.items()
            if section_dcid == desired.section_dcid
            and id_ != updated
            and other == name
            and (name not in former_names or due_date == desired.due_date)
        )


def _without_rename(step: UpdateStep, link: Link, *, same_due_date: bool) -> UpdateStep | None:
    """Return the update without the name, and with `same_due_date` without the due date; None if nothing is left.

    An assignment that has a temporary name gets the name of its link back.
    """
    is_temporary = normalize_name(step.actual.name) == normalize_name(temporary_name(step.key.assignment_id))
    desired = replace(
        step.desired,
        name=link.name if is_temporary else step.actual.name,
        due_date=step.actual.due_date if same_due_date else step.desired.due_date,
    )
    unchanged = {WrittenField.NAME, WrittenField.DUE_DATE} if same_due_date else {WrittenField.NAME}
    changed = tuple(field for field in step.changed_fields if field not in unchanged)
    fields = ((WrittenField.NAME,) if is_temporary else ()) + changed
    return UpdateStep(step.actual, desired, fields) if fields else None


def _refusal_of_name(step: object, error: TransientError | PermanentError) -> Finding | None:
    """Return why PowerSchool refused a rename, None if the error is about something else.

    A refusal seldom names the field: an update that would rename is tried again without the name.
    """
    if not isinstance(step, UpdateStep) or WrittenField.NAME not in step.changed_fields:
        return None
    if not isinstance(error, RequestRejected) or isinstance(error, NotFound | AccessDenied):
        return None
    reason = REASON_OF_CAUSE.get(error.cause)
    if reason is None or Cause(error.cause).scope is Scope.ASSIGNMENT:
        return None
    return Finding(reason, error.error_text)


def _includes_due_date(error: TransientError | PermanentError) -> bool:
    """Say whether the refusal may be about the name together with the due date."""
    return error.cause in _NAME_AND_DUE_DATE


def _name_taken(assignment_section_ids: Iterable[int]) -> Finding:
    """Return the finding that other assignments still have the name."""
    ids = ", ".join(map(str, assignment_section_ids))
    return Finding(Reason.NAME_TAKEN, f"PowerSchool assignment section {ids}")
