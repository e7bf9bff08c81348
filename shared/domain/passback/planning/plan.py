"""Plans the steps that make PowerSchool agree with Canvas: desired minus actual, and never a deletion."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeVar

from shared.domain.passback.planning.diff import (
    agrees,
    echoes_after_read,
    fields_to_write,
    has_value,
    is_flag_zero,
    not_cleared,
    scores_to_write,
)
from shared.domain.passback.planning.links import Echo, Link, match_assignments
from shared.domain.passback.planning.name_conflicts import resolve_name_conflicts
from shared.domain.passback.powerschool import (
    ActualAssignment,
    AssignmentKey,
    DesiredAssignment,
    Score,
    WrittenField,
    without_students,
)
from shared.domain.passback.rules.reasons import Finding, Reason


@dataclass(frozen=True, slots=True)
class UnlinkStep:
    """Delete a link: its assignment was deleted in PowerSchool. Writes nothing there."""

    key: AssignmentKey


@dataclass(frozen=True, slots=True)
class LinkExistingStep:
    """Link an assignment that this plugin made to its Canvas assignment. Writes nothing there."""

    link: Link

    @property
    def key(self) -> AssignmentKey:
        """The link's key."""
        return self.link.key


@dataclass(frozen=True, slots=True)
class UpdateLinkStep:
    """Store what reading PowerSchool showed of a link's scores and fields. Writes nothing there."""

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
    changed_fields: tuple[WrittenField, ...]
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


