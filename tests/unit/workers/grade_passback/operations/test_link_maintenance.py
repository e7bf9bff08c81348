"""Links are checked and, once lost, found again, course by course."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.planning.assignment_matching import Key
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.planning.link_maintenance import LinkStatus, Rebuilding
from shared.errors import ServiceUnavailable
from tests.unit.domain.passback.baseline import CHICAGO, SECTION_DCID
from tests.unit.workers.grade_passback.school import DEADLINE, School, link_of
from workers.grade_passback.operations.link_maintenance import LinkMaintenance


@pytest.fixture
def synced(school: School) -> School:
    """Return the school after a sync, with nothing to write any more."""
    school.sync()
    school.writes()
    return school


def care_of(school: School, is_being_synced: Callable[[str], bool] = lambda _: False) -> LinkMaintenance:
    return LinkMaintenance(
        school.surveyor,
        school.powerschool,
        school.links,
        school.records,
        school.changes,
        is_being_synced,
        school.clock,
        CHICAGO,
    )


def lose_links(school: School) -> dict[Key, Link]:
    """Delete all links; return them."""
    return school.links.links.pop("1")


def standings(school: School) -> list[tuple[LinkStatus, ...]]:
    return [link.standings for link in care_of(school).check("1").links]


def test_a_synced_course_is_ok(synced: School) -> None:
    """After a sync every link stands, and nothing that passback made is without one."""
    assert standings(synced) == [(LinkStatus.OK,)] * 2
    assert care_of(synced).check("1").is_ok


def test_links_of_work_that_is_kept_back_are_checked_too(synced: School) -> None:
    """An assignment that a rule keeps back by now still has its link."""
    synced.edit(post_to_sis=False)
    assert care_of(synced).check("1").is_ok


def test_lost_links_are_orphans(synced: School) -> None:
    """Without links, all that passback made is without one."""
    lose_links(synced)
    assert standings(synced) == [(LinkStatus.ORPHAN,)] * 2
    assert not care_of(synced).check("1").is_ok


def test_checking_changes_nothing(synced: School) -> None:
    """Neither links nor PowerSchool, and the course is not made due."""
    del synced.powerschool.assignments_there[link_of(synced)]
    before = dict(synced.links.links["1"])
    assert (LinkStatus.GONE,) in standings(synced)
    assert synced.links.links["1"] == before
    assert (synced.writes(), synced.changes.requested) == ([], [])


def test_rebuilt_links_are_the_lost_ones(synced: School) -> None:
    """With their names, days, ids and the students to whom scores were sent, so that the next sync writes nothing."""
    lost = lose_links(synced)
    rebuilt = care_of(synced).rebuild("1", dry_run=False)
    assert rebuilt.is_ok
    assert synced.links.links["1"] == lost
    synced.sync()
    assert synced.writes() == []


def test_work_that_is_kept_back_has_its_link_again(synced: School) -> None:
    """A rule that keeps an assignment back today does not make what was sent someone else's."""
    lost = lose_links(synced)
    synced.edit(post_to_sis=False)
    care_of(synced).rebuild("1", dry_run=False)
    assert synced.links.links["1"] == lost


def test_a_rebuilt_course_is_connected_and_synced(synced: School) -> None:
    """If Redis was lost, no course was connected; a sync follows, as in every pass over all courses."""
    lose_links(synced)
    synced.records.visits.clear()
    care_of(synced).rebuild("1", dry_run=False)
    assert care_of(synced).connected() == ["1"]
    assert synced.changes.requested == [("1", ChangeCause.RECONCILE)]


def test_a_dry_run_changes_nothing(synced: School) -> None:
    """It says what would be restored."""
    lose_links(synced)
    synced.records.visits.clear()
    rebuilt = care_of(synced).rebuild("1", dry_run=True)
    assert [one.rebuilding for one in rebuilt.found] == [Rebuilding.RESTORED] * 2
    assert synced.links.of_course("1") == {}
    assert (synced.changes.requested, care_of(synced).connected()) == ([], [])


def test_good_links_are_not_touched(synced: School) -> None:
    """Only the lost one comes back; the other stays as it is, also if what it leads to was renamed there."""
    lost = synced.links.links["1"].pop(("12", SECTION_DCID))
    there = synced.powerschool.assignments_there
    there[link_of(synced)] = replace(there[link_of(synced)], name="Renamed")
    kept = synced.links.links["1"]["11", SECTION_DCID]
    rebuilt = care_of(synced).rebuild("1", dry_run=False)
    assert (rebuilt.kept, rebuilt.restored) == (1, (lost,))
    assert synced.links.links["1"]["11", SECTION_DCID] == kept


def test_what_is_ambiguous_is_left(synced: School) -> None:
    """Two Canvas assignments of one name and day: neither gets the link, and the answer names both."""
    lose_links(synced)
    synced.edit("12", name="Reading 1")
    rebuilt = care_of(synced).rebuild("1", dry_run=False)
    assert [(one.rebuilding, one.candidates) for one in rebuilt.found] == [
        (Rebuilding.AMBIGUOUS, ("11", "12")),
        (Rebuilding.UNMATCHED, ()),
    ]
    assert not rebuilt.is_ok
    assert synced.links.of_course("1") == {}


def test_a_course_being_synced_is_left_out(synced: School) -> None:
    """A sync moves its links itself; the answer says so."""
    lose_links(synced)
    rebuilt = care_of(synced, lambda _: True).rebuild("1", dry_run=False)
    assert rebuilt.trouble is not None
    assert rebuilt.trouble.code == "being_synced"
    assert synced.links.of_course("1") == {}
    assert synced.changes.requested == []


def test_links_that_move_meanwhile_are_left(synced: School) -> None:
    """A sync that came and went while the course was being looked at is noticed by the links it moved."""
    lost = lose_links(synced)

    def sync_ends(_: str) -> bool:
        for link in lost.values():
            synced.links.save("1", link)
        return False

    rebuilt = care_of(synced, sync_ends).rebuild("1", dry_run=False)
    assert rebuilt.trouble is not None
    assert (synced.links.links["1"], synced.changes.requested) == (lost, [])


def test_a_course_that_cannot_be_read_is_left_out(synced: School) -> None:
    """The answer says why; its links stay, and it is neither connected nor synced."""
    synced.canvas.faults.always("course", ServiceUnavailable("GET course: 503", cause="canvas_503", delay=DEADLINE))
    care = care_of(synced)
    assert [care.check("1").trouble, care.rebuild("1", dry_run=False).trouble] == [care.check("1").trouble] * 2
    assert not care.check("1").is_ok
    assert synced.changes.requested == []
