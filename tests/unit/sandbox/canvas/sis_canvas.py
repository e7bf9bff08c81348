"""An empty Canvas that is provisioned by SIS imports, for the tests of the sandbox."""

import io
import zipfile
from datetime import timedelta
from typing import Any

import httpx
from canvas_client import NOW, Client

from shared.sandbox.canvas.app import create_app
from shared.sandbox.canvas.live_events.envelope import LiveEvent
from shared.sandbox.canvas.rest.throttle import CanvasFaults
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import CanvasSeed
from tests.manual_clock import ManualClock

URL = "/api/v1/accounts/1/sis_imports"
TERMS = "term_id,name,status,start_date,end_date\nT1,Fall,active,2026-08-10,2026-12-18\n"
COURSES = "course_id,short_name,long_name,account_id,term_id,status\nC1,SCI,Science,,T1,published\n"
SECTIONS = "section_id,course_id,name,status\nS1,C1,Period 1,active\nS2,C1,Period 2,active\n"
USERS = (
    "user_id,login_id,first_name,last_name,email,declared_user_type,status\n"
    "U1,one@sandbox.example,Student,One,one@sandbox.example,student,active\n"
    "U2,two@sandbox.example,Student,Two,two@sandbox.example,student,active\n"
    "U9,nine@sandbox.example,Teacher,Nine,,teacher,active\n"
)
ENROLLMENTS = (
    "course_id,section_id,user_id,role,status\n,S1,U1,student,active\n,S2,U2,student,active\n,S1,U9,teacher,active\n"
)


def zip_of(**files: str | bytes) -> bytes:
    """Return a zip of CSV files, by name without extension."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"{name}.csv", content)
    return packed.getvalue()


EVERYTHING = zip_of(terms=TERMS, courses=COURSES, sections=SECTIONS, users=USERS, enrollments=ENROLLMENTS)


class SisWorld:
    """A sandbox that starts empty, with its clock, its faults and every event it announced."""

    def __init__(self, **seed: Any) -> None:
        self.clock = ManualClock(NOW)
        self.app = create_app(CanvasSeed.model_validate(seed), self.clock)
        self.client = Client(self.app, seed.get("provisioning_token", "sandbox-token"))
        self.canvas: CanvasSandbox = self.app.state.sandbox
        self.announced: list[LiveEvent] = []
        self.canvas.events.publish = self.announced.append

    @property
    def faults(self) -> CanvasFaults:
        """The faults as they are set now."""
        return self.canvas.switchboard.faults

    def post(self, content: str | bytes, url: str = URL, **parameters: object) -> httpx.Response:
        """Send an upload: text as CSV, bytes as a zip."""
        kind = "text/csv" if isinstance(content, str) else "application/zip"
        return self.client.post(url, content=content, params=parameters, headers={"Content-Type": kind})

    def start(self, content: str | bytes, **parameters: object) -> int:
        """Send an upload and return the id of its import."""
        response = self.post(content, **parameters)
        assert response.status_code == 200, response.text
        assert response.json()["workflow_state"] == "created"
        return int(response.json()["id"])

    def imported(self, content: str | bytes, **parameters: object) -> dict[str, Any]:
        """Send an upload and return its import as it ended."""
        return self.shown(self.start(content, **parameters))

    def shown(self, import_id: int) -> dict[str, Any]:
        """Return an import as REST shows it now."""
        return dict(self.client.get(f"{URL}/{import_id}").json())

    def errors(self, import_id: int, query: str = "") -> list[dict[str, Any]]:
        """Return the errors of an import."""
        return list(self.client.get(f"{URL}/{import_id}/errors{query}").json()["sis_import_errors"])

    def messages(self, content: str | bytes, **parameters: object) -> list[str]:
        """Import an upload and return the messages about it."""
        return [error["message"] for error in self.errors(self.imported(content, **parameters)["id"])]

    def roster(self, entity: str, *columns: str) -> list[tuple[Any, ...]]:
        """Return what was provisioned of an entity."""
        rows = self.client.get("/_sandbox/roster").json()[entity]
        return [tuple(row[column] for column in columns) for row in rows]

    def names(self) -> list[str]:
        """Return the names of the events announced so far, but those of the imports themselves."""
        return [event.name for event in self.announced if not event.name.startswith("sis_batch")]

    def pass_time(self, **duration: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**duration))


def provisioned() -> SisWorld:
    """Return a Canvas with everything in it, without its events."""
    world = SisWorld()
    assert world.imported(EVERYTHING)["workflow_state"] == "imported"
    world.announced.clear()
    return world
