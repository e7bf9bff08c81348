"""What decides about an assignment and cannot be read, or is not said: nothing is guessed that somebody would miss."""

from dataclasses import replace

from shared.domain.passback.course_state import State
from shared.domain.passback.rules.reasons import Reason
from tests.fakes import FakePowerSchool
from tests.unit.domain.passback.baseline import HOMEWORK, TESTS
from tests.unit.workers.grade_passback.school import School


def school() -> School:
    """Return a school whose default category is not the group's own."""
    return School(default_category="Tests", powerschool=FakePowerSchool((HOMEWORK, TESTS)))


def without_groups(here: School) -> None:
    """Let Canvas list no group that can be read."""
    here.canvas.content = replace(here.canvas.content, groups={})


def test_work_of_an_unreadable_group_is_not_put_into_the_default_category() -> None:
    """Its own category is known once the group can be read; until then a reason says what to look at."""
    here = school()
    groups = here.canvas.content.groups
    without_groups(here)
    here.sync()
    assert (here.writes(), here.reasons(), here.record().state) == ([], [Reason.VALUE_UNREADABLE], State.BLOCKED)
    assert here.record().findings[0].detail == "assignment group 31"
    here.canvas.content = replace(here.canvas.content, groups=groups)
    here.sync()
    assert {a.category_id for a in here.powerschool.assignments_there.values()} == {HOMEWORK.id}


def test_an_association_needs_no_readable_group() -> None:
    """It is by id: scores go on."""
    here = school()
    here.sync()
    here.writes()
    without_groups(here)
    here.grade("S1", "11", "1")
    here.sync()
    assert (here.writes(), here.reasons()) == (["scores"], [])


def test_what_canvas_omitted_counts_again_where_the_category_does_not_say() -> None:
    """A category without `isinfinalgrades` is one whose work counts, as it does where it is created."""
    here = School()
    here.edit("11", omitted_from_final_grade=True)
    here.sync()
    (first, _) = here.powerschool.assignments_there.values()
    assert (first.counted, here.writes()) == (False, ["create", "create", "scores"])
    for omitted in (False, True):
        here.edit("11", omitted_from_final_grade=omitted)
        here.sync()
        (first, _) = here.powerschool.assignments_there.values()
        assert (first.counted, here.writes()) == (not omitted, ["update"])
    here.sync()
    assert here.writes() == []
