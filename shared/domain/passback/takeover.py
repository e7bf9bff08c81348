"""Finds the PowerSchool assignments that a takeover links: same section and name, made by a teacher or another plugin.

Linking writes nothing to PowerSchool. What may be another piece of work stays apart, with every reason.
"""

import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from html import unescape

from shared.domain.passback.planning.links import Link, Takeover, is_degraded
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey
from shared.domain.passback.rules.apart import Apart
from shared.domain.passback.rules.score import to_powerschool_decimal

TEACHER = "teacher"
"""Stands for a person where makers are named; a plugin is named by its `createdbyplugin`."""
# Other integrations shorten names, to 30 or 50 characters. A shorter beginning is a name of its own.
MIN_SHORTENED_CHARS = 25
_ELLIPSES = ("...", "…")


@dataclass(frozen=True, slots=True)
class TakeoverWork:
    """A Canvas assignment in a PowerSchool section. `is_eligible` says that no rule blocks it."""

    key: AssignmentKey
    name: str
    due_date: date | None
    points: Decimal | None
    is_eligible: bool = True


@dataclass(frozen=True, slots=True)
class Selection:
    """What a person takes over: whose assignments, of one Canvas assignment or of all, and which one if they choose.

    `made_by` holds values of `createdbyplugin` and `TEACHER`; empty selects every plugin, and no teacher.
    `assignment_section_id` is that of the PowerSchool assignment which the person names.
    """

    made_by: frozenset[str] = frozenset()
    assignment_id: str | None = None
    assignment_section_id: int | None = None

    def includes(self, actual: ActualAssignment) -> bool:
        """Say whether the maker is selected."""
        maker = maker_of(actual)
        return maker in self.made_by if self.made_by else maker != TEACHER


EVERY_PLUGIN = Selection()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A Canvas assignment with the PowerSchool assignments that may be its own; linked to the only one unless `apart`.

    `key`, `name`, `due_date` and `points` are Canvas's.
    """

    work: TakeoverWork
    found: tuple[ActualAssignment, ...]
    apart: tuple[Apart, ...] = ()

    @property
    def link(self) -> Link | None:
        """The link that a takeover stores, None where it stays apart."""
        if self.apart:
            return None
        (actual,) = self.found
        return Link(
            *self.work.key,
            name=actual.name,
            due_date=actual.due_date,
            powerschool_assignment_id=actual.assignment_id,
            powerschool_assignment_section_id=actual.assignment_section_id,
            taken_over=Takeover(actual.created_by_plugin or ""),
        )


@dataclass(frozen=True, slots=True)
class CourseWork:
    """Both sides of a course as a takeover compares them.

    `actual` is every assignment of the course's sections. `elsewhere` are the assignment ids that also are in sections
    of other courses, `refused` the keys whose first change PowerSchool refused.
    """

    works: Sequence[TakeoverWork]
    actual: Sequence[ActualAssignment]
    links: Mapping[AssignmentKey, Link]
    plugin_ids: frozenset[str]
    elsewhere: Collection[int] = ()
    refused: Collection[AssignmentKey] = ()
    by_section: Mapping[int, list[ActualAssignment]] = field(init=False)

    def __post_init__(self) -> None:
        """Group the assignments by section."""
        by_section: dict[int, list[ActualAssignment]] = {}
        for actual in self.actual:
            by_section.setdefault(actual.section_dcid, []).append(actual)
        object.__setattr__(self, "by_section", by_section)

    @property
    def linked_ids(self) -> frozenset[int | None]:
        """The assignment section ids that links lead to."""
        return frozenset(link.powerschool_assignment_section_id for link in self.links.values())

    def has_assignment(self, key: AssignmentKey) -> bool:
        """Say whether passback has an assignment for the key, or is about to find out whether it made one."""
        link = self.links.get(key)
        if link is None or link.is_claim:
            return link is not None
        there = self.by_section.get(key.section_dcid, ())
        return any(a.assignment_section_id == link.powerschool_assignment_section_id for a in there)

    def is_taken_over(self, key: AssignmentKey) -> bool:
        """Say whether a takeover linked the key."""
        return key in self.links and self.links[key].taken_over is not None


def maker_of(actual: ActualAssignment) -> str:
    """Return who made the assignment: a plugin as PowerSchool names it, or `TEACHER`."""
    return actual.created_by_plugin or TEACHER


def find_candidates(course: CourseWork, selection: Selection = EVERY_PLUGIN) -> tuple[Candidate, ...]:
    """Return every Canvas assignment for which PowerSchool has one of the same name that no link of it leads to.

    A candidate stays apart unless it is the only one on both sides, of the same due date and points.
    """
    works = [w for w in course.works if selection.assignment_id in (None, w.key.assignment_id)]
    found = [c for w in works if (c := _candidate(w, course, selection)) is not None]
    rivals = course.works if selection.assignment_section_id is None else ()
    found = [_without_rivals(c, rivals, course) for c in found]
    return tuple(_all_sections_or_none(found, course))


def same_name(canvas: str, powerschool: str) -> bool:
    """Say whether the names are the same but for case, spaces, HTML entities and what an integration cuts or loses."""
    wanted, stored = _plain_name(canvas), _plain_name(powerschool)
    return wanted == stored or _is_shortened(wanted, stored) or (not wanted.isascii() and is_degraded(wanted, stored))


def _plain_name(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", unescape(name)).casefold().split())


def _is_shortened(wanted: str, stored: str) -> bool:
    start = next((stored.removesuffix(dots).rstrip() for dots in _ELLIPSES if stored.endswith(dots)), stored)
    return len(start) >= MIN_SHORTENED_CHARS and wanted.startswith(start)


def _candidate(work: TakeoverWork, course: CourseWork, selection: Selection) -> Candidate | None:
    there = course.by_section.get(work.key.section_dcid, [])
    linked, is_linked = course.linked_ids, course.has_assignment(work.key)
    if selection.assignment_section_id is not None:
        named = [a for a in there if a.assignment_section_id == selection.assignment_section_id]
    else:
        named = [a for a in there if _plain_name(a.name) == _plain_name(work.name)]
        named = named or [a for a in there if same_name(work.name, a.name)]
    foreign = [a for a in named if a.created_by_plugin not in course.plugin_ids]
    free = [a for a in foreign if a.assignment_section_id not in linked]
    if is_linked:
        return _twins_of_linked(work, free, course)
    orphans = [a for a in named if a not in foreign and a.assignment_section_id not in linked]
    if orphans:
        return (
            Candidate(work, tuple(orphans), (Apart.MADE_BY_PASSBACK,))
            if free or selection.assignment_section_id
            else None
        )
    if not free:
        return Candidate(work, tuple(foreign), (Apart.POWERSCHOOL_LINKED,)) if foreign else None
    return _among(work, foreign, free, course, selection)


def _among(
    work: TakeoverWork,
    foreign: Sequence[ActualAssignment],
    free: Sequence[ActualAssignment],
    course: CourseWork,
    selection: Selection,
) -> Candidate:
    """Return the candidate among assignments that passback did not make, of which the `free` have no link.

    The only one of a selected maker, or the only one of the same day.
    """
    # Linked ones count as well: a second run finds as many as the first.
    selected = [a for a in foreign if selection.includes(a) or selection.assignment_section_id]
    if not selected:
        return Candidate(work, tuple(free), (Apart.OTHER_MAKER,))
    same_day = [a for a in selected if a.due_date == work.due_date]
    one = selected if len(selected) == 1 else same_day
    if len(one) != 1:
        return Candidate(work, tuple(selected), (Apart.SEVERAL_IN_POWERSCHOOL,))
    (actual,) = one
    if actual not in free:
        return Candidate(work, (actual,), (Apart.POWERSCHOOL_LINKED,))
    differences = _differences(work, actual, course)
    return Candidate(work, (actual,), _unless_selected(differences, selection))


def _twins_of_linked(work: TakeoverWork, free: Sequence[ActualAssignment], course: CourseWork) -> Candidate | None:
    """Return what stands beside the assignment that passback made for this one: of the same name and day."""
    twins = tuple(a for a in free if a.due_date == work.due_date)
    return Candidate(work, twins, (Apart.CANVAS_LINKED,)) if twins and not course.is_taken_over(work.key) else None


def _unless_selected(reasons: Iterable[Apart], selection: Selection) -> tuple[Apart, ...]:
    """Return the reasons, without those that a person's choice outweighs; naming the assignment outweighs a refusal."""
    is_one, is_named = selection.assignment_id is not None, selection.assignment_section_id is not None
    return tuple(r for r in reasons if not ((is_named and r.can_choose) or (is_one and r is Apart.REFUSED)))


