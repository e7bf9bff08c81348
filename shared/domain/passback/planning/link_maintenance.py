"""Compares links with PowerSchool."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.domain.passback.planning.assignment_matching import is_orphan, linked_keys, normalize_name
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey


class LinkStatus(StrEnum):
    """How a link compares with PowerSchool. `renamed`, `moved` and `not_ours` may come together."""

    OK = "ok"
    GONE = "gone"
    RENAMED = "renamed"
    MOVED = "moved"
    NOT_OURS = "not_ours"
    CLAIM = "claim"
    ORPHAN = "orphan"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class LinkCheck:
    """One link and how it stands, or (`orphan`, without a Canvas assignment) one of our assignments that has none.

    `name` and `due_date` are the link's, the other two PowerSchool's: None where it has no such assignment.
    `unread` is the link of a section that the course does not have any more, or that has no teacher to read it as.
    """

    assignment_id: str | None
    section_dcid: int
    powerschool_assignment_section_id: int | None
    standings: tuple[LinkStatus, ...]
    name: str | None = None
    due_date: date | None = None
    powerschool_name: str | None = None
    powerschool_due_date: date | None = None

    @property
    def is_ok(self) -> bool:
        """Say whether nothing is to be looked at."""
        return self.standings == (LinkStatus.OK,)


def check_links(
    links: Mapping[AssignmentKey, Link],
    actual: Sequence[ActualAssignment],
    read_sections: Collection[int],
    plugin_ids: frozenset[str],
) -> tuple[LinkCheck, ...]:
    """Return how every link stands, and then our assignments without one.

    `actual` must be every assignment of `read_sections` (SECTIONS.DCID).
    """
    there = _by_key(actual)
    checked = [_checked(links[key], there, read_sections, plugin_ids) for key in sorted(links)]
    return (*checked, *(_orphan(a) for a in _orphans(actual, links, plugin_ids)))


def _checked(
    link: Link,
    there: Mapping[tuple[int, int | None], ActualAssignment],
    read_sections: Collection[int],
    plugin_ids: frozenset[str],
) -> LinkCheck:
    found = there.get(_key_of(link))
    return LinkCheck(
        link.assignment_id,
        link.section_dcid,
        link.powerschool_assignment_section_id,
        _statuses(link, there, read_sections, plugin_ids),
        link.name,
        link.due_date,
        found.name if found else None,
        found.due_date if found else None,
    )


def _statuses(
    link: Link,
    there: Mapping[tuple[int, int | None], ActualAssignment],
    read_sections: Collection[int],
    plugin_ids: frozenset[str],
) -> tuple[LinkStatus, ...]:
    if link.is_claim:
        return (LinkStatus.CLAIM,)
    if link.section_dcid not in read_sections:
        return (LinkStatus.UNREAD,)
    found = there.get(_key_of(link))
    if found is None:
        return (LinkStatus.GONE,)
    differences = {
        LinkStatus.RENAMED: normalize_name(found.name) != normalize_name(link.name),
        LinkStatus.MOVED: found.due_date != link.due_date,
        LinkStatus.NOT_OURS: found.created_by_plugin not in plugin_ids,
    }
    return tuple(standing for standing, is_so in differences.items() if is_so) or (LinkStatus.OK,)


def _orphan(actual: ActualAssignment) -> LinkCheck:
    return LinkCheck(
        None,
        actual.section_dcid,
        actual.assignment_section_id,
        (LinkStatus.ORPHAN,),
        powerschool_name=actual.name,
        powerschool_due_date=actual.due_date,
    )


def _orphans(
    actual: Iterable[ActualAssignment], links: Mapping[AssignmentKey, Link], plugin_ids: frozenset[str]
) -> list[ActualAssignment]:
    linked = linked_keys(links)
    orphans = [a for a in actual if is_orphan(a, linked, plugin_ids)]
    return sorted(orphans, key=lambda a: (a.section_dcid, a.assignment_section_id))


def _by_key(actual: Iterable[ActualAssignment]) -> dict[tuple[int, int | None], ActualAssignment]:
    return {(a.section_dcid, a.assignment_section_id): a for a in actual}


def _key_of(link: Link) -> tuple[int, int | None]:
    return (link.section_dcid, link.powerschool_assignment_section_id)
