"""How links compare with PowerSchool."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import pytest

from shared.domain.passback.planning.links import Link, LinkStatus, check_links
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey
from tests.unit.domain.passback.baseline import MARKS, SECTION_DCID, actual, claim, desired, linked

READ = frozenset({SECTION_DCID})
THERE = actual()
LINKS = linked((desired(), THERE))
OTHER_DAY = date(2026, 10, 2)


def statuses(
    links: Mapping[AssignmentKey, Link], there: Sequence[ActualAssignment], read: frozenset[int] = READ
) -> list[tuple[LinkStatus, ...]]:
    return [checked.standings for checked in check_links(links, there, read, MARKS)]


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
        ([replace(THERE, created_by_plugin=None)], (LinkStatus.FOREIGN,)),
        ([replace(THERE, name="Renamed", due_date=OTHER_DAY)], (LinkStatus.RENAMED, LinkStatus.MOVED)),
    ],
)
def test_each_difference_has_its_standing(there: list[ActualAssignment], expected: tuple[LinkStatus, ...]) -> None:
    """What differs in PowerSchool is told, all of it at once; case and outer spaces are no difference there."""
    assert statuses(LINKS, there) == [expected]


def test_a_claim_is_told() -> None:
    """A create whose outcome is unknown is neither gone nor ok."""
    assert statuses(claim(desired()), []) == [(LinkStatus.CLAIM,)]


def test_a_section_that_was_not_read_is_not_gone() -> None:
    """Of a section that could not be read, nothing is said to be deleted."""
    assert statuses(LINKS, [], frozenset()) == [(LinkStatus.UNREAD,)]


def test_ours_without_a_link_is_an_orphan() -> None:
    """What this plugin made and no link names is told; what a person made is not."""
    by_hand = actual(desired(name="By hand"), 7002, created_by_plugin=None)
    assert statuses({}, [THERE, by_hand]) == [(LinkStatus.ORPHAN,)]
