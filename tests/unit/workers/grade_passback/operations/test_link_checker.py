"""Links are checked course by course; lost ones are found again by the next sync."""

import pytest

from shared.domain.passback.planning.links import Link, LinkStatus
from shared.domain.passback.powerschool import AssignmentKey
from shared.errors import ServiceUnavailable
from tests.unit.workers.grade_passback.school import DEADLINE, School, link_of
from workers.grade_passback.operations.link_check import CourseCheck, check_course_links


@pytest.fixture
def synced(school: School) -> School:
    """Return the school after a sync, with nothing to write any more."""
    school.sync()
    school.writes()
    return school


def check(school: School) -> CourseCheck:
    return check_course_links(school.reader, "1")


def lose_links(school: School) -> dict[AssignmentKey, Link]:
    """Delete all links; return them."""
    lost = dict(school.links.of_course("1"))
    school.forget_links()
    return lost


def statuses(school: School) -> list[tuple[LinkStatus, ...]]:
    return [link.standings for link in check(school).links]


def test_a_synced_course_is_ok(synced: School) -> None:
    """After a sync every link stands, and nothing that passback made is without one."""
    assert statuses(synced) == [(LinkStatus.OK,)] * 2
    assert check(synced).is_ok


def test_links_of_work_that_is_kept_back_are_checked_too(synced: School) -> None:
    """An assignment that a rule keeps back by now still has its link."""
    synced.edit(post_to_sis=False)
    assert check(synced).is_ok


def test_lost_links_are_orphans(synced: School) -> None:
    """Without links, all that passback made is without one."""
    lose_links(synced)
    assert statuses(synced) == [(LinkStatus.ORPHAN,)] * 2
    assert not check(synced).is_ok


def test_checking_changes_nothing(synced: School) -> None:
    """Neither links nor PowerSchool, and the course is not made due."""
    del synced.powerschool.assignments_there[link_of(synced)]
    before = dict(synced.links.of_course("1"))
    assert (LinkStatus.GONE,) in statuses(synced)
    assert synced.links.of_course("1") == before
    assert (synced.writes(), synced.changes.requested) == ([], [])


def test_the_next_sync_finds_lost_links(synced: School) -> None:
    """It finds them with names, due dates, ids and the students to whom scores were sent, and writes no score."""
    lost = lose_links(synced)
    synced.sync()
    assert synced.links.of_course("1") == lost
    assert synced.writes() == []


def test_a_score_that_is_emptied_after_the_loss_is_still_known(synced: School) -> None:
    """The link that was found again knows to whom a score was sent, so that the emptied score is reported."""
    lose_links(synced)
    synced.sync()
    assert all(link.sent_to for link in synced.links.of_course("1").values())


def test_what_is_ambiguous_is_not_linked(synced: School) -> None:
    """Two Canvas assignments of one name and due date: neither is linked to what is there, and nothing is doubled."""
    lose_links(synced)
    synced.edit("12", name="Reading 1")
    there = len(synced.powerschool.assignments_there)
    synced.sync()
    assert synced.links.of_course("1") == {}
    assert len(synced.powerschool.assignments_there) == there


def test_a_course_that_cannot_be_read_is_left_out(synced: School) -> None:
    """The report says why; the course is not made due."""
    synced.canvas.faults.always("course", ServiceUnavailable("GET course: 503", cause="canvas_503", delay=DEADLINE))
    checked = check(synced)
    assert checked.error is not None
    assert checked.error.code == "canvas_503"
    assert not checked.is_ok
    assert synced.changes.requested == []
