"""Links compared with PowerSchool, and links found again once they are lost."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from shared.domain.passback.planning.assignment_matching import Key, is_orphan, linked_keys, normalize_name
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.planning.diff import says_something
from shared.domain.passback.powerschool import ActualAssignment


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


@dataclass(frozen=True, slots=True)
class Sought:
    """A Canvas assignment in a PowerSchool section, whether or not a rule keeps it back."""

    key: Key
    name: str
    due_date: date


class Rebuilding(StrEnum):
    """What becomes of an assignment of ours that no link names.

    Only `restored` changes anything. `claimed`: a create of unknown outcome looks for it, and the next sync settles
    that. `already_linked`: its Canvas assignment has another one.
    """

    RESTORED = "restored"
    CLAIMED = "claimed"
    ALREADY_LINKED = "already_linked"
    AMBIGUOUS = "ambiguous"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """One assignment of ours without a link, and the Canvas assignments it may belong to. Restored: with its link."""

    actual: ActualAssignment
    rebuilding: Rebuilding
    candidates: tuple[str, ...] = ()
    link: Link | None = None


# Section, name as PowerSchool compares it, and due date: what an assignment is found again by.
_Identity = tuple[int, str, date]


def check_links(
    links: Mapping[Key, Link],
    actual: Sequence[ActualAssignment],
    read_sections: Collection[int],
    plugin_marks: frozenset[str],
) -> tuple[LinkCheck, ...]:
    """Return how every link stands, and then our assignments without one.

    `actual` must be every assignment of `read_sections` (SECTIONS.DCID).
    """
    there = _by_key(actual)
    checked = [_checked(links[key], there, read_sections, plugin_marks) for key in sorted(links)]
    return (*checked, *(_orphan(a) for a in _orphans(actual, links, plugin_marks)))


def rebuild_links(
    sought: Iterable[Sought],
    links: Mapping[Key, Link],
    actual: Sequence[ActualAssignment],
    read_sections: Collection[int],
    plugin_marks: frozenset[str],
) -> tuple[Rebuilt, ...]:
    """Return what becomes of every assignment of ours without a link.

    One is restored if section, name and due date agree with exactly one Canvas assignment, if no second one of ours
    agrees with the same, and if that Canvas assignment has no link, or one to an assignment that is gone.
    """
    orphans = _orphans(actual, links, plugin_marks)
    seekers = _seekers(sought, links)
    there = _by_key(actual)
    standing = {
        key: link
        for key, link in links.items()
        if _statuses(link, there, read_sections, plugin_marks) != (LinkStatus.GONE,)
    }
    return tuple(_rebuilt(a, orphans, seekers.get(_identity(a), ()), standing) for a in orphans)


def with_recipients(link: Link, actual: ActualAssignment) -> Link:
    """Return the restored link with the students to whom a score was sent: those who have one in PowerSchool."""
    return replace(link, sent_to=frozenset(dcid for dcid, score in actual.scores.items() if says_something(score)))


def _checked(
    link: Link,
    there: Mapping[tuple[int, int | None], ActualAssignment],
    read_sections: Collection[int],
    plugin_marks: frozenset[str],
) -> LinkCheck:
    found = there.get(_key_of(link))
    return LinkCheck(
        link.assignment_id,
        link.section_dcid,
        link.powerschool_assignment_section_id,
        _statuses(link, there, read_sections, plugin_marks),
        link.name,
        link.due_date,
        found.name if found else None,
        found.due_date if found else None,
    )


def _statuses(
    link: Link,
    there: Mapping[tuple[int, int | None], ActualAssignment],
    read_sections: Collection[int],
    plugin_marks: frozenset[str],
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
        LinkStatus.NOT_OURS: found.created_by_plugin not in plugin_marks,
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


def _rebuilt(
    actual: ActualAssignment,
    orphans: Iterable[ActualAssignment],
    seekers: Iterable[Sought],
    standing: Mapping[Key, Link],
) -> Rebuilt:
    fitting = {seeker.key: seeker for seeker in seekers}
    candidates = tuple(sorted(assignment_id for assignment_id, _ in fitting))
    twins = [other for other in orphans if _identity(other) == _identity(actual)]
    if not fitting:
        return Rebuilt(actual, Rebuilding.UNMATCHED)
    if len(fitting) > 1 or len(twins) > 1:
        return Rebuilt(actual, Rebuilding.AMBIGUOUS, candidates)
    ((key, only),) = fitting.items()
    if key in standing:
        left = Rebuilding.CLAIMED if standing[key].is_claim else Rebuilding.ALREADY_LINKED
        return Rebuilt(actual, left, candidates)
    return Rebuilt(actual, Rebuilding.RESTORED, candidates, _link(only, actual))


def _seekers(sought: Iterable[Sought], links: Mapping[Key, Link]) -> dict[_Identity, list[Sought]]:
    """Return who looks for what. A claim looks under its own name and due date: nothing else was sent."""
    seekers: dict[_Identity, list[Sought]] = {}
    for one in sought:
        link = links.get(one.key)
        meant = Sought(one.key, link.name, link.due_date) if link is not None and link.is_claim else one
        seekers.setdefault((meant.key[1], normalize_name(meant.name), meant.due_date), []).append(meant)
    return seekers


def _orphans(
    actual: Iterable[ActualAssignment], links: Mapping[Key, Link], plugin_marks: frozenset[str]
) -> list[ActualAssignment]:
    linked = linked_keys(links)
    orphans = [a for a in actual if is_orphan(a, linked, plugin_marks)]
    return sorted(orphans, key=lambda a: (a.section_dcid, a.assignment_section_id))


def _by_key(actual: Iterable[ActualAssignment]) -> dict[tuple[int, int | None], ActualAssignment]:
    return {(a.section_dcid, a.assignment_section_id): a for a in actual}


def _key_of(link: Link) -> tuple[int, int | None]:
    return (link.section_dcid, link.powerschool_assignment_section_id)


def _identity(actual: ActualAssignment) -> _Identity:
    return (actual.section_dcid, normalize_name(actual.name), actual.due_date)


def _link(sought: Sought, actual: ActualAssignment) -> Link:
    return Link(
        *sought.key,
        name=actual.name,
        due_date=actual.due_date,
        powerschool_assignment_id=actual.assignment_id,
        powerschool_assignment_section_id=actual.assignment_section_id,
    )
