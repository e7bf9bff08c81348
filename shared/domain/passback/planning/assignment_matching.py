"""Matches Canvas assignments with PowerSchool's: by link, or by identity where the response of a create was lost."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey

# The least that a district can set as the longest name. Canvas ids have 19 digits at the most.
MAX_TEMPORARY_CHARS = 30
# PowerSchool's names are shorter, whatever was sent.
MAX_DEGRADED_CHARS = 300
UTF8_MAX_BYTES = 4


@dataclass(frozen=True, slots=True)
class AssignmentMatches:
    """Whose the actual assignments are.

    `own` holds the PowerSchool assignment of each desired one that has one. `adopted` are the new links among
    them, `gone` the links whose assignment is no longer in PowerSchool.
    """

    own: Mapping[AssignmentKey, ActualAssignment]
    adopted: Mapping[AssignmentKey, Link]
    gone: frozenset[AssignmentKey]


@dataclass(frozen=True, slots=True)
class AssignmentIdentity:
    """What an assignment is found again by, as PowerSchool tells assignments apart."""

    section_dcid: int
    name: str
    due_date: date


def normalize_name(name: str) -> str:
    """Return the form of a name in which PowerSchool compares names: without regard to case and outer spaces."""
    return name.strip().casefold()


def temporary_name(assignment_id: str) -> str:
    """Return the name under which an assignment gives way to another one that takes its name: at most 30 characters."""
    return f"(renaming {assignment_id})"[:MAX_TEMPORARY_CHARS]


def match_assignments(
    desired: Sequence[DesiredAssignment],
    actual: Sequence[ActualAssignment],
    links: Mapping[AssignmentKey, Link],
    plugin_ids: frozenset[str],
) -> AssignmentMatches:
    """Return which actual assignment is whose.

    `actual` must be every assignment of the desired ones' sections: what is not in it counts as deleted. An
    unlinked assignment is adopted when this plugin made it, section, name and due date agree, and it is the only
    one of its kind for the only one that looks for it. A claim looks first, and under its own name and due date:
    nothing else was sent. One that was left with a temporary name is found by that. A name that PowerSchool stored
    without what it cannot hold, such as an emoji, agrees where no other does. Scores of `actual` are not looked at.

    Source: a create answers 201 without a body, so a lost answer leaves an assignment to be found again
    (PowerSchool xte API reference, `POST /ws/xte/section/assignment/`).
    """
    by_id = {(a.section_dcid, a.assignment_section_id): a for a in actual}
    linked = _linked(desired, links, by_id)
    seekers = {d.key: d for d in desired if d.key not in linked}
    orphans = _orphans(actual, links, plugin_ids)
    claims = {key: _of_link(links[key]) for key in seekers if key in links and links[key].is_claim}
    by_claim = _unique_matches(claims, orphans)
    rest = _excluding(orphans, by_claim.values())
    by_name = _unique_matches({key: _of_desired(d) for key, d in seekers.items() if key not in by_claim}, rest)
    parked = _excluding(rest, by_name.values())
    by_temporary_name = _unique_matches(
        {key: _of_parked(d) for key, d in seekers.items() if key not in by_claim and key not in by_name}, parked
    )
    exact = {**by_claim, **by_name, **by_temporary_name}
    left = {key: claims.get(key) or _of_desired(d) for key, d in seekers.items() if key not in exact}
    found = {**exact, **_stored_differently(left, _excluding(parked, by_temporary_name.values()))}
    return AssignmentMatches(
        own={**linked, **found},
        adopted={key: _link(seekers[key], found[key]) for key in found},
        gone=frozenset(key for key in seekers if key in links and not links[key].is_claim),
    )


def is_orphan(actual: ActualAssignment, linked: frozenset[tuple[int, int | None]], plugin_ids: frozenset[str]) -> bool:
    """Say whether this plugin made the assignment and none of the `linked` places is its own."""
    place = (actual.section_dcid, actual.assignment_section_id)
    return actual.created_by_plugin in plugin_ids and place not in linked


def linked_keys(links: Mapping[AssignmentKey, Link]) -> frozenset[tuple[int, int | None]]:
    """Return where links lead: SECTIONS.DCID and assignment section id."""
    return frozenset((link.section_dcid, link.powerschool_assignment_section_id) for link in links.values())


def _linked(
    desired: Iterable[DesiredAssignment],
    links: Mapping[AssignmentKey, Link],
    by_id: Mapping[tuple[int, int], ActualAssignment],
) -> dict[AssignmentKey, ActualAssignment]:
    own: dict[AssignmentKey, ActualAssignment] = {}
    for key in [d.key for d in desired]:
        link = links.get(key)
        if link is not None and link.powerschool_assignment_section_id is not None:
            found = by_id.get((link.section_dcid, link.powerschool_assignment_section_id))
            if found is not None:
                own[key] = found
    return own


def _orphans(
    actual: Iterable[ActualAssignment], links: Mapping[AssignmentKey, Link], plugin_ids: frozenset[str]
) -> dict[AssignmentIdentity, list[ActualAssignment]]:
    linked = linked_keys(links)
    orphans: dict[AssignmentIdentity, list[ActualAssignment]] = {}
    for a in actual:
        if is_orphan(a, linked, plugin_ids):
            orphans.setdefault(AssignmentIdentity(a.section_dcid, normalize_name(a.name), a.due_date), []).append(a)
    return orphans


def _unique_matches(
    seekers: Mapping[AssignmentKey, AssignmentIdentity],
    orphans: Mapping[AssignmentIdentity, Sequence[ActualAssignment]],
) -> dict[AssignmentKey, ActualAssignment]:
    wanted = Counter(seekers.values())
    return {
        key: orphans[identity][0]
        for key, identity in seekers.items()
        if wanted[identity] == 1 and len(orphans.get(identity, ())) == 1
    }


def _stored_differently(
    seekers: Mapping[AssignmentKey, AssignmentIdentity],
    orphans: Mapping[AssignmentIdentity, Sequence[ActualAssignment]],
) -> dict[AssignmentKey, ActualAssignment]:
    """Return the orphans whose names may be what PowerSchool made of the seekers' names."""
    some = [each for several in orphans.values() for each in several]
    candidates = {key: [a for a in some if _may_be_stored(identity, a)] for key, identity in seekers.items()}
    sought = Counter(a.assignment_section_id for several in candidates.values() for a in several)
    return {
        key: several[0]
        for key, several in candidates.items()
        if len(several) == 1 and sought[several[0].assignment_section_id] == 1
    }


