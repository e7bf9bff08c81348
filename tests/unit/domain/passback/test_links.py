"""How links stand, and which lost ones can be told."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

from shared.domain.passback.planning.assignment_matching import Key
from shared.domain.passback.planning.desired import DesiredAssignment, Link
from shared.domain.passback.planning.link_maintenance import (
    LinkStatus,
    Rebuilding,
    Rebuilt,
    Sought,
    check_links,
    rebuild_links,
    with_recipients,
)
from shared.domain.passback.powerschool import ActualAssignment, ActualScore
from tests.unit.domain.passback.baseline import MARKS, SECTION_DCID, actual, claim, desired, linked

READ = frozenset({SECTION_DCID})
THERE = actual()
LINKS = linked((desired(), THERE))
OTHER_DAY = date(2026, 10, 2)


def standings(
    links: Mapping[Key, Link], there: Sequence[ActualAssignment], read: frozenset[int] = READ
) -> list[tuple[LinkStatus, ...]]:
    return [checked.standings for checked in check_links(links, there, read, MARKS)]


def rebuilt(
    sought: Sequence[DesiredAssignment], there: Sequence[ActualAssignment], links: Mapping[Key, Link] | None = None
) -> list[Rebuilt]:
    seekers = [Sought((d.assignment_id, d.section_dcid), d.name, d.due_date) for d in sought]
    return list(rebuild_links(seekers, links or {}, there, READ, MARKS))


def test_a_link_that_agrees_is_ok() -> None:
    """Its assignment is there, made by this plugin, with the link's name and due date."""
    (checked,) = check_links(LINKS, [THERE], READ, MARKS)
    assert checked.is_ok


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        ([], (LinkStatus.GONE,)),
        ([replace(THERE, name="Renamed")], (LinkStatus.RENAMED,)),
        ([replace(THERE, name=" READING 1")], (LinkStatus.OK,)),
        ([replace(THERE, due_date=OTHER_DAY)], (LinkStatus.MOVED,)),
        ([replace(THERE, created_by_plugin=None)], (LinkStatus.NOT_OURS,)),
        ([replace(THERE, name="Renamed", due_date=OTHER_DAY)], (LinkStatus.RENAMED, LinkStatus.MOVED)),
    ],
)
def test_each_difference_has_its_standing(there: list[ActualAssignment], expected: tuple[LinkStatus, ...]) -> None:
    """What differs in PowerSchool is told, all of it at once; case and outer spaces are no difference there."""
    assert standings(LINKS, there) == [expected]


def test_a_claim_is_told() -> None:
    """A create whose outcome is unknown is neither gone nor ok."""
    assert standings(claim(desired()), []) == [(LinkStatus.CLAIM,)]


def test_a_section_that_was_not_read_is_not_gone() -> None:
    """Of a section that could not be read, nothing is said to be deleted."""
    assert standings(LINKS, [], frozenset()) == [(LinkStatus.UNREAD,)]


def test_ours_without_a_link_is_an_orphan() -> None:
    """What this plugin made and no link names is told; what a person made is not."""
    by_hand = actual(desired(name="By hand"), 7002, created_by_plugin=None)
    assert standings({}, [THERE, by_hand]) == [(LinkStatus.ORPHAN,)]


def test_the_only_candidate_is_restored() -> None:
    """Section, name and due date agree with one Canvas assignment, so that it has its link again."""
    (one,) = rebuilt([desired()], [THERE])
    assert one.rebuilding is Rebuilding.RESTORED
    assert one.link == LINKS["11", SECTION_DCID]


def test_a_link_that_leads_nowhere_is_replaced() -> None:
    """Its assignment was deleted, and another one of ours fits."""
    (one,) = rebuilt([desired()], [THERE], linked((desired(), actual(id=6001))))
    assert one.rebuilding is Rebuilding.RESTORED


@pytest.mark.parametrize(
    "sought", [desired(name="Another"), desired(due_date=OTHER_DAY), desired(section_dcid=SECTION_DCID + 1)]
)
def test_what_does_not_agree_is_unmatched(sought: DesiredAssignment) -> None:
    """A different name, due date or section is a different assignment."""
    (one,) = rebuilt([sought], [THERE])
    assert (one.rebuilding, one.link) == (Rebuilding.UNMATCHED, None)


def test_two_canvas_assignments_are_ambiguous() -> None:
    """Nobody can tell which of two of the same name and day it was."""
    (one,) = rebuilt([desired("11"), desired("12")], [THERE])
    assert (one.rebuilding, one.candidates, one.link) == (Rebuilding.AMBIGUOUS, ("11", "12"), None)


def test_two_of_ours_are_ambiguous() -> None:
    """Nobody can tell which of two in PowerSchool is the right one; both are left."""
    found = rebuilt([desired()], [THERE, actual(id=7002)])
    assert [(one.rebuilding, one.link) for one in found] == [(Rebuilding.AMBIGUOUS, None)] * 2


@pytest.mark.parametrize(
    "there", [actual(id=6001), actual(id=6001, name="Renamed"), actual(id=6001, created_by_plugin=None)]
)
def test_a_link_that_leads_somewhere_stays(there: ActualAssignment) -> None:
    """A second assignment of ours never takes the place of the linked one, whatever became of that."""
    found = rebuilt([desired()], [THERE, there], linked((desired(), actual(id=6001))))
    assert [one.rebuilding for one in found] == [Rebuilding.ALREADY_LINKED]


def test_a_claim_is_left_to_the_sync() -> None:
    """It looks under the name that was sent, whatever the assignment is called in Canvas by now."""
    (one,) = rebuilt([desired(name="Renamed")], [THERE], claim(desired()))
    assert (one.rebuilding, one.link) == (Rebuilding.CLAIMED, None)


def test_recipients_are_those_with_a_score() -> None:
    """Students with a score or a flag in PowerSchool count as sent to; an emptied row does not."""
    scores = {501: ActualScore(None), 502: ActualScore(None, exempt=True), 503: THERE.scores[501]}
    assert with_recipients(LINKS["11", SECTION_DCID], replace(THERE, scores=scores)).sent_to == {502, 503}
