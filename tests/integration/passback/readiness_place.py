"""Both sandboxes behind sockets, and a passback that checks the readiness of whatever district they have."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fakeredis
import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.config import load
from shared.domain.passback.readiness.findings import (
    CourseReadiness,
    DistrictReadiness,
    ReadinessFinding,
    ReadinessRun,
)
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.canvas.seed import CanvasSeed
from shared.sandbox.powerschool.app import create_app as powerschool_app
from shared.sandbox.powerschool.seed import PowerSchoolSeed
from tests.integration.passback.readiness_district import NOW, ZONE, Key
from tests.integration.sandbox_server import served
from tests.manual_clock import ManualClock
from workers.container import Container
from workers.dev.sandbox import sandbox_settings

ABOUT: dict[str, Callable[[ReadinessFinding], str]] = {
    **dict.fromkeys(("course_sis_id_missing", "teacher_missing", "term_ended"), lambda f: f.course_id),
    "section_sis_id_missing": lambda f: f"{f.course_id}1",
    "category_missing": lambda f: f.group_id,
    "weights_differ": lambda f: f.group_id,
    "category_without_group": lambda f: f.detail,
    "school_without_courses": lambda f: str(f.school_number),
    "record_unreadable": lambda f: f.detail.partition(":")[0].rpartition(" ")[2],
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


class Replaceable:
    """An application in whose place another one can be put while its server runs."""

    def __init__(self) -> None:
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        assert self.app is not None
        await self.app(scope, receive, send)


@dataclass
class Place:
    """A passback that keeps its Redis while the district changes. `urls` are Canvas's and PowerSchool's."""

    urls: tuple[str, str]
    settings: dict[str, str]
    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOW))
    canvas: Replaceable = field(default_factory=Replaceable)
    powerschool: Replaceable = field(default_factory=Replaceable)
    redis: fakeredis.FakeRedis = field(default_factory=fakeredis.FakeRedis)

    def __post_init__(self) -> None:
        self.service = self.process()

    def process(self) -> Container:
        """Return the services of another process over the same Redis."""
        return Container(load(self.settings, self.folder / "no.env"), redis=self.redis, clock=self.clock)

    def become(self, canvas: CanvasSeed, powerschool: PowerSchoolSeed) -> None:
        """Let both systems have these rows."""
        self.canvas.app = canvas_app(canvas, self.clock)
        self.powerschool.app = powerschool_app(powerschool, self.clock)

    def fault(self, system: int, **faults: Any) -> None:
        """Set the faults of Canvas (0) or PowerSchool (1)."""
        httpx.put(f"{self.urls[system]}/_sandbox/faults", json=faults).raise_for_status()

    def requests(self, system: int) -> list[dict[str, Any]]:
        """Return the log of requests of Canvas (0) or PowerSchool (1)."""
        found: list[dict[str, Any]] = httpx.get(f"{self.urls[system]}/_sandbox/requests").json()
        return found

    def run(self) -> ReadinessRun:
        """Check the district; the check may wait for a system, and then ends unfinished."""
        self.service.readiness_check.request("test")
        run = self.service.readiness_check.advance(tuple, lambda: False)
        assert run is not None
        return run

    def results(self) -> tuple[DistrictReadiness, list[CourseReadiness]]:
        """Return what is stored of a finished check."""
        district, courses = self.service.readiness.results()
        assert district is not None
        return district, courses

    def check(self) -> dict[Key, int]:
        """Check the district from the beginning; return what was found, with the grades that it holds back."""
        run = self.run()
        assert run.finished_at is not None, run
        assert (run.without, run.waits_for) == ((), "")
        return self.found()

    def found(self) -> dict[Key, int]:
        """Return what the newest finished check found."""
        district, courses = self.results()
        assert not [course for course in courses if course.unread]
        findings = [*district.findings, *(f for course in courses for f in course.findings)]
        found = {key_of(finding): finding.grades for finding in findings}
        assert len(found) == len(findings), "something is found twice"
        return found


@contextmanager
def readiness_place(folder: Path) -> Iterator[Place]:
    """Yield a place whose systems have no district yet."""
    canvas, powerschool = Replaceable(), Replaceable()
    with ExitStack() as stack:
        urls = stack.enter_context(served(canvas)), stack.enter_context(served(powerschool))
        settings = {**sandbox_settings(*urls), "PASSBACK_DISTRICT_TIME_ZONE": ZONE.key}
        place = Place(urls, settings, folder, canvas=canvas, powerschool=powerschool)
        stack.enter_context(closing(place.service))
        yield place
