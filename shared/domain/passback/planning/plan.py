"""The plan: what to do so that PowerSchool agrees with Canvas. Desired minus actual, and never a deletion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from shared.domain.passback.planning.assignment_matching import AssignmentMatches, match_assignments
from shared.domain.passback.planning.desired import DesiredAssignment, Echo, Link, without_students
from shared.domain.passback.planning.diff import OwnedField, agrees, has_value, is_flag_zero, stale_scores
from shared.domain.passback.planning.name_conflicts import resolve_name_conflicts
from shared.domain.passback.planning.stored_forms import fields_to_write, not_cleared, scores_to_write, seen
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, Score
from shared.domain.passback.rules.reasons import Finding, Reason


@dataclass(frozen=True, slots=True)
class UnlinkStep:
    """Delete a link: its assignment was deleted in PowerSchool. Writes nothing there."""

    key: AssignmentKey


@dataclass(frozen=True, slots=True)
class LinkExistingStep:
    """Remember that an assignment which this plugin made is this Canvas assignment's. Writes nothing there."""

    link: Link

    @property
    def key(self) -> AssignmentKey:
        """The link's key."""
        return self.link.key


@dataclass(frozen=True, slots=True)
class PlanNote:
    """Remember what the look at PowerSchool told of a link's scores and fields. Writes nothing there."""

    key: AssignmentKey
    zeros: frozenset[int]
    echoes: Mapping[str, Echo]


@dataclass(frozen=True, slots=True)
class CreateStep:
    """Create the assignment in its section."""

    desired: DesiredAssignment

    @property
    def key(self) -> AssignmentKey:
        """The key of the assignment."""
        return self.desired.key


@dataclass(frozen=True, slots=True)
class UpdateStep:
    """Make the assignment's own fields equal Canvas's; `changed_fields` differ now.

    One that `is_temporary` gives the assignment a temporary name, so that another one can take its name; an Update to
    the name that it wants follows.
    """

    actual: ActualAssignment
    desired: DesiredAssignment
    changed_fields: tuple[OwnedField, ...]
    is_temporary: bool = False

    @property
    def key(self) -> AssignmentKey:
        """The key of the assignment."""
        return self.desired.key


@dataclass(frozen=True, slots=True)
class WriteScoresStep:
    """Write these scores, by STUDENTS.DCID, all of them different from what PowerSchool has: `replaces`."""

    key: AssignmentKey
    scores: Mapping[int, Score]
    replaces: Mapping[int, Score] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClearScoresStep:
    """Empty the scores of these students, STUDENTS.DCID; `replaces` are the scores.

    `withdrawn` are those of them whose score is the 0 of a flag that Canvas withdrew. The others are emptied where the
    district wants that.
    """

    key: AssignmentKey
    replaces: Mapping[int, Score]
    withdrawn: frozenset[int] = frozenset()


LinkStep = UnlinkStep | LinkExistingStep | PlanNote
Write = CreateStep | UpdateStep | WriteScoresStep | ClearScoresStep
Step = LinkStep | Write


@dataclass(frozen=True, slots=True)
class PlanFinding:
    """Why an assignment, or one student's score (STUDENTS.DCID) of it, does not get to a section."""

    key: AssignmentKey
    finding: Finding
    student_dcid: int | None = None


P = TypeVar("P", Step, PlanFinding)


@dataclass(frozen=True)
class Plan:
    """Steps in the order in which to take them (links, assignments, scores), and what is not done, and why."""

    steps: tuple[Step, ...] = ()
    findings: tuple[PlanFinding, ...] = ()

    @property
    def writes(self) -> tuple[Write, ...]:
        """The steps that write to PowerSchool."""
        return tuple(step for step in self.steps if not isinstance(step, LinkStep))

    def steps_of(self, key: AssignmentKey) -> tuple[Step, ...]:
        """Return the steps of one assignment in one section."""
        return tuple(self._steps.get(key, ()))

    def findings_of(self, key: AssignmentKey) -> tuple[PlanFinding, ...]:
        """Return the findings of one assignment in one section, its students' included."""
        return tuple(self._findings.get(key, ()))

    @cached_property
    def _steps(self) -> Mapping[AssignmentKey, Sequence[Step]]:
        return _by_key(self.steps)

    @cached_property
    def _findings(self) -> Mapping[AssignmentKey, Sequence[PlanFinding]]:
        return _by_key(self.findings)


