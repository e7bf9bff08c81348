"""Compares links with PowerSchool."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.domain.passback.planning.assignment_matching import ids_of_links, is_orphan, normalize_name
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey


class LinkStatus(StrEnum):
    """How a link compares with PowerSchool. `renamed`, `moved` and `not_ours` may come together."""

    OK = "ok"
    GONE = "gone"
    RENAMED = "renamed"
    MOVED = "moved"
    FOREIGN = "not_ours"
    CLAIM = "claim"
    ORPHAN = "orphan"
    UNREAD = "unread"


@dataclass(frozen=True, slots=True)
class LinkCheck:
    """One link with its status, or (`orphan`, without a Canvas assignment) an assignment of this plugin without one.

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
        """Say whether the link agrees with PowerSchool."""
        return self.standings == (LinkStatus.OK,)


def check_links(
    links: Mapping[AssignmentKey, Link],
    actual: Sequence[ActualAssignment],
    read_sections: Collection[int],
    plugin_ids: frozenset[str],
) -> tuple[LinkCheck, ...]:
    """Return every link with its status, and then this plugin's assignments without a link.

    `actual` must be every assignment of `read_sections` (SECTIONS.DCID).
    """
    by_id: dict[tuple[int, int | None], ActualAssignment] = {
        (a.section_dcid, a.assignment_section_id): a for a in actual
    }
    linked_ids = ids_of_links(links)
    orphans = sorted(id_ for id_, a in by_id.items() if is_orphan(a, linked_ids, plugin_ids))
    return (
        *(_check(links[key], by_id, read_sections, plugin_ids) for key in sorted(links)),
        *(
            LinkCheck(
                None,
                *id_,
                (LinkStatus.ORPHAN,),
                powerschool_name=by_id[id_].name,
                powerschool_due_date=by_id[id_].due_date,
            )
            for id_ in orphans
        ),
    )


def _check(
    link: Link,
    by_id: Mapping[tuple[int, int | None], ActualAssignment],
    read_sections: Collection[int],
    plugin_ids: frozenset[str],
) -> LinkCheck:
    actual = by_id.get((link.section_dcid, link.powerschool_assignment_section_id))
    return LinkCheck(
        link.assignment_id,
        link.section_dcid,
        link.powerschool_assignment_section_id,
        _statuses(link, actual, plugin_ids, is_read=link.section_dcid in read_sections),
        link.name,
        link.due_date,
        actual.name if actual else None,
        actual.due_date if actual else None,
    )


def _statuses(
    link: Link, actual: ActualAssignment | None, plugin_ids: frozenset[str], *, is_read: bool
) -> tuple[LinkStatus, ...]:
    if link.is_claim:
        return (LinkStatus.CLAIM,)
    if not is_read:
        return (LinkStatus.UNREAD,)
    if actual is None:
        return (LinkStatus.GONE,)
    differences = {
        LinkStatus.RENAMED: normalize_name(actual.name) != normalize_name(link.name),
        LinkStatus.MOVED: actual.due_date != link.due_date,
        LinkStatus.FOREIGN: link.taken_over is None and actual.created_by_plugin not in plugin_ids,
    }
    return tuple(status for status, differs in differences.items() if differs) or (LinkStatus.OK,)