LinkStep = UnlinkStep | LinkExistingStep | UpdateLinkStep
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
    matches = match_assignments(desired, actual, links, plugin_ids)
    adopted = {
        key: _with_recipients(link, matches.matched[key], links.get(key)) for key, link in matches.adopted.items()
    }
    immovable |= {key for key, a in matches.matched.items() if a.unreadable}
    names = resolve_name_conflicts(desired, matches.matched, actual, links, immovable)
    by_key = {d.key: d for d in desired}
    renamed = {key: replace(a, name=names.temporary_names.get(key, a.name)) for key, a in matches.matched.items()}
    in_order = [by_key[key] for key in names.order] + list(names.not_renamed.values())
    parts = [
        _part(d, renamed.get(d.key), adopted.get(d.key, links.get(d.key)), clear_scores, repeat_clears)
        for d in in_order
    ]
    conflicts = [_finding(key, Reason.NAME_TAKEN, names.conflicts[key]) for key in sorted(names.conflicts)]
    return Plan(
        steps=(
            *(UnlinkStep(key) for key in sorted(matches.deleted - adopted.keys())),
            *(LinkExistingStep(adopted[key]) for key in sorted(adopted)),
            *(step for part in parts for step in part.link_updates),
            *(
                _temporary_rename(by_key[key], matches.matched[key], name)
                for key, name in names.temporary_names.items()
            ),
            *(step for part in parts for step in part.assignment),
            *(step for part in parts for step in part.scores),
        ),
        findings=(*conflicts, *(finding for part in parts for finding in part.findings)),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """The plan of one assignment in one section."""

    assignment: tuple[CreateStep | UpdateStep, ...] = ()
    scores: tuple[WriteScoresStep | ClearScoresStep, ...] = ()
    findings: tuple[PlanFinding, ...] = ()
    link_updates: tuple[UpdateLinkStep, ...] = ()


def _temporary_rename(desired: DesiredAssignment, actual: ActualAssignment, name: str) -> UpdateStep:
    """Return the step that changes nothing but the name."""
    unchanged = replace(
        desired,
        name=name,
        description=actual.description,
        due_date=actual.due_date,
        points=actual.points,
        category_id=desired.category_id if actual.category_id is None else actual.category_id,
        counted=actual.counted,
        scores_published=actual.scores_published,
    )
    return UpdateStep(actual, unchanged, (WrittenField.NAME,), is_temporary=True)


def _with_recipients(link: Link, actual: ActualAssignment, earlier: Link | None) -> Link:
    """Return a new link with recipients, if an earlier one was lost: the students who have a score in PowerSchool.

    Without them, a score that is emptied in Canvas would stay in PowerSchool. No score was ever sent for a claim.
    """
    if earlier is not None and earlier.is_claim:
        return link
    return replace(link, sent_to=frozenset(dcid for dcid, score in actual.scores.items() if has_value(score)))


def _part(
    desired: DesiredAssignment, actual: ActualAssignment | None, link: Link | None, clear: bool, repeat_clears: bool
) -> _Part:
    if actual is None:
        return _new(desired)
    if actual.unreadable:
        return _Part(findings=(_finding(desired.key, Reason.VALUE_UNREADABLE, actual.unreadable),))
    unreadable = actual.unreadable_scores
    part = _existing(without_students(desired, unreadable.keys()), actual, link, clear, repeat_clears)
    students = unreadable.keys() & (desired.scores.keys() | desired.unscored | desired.unfinished)
    findings = (_finding(desired.key, Reason.VALUE_UNREADABLE, unreadable[dcid], dcid) for dcid in sorted(students))
    return replace(part, findings=(*part.findings, *findings))


def _new(desired: DesiredAssignment) -> _Part:
    """Plan an assignment that PowerSchool does not have.

    Missing work alone does not create it: a passing due date would put zeros into a gradebook before anybody is graded.

    Source: "it is created in PowerSchool when the first score or excuse exists in that section".
    """
    if not desired.has_scores:
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
    stale = _with_value(desired.unscored & link.sent_to - withdrawn.keys(), actual)
    uncleared = not_cleared(desired, actual, link)
    emptied = withdrawn | (stale if clear else {}) | (uncleared if repeat_clears else {})
    if emptied:
        zeros = withdrawn.keys() | {dcid for dcid, score in uncleared.items() if is_flag_zero(score)}
        scores.append(ClearScoresStep(key, emptied, frozenset(emptied.keys() & zeros)))
    findings = [_finding(key, Reason.SCORE_CLEARED, student_dcid=dcid) for dcid in stale if dcid not in emptied]
    for dcid in sorted(uncleared.keys() - emptied.keys()):
        reason = Reason.FLAG_NOT_WITHDRAWN if is_flag_zero(uncleared[dcid]) else Reason.SCORE_NOT_CLEARED
        findings.append(_finding(key, reason, student_dcid=dcid))
    link_updates = _link_updates(desired, actual, link)
    if actual.locked and (update or scores):
        return _Part(findings=(_finding(key, Reason.ASSIGNMENT_LOCKED), *findings), link_updates=link_updates)
    return _Part(update, tuple(scores), tuple(findings), link_updates)


def _with_value(student_dcids: Collection[int], actual: ActualAssignment) -> dict[int, Score]:
    """Return the scores that PowerSchool has of these students, by STUDENTS.DCID in order."""
    scores = {dcid: actual.scores[dcid] for dcid in sorted(student_dcids) if dcid in actual.scores}
    return {dcid: score for dcid, score in scores.items() if has_value(score)}


def _withdrawn(desired: DesiredAssignment, actual: ActualAssignment, link: Link) -> dict[int, Score]:
    """Return what only a flag brought, of students who have neither flag nor score now, by STUDENTS.DCID.

    A score that somebody entered in PowerSchool meanwhile is no longer passback's own.
    """
    unflagged = sorted((desired.unscored | desired.unfinished) & link.zeros & actual.scores.keys())
    return {dcid: actual.scores[dcid] for dcid in unflagged if is_flag_zero(actual.scores[dcid])}


def _link_updates(desired: DesiredAssignment, actual: ActualAssignment, link: Link) -> tuple[UpdateLinkStep, ...]:
    """Return the step that stores what was found, if the link has something else.

    A zero that goes with a flag alone is also found by reading: links of earlier versions do not have it.
    """
    equal = {dcid for dcid in desired.scores if agrees(desired.scores[dcid], actual.scores.get(dcid))}
    zeros = (link.zeros - equal) | (desired.flag_only & equal)
    echoes = echoes_after_read(desired, actual, link)
    if (zeros, echoes) == (link.zeros, link.echoes):
        return ()
    return (UpdateLinkStep(desired.key, zeros, echoes),)


def _finding(key: AssignmentKey, reason: Reason, detail: str = "", student_dcid: int | None = None) -> PlanFinding:
    return PlanFinding(key, Finding(reason, detail), student_dcid)
