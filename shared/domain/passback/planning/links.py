"""Links Canvas assignments with PowerSchool's: by id, or by identity where the response of a create was lost."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, DesiredAssignment


@dataclass(frozen=True, slots=True)
class Echo:
    """What was sent in one field or score, and what PowerSchool had of it afterwards, as digests.

    `stored` is None until PowerSchool was looked at after the write. Until then, `sent` is a code of two letters for
    most scores, see `diff.score_code`.
    """

    sent: str
    stored: str | None = None


@dataclass(frozen=True, slots=True)
class Takeover:
    """That a person linked an assignment which passback did not create.

    `made_by` is its ASSIGNMENT.createdbyplugin, empty for a teacher's. `is_written` says that passback has changed it
    since, or may have: then the takeover cannot be undone.
    """

    made_by: str
    is_written: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """Which PowerSchool assignment is this Canvas assignment's, in one section.

    A link without ids is a claim: a create was about to be sent with `name` and `due_date`, and its response is
    not known. `sent_to` holds the students (STUDENTS.DCID) for whom a score was written, `zeros` those whose score is
    the 0 that went with a flag alone. `echoes` holds, by the name of an owned field or by STUDENTS.DCID, what
    PowerSchool stores differently from what was sent, and scores that were not read since they were written.
    `taken_over` is None for what passback created.
    """

    assignment_id: str
    section_dcid: int
    name: str
    due_date: date
    powerschool_assignment_id: int | None = None
    powerschool_assignment_section_id: int | None = None
    sent_to: frozenset[int] = frozenset()
    zeros: frozenset[int] = frozenset()
    echoes: Mapping[str, Echo] = field(default_factory=dict)
    taken_over: Takeover | None = None

    @property
    def key(self) -> AssignmentKey:
        """The assignment and the section that it links."""
        return AssignmentKey(self.assignment_id, self.section_dcid)

    @property
    def target(self) -> tuple[int, int | None]:
        """Where it leads: SECTIONS.DCID and the assignment section id, which is None for a claim."""
        return self.section_dcid, self.powerschool_assignment_section_id

    @property
    def is_claim(self) -> bool:
        """Say whether the outcome of the create is still unknown."""
        return self.powerschool_assignment_section_id is None


# The smallest limit for names that a district can set. Canvas ids have 19 digits at most.
MAX_TEMPORARY_CHARS = 30
# PowerSchool's names are shorter, whatever was sent.
MAX_DEGRADED_CHARS = 300
UTF8_MAX_BYTES = 4


@dataclass(frozen=True, slots=True)
class AssignmentMatches:
    """The PowerSchool assignments of the desired ones.

    `matched` has the PowerSchool assignment of each desired one that has one. `adopted` has the new links among them,
    `deleted` the links whose assignment is no longer in PowerSchool.
    """

    matched: Mapping[AssignmentKey, ActualAssignment]
    adopted: Mapping[AssignmentKey, Link]
    deleted: frozenset[AssignmentKey]


class AssignmentIdentity(NamedTuple):
    """What identifies an assignment without a link, as PowerSchool tells assignments apart. `name` is normalized."""

    section_dcid: int
    name: str
    due_date: date


def normalize_name(name: str) -> str:
    """Return the form of a name in which PowerSchool compares names: without regard to case and outer spaces."""
    return name.strip().casefold()


def temporary_name(assignment_id: str) -> str:
    """Return the name of an assignment while another one takes its name: at most 30 characters."""
    return f"(renaming {assignment_id})"[:MAX_TEMPORARY_CHARS]


def match_assignments(
    desired: Sequence[DesiredAssignment],
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    plugin_ids: frozenset[str],
) -> AssignmentMatches:
    """Return which actual assignment is which desired one's.

    `actual` must be every assignment of the desired ones' sections: what is not in it counts as deleted. An
    unlinked assignment is adopted when this plugin made it, section, name and due date agree, and it is the only
    one of its kind for the only desired one of its kind. A claim is matched first, by the name and due date that were
    sent. An assignment that was left with a temporary name is found by that. A name that PowerSchool stored without
    what it cannot hold, such as an emoji, is matched last. Scores of `actual` are not read.

    Source: a create answers 201 without a body, so a lost response leaves an assignment to be found again
    (PowerSchool xte API reference, `POST /ws/xte/section/assignment/`).
    """
    by_target = {a.target: a for a in actual}
    matched = {
        d.key: by_target[link.target] for d in desired if (link := links.get(d.key)) and link.target in by_target
    }
    unmatched = {d.key: d for d in desired if d.key not in matched}
    orphans = orphans_of(actual, links, plugin_ids)
    claims = {key: _identity(link, link.name) for key in unmatched if (link := links.get(key)) and link.is_claim}
    by_name = {key: _identity(d, d.name) for key, d in unmatched.items()}
    by_temporary_name = {key: _identity(d, temporary_name(d.assignment_id)) for key, d in unmatched.items()}
    found: dict[AssignmentKey, ActualAssignment] = {}
    for identities in (claims, by_name, by_temporary_name):
        unique = _unique_matches({key: i for key, i in identities.items() if key not in found}, orphans)
        taken = {a.assignment_section_id for a in unique.values()}
        orphans = [a for a in orphans if a.assignment_section_id not in taken]
        found |= unique
    found |= _degraded_matches({key: claims.get(key, i) for key, i in by_name.items() if key not in found}, orphans)
    return AssignmentMatches(
        matched=matched | found,
        adopted={key: _link(unmatched[key], a) for key, a in found.items()},
        deleted=frozenset(key for key in unmatched if key in links and not links[key].is_claim),
    )


def orphans_of(
    actual: Iterable[ActualAssignment], links: Mapping[AssignmentKey, Link], plugin_ids: frozenset[str]
) -> list[ActualAssignment]:
    """Return the assignments that this plugin made and no link leads to."""
    linked = {link.target for link in links.values()}
    return [a for a in actual if a.created_by_plugin in plugin_ids and a.target not in linked]


def _identity(of: DesiredAssignment | ActualAssignment | Link, name: str) -> AssignmentIdentity:
    return AssignmentIdentity(of.section_dcid, normalize_name(name), of.due_date)


def _unique_matches(
    wanted: Mapping[AssignmentKey, AssignmentIdentity], orphans: Iterable[ActualAssignment]
) -> dict[AssignmentKey, ActualAssignment]:
    by_identity: dict[AssignmentIdentity, list[ActualAssignment]] = {}
    for a in orphans:
        by_identity.setdefault(_identity(a, a.name), []).append(a)
    times_wanted = Counter(wanted.values())
    return {
        key: by_identity[identity][0]
        for key, identity in wanted.items()
        if times_wanted[identity] == 1 and len(by_identity.get(identity, ())) == 1
    }


def _degraded_matches(
    wanted: Mapping[AssignmentKey, AssignmentIdentity], orphans: Sequence[ActualAssignment]
) -> dict[AssignmentKey, ActualAssignment]:
    """Return the orphans whose names may be what PowerSchool stored of the wanted names."""
    candidates = {key: [a for a in orphans if _may_be_stored(identity, a)] for key, identity in wanted.items()}
    times_found = Counter(a.assignment_section_id for found in candidates.values() for a in found)
    return {
        key: found[0]
        for key, found in candidates.items()
        if len(found) == 1 and times_found[found[0].assignment_section_id] == 1
    }


def _may_be_stored(identity: AssignmentIdentity, actual: ActualAssignment) -> bool:
    if (identity.section_dcid, identity.due_date) != (actual.section_dcid, actual.due_date) or identity.name.isascii():
        return False
    return is_degraded(identity.name, normalize_name(actual.name))


def is_degraded(name: str, stored: str) -> bool:
    """Say whether `stored` is the name with what is not ASCII removed, or as up to a character for each of its bytes.

    All ways to read it are followed at once: the time is in proportion to the product of both lengths.
    """
    if max(len(name), len(stored)) > MAX_DEGRADED_CHARS:
        return False
    ends = {0}
    for character in name:
        if character.isascii():
            ends = {end + 1 for end in ends if stored[end : end + 1] == character}
        else:
            ends = {end + more for end in ends for more in range(UTF8_MAX_BYTES + 1) if end + more <= len(stored)}
    return len(stored) in ends


def _link(desired: DesiredAssignment, actual: ActualAssignment) -> Link:
    return Link(
        assignment_id=desired.assignment_id,
        section_dcid=desired.section_dcid,
        name=desired.name,
        due_date=desired.due_date,
        powerschool_assignment_id=actual.assignment_id,
        powerschool_assignment_section_id=actual.assignment_section_id,
    )


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
    by_target = {a.target: a for a in actual}
    orphans = sorted(orphans_of(actual, links, plugin_ids), key=lambda a: (a.section_dcid, a.assignment_section_id))
    return (
        *(
            _check(link, by_target.get(link.target), plugin_ids, is_read=link.section_dcid in read_sections)
            for link in (links[key] for key in sorted(links))
        ),
        *(
            LinkCheck(None, *a.target, (LinkStatus.ORPHAN,), powerschool_name=a.name, powerschool_due_date=a.due_date)
            for a in orphans
        ),
    )


def _check(link: Link, actual: ActualAssignment | None, plugin_ids: frozenset[str], *, is_read: bool) -> LinkCheck:
    return LinkCheck(
        link.assignment_id,
        *link.target,
        _statuses(link, actual, plugin_ids, is_read=is_read),
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
