"""Readiness in a generated district: every planted fault is found, nothing else is, and after mending it is silent."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from shared.sandbox.canvas.seed import Override, Section
from shared.sandbox.district.builder import enrolled
from tests.integration.passback.readiness_district import FALL, FAULTS, YEAR_ID, GeneratedDistrict, Key, due
from tests.integration.passback.readiness_place import Place, readiness_place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with readiness_place(tmp_path_factory.mktemp("readiness")) as one:
        yield one


def expected(district: GeneratedDistrict) -> dict[Key, int]:
    """Return the findings that the planted faults have to cause, with their grades."""
    return {key: grades() for key, grades in district.expected.items()}


def test_a_district_in_order_has_no_findings(place: Place) -> None:
    """Drafts, surveys, attendance, anonymous work, empty sections, last year's classes and holidays are no faults."""
    for seed in range(3):
        place.become(*GeneratedDistrict(seed).seeds())
        assert place.check() == {}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found_and_nothing_else(place: Place, name: str) -> None:
    """With the number of grades that it would hold back."""
    district = GeneratedDistrict(7)
    district.plant([name])
    place.become(*district.seeds())
    assert place.check() == expected(district)


@pytest.mark.parametrize("seed", range(5))
def test_a_combination_of_faults_is_found_and_nothing_else(place: Place, seed: int) -> None:
    """Also where several faults are in one course or one assignment; after mending, nothing is found."""
    district = GeneratedDistrict(seed)
    names = random.Random(seed).choices(list(FAULTS), k=14)
    district.plant(names)
    place.become(*district.seeds())
    assert place.check() == expected(district), names
    place.become(*GeneratedDistrict(seed).seeds())
    assert place.check() == {}


def test_sections_of_two_semesters_may_share_a_course(tmp_path: Path) -> None:
    """Work is due in one term or the other: what is due in the other one is no fault, before, during and after."""
    district = GeneratedDistrict(3)
    course = district.courses[201]
    spring = 64_001
    numbers = district._add_section(spring, 300, 501, YEAR_ID * 100 + 2, 3)
    district.section_of(course)["term_id"] = YEAR_ID * 100 + FALL
    second = Section(id=2012, name="Spring", sis_section_id=str(spring))
    course.sections.append(second)
    course.students += enrolled(numbers, second.id)
    later = district.assignment(course)
    district.edit(course, later, due_at=due(date(2027, 2, 1)), workflow_state="published")
    with readiness_place(tmp_path) as place:
        place.become(*district.seeds())
        assert place.check() == {}
        # In the spring, the fall's section is over, and work of the spring is still due.
        now = place.clock.now()
        place.clock.advance(datetime(2027, 1, 20, 15, 0, tzinfo=UTC) - now)
        assert place.check() == {}
        # A date of the section's own is meant for it.
        outside = Override(id=77, course_section_id=second.id, due_at=due(date(2027, 6, 20)))
        district.edit(course, later, overrides=[outside], due_at=due(date(2027, 2, 1)))
        place.become(*district.seeds())
        assert place.check() == {("due_date_outside_term", str(later.id)): 3}


@pytest.mark.parametrize(("days", "is_expected"), [(90, True), (91, False)])
def test_sections_are_expected_in_canvas_shortly_before_their_term(
    tmp_path: Path, days: int, is_expected: bool
) -> None:
    """The next school year is scheduled months before; nobody misses its sections in Canvas yet."""
    district = GeneratedDistrict(3)
    spring = 64_001
    district._add_section(spring, 300, 501, YEAR_ID * 100 + 2, 3)
    with readiness_place(tmp_path) as place:
        place.become(*district.seeds())
        before = datetime(2027, 1, 5, 18, 0, tzinfo=UTC) - timedelta(days=days)
        place.clock.advance(before - place.clock.now())
        found = place.check()
    assert found == ({("section_without_course", str(spring)): 0} if is_expected else {})
