"""pages: how long a page takes that shows what is stored, of a district with few courses and with 10,000.

A teacher's page reads one course, whatever the district has; lists read a summary of every course.
"""

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.config import load
from shared.domain.passback.course_state import (
    AssignmentRecord,
    CourseRecord,
    CourseSection,
    SectionRecord,
    SectionRoster,
    State,
    StudentRecord,
)
from shared.domain.passback.rules.reasons import Finding, Reason
from tests.benchmarks.outcome import Mark, Result
from tests.fault_injection.redis_server import RedisServer
from tests.unit.web.site_kit import Browser
from workers.container import Container
from workers.web.app import create_site
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.lti.session import LtiRole, LtiSession, LtiSessions

ASSIGNMENTS, STUDENTS, SECTIONS = 41, 30, 2
SECRET = "a session secret of the benchmark"
SETTINGS = {
    "LTI_CLIENT_ID": "10000000000042", "PUBLIC_URL": "https://passback.example", "CANVAS_ROOT_ACCOUNT_UUID": "uuid-1",
    "CANVAS_URL": "https://district.instructure.com", "CANVAS_TOKEN": "secret", "SESSION_SECRET": SECRET,
}  # fmt: skip
NOW = datetime(2026, 10, 5, 15, 0, tzinfo=UTC)
TEACHER = (("/lti/course", {}), ("/lti/post-grades", {}), ("/lti/assignment", {"assignment": "7"}))
ADMINISTRATOR = (("/lti/account", {}), ("/lti/account/search", {"q": "biology 77"}))
BLOCKED = (Finding(Reason.DUE_DATE_MISSING),)


def run(courses: int = 10_000, few: int = 100, requests: int = 25) -> Result:
    """Measure every page with `few` courses, then with all."""
    with RedisServer() as server:
        settings = load(
            {f"PASSBACK_{k}": v for k, v in {**SETTINGS, "REDIS_URL": server.url}.items()}, env_file=Path("-")
        )
        service = Container(settings)
        store(service, range(few))
        small = dict(measured(service, requests))
        store(service, range(few, courses))
        large = dict(measured(service, requests))
        service.close()
    slowest = max(value for name, value in large.items())
    figures = {f"{name}, CPU ms, {courses:,} courses": value for name, value in large.items()}
    figures |= {f"{name}, {courses:,} / {few:,} courses": large[name] / small[name] for name in large}
    return Result("pages", figures, (Mark("slowest page, CPU ms", slowest, 100, at_most=True),))


def store(service: Container, numbers: range) -> None:
    """Store what a sync stores of each course."""
    for number in numbers:
        service.records.save(record(number))


def record(number: int) -> CourseRecord:
    """Return a course of which every seventh assignment needs its teacher; every tenth course has no problem."""
    students = tuple(StudentRecord(str(900 + n), f"S{n}", Finding(Reason.STUDENT_NOT_IN_SECTION)) for n in range(2))
    agrees = [
        SectionRecord(f"{number}{n}", State.SYNCED, (), students, 5, 6, STUDENTS, STUDENTS, NOW)
        for n in range(SECTIONS)
    ]
    blocked = [SectionRecord(f"{number}{n}", State.BLOCKED, BLOCKED) for n in range(SECTIONS)]
    work = tuple(
        AssignmentRecord(str(n), f"Assignment {n}", tuple(blocked if n % 7 == 0 and number % 10 else agrees))
        for n in range(ASSIGNMENTS)
    )
    roster = tuple(f"S{n}" for n in range(STUDENTS))
    rosters = tuple(SectionRoster(f"{number}{n}", number * 10 + n, roster, 100 + number % 60) for n in range(SECTIONS))
    sections = tuple(CourseSection(f"{number}{n}", f"{number}{n}", f"Period {n}") for n in range(SECTIONS))
    return CourseRecord(str(1000 + number), NOW, work, None, rosters, f"Biology {number}", sections)


def measured(service: Container, requests: int) -> Iterator[tuple[str, float]]:
    """Yield every page with the median CPU time of this process, in milliseconds."""
    app, sessions = create_site(service, RequestAuthenticator(service)), LtiSessions(lambda: SECRET, service.clock)
    people = ((TEACHER, LtiRole.TEACHER, "1077"), (ADMINISTRATOR, LtiRole.ADMIN, None))
    for pages, role, course_id in people:
        token = sessions.issue(session(service, role, course_id))
        for path, form in pages:
            times = []
            for _ in range(requests + 1):
                began = time.process_time()
                response = Browser(app).post(path, {**form, "lti_token": token}, token="")
                times.append(1000 * (time.process_time() - began))
                if response.status_code != 200:
                    raise SystemExit(f"{path}: {response.status_code}")
            # The first one compiles the template.
            yield path, statistics.median(times[1:])


def session(service: Container, role: LtiRole, course_id: str | None) -> LtiSession:
    """Return the session of a launch."""
    return LtiSession(
        role=role, user_id="900", course_id=course_id, section_ids=("770", "771"), placement="course_navigation",
        assignment_id=None, real_user_id=None, api_domain="district.instructure.com", return_url="", message_token="m",
        high_contrast=False, may_sync=True, expires_at=service.clock.now() + timedelta(hours=1),
    )  # fmt: skip
