"""The JSON API: `passback explain`, `history`, `sync`, `dlq list` and `status` over HTTP."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Body, Depends, FastAPI, Path, Query, Response
from pydantic import BaseModel, ConfigDict

from shared.domain.audit import about
from shared.domain.changes import Cause
from workers.bootstrap import Passback
from workers.dead_letters.queue import letter_json
from workers.grade_passback.answers import Json, Question
from workers.grade_passback.history import entry_json
from workers.installation import installation_status
from workers.status_pages.access import SmallBodies, not_forged, operator_only
from workers.status_pages.refusals import NotDone, answer_refusals

CANVAS_ID = r"^[0-9]{1,20}$"
LETTER_ID = r"^[A-Za-z0-9_.:-]{1,100}$"
SIS_ID = r"^[^\x00-\x1f]{1,255}$"
MOST_ENTRIES = 1000

CourseId = Annotated[str, Path(pattern=CANVAS_ID, description="Canvas course id")]
AssignmentId = Annotated[str | None, Query(pattern=CANVAS_ID, description="Only this Canvas assignment")]
LetterId = Annotated[str, Path(pattern=LETTER_ID, description="Dead letter id")]
StudentId = Annotated[str | None, Query(pattern=SIS_ID, description="Only this student, by SIS id")]


class SyncRequest(BaseModel):
    """What a sync is asked for; the whole course is made to agree in any case."""

    model_config = ConfigDict(extra="forbid")

    assignment_id: Annotated[str, Body(pattern=CANVAS_ID)] | None = None


def create_api(service: Passback) -> SmallBodies:
    """Return the API as an ASGI application. Its endpoints block, and so run in threads."""
    signed_in = operator_only(service.settings.operator_password.get_secret_value())
    app = FastAPI(
        title="passback",
        description="What is in PowerSchool, why something is not, and a sync on request.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(_Api(service).router(), prefix="/api/v1", dependencies=[Depends(signed_in), Depends(_private)])
    answer_refusals(app)
    return SmallBodies(app)


def _private(response: Response) -> None:
    """Let nobody on the way keep an answer: it may hold scores."""
    response.headers["Cache-Control"] = "no-store"


class _Api:
    """The endpoints over one process's passback."""

    def __init__(self, service: Passback) -> None:
        self._service = service

    def router(self) -> APIRouter:
        """Return the endpoints with their paths."""
        router = APIRouter()
        router.get("/courses/{course_id}")(self.course)
        router.get("/courses/{course_id}/history")(self.history)
        router.post("/courses/{course_id}/sync", status_code=202, dependencies=[Depends(not_forged)])(self.sync)
        router.get("/dead-letters")(self.dead_letters)
        again = "/dead-letters/{letter_id}/retry"
        router.post(again, status_code=202, dependencies=[Depends(not_forged)])(self.retry)
        router.get("/status")(self.status)
        return router

    def course(
        self,
        course_id: CourseId,
        assignment_id: AssignmentId = None,
        student_sis_id: StudentId = None,
        live: Annotated[bool, Query(description="Ask Canvas and PowerSchool now")] = False,
    ) -> Json:
        """Say of every assignment whether it is in PowerSchool, and why it is not: as of the last sync, or live."""
        question = Question(course_id, assignment_id, student_sis_id)
        answer = self._service.explain.answer(question) if live else self._service.recall.answer(question)
        if answer["as_of"] is None:
            raise NotDone(404, "course_not_synced", "Passback has never synced a course of this id.")
        return answer

    def history(
        self,
        course_id: CourseId,
        assignment_id: AssignmentId = None,
        student_sis_id: StudentId = None,
        since: Annotated[datetime | None, Query(description="Only from this time on; UTC without an offset")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_ENTRIES)] = 100,
    ) -> Json:
        """Return what was written to PowerSchool and what it replaced, the newest first."""
        entries = self._service.audit.of_course(course_id, None if since is None else _aware(since))
        found = islice(about(entries, assignment_id, student_sis_id), limit)
        return {"course_id": course_id, "entries": [entry_json(entry) for entry in found]}

    def sync(self, course_id: CourseId, asked: SyncRequest | None = None) -> Json:
        """Ask for a sync now. Needs the header `X-Requested-With`, or a JSON body, against forgery."""
        assignment_ids = [asked.assignment_id] if asked and asked.assignment_id else []
        self._service.changes.request(course_id, Cause.PERSON, assignment_ids, actor="operator")
        self._service.records.connect(course_id)
        return {"course_id": course_id, "requested": True}

    def dead_letters(self) -> list[Json]:
        """Return the jobs that are kept for a person, the oldest failure first."""
        return [letter_json(letter) for letter in self._service.dead_letter_queue.all()]

    def retry(self, letter_id: LetterId) -> Json:
        """Set the job going again. Needs the header `X-Requested-With`, or a JSON body, against forgery.

        A course gets a fresh sync, and its letter stays open until that succeeds. Safe to repeat.
        """
        letters = [letter for letter in self._service.dead_letter_queue.all() if letter.id == letter_id]
        if not letters:
            raise NotDone(404, "dead_letter_unknown", "There is no open dead letter of this id.")
        done = self._service.dead_letter_queue.retry(letters, "operator", timedelta(0), lambda _: False)
        if not done.retried:
            raise NotDone(409, "not_retryable", "This job cannot be run again; export or discard it.")
        return {"id": letter_id, "requested": True}

    def status(self) -> Json:
        """Return how the whole installation is doing."""
        return installation_status(self._service)


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)
