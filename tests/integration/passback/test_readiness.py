"""Readiness in a generated district: every planted fault is found, nothing else is, and after mending it is silent."""

import random
from collections.abc import Iterator

import pytest

from tests.integration.passback.readiness_district import FAULTS, GeneratedDistrict, Key
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
    """With the number of grades that it would hold back; after mending, nothing is found."""
    district = GeneratedDistrict(7)
    district.plant([name])
    place.become(*district.seeds())
    assert place.check() == expected(district)
    place.become(*GeneratedDistrict(7).seeds())
    assert place.check() == {}


@pytest.mark.parametrize("seed", range(12))
def test_every_combination_of_faults_is_found_and_nothing_else(place: Place, seed: int) -> None:
    """Also where several faults are in one course or one assignment."""
    district = GeneratedDistrict(seed)
    names = random.Random(seed).choices(list(FAULTS), k=14)
    district.plant(names)
    place.become(*district.seeds())
    assert place.check() == expected(district), names
    place.become(*GeneratedDistrict(seed).seeds())
    assert place.check() == {}