def _differences(work: TakeoverWork, actual: ActualAssignment, course: CourseWork) -> Iterable[Apart]:
    if actual.unreadable:
        yield Apart.UNREADABLE
        return
    if work.due_date is None:
        yield Apart.DUE_DATE_MISSING
    elif work.due_date != actual.due_date:
        yield Apart.OTHER_DATE
    if work.points is None:
        yield Apart.POINTS_MISSING
    elif to_powerschool_decimal(work.points) != actual.points:
        yield Apart.OTHER_POINTS
    if actual.score_type not in (None, "POINTS"):
        yield Apart.OTHER_SCORE_TYPE
    if actual.assignment_id in course.elsewhere:
        yield Apart.OTHER_SECTIONS
    if work.key in course.refused:
        yield Apart.REFUSED


def _without_rivals(candidate: Candidate, works: Sequence[TakeoverWork], course: CourseWork) -> Candidate:
    """Return the candidate, apart if another Canvas assignment has the same claim to what it found.

    Of several, the only one that no rule blocks has it.
    """
    if candidate.apart:
        return candidate
    (actual,), work = candidate.found, candidate.work
    rivals = [
        w
        for w in works
        if w.key.section_dcid == actual.section_dcid
        and w.key != work.key
        and w.due_date == actual.due_date
        and same_name(w.name, actual.name)
        and (course.is_taken_over(w.key) or not course.has_assignment(w.key))
    ]
    if not rivals or (work.is_eligible and not any(w.is_eligible for w in rivals)):
        return candidate
    return replace(candidate, apart=(Apart.SEVERAL_IN_CANVAS,))


def _all_sections_or_none(candidates: Sequence[Candidate], course: CourseWork) -> list[Candidate]:
    """Return the candidates, apart where another section of the same PowerSchool assignment stays apart."""
    linked = course.linked_ids | {
        link.powerschool_assignment_section_id for c in candidates if (link := c.link) is not None
    }
    partly = {a.assignment_id for a in course.actual if a.assignment_section_id not in linked}
    return [
        replace(c, apart=(Apart.OTHER_SECTIONS,)) if not c.apart and c.found[0].assignment_id in partly else c
        for c in candidates
    ]
