"""A client that knows nothing of the sandbox, ucfopen's `canvasapi`, works with it."""

import queue
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from canvasapi import Canvas
from canvasapi.exceptions import Forbidden, InvalidAccessToken, RateLimitExceeded
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.sandbox.canvas.app import create_app
from shared.sandbox.district.small import Ids, small_district, user_id_of
from tests.integration.sandbox_server import served

# The client advises against plain HTTP, which between two ports of one machine is all there is.
pytestmark = pytest.mark.filterwarnings("ignore:Canvas may respond unexpectedly:UserWarning")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A sandbox with the small district."""
    with served(create_app(small_district(datetime.now(UTC).date()).canvas), has_lifespan=True) as found:
        yield found


@pytest.fixture
def canvas(url: str) -> Iterator[Canvas]:
    """The client, whose connections are closed afterwards, and a sandbox without faults."""
    client = Canvas(url, "sandbox-token")
    yield client
    # What was poured into the token's bucket would be found there by the next test.
    httpx.put(f"{url}/_sandbox/faults", json={"throttle_outflow": 1e9}).raise_for_status()
    assert client.get_current_user().id
    httpx.delete(f"{url}/_sandbox/faults").raise_for_status()
    client._Canvas__requester._session.close()


def test_it_lists_assignments_over_several_pages(canvas: Canvas) -> None:
    """All assignments of the course arrive, page by page."""
    names = [assignment.name for assignment in canvas.get_course(Ids.COURSE).get_assignments(per_page=10)]
    assert len(names) == 23
    assert "Essay draft" in names


def test_it_lists_submissions_over_several_pages(canvas: Canvas) -> None:
    """Grouped and flat submissions arrive completely."""
    course = canvas.get_course(Ids.COURSE)
    grouped = course.get_multiple_submissions(student_ids=["all"], grouped=True, per_page=25)
    assert len({group.user_id for group in grouped}) == 62
    flat = course.get_multiple_submissions(student_ids=["all"], assignment_ids=[Ids.LAB_REPORT], per_page=25)
    assert len(list(flat)) == 62


def test_it_grades_a_submission(canvas: Canvas) -> None:
    """A grade and an excuse put by the client are there when it reads again."""
    assignment = canvas.get_course(Ids.COURSE).get_assignment(Ids.ESSAY_DRAFT)
    user_id = user_id_of(Ids.STUDENTS_A[0])
    assignment.get_submission(user_id).edit(submission={"posted_grade": "17.5"})
    assert assignment.get_submission(user_id).score == 17.5
    assignment.get_submission(user_id).edit(submission={"excuse": True})
    assert assignment.get_submission(user_id).excused is True


def test_its_grades_are_announced(canvas: Canvas, url: str) -> None:
    """A grade put by the client arrives at the target as a Live Event."""
    arrived: queue.Queue[dict[str, Any]] = queue.Queue()

    async def receive(request: Request) -> Response:
        arrived.put(await request.json())
        return Response(status_code=202)

    with served(Starlette(routes=[Route("/events", receive, methods=["POST"])])) as receiver:
        httpx.put(f"{url}/_sandbox/events", json={"target": f"{receiver}/events"}).raise_for_status()
        assignment = canvas.get_course(Ids.HEALTHY_COURSE).get_assignment(1022)
        assignment.get_submission(user_id_of(Ids.STUDENTS_HEALTHY[0])).edit(submission={"posted_grade": "6"})
        names = {arrived.get(timeout=10)["metadata"]["event_name"] for _ in range(2)}
        httpx.put(f"{url}/_sandbox/events", json={}).raise_for_status()
    assert names == {"grade_change", "submission_updated"}


def test_it_edits_an_assignment(canvas: Canvas) -> None:
    """An edit by the client keeps what it did not name."""
    assignment = canvas.get_course(Ids.HEALTHY_COURSE).get_assignment(1021)
    assignment.edit(assignment={"points_possible": 25})
    assert (assignment.points_possible, assignment.name) == (25, "Warm-up 1")


def test_it_finds_enrollments_and_sections(canvas: Canvas) -> None:
    """Sections and enrollments arrive with their SIS ids."""
    course = canvas.get_course(Ids.COURSE, include=["term", "concluded"])
    assert [section.sis_section_id for section in course.get_sections()] == ["41011", "41012"]
    assert len(list(course.get_enrollments(type=["StudentEnrollment"]))) == 61


def test_it_recognises_a_wrong_token(url: str) -> None:
    """The 401 is recognised as an invalid token."""
    client = Canvas(url, "wrong")
    with pytest.raises(InvalidAccessToken):
        client.get_current_user()
    client._Canvas__requester._session.close()


@pytest.mark.parametrize(("status", "error"), [(403, Forbidden), (429, RateLimitExceeded)])
def test_it_recognises_throttling(canvas: Canvas, url: str, status: int, error: type[Exception]) -> None:
    """A throttled answer is recognised in both of Canvas's styles."""
    knobs = {"throttle_high_water_mark": 0, "throttle_request_cost": 5, "throttle_status": status}
    httpx.put(f"{url}/_sandbox/faults", json=knobs).raise_for_status()
    assert canvas.get_current_user().id
    with pytest.raises(error, match="Rate Limit Exceeded"):
        canvas.get_current_user()


def test_it_imports_from_a_sis(canvas: Canvas, tmp_path: Path) -> None:
    """A file that the client attaches is imported, listed first, and what it made is found by its SIS id."""
    header = "course_id,short_name,long_name,term_id,status"
    (tmp_path / "courses.csv").write_text(f"{header}\nFROM-SIS,MUS,Music,,published\n")
    account = canvas.get_account(1)
    created = account.create_sis_import(str(tmp_path / "courses.csv"), diffing_data_set_identifier="courses")
    assert created.workflow_state == "created"
    newest = account.get_sis_imports()[0]
    assert (newest.id, newest.workflow_state, newest.data["counts"]["courses"]) == (created.id, "imported", 1)
    assert list(account.get_sis_imports_running()) == []
    assert canvas.get_course("FROM-SIS", use_sis_id=True).name == "Music"
