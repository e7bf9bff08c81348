"""Readiness in a generated district: every planted fault is found, nothing else is, and after mending it is silent."""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import fakeredis
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.config import load
from shared.domain.passback.readiness.results import ReadinessFinding
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.integration.passback.readiness_district import FAULTS, NOW, ZONE, GeneratedDistrict, Key
from tests.integration.sandbox_server import served
from tests.manual_clock import ManualClock
from workers.container import Container
from workers.dev.sandbox import sandbox_settings


class Replaceable:
    """An application in whose place another one can be put while its server runs."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        assert self.app is not None
        await self.app(scope, receive, send)


class Place:
    """Both sandboxes behind sockets, and a passback that keeps its Redis while the district changes."""

    def __init__(self, canvas: Replaceable, powerschool: Replaceable, service: Container, clock: ManualClock) -> None:
        self.canvas, self.powerschool, self.service, self.clock = canvas, powerschool, service, clock

    def become(self, district: GeneratedDistrict) -> None:
        """Let both systems have this district."""
        self.canvas.app = canvas_app(district.canvas(), self.clock)
        self.powerschool.app = powerschool_app(district.powerschool(), self.clock)

    def check(self) -> dict[Key, int]:
        """Check the district from the beginning; return what was found, with the grades that it holds back."""
        service = self.service
        service.readiness_check.request("test")
        run = service.readiness_check.advance(tuple, lambda: False)
        assert run is not None
        assert run.finished_at is not None, run
        assert (run.without, run.waits_for, run.systems) == ((), "", ())
        district, courses = service.readiness.results()
        assert district is not None
        assert not [course for course in courses if course.unread]
        findings = [*district.findings, *(f for course in courses for f in course.findings)]
        found = {key_of(finding): finding.grades for finding in findings}
        assert len(found) == len(findings), "something is found twice"
        return found


ABOUT: dict[str, Callable[[ReadinessFinding], str]] = {
    **dict.fromkeys(("course_sis_id_missing", "teacher_missing", "term_ended"), lambda f: f.course_id),
    "section_sis_id_missing": lambda f: f"{f.course_id}1",
    "category_missing": lambda f: f.group_id,
    "category_without_group": lambda f: f.detail,
    "teacher_id_missing": lambda f: str(f.teacher_users_dcid),
    **dict.fromkeys(
        ("term_reversed", "term_of_another_year", "term_gap", "term_overlap"),
        lambda f: f"{f.school_number} {f.detail.partition(',')[0]}",
    ),
}


def key_of(finding: ReadinessFinding) -> Key:
    """Return what the finding is about, as the planted faults name it."""
    about = ABOUT.get(finding.code, lambda f: (f.assignment_ids or f.section_sis_ids)[0])
    return str(finding.code), about(finding)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    clock, canvas, powerschool = ManualClock(NOW), Replaceable(), Replaceable()
    with ExitStack() as stack:
        urls = [stack.enter_context(served(app)) for app in (canvas, powerschool)]
        settings = {**sandbox_settings(*urls), "PASSBACK_DISTRICT_TIME_ZONE": ZONE.key}
        folder: Path = tmp_path_factory.mktemp("readiness")
        configured = load(settings, folder / "no.env")
        service = stack.enter_context(closing(Container(configured, redis=fakeredis.FakeRedis(), clock=clock)))
        yield Place(canvas, powerschool, service, clock)


def expected(district: GeneratedDistrict) -> dict[Key, int]:
    """Return the findings that the planted faults have to cause, with their grades."""
    return {key: grades() for key, grades in district.expected.items()}


def test_a_district_in_order_has_no_findings(place: Place) -> None:
    """Drafts, surveys, attendance, anonymous work, empty sections, last year's classes and holidays are no faults."""
    for seed in range(3):
        place.become(GeneratedDistrict(seed))
        assert place.check() == {}


@pytest.mark.parametrize("name", FAULTS)
def test_each_planted_fault_is_found_and_nothing_else(place: Place, name: str) -> None:
    """With the number of grades that it would hold back; after mending, nothing is found."""
    district = GeneratedDistrict(7)
    district.plant([name])
    place.become(district)
    assert place.check() == expected(district)
    place.become(GeneratedDistrict(7))
    assert place.check() == {}


@pytest.mark.parametrize("seed", range(12))
def test_every_combination_of_faults_is_found_and_nothing_else(place: Place, seed: int) -> None:
    """Also where several faults are in one course or one assignment."""
    district = GeneratedDistrict(seed)
    names = random.Random(seed).choices(list(FAULTS), k=14)
    district.plant(names)
    place.become(district)
    assert place.check() == expected(district), names
    place.become(GeneratedDistrict(seed))
    assert place.check() == {}