def _may_be_stored(identity: AssignmentIdentity, actual: ActualAssignment) -> bool:
    if (identity.section_dcid, identity.due_date) != (actual.section_dcid, actual.due_date) or identity.name.isascii():
        return False
    return _is_degraded(identity.name, normalize_name(actual.name))


def _is_degraded(name: str, stored: str) -> bool:
    """Say whether `stored` is the name with what is not ASCII gone, or as up to a mark for each of its bytes.

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


def _excluding(
    orphans: Mapping[AssignmentIdentity, Sequence[ActualAssignment]], adopted: Iterable[ActualAssignment]
) -> dict[AssignmentIdentity, list[ActualAssignment]]:
    gone = {a.assignment_section_id for a in adopted}
    return {identity: [a for a in some if a.assignment_section_id not in gone] for identity, some in orphans.items()}


def _of_link(link: Link) -> AssignmentIdentity:
    return AssignmentIdentity(link.section_dcid, normalize_name(link.name), link.due_date)


def _of_desired(desired: DesiredAssignment) -> AssignmentIdentity:
    return AssignmentIdentity(desired.section_dcid, normalize_name(desired.name), desired.due_date)


def _of_parked(desired: DesiredAssignment) -> AssignmentIdentity:
    return AssignmentIdentity(
        desired.section_dcid, normalize_name(temporary_name(desired.assignment_id)), desired.due_date
    )


def _link(desired: DesiredAssignment, actual: ActualAssignment) -> Link:
    return Link(
        assignment_id=desired.assignment_id,
        section_dcid=desired.section_dcid,
        name=desired.name,
        due_date=desired.due_date,
        powerschool_assignment_id=actual.assignment_id,
        powerschool_assignment_section_id=actual.assignment_section_id,
    )
