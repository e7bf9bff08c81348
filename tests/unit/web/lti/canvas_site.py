"""A site that is installed in Canvas, with one course of two sections, and browsers of people whom Canvas sent."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from html import unescape

import httpx

from shared.adapters.redis.operations.sign_in import session_secret
from shared.domain.passback.canvas import GradebookRow, Person, Section
from shared.domain.passback.powerschool import RosteredStudent
from shared.domain.passback.totals.grading import CanvasTotals
from tests.fakes import FakeCanvas, FakePowerSchool, FakeRosters
from tests.unit.domain.passback.baseline import ASSIGNMENT, COURSE, HOMEWORK, ROSTERED, graded
from tests.unit.web.site_kit import Browser, FakePeople, Site
from tests.unit.workers.grade_passback.school import School
from tests.unit.workers.grade_passback.school_totals import GRADING, totals_reader
from workers.web.lti.session import LtiRole, LtiSession, LtiSessions

LTI = {
    "LTI_CLIENT_ID": "10000000000042", "PUBLIC_URL": "https://passback.example", "CANVAS_ROOT_ACCOUNT_UUID": "uuid-1",
    "CANVAS_URL": "https://district.instructure.com", "CANVAS_TOKEN": "secret",
}  # fmt: skip
ADA, BO, CY = Person("71", "Zimt, Ada", "S1"), Person("72", "Anis, Bo", "S2"), Person("73", "Kurkuma, Cy", "S3")
TEACHER_OF_1, TEACHER_OF_3 = ("21",), ("22",)
WITHOUT_DATE = replace(ASSIGNMENT, id="12", name="Lab report", due_at=None)
NOT_SELECTED = replace(ASSIGNMENT, id="13", name="Warm-up", post_to_sis=False)
COURSE_1 = replace(
    COURSE,
    name="Biology <1",
    sections=(Section("21", "Period 1", "4001"), Section("22", "Period 3", "4002")),
    assignments=(ASSIGNMENT, WITHOUT_DATE, NOT_SELECTED),
)
IN_3 = replace(ROSTERED, sis_section_id="4002", dcid=4002, students={"S3": RosteredStudent(503, active=True)})


def student(person: Person, section_id: str, score: str) -> GradebookRow:
    """Return a student's row with a score for the first assignment."""
    return GradebookRow(person.user_id, person.sis_user_id, frozenset({section_id}), {"11": graded(score)})


# Canvas's totals: without further differences Ada's 80, Bo's 95; Cy's is not what the scores give.
TOTALS = {
    "71": CanvasTotals(Decimal("80.00")), "72": CanvasTotals(Decimal("95.00")), "73": CanvasTotals(Decimal("41.50")),
}  # fmt: skip
ROWS = (student(ADA, "21", "8"), student(BO, "21", "9.5"), student(CY, "22", "3.25"))


@dataclass
class SectionedPeople(FakePeople):
    """Canvas as the pages ask it for the people of sections."""

    def students(self, course_id: str, section_ids: Collection[str] | None = None) -> tuple[Person, ...]:
        self._check(f"students {course_id}")
        of_section = {"21": (BO, ADA), "22": (CY,)}
        return tuple(
            p for id_, people in of_section.items() if section_ids is None or id_ in section_ids for p in people
        )

    members = students


@dataclass
class CanvasSite:
    """The site, the course behind it, and who its students are."""

    people: SectionedPeople = field(default_factory=SectionedPeople)
    school: School = field(init=False)
    site: Site = field(init=False)

    def __post_init__(self) -> None:
        self.school = School(
            canvas=FakeCanvas(COURSE_1, ROWS),
            rosters=FakeRosters({"4001": ROSTERED, "4002": IN_3}),
            powerschool=FakePowerSchool((HOMEWORK,)),
        )
        self.site = Site(**LTI)
        service = self.site.service
        service.canvas_account = self.people  # type: ignore[assignment]
        service.course_reader = self.school.reader  # type: ignore[misc]  # in place of the one over HTTP
        service.totals = totals_reader(self.school, replace(GRADING, totals=TOTALS))  # type: ignore[misc]
        service.heartbeats.record("worker@here:1")

    def sync(self) -> None:
        """Sync the course as a worker does, and store what the worker stores."""
        self.school.sync()
        service, record = self.site.service, self.school.records.course("1")
        assert record is not None
        service.records.save(record)
        for entry in reversed(list(self.school.audit.of_course("1"))):
            service.audit.add(entry)

    def frame(self, section_ids: tuple[str, ...] = TEACHER_OF_1, **session: object) -> "Frame":
        """Return the frame of a teacher of these sections; `session` replaces fields of the session."""
        service = self.site.service
        sessions = LtiSessions(lambda: session_secret(service.redis, service.keys), service.clock)
        given = LtiSession(
            role=LtiRole.TEACHER, user_id="900", course_id="1", section_ids=section_ids, placement="course_navigation",
            assignment_id=None, real_user_id=None, api_domain="district.instructure.com",
            return_url="https://district.instructure.com/courses/1/external_content/success", message_token="m1",
            high_contrast=False, may_sync=True, expires_at=service.clock.now() + timedelta(hours=1),
        )  # fmt: skip
        token = sessions.issue(replace(given, **session))  # type: ignore[arg-type]
        return Frame(self.site.browser(), token)

    def administrator(self) -> "Frame":
        """Return the frame of an administrator, opened from the account's menu."""
        return self.frame((), role=LtiRole.ADMIN, course_id=None, placement="account_navigation", user_id="1")


@dataclass
class Frame:
    """A page inside Canvas: without cookies, each request with the token of the launch."""

    browser: Browser
    token: str

    def post(self, path: str, address: str = "", **form: str) -> httpx.Response:
        """Send a form; `address` is appended to the path."""
        self.browser.cookies.clear()
        return self.browser.post(path + address, {**form, "lti_token": self.token}, token="")

    def text(self, path: str, **form: str) -> str:
        """Return what the page says."""
        response = self.post(path, **form)
        assert response.status_code == 200, response.text
        return " ".join(unescape(re.sub("<[^>]+>", " ", response.text.partition("<body")[2])).split())
