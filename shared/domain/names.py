"""Who may have a name in a section of PowerSchool, and what stands in the others' way."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared.domain.adoption import Key, folded, is_orphan, key_of, linked_places
from shared.domain.desired import DesiredAssignment, Link
from shared.domain.powerschool import ActualAssignment

# A name in a section: SECTIONS.DCID and the folded name.
Place = tuple[int, str]

# Who has a name: assignment section ids with their due dates.
Holders = dict[Place, dict[int, date]]


@dataclass(frozen=True, slots=True)
class Naming:
    """Who gets the name it wants, in the order in which the names become free, and why the others do not."""

    order: tuple[Key, ...]
    conflicts: Mapping[Key, str]


def settle_names(
    desired: Sequence[DesiredAssignment], own: Mapping[Key, ActualAssignment], actual: Sequence[ActualAssignment]
) -> Naming:
    """Return which of the desired assignments may have their names; `own` says which actual one is whose.

    Of several Canvas assignments of one name in a section, those that have it in PowerSchool win, else the only
    one that is there, else none. For a new name the due date plays no part. An assignment that has its name
    already keeps it, whatever else a person gave that name later, as long as it is not moved onto that one's day.

    Source: "PowerSchool already has an assignment of that name in the section that is not this one"; PowerSchool
    itself refuses only the same section, name and due date.
    """
    doubles = _doubles(desired, own)
    holders = _holders(actual)
    waiting = {key_of(d): d for d in sorted(desired, key=key_of) if key_of(d) not in doubles}
    order: list[Key] = []
    # A name becomes free once its holder is renamed: each round lets those go whose name is free by now.
    while ready := [key for key, d in waiting.items() if not _rivals(d, own.get(key), holders)]:
        for key in ready:
            _move(own.get(key), waiting.pop(key), holders)
        order += ready
    taken = {key: _named(_rivals(d, own.get(key), holders)) for key, d in waiting.items()}
    return Naming(tuple(order), {**doubles, **taken})


def name_conflict(
    key: Key,
    name: str,
    due_date: date | None,
    *,
    actual: Sequence[ActualAssignment],
    links: Mapping[Key, Link],
    plugin_marks: frozenset[str],
) -> str:
    """Return what has `name` in the section of `key`, empty if nothing is in the way: for `eligibility.Facts`.

    For an assignment that another rule may block, so that its teacher learns of both at once.
    """
    place = (key[1], folded(name))
    there = [a for a in actual if _place(a) == place]
    link = links.get(key)
    if link is not None and any(a.assignment_section_id == link.powerschool_assignment_section_id for a in there):
        return ""
    linked = linked_places(links)
    adoptable = [a for a in there if a.due_date == due_date and is_orphan(a, linked, plugin_marks)]
    return "" if len(there) == len(adoptable) == 1 else _named(a.assignment_section_id for a in there)


def _doubles(desired: Sequence[DesiredAssignment], own: Mapping[Key, ActualAssignment]) -> dict[Key, str]:
    groups: dict[Place, list[Key]] = {}
    for d in sorted(desired, key=key_of):
        groups.setdefault((d.section_dcid, folded(d.name)), []).append(key_of(d))
    conflicts: dict[Key, str] = {}
    for place, group in groups.items():
        winners = _winners(place, group, own)
        for key in group:
            rivals = [other for other in winners or group if other != key]
            if rivals and key not in winners:
                conflicts[key] = "Canvas assignment " + ", ".join(assignment_id for assignment_id, _ in rivals)
    return conflicts


def _winners(place: Place, group: Sequence[Key], own: Mapping[Key, ActualAssignment]) -> list[Key]:
    there = [key for key in group if key in own]
    named = [key for key in there if _place(own[key]) == place]
    return named or (there if len(there) == 1 else [])


def _holders(actual: Iterable[ActualAssignment]) -> Holders:
    holders: Holders = {}
    for a in actual:
        holders.setdefault(_place(a), {})[a.assignment_section_id] = a.due_date
    return holders


def _rivals(desired: DesiredAssignment, own: ActualAssignment | None, holders: Holders) -> list[int]:
    there = holders.get((desired.section_dcid, folded(desired.name)), {})
    if own is None or own.assignment_section_id not in there:
        return list(there)
    return [id_ for id_, day in there.items() if id_ != own.assignment_section_id and day == desired.due_date]


def _move(own: ActualAssignment | None, desired: DesiredAssignment, holders: Holders) -> None:
    """Note the name and day that the assignment will have; a locked one stays what it is."""
    if own is not None and not own.locked:
        del holders[_place(own)][own.assignment_section_id]
        there = holders.setdefault((desired.section_dcid, folded(desired.name)), {})
        there[own.assignment_section_id] = desired.due_date


def _place(actual: ActualAssignment) -> Place:
    return (actual.section_dcid, folded(actual.name))


def _named(assignment_section_ids: Iterable[int]) -> str:
    ids = sorted(assignment_section_ids)
    several = "several candidates: " if len(ids) > 1 else ""
    return f"{several}PowerSchool assignment section {', '.join(map(str, ids))}" if ids else ""
