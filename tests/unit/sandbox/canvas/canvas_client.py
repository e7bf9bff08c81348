"""A small Canvas and a synchronous client for it, for the tests of the sandbox."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.applications import Starlette

from shared.sandbox.canvas.app import create_app
from shared.sandbox.canvas.live_events.envelope import LiveEvent
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import CanvasSeed
from tests.manual_clock import ManualClock

NOW = datetime(2026, 10, 5, 17, 0, tzinfo=UTC)
TOMORROW, YESTERDAY = NOW + timedelta(days=1), NOW - timedelta(days=1)
COURSE, ASSIGNMENT, QUIZ, ALICE, BOB, CAROL = 7, 70, 71, 701, 702, 703
TEACHER = 790


def a_seed(**fields: Any) -> CanvasSeed:
    """Return one course: sections 11 (cross-listed 12), three students, an assignment and a quiz due tomorrow."""
    course = {
        "id": COURSE,
        "name": "Course 7",
        "sis_course_id": "4007",
        "sections": [
            {"id": 11, "name": "Section 11", "sis_section_id": "4011"},
            {"id": 12, "name": "Section 12", "sis_section_id": "4012", "nonxlist_course_id": 8},
        ],
        "groups": [{"id": 31, "name": "Homework"}, {"id": 32, "name": "Quiz", "position": 2}],
        "students": [
            {"user_id": ALICE, "sis_user_id": "5001", "section_ids": [11]},
            {"user_id": BOB, "sis_user_id": "5002", "section_ids": [12]},
            {"user_id": CAROL, "sis_user_id": "5003", "section_ids": [11, 12]},
        ],
        "teacher_user_id": TEACHER,
        "assignments": [
            {"id": ASSIGNMENT, "name": "Reading log", "due_at": TOMORROW},
            {
                "id": QUIZ,
                "name": "Quiz 1",
                "due_at": TOMORROW,
                "quiz_id": 78,
                "submission_types": ["online_quiz"],
                "assignment_group_id": 32,
            },
        ],
    } | fields.pop("course", {})
    return CanvasSeed.model_validate({"courses": [course]} | fields)


class Client:
    """Calls an ASGI app in this process, one event loop per call."""

    def __init__(self, app: Starlette, token: str = "sandbox-token") -> None:
        self.app = app
        self.headers = {"Authorization": f"Bearer {token}"}

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        headers = self.headers | options.pop("headers", {})

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://canvas.example") as client:
                return await client.request(method, url, headers=headers, **options)

        return asyncio.run(call())

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def put(self, url: str, **options: Any) -> httpx.Response:
        return self.request("PUT", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)

    def pages(self, url: str) -> Iterator[list[Any]]:
        """Follow `next` to the end."""
        following: str | None = url
        while following:
            response = self.get(following)
            assert response.status_code == 200, response.text
            yield response.json()
            following = response.links.get("next", {}).get("url")


class World:
    """A sandbox with its clock, a client, and every event it announced."""

    def __init__(self, **fields: Any) -> None:
        self.clock = ManualClock(NOW)
        self.app = create_app(a_seed(**fields), self.clock)
        self.client = Client(self.app)
        self.canvas: CanvasSandbox = self.app.state.sandbox
        self.announced: list[LiveEvent] = []
        self.canvas.events.publish = self.announced.append

    def names(self) -> list[str]:
        """Return the names of the events announced so far."""
        return [event.name for event in self.announced]

    def body(self, name: str) -> dict[str, Any]:
        """Return the body of the only event of this name."""
        (event,) = [event for event in self.announced if event.name == name]
        return dict(event.payload["body"])

    def metadata(self, name: str) -> dict[str, Any]:
        """Return the metadata of the only event of this name."""
        (event,) = [event for event in self.announced if event.name == name]
        return dict(event.payload["metadata"])
