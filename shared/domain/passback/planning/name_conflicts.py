"""Resolves conflicts of assignment names within a section of PowerSchool."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date

from shared.domain.passback.planning.links import (
    Link,
    normalize_name,
    orphans_of,
    temporary_name,
)
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, DesiredAssignment

# A name in a section: SECTIONS.DCID and the normalized name.
NameSlot = tuple[int, str]

# Which assignments have a name: assignment section ids with their due dates.
NameOwners = dict[NameSlot, dict[int, date]]


@dataclass(frozen=True, slots=True)
class NameAssignment:
    """Which desired assignments get the name they want, and what becomes of the others.

    `order` are those that do, in the order in which the names become free. `temporary_names` are those of them that are
    renamed twice. `conflicts` says what has the names of the others. `not_renamed` are those of the others that
    PowerSchool has already: as desired, but for the name, and for a due date that only the new name allows.
    """

    order: tuple[AssignmentKey, ...]
    temporary_names: Mapping[AssignmentKey, str]
    conflicts: Mapping[AssignmentKey, str]
    not_renamed: Mapping[AssignmentKey, DesiredAssignment]


def resolve_name_conflicts(
    desired: Sequence[DesiredAssignment],
    matched: Mapping[AssignmentKey, ActualAssignment],
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    immovable: frozenset[AssignmentKey] = frozenset(),
) -> NameAssignment:
    """Return which of the desired assignments may have their names; `matched` are the actual ones of the desired.

    Of several Canvas assignments of one name in a section, those that have it in PowerSchool win, else the one that is
    there with the lowest id, else the graded one with the lowest id. While none of them is graded, there is no
    conflict. For a new name the due date plays no part. An assignment that has its name already keeps it, even if a
    person gave another one that name later, as long as it is not moved to that one's day.

    Names or days that assignments exchange are exchanged through a temporary name of one of them, unless that needs one
    of the `immovable` to be renamed. One that was left with a temporary name counts under the name of its link.

    Source: "PowerSchool already has an assignment of that name in the section that is not this one"; PowerSchool
    itself refuses only the same section, name and due date.
    """
    duplicates = _duplicates(desired, matched)
    names = _Names(
        matched={key: _with_name_of_link(key, a, links) for key, a in matched.items()},
        owners=_owners(actual),
        waiting={d.key: d for d in sorted(desired, key=_by_id) if d.key not in duplicates},
    )
    names.assign_free()
    temporary_names: dict[AssignmentKey, str] = {}
    for key in list(names.waiting):
        trial = names.with_temporary_name(key, immovable)
        if trial is not None:
            names, temporary_names[key] = trial, temporary_name(key.assignment_id)
    conflicts = {**duplicates, **{key: _described(names.competitors(key)) for key in names.waiting}}
    by_key = {d.key: d for d in desired}
    losers = sorted((by_key[key] for key in conflicts if key in matched), key=_by_id)
    not_renamed = {d.key: names.without_rename(d, matched[d.key]) for d in losers}
    return NameAssignment(tuple(names.order), temporary_names, conflicts, not_renamed)


@dataclass
class _Names:
    """The names in a section while they change: which assignments wait for a name, and which got one.

    `matched` has the names that assignments had before any temporary one.
    """

    matched: Mapping[AssignmentKey, ActualAssignment]
    owners: NameOwners
    waiting: dict[AssignmentKey, DesiredAssignment]
    order: list[AssignmentKey] = field(default_factory=list)

    def assign_free(self, fixed: frozenset[AssignmentKey] = frozenset()) -> None:
        """Assign the names that are free, round by round: a name becomes free once its owner is renamed."""
        while ready := [key for key in self.waiting if not self.competitors(key)]:
            for key in ready:
                if not self.competitors(key):
                    d, actual = self.waiting.pop(key), self.matched.get(key)
                    if actual is not None and not actual.locked and key not in fixed:
                        self.rename(actual, (d.section_dcid, normalize_name(d.name)), d.due_date)
                    self.order.append(key)

    def competitors(self, key: AssignmentKey) -> list[int]:
        """Return the assignment section ids of the assignments that prevent a waiting one from having its name."""
        d, actual = self.waiting[key], self.matched.get(key)
        slot = (d.section_dcid, normalize_name(d.name))
        owners = self.owners.get(slot, {})
        if actual is None:
            return list(owners)
        had_it = _slot(actual) == slot
        others = {id_: day for id_, day in owners.items() if id_ != actual.assignment_section_id}
        return [id_ for id_, day in others.items() if not had_it or day == d.due_date]

    def with_temporary_name(self, key: AssignmentKey, immovable: frozenset[AssignmentKey]) -> "_Names | None":
        """Return the names after `key` had a temporary one and got its own in the end; None if it does not get it."""
        actual = self.matched.get(key)
        slot = (key.section_dcid, normalize_name(temporary_name(key.assignment_id)))
        if key not in self.waiting or actual is None or actual.locked or key in immovable:
            return None
        if self.owners.get(slot, {}).keys() - {actual.assignment_section_id}:
            return None
        trial = replace(self, owners=deepcopy(self.owners), waiting=dict(self.waiting), order=list(self.order))
        trial.rename(actual, slot, actual.due_date)
        trial.assign_free(immovable)
        return None if key in trial.waiting else trial

    def without_rename(self, d: DesiredAssignment, actual: ActualAssignment) -> DesiredAssignment:
        """Return `d` with the name that it has in PowerSchool, on the day it wants if the two are free."""
        before = self.matched[d.key]
        slot = (d.section_dcid, normalize_name(before.name))
        days = {day for id_, day in self.owners.get(slot, {}).items() if id_ != actual.assignment_section_id}
        for day in (d.due_date, actual.due_date):
            if day not in days:
                if not actual.locked:
                    self.rename(actual, slot, day)
                return replace(d, name=before.name, due_date=day)
        return replace(d, name=actual.name, due_date=actual.due_date)

    def rename(self, actual: ActualAssignment, slot: NameSlot, day: date) -> None:
        """Give an assignment of PowerSchool this name and day."""
        for owners in self.owners.values():
            owners.pop(actual.assignment_section_id, None)
        self.owners.setdefault(slot, {})[actual.assignment_section_id] = day


def name_conflict(
    key: AssignmentKey,
    name: str,
    due_date: date | None,
    *,
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    plugin_ids: frozenset[str],
) -> str:
    """Return what has `name` in the section of `key`, empty if nothing prevents the assignment from having it.

    For an assignment that a rule blocks, so that its teacher learns of both at once.
    """
    slot = (key.section_dcid, normalize_name(name))
    owners = [a for a in actual if _slot(a) == slot]
    link = links.get(key)
    if link is not None and any(a.assignment_section_id == link.powerschool_assignment_section_id for a in owners):
        return ""
    adoptable = [a for a in orphans_of(owners, links, plugin_ids) if a.due_date == due_date]
    return "" if len(owners) == len(adoptable) == 1 else _described(a.assignment_section_id for a in owners)


def _duplicates(
    desired: Sequence[DesiredAssignment], matched: Mapping[AssignmentKey, ActualAssignment]
) -> dict[AssignmentKey, str]:
    """Return the Canvas assignments that lose to others of the same name, and to which."""
    groups: dict[NameSlot, list[DesiredAssignment]] = {}
    for d in sorted(desired, key=_by_id):
        groups.setdefault((d.section_dcid, normalize_name(d.name)), []).append(d)
    conflicts: dict[AssignmentKey, str] = {}
    for slot, group in groups.items():
        winners = [d.key for d in _winners(slot, group, matched)]
        for d in group:
            if winners and d.key not in winners:
                conflicts[d.key] = "Canvas assignment " + ", ".join(winner.assignment_id for winner in winners)
    return conflicts


def _winners(
    slot: NameSlot, group: Sequence[DesiredAssignment], matched: Mapping[AssignmentKey, ActualAssignment]
) -> Sequence[DesiredAssignment]:
    in_powerschool = [d for d in group if d.key in matched]
    named = [d for d in in_powerschool if _slot(matched[d.key]) == slot]
    return named or in_powerschool[:1] or [d for d in group if d.has_scores][:1]


def _with_name_of_link(
    key: AssignmentKey, actual: ActualAssignment, links: Mapping[AssignmentKey, Link]
) -> ActualAssignment:
    is_temporary = normalize_name(actual.name) == normalize_name(temporary_name(key.assignment_id))
    return replace(actual, name=links[key].name) if is_temporary and key in links else actual


def _by_id(d: DesiredAssignment) -> tuple[int, str, int]:
    """Canvas ids are numbers, written as text."""
    return (len(d.assignment_id), d.assignment_id, d.section_dcid)


def _owners(actual: Iterable[ActualAssignment]) -> NameOwners:
    owners: NameOwners = {}
    for a in actual:
        owners.setdefault(_slot(a), {})[a.assignment_section_id] = a.due_date
    return owners


def _slot(actual: ActualAssignment) -> NameSlot:
    return (actual.section_dcid, normalize_name(actual.name))


def _described(assignment_section_ids: Iterable[int]) -> str:
    ids = sorted(assignment_section_ids)
    several = "several candidates: " if len(ids) > 1 else ""
    return f"{several}PowerSchool assignment section {', '.join(map(str, ids))}" if ids else ""
