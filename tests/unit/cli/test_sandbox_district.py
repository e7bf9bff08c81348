"""The district that `passback sandbox` begins with."""

from shared.sandbox.district.small import Ids
from workers.dev.sandbox import starting_district


def test_the_same_options_make_the_same_district() -> None:
    """Both sandboxes are started on their own: PowerSchool full, Canvas empty, both of one district."""
    first, again = (starting_district(2, 20, 8, 3) for _ in range(2))
    assert first == again
    assert (len(first.powerschool.schools), len(first.powerschool.students), first.canvas.courses) == (2, 20, [])


def test_without_schools_it_is_the_small_one() -> None:
    """The demo's."""
    assert {course.id for course in starting_district(0, 2_000, 400, 1).canvas.courses} >= {Ids.COURSE}
