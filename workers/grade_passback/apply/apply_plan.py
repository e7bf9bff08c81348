"""Applies a plan to PowerSchool: links and assignments, then scores in batches. Each assignment fails by itself."""

from dataclasses import replace
from typing import assert_never

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.course_data.takeovers import Takeovers
from shared.clock import Clock
from shared.domain.passback.audit import WriteContext
from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.planning.diff import OwnedField
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
from shared.domain.passback.planning.stored_forms import seen
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.errors import LeaseLost, NotFound, PermanentError, RequestRejected, ServiceUnavailable, TransientError
from shared.ports.passback import PowerSchoolGradebook
from workers.grade_passback.apply.context import ApplyContext, ApplyResult
from workers.grade_passback.apply.renames import (
    NamesInUse,
    includes_due_date,
    name_taken,
    refusal_of_name,
    without_rename,
)
from workers.grade_passback.apply.score_writer import ScoreWriter, raise_if_district_wide
from workers.grade_passback.compare import CourseComparison
from workers.grade_passback.lease import WriteGuard

# PowerSchool documents no limit.
MAX_SCORES_PER_REQUEST = 200


class PlanApplier:
    """Applies plans."""

    def __init__(
        self,
        powerschool: PowerSchoolGradebook,
        links: Links,
        score_batch: int,
        audit: Audit,
        clock: Clock,
        takeovers: Takeovers,
    ) -> None:
        self._powerschool = powerschool
        self._links = links
        self._score_batch = score_batch
        self._audit = audit
        self._clock = clock
        self._takeovers = takeovers

    def apply(self, comparison: CourseComparison, guard: WriteGuard, write_context: WriteContext) -> ApplyResult:
        """Apply the plan as far as possible. Raises `LeaseLost`; every other error is in the result."""
        context = ApplyContext(
            self._powerschool,
            self._links,
            self._audit,
            self._clock,
            comparison,
            guard,
            write_context,
            self._takeovers,
        )
        try:
            _Run(context, self._score_batch).run()
        except ServiceUnavailable as error:
            context.result.unavailable = error
        return context.result


class _Run:
    """One plan being applied."""

    def __init__(self, context: ApplyContext, score_batch: int) -> None:
        self._context = context
        self._result = context.result
        self._comparison = context.comparison
        self._scores = ScoreWriter(context, score_batch)
        self._names = NamesInUse(context.comparison.data.actual)
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
            found = self._context.powerschool.assignments(sections, {id_ for id_ in targets if id_ is not None})
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
                self._context.save_link(replace(link, echoes=seen(desired, actual, link, after_write=True)))

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
            refused = refusal_of_name(step, error) if may_skip_name else None
            if isinstance(step, UpdateStep | ClearScoresStep) and isinstance(error, NotFound):
                self._context.mark_deleted(step.key, error)
            elif isinstance(step, UpdateStep) and refused is not None:
                self._update_without_name(step, refused, same_due_date=includes_due_date(error))
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
                self._wait_for_name(step, name_taken(in_the_way))
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
            created = self._context.powerschool.create(self._context.teacher(key.section_dcid), desired)
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
            self._context.powerschool.update(self._context.teacher(key.section_dcid), actual, desired)
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
        remaining = None if step.is_temporary else without_rename(step, link, same_due_date=same_due_date)
        if remaining is not None and not self._names.in_the_way(remaining, link):
            self._apply_step(remaining, may_skip_name=False)

    def _awaits_name(self, key: AssignmentKey, desired: DesiredAssignment) -> bool:
        """Say whether the plan, a refusal or a failure left the assignment with another name than Canvas has."""
        plan = self._comparison.plan
        renames = [s for s in plan.steps_of(key) if isinstance(s, UpdateStep) and OwnedField.NAME in s.changed_fields]
        is_taken = any(f.finding.reason is Reason.NAME_TAKEN for f in plan.findings_of(key))
        return is_taken or (bool(renames) and self._sent_names.get(key) != desired.name)
