"""Whether a name is taken, for an assignment that another rule may block."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from shared.domain.passback.planning.links import Link
from shared.domain.passback.planning.name_conflicts import name_conflict
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey
from tests.unit.domain.passback.baseline import MARKS, SECTION_DCID, actual, claim, desired, linked

THERE = actual()
DUE = THERE.due_date


def conflict(
    *there: ActualAssignment,
    links: Mapping[AssignmentKey, Link] | None = None,
    due_date: date | None = DUE,
    name: str = "Reading 1",
) -> str:
    return name_conflict(
        AssignmentKey("11", SECTION_DCID), name, due_date, actual=there, links=links or {}, plugin_ids=MARKS
    )


def test_free() -> None:
    """A name that nothing has is free."""
    assert conflict(replace(THERE, name="Lab")) == ""
    assert conflict(replace(THERE, section_dcid=4002, created_by_plugin=None)) == ""


def test_taken() -> None:
    """A teacher's assignment of the name is in the way, however it is written."""
    assert conflict(replace(THERE, name="READING 1", created_by_plugin=None)) == "PowerSchool assignment section 7001"


def test_own() -> None:
    """The assignment's own name is not in its way, even if a teacher made another of that name."""
    foreign = actual(id=7002, created_by_plugin=None)
    assert conflict(THERE, foreign, links=linked((desired(), THERE))) == ""


def test_own_under_another_name() -> None:
    """A linked assignment is in conflict once it is renamed to a name that is taken."""
    foreign = actual(id=7002, created_by_plugin=None)
    links = linked((desired(), THERE))
    assert conflict(replace(THERE, name="Lab"), foreign, links=links) == "PowerSchool assignment section 7002"


def test_adoptable() -> None:
    """What would be adopted is not in the way."""
    assert conflict(THERE) == ""
    assert conflict(THERE, links=claim(desired())) == ""


def test_not_adoptable() -> None:
    """An assignment with another due date, or of another Canvas assignment, is in the way."""
    assert conflict(THERE, due_date=None) == "PowerSchool assignment section 7001"
    assert conflict(THERE, due_date=date(2026, 10, 7)) == "PowerSchool assignment section 7001"
    assert conflict(THERE, links=linked((desired("12"), THERE))) == "PowerSchool assignment section 7001"


def test_several() -> None:
    """Several of the name are in the way, all of them named."""
    several = "several candidates: PowerSchool assignment section 7001, 7002"
    assert conflict(actual(id=7002), THERE) == several
    assert conflict(replace(actual(id=7002), created_by_plugin=None), THERE) == several
