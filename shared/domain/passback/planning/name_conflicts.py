"""Resolves conflicts of assignment names within a section of PowerSchool."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import date

from shared.domain.passback.planning.assignment_matching import (
    is_orphan,
    linked_keys,
    normalize_name,
    temporary_name,
)
from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey

# A name in a section: SECTIONS.DCID and the folded name.
NameSlot = tuple[int, str]

# Who has a name: assignment section ids with their due dates.
Holders = dict[NameSlot, dict[int, date]]


@dataclass(frozen=True, slots=True)
class NameAssignment:
    """Which desired assignments get the name they want, and what becomes of the others.

    `order` are those that do, in the order in which the names become free. `parked` are those of them that have to give
    way first, with their temporary names. `conflicts` says what is in the others' way. `kept` are those of the others
    that PowerSchool has already: as desired, but for the name, and for a due date that only the new name allows.
    """

    order: tuple[AssignmentKey, ...]
    parked: Mapping[AssignmentKey, str]
    conflicts: Mapping[AssignmentKey, str]
    kept: Mapping[AssignmentKey, DesiredAssignment]


def resolve_name_conflicts(
    desired: Sequence[DesiredAssignment],
    own: Mapping[AssignmentKey, ActualAssignment],
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    immovable: frozenset[AssignmentKey] = frozenset(),
) -> NameAssignment:
    """Return which of the desired assignments may have their names; `own` says which actual one is whose.

    Of several Canvas assignments of one name in a section, those that have it in PowerSchool win, else the one that is
    there with the lowest id, else the graded one with the lowest id. While none of them is graded, none is in another's
    way. For a new name the due date plays no part. An assignment that has its name already keeps it, whatever else a
    person gave that name later, as long as it is not moved onto that one's day.

    Names or days that assignments exchange are exchanged through a temporary name of one of them, unless that needs one
    of the `immovable` to be renamed. One that was left with a temporary name goes by the name that its link remembers.

    Source: "PowerSchool already has an assignment of that name in the section that is not this one"; PowerSchool
    itself refuses only the same section, name and due date.
    """
    doubles = _doubles(desired, own)
    board = _Board(
        own={key: _with_old_name(key, a, links) for key, a in own.items()},
        holders=_holders(actual),
        waiting={d.key: d for d in sorted(desired, key=_by_id) if d.key not in doubles},
    )
    board.settle()
    parked: dict[AssignmentKey, str] = {}
    for key in list(board.waiting):
        trial = board.with_parked(key, immovable)
        if trial is not None:
            board, parked[key] = trial, temporary_name(key.assignment_id)
    conflicts = {**doubles, **{key: _named(board.rivals(key)) for key in board.waiting}}
    by_key = {d.key: d for d in desired}
    lost = sorted((by_key[key] for key in conflicts if key in own), key=_by_id)
    kept = {d.key: board.keep(d, own[d.key]) for d in lost}
    return NameAssignment(tuple(board.order), parked, conflicts, kept)


@dataclass
class _Board:
    """The names of a section's assignments while they change: who still waits for a name, and who got one.

    `own` has the names that assignments had before any temporary one.
    """

    own: Mapping[AssignmentKey, ActualAssignment]
    holders: Holders
    waiting: dict[AssignmentKey, DesiredAssignment]
    order: list[AssignmentKey] = field(default_factory=list)

    def settle(self, fixed: frozenset[AssignmentKey] = frozenset()) -> None:
        """Let those go whose names are free, round by round: a name becomes free once its holder is renamed."""
        while ready := [key for key in self.waiting if not self.rivals(key)]:
            for key in ready:
                if not self.rivals(key):
                    d, there = self.waiting.pop(key), self.own.get(key)
                    if there is not None and not there.locked and key not in fixed:
                        self.move(there, (d.section_dcid, normalize_name(d.name)), d.due_date)
                    self.order.append(key)

    def rivals(self, key: AssignmentKey) -> list[int]:
        """Return the assignment section ids that are in the way of a waiting one."""
        d, there = self.waiting[key], self.own.get(key)
        place = (d.section_dcid, normalize_name(d.name))
        holders = self.holders.get(place, {})
        if there is None:
            return list(holders)
        had_it = _slot(there) == place
        others = {id_: day for id_, day in holders.items() if id_ != there.assignment_section_id}
        return [id_ for id_, day in others.items() if not had_it or day == d.due_date]

    def with_parked(self, key: AssignmentKey, immovable: frozenset[AssignmentKey]) -> "_Board | None":
        """Return the board after `key` gave way to others and got its name in the end; None if it does not."""
        there = self.own.get(key)
        place = (key.section_dcid, normalize_name(temporary_name(key.assignment_id)))
        if key not in self.waiting or there is None or there.locked or key in immovable or self._is_held(place, there):
            return None
        trial = replace(self, holders=deepcopy(self.holders), waiting=dict(self.waiting), order=list(self.order))
        trial.move(there, place, there.due_date)
        trial.settle(immovable)
        return None if key in trial.waiting else trial

    def keep(self, d: DesiredAssignment, there: ActualAssignment) -> DesiredAssignment:
        """Return `d` with the name that it has in PowerSchool, on the day it wants if the two are free."""
        before = self.own[d.key]
        for name, day in ((before.name, d.due_date), (before.name, there.due_date)):
            place = (d.section_dcid, normalize_name(name))
            held = self.holders.get(place, {})
            if all(other != day for id_, other in held.items() if id_ != there.assignment_section_id):
                if not there.locked:
                    self.move(there, place, day)
                return replace(d, name=name, due_date=day)
        return replace(d, name=there.name, due_date=there.due_date)

    def _is_held(self, place: NameSlot, there: ActualAssignment) -> bool:
        return bool(self.holders.get(place, {}).keys() - {there.assignment_section_id})

    def move(self, there: ActualAssignment, place: NameSlot, day: date) -> None:
        """Give an assignment that is there this name and day."""
        for held in self.holders.values():
            held.pop(there.assignment_section_id, None)
        self.holders.setdefault(place, {})[there.assignment_section_id] = day


def name_conflict(
    key: AssignmentKey,
    name: str,
    due_date: date | None,
    *,
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    plugin_ids: frozenset[str],
) -> str:
    """Return what has `name` in the section of `key`, empty if nothing is in the way.

    For an assignment that a rule blocks, so that its teacher learns of both at once.
    """
    place = (key.section_dcid, normalize_name(name))
    there = [a for a in actual if _slot(a) == place]
    link = links.get(key)
    if link is not None and any(a.assignment_section_id == link.powerschool_assignment_section_id for a in there):
        return ""
    linked = linked_keys(links)
    adoptable = [a for a in there if a.due_date == due_date and is_orphan(a, linked, plugin_ids)]
    return "" if len(there) == len(adoptable) == 1 else _named(a.assignment_section_id for a in there)


def _doubles(
    desired: Sequence[DesiredAssignment], own: Mapping[AssignmentKey, ActualAssignment]
) -> dict[AssignmentKey, str]:
    """Return the Canvas assignments that give way to others of the same name, and to which."""
    groups: dict[NameSlot, list[DesiredAssignment]] = {}
    for d in sorted(desired, key=_by_id):
        groups.setdefault((d.section_dcid, normalize_name(d.name)), []).append(d)
    conflicts: dict[AssignmentKey, str] = {}
    for place, group in groups.items():
        winners = [d.key for d in _winners(place, group, own)]
        for key in (d.key for d in group):
            if winners and key not in winners:
                conflicts[key] = "Canvas assignment " + ", ".join(winner.assignment_id for winner in winners)
    return conflicts


def _winners(
    place: NameSlot, group: Sequence[DesiredAssignment], own: Mapping[AssignmentKey, ActualAssignment]
) -> Sequence[DesiredAssignment]:
    there = [d for d in group if d.key in own]
    named = [d for d in there if _slot(own[d.key]) == place]
    return named or there[:1] or [d for d in group if d.is_graded][:1]


def _with_old_name(
    key: AssignmentKey, there: ActualAssignment, links: Mapping[AssignmentKey, Link]
) -> ActualAssignment:
    is_parked = normalize_name(there.name) == normalize_name(temporary_name(key.assignment_id))
    return replace(there, name=links[key].name) if is_parked and key in links else there


def _by_id(d: DesiredAssignment) -> tuple[int, str, int]:
    """Canvas ids are numbers, written as text."""
    return (len(d.assignment_id), d.assignment_id, d.section_dcid)


def _holders(actual: Iterable[ActualAssignment]) -> Holders:
    holders: Holders = {}
    for a in actual:
        holders.setdefault(_slot(a), {})[a.assignment_section_id] = a.due_date
    return holders


def _slot(actual: ActualAssignment) -> NameSlot:
    return (actual.section_dcid, normalize_name(actual.name))


def _named(assignment_section_ids: Iterable[int]) -> str:
    ids = sorted(assignment_section_ids)
    several = "several candidates: " if len(ids) > 1 else ""
    return f"{several}PowerSchool assignment section {', '.join(map(str, ids))}" if ids else ""