def _by_key(parts: Iterable[P]) -> dict[AssignmentKey, list[P]]:
    found: dict[AssignmentKey, list[P]] = {}
    for part in parts:
        found.setdefault(part.key, []).append(part)
    return found


def make_plan(
    desired: Sequence[DesiredAssignment],
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    plugin_ids: frozenset[str],
    *,
    clear_scores: bool = False,
    repeat_clears: bool = False,
    immovable: frozenset[AssignmentKey] = frozenset(),
) -> Plan:
    """Return the difference between what PowerSchool should hold and what it holds.

    `actual` must be every assignment of the desired ones' sections, with the scores of those that are linked or
    may be adopted (`match_assignments` finds them without scores). What is neither linked nor adopted is never
    touched. The order of the inputs makes no difference. With `clear_scores`, a score that is empty in Canvas now is
    emptied; with `repeat_clears`, also one that PowerSchool said it emptied and did not. The `immovable` are not
    renamed to make way for others.

    Source: product rules, "Overwriting" and "When an assignment is eligible".
    """
    owned = _with_recipients(match_assignments(desired, actual, links, plugin_ids), links)
    immovable |= {key for key, own in owned.own.items() if own.unreadable}
    naming = resolve_name_conflicts(desired, owned.own, actual, links, immovable)
    by_key = {d.key: d for d in desired}
    there = {key: replace(a, name=naming.parked.get(key, a.name)) for key, a in owned.own.items()}
    to_be = [by_key[key] for key in naming.order] + list(naming.kept.values())
    parts = [
        _part(d, there.get(d.key), owned.adopted.get(d.key, links.get(d.key)), clear_scores, repeat_clears)
        for d in to_be
    ]
    taken = [_finding(key, Reason.NAME_TAKEN, naming.conflicts[key]) for key in sorted(naming.conflicts)]
    return Plan(
        steps=(
            *_link_steps(owned),
            *(step for part in parts for step in part.notes),
            *(_parking(by_key[key], owned.own[key], name) for key, name in naming.parked.items()),
            *(step for part in parts for step in part.assignment),
            *(step for part in parts for step in part.scores),
        ),
        findings=(*taken, *(finding for part in parts for finding in part.findings)),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The plan of one assignment in one section."""

    assignment: tuple[CreateStep | UpdateStep, ...] = ()
    scores: tuple[WriteScoresStep | ClearScoresStep, ...] = ()
    findings: tuple[PlanFinding, ...] = ()
    notes: tuple[PlanNote, ...] = ()


def _parking(desired: DesiredAssignment, actual: ActualAssignment, name: str) -> UpdateStep:
    """Return the step that changes nothing but the name."""
    as_it_is = replace(
        desired,
        name=name,
        description=actual.description,
        due_date=actual.due_date,
        points=actual.points,
        category_id=desired.category_id if actual.category_id is None else actual.category_id,
        counted=actual.counted,
        scores_published=actual.scores_published,
    )
    return UpdateStep(actual, as_it_is, (OwnedField.NAME,), is_temporary=True)


def _with_recipients(owned: AssignmentMatches, links: Mapping[AssignmentKey, Link]) -> AssignmentMatches:
    """Return the matches with recipients in each link that was lost: the students who have a score in PowerSchool.

    Without them, a score that is emptied in Canvas would stay in PowerSchool. A claim was never written to.
    """
    adopted = {
        key: link if key in links and links[key].is_claim else replace(link, sent_to=_scored(owned.own[key]))
        for key, link in owned.adopted.items()
    }
    return replace(owned, adopted=adopted)


def _scored(actual: ActualAssignment) -> frozenset[int]:
    return frozenset(dcid for dcid, score in actual.scores.items() if has_value(score))


def _link_steps(owned: AssignmentMatches) -> list[LinkStep]:
    forgotten: list[LinkStep] = [UnlinkStep(key) for key in sorted(owned.gone - owned.adopted.keys())]
    return forgotten + [LinkExistingStep(owned.adopted[key]) for key in sorted(owned.adopted)]


def _part(
    desired: DesiredAssignment, actual: ActualAssignment | None, link: Link | None, clear: bool, repeat_clears: bool
) -> _Part:
    if actual is None:
        return _new(desired)
    if actual.unreadable:
        return _Part(findings=(_finding(desired.key, Reason.VALUE_UNREADABLE, actual.unreadable),))
    odd = actual.unreadable_scores
    part = _existing(without_students(desired, odd.keys()), actual, link, clear, repeat_clears)
    told = (
        _finding(desired.key, Reason.VALUE_UNREADABLE, odd[dcid], dcid)
        for dcid in sorted(odd.keys() & _students(desired))
    )
    return replace(part, findings=(*part.findings, *told)) if odd else part


def _students(desired: DesiredAssignment) -> frozenset[int]:
    return frozenset(desired.scores) | desired.unscored | desired.unfinished


def _new(desired: DesiredAssignment) -> _Part:
    """Plan an assignment that PowerSchool does not have.

    Missing work alone does not create it: a passing due date would put zeros into a gradebook before anybody is graded.

    Source: "it is created in PowerSchool when the first score or excuse exists in that section".
    """
    if not desired.is_graded:
        return _Part(findings=(_finding(desired.key, Reason.NOT_GRADED_YET),))
    scores = WriteScoresStep(desired.key, scores_to_write(desired, None, {}))
    return _Part((CreateStep(desired),), (scores,))


def _existing(
    desired: DesiredAssignment, actual: ActualAssignment, link: Link | None, clear: bool, repeat_clears: bool
) -> _Part:
    key = desired.key
    # Without a link, nothing was ever written to it.
    link = link or Link(*key, desired.name, desired.due_date)
    changed = fields_to_write(desired, actual, link.echoes)
    differing = scores_to_write(desired, actual, link.echoes)
    update = (UpdateStep(actual, desired, changed),) if changed else ()
    replaced = {dcid: actual.scores[dcid] for dcid in differing if dcid in actual.scores}
    scores: list[WriteScoresStep | ClearScoresStep] = [WriteScoresStep(key, differing, replaced)] if differing else []
    withdrawn = _withdrawn(desired, actual, link)
    leftover = {d: s for d, s in stale_scores(desired, actual, link.sent_to).items() if d not in withdrawn}
    unmoved = not_cleared(desired, actual, link)
    emptied = withdrawn | (leftover if clear else {}) | (unmoved if repeat_clears else {})
    if emptied:
        own = frozenset(dcid for dcid, score in emptied.items() if dcid in withdrawn or _is_unmoved_zero(dcid, unmoved))
        scores.append(ClearScoresStep(key, emptied, own))
    findings = [_finding(key, Reason.SCORE_CLEARED, student_dcid=dcid) for dcid in leftover if dcid not in emptied]
    findings += [_finding(key, _reason_unmoved(s), student_dcid=d) for d, s in unmoved.items() if d not in emptied]
    notes = _plan_notes(desired, actual, link)
    if actual.locked and (update or scores):
        return _Part(findings=(_finding(key, Reason.ASSIGNMENT_LOCKED), *findings), notes=notes)
    return _Part(update, tuple(scores), tuple(findings), notes)


def _reason_unmoved(score: Score) -> Reason:
    return Reason.FLAG_NOT_WITHDRAWN if is_flag_zero(score) else Reason.SCORE_NOT_CLEARED


def _withdrawn(desired: DesiredAssignment, actual: ActualAssignment, link: Link) -> dict[int, Score]:
    """Return what only a flag brought, of students who have neither flag nor score now, by STUDENTS.DCID.

    A score that somebody entered in PowerSchool meanwhile is no longer passback's own.
    """
    unflagged = sorted((desired.unscored | desired.unfinished) & link.zeros & actual.scores.keys())
    return {dcid: actual.scores[dcid] for dcid in unflagged if is_flag_zero(actual.scores[dcid])}


def _is_unmoved_zero(dcid: int, unmoved: Mapping[int, Score]) -> bool:
    return dcid in unmoved and is_flag_zero(unmoved[dcid])


def _plan_notes(desired: DesiredAssignment, actual: ActualAssignment, link: Link) -> tuple[PlanNote, ...]:
    """Return what is to be remembered from now on, if that is not what is remembered.

    A zero that goes with a flag alone is known by the look, too: links of earlier versions do not tell.
    """
    there = {dcid for dcid in desired.scores if agrees(desired.scores[dcid], actual.scores.get(dcid))}
    zeros = (link.zeros - there) | (desired.flag_only & there)
    echoes = seen(desired, actual, link)
    if (zeros, echoes) == (link.zeros, link.echoes):
        return ()
    return (PlanNote(desired.key, zeros, echoes),)


def _finding(key: AssignmentKey, reason: Reason, detail: str = "", student_dcid: int | None = None) -> PlanFinding:
    return PlanFinding(key, Finding(reason, detail), student_dcid)
