"""The API about courses: list, answer, history, plan, sync."""

from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from shared.adapters.redis.course_data.course_index import CourseListItem
from shared.domain.passback.audit import about
from workers.container import Container
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.grade_passback.operations.audit_json import entry_json
from workers.grade_passback.operations.dry_run import plan_preview
from workers.web.api.parameters import CANVAS_ID, MAX_ENTRIES, SIS_ID, CourseId, Operator, Since, StrictModel, plain
from workers.web.errors import ApiError
from workers.web.views.operator_actions import OperatorActions

AssignmentId = Annotated[str | None, Query(pattern=CANVAS_ID, description="Only this Canvas assignment")]
StudentId = Annotated[str | None, Query(pattern=SIS_ID, description="Only this student, by SIS id")]
Start = Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the page before")]
Limit = Annotated[int, Query(ge=1, le=200)]
SearchTerms = Annotated[str, Query(max_length=200, description="Beginnings of words of the name, or of the id")]


class SyncRequest(StrictModel):
    """Options of a sync request. The whole course is synced in any case."""

    assignment_id: Annotated[str, StringConstraints(pattern=CANVAS_ID)] | None = None


class CourseApi:
    """The endpoints under `/courses`."""

    def __init__(self, service: Container, actions: OperatorActions) -> None:
        self._service = service
        self._actions = actions

    def add_to(self, router: APIRouter) -> None:
        """Add the endpoints with their paths."""
        router.get("/courses")(self.courses)
        router.get("/courses/{course_id}")(self.course)
        router.get("/courses/{course_id}/history")(self.history)
        router.get("/courses/{course_id}/plan")(self.plan)
        router.post("/courses/{course_id}/sync", status_code=202)(self.sync)

    def courses(
        self,
        words: Annotated[str, Query(alias="q", max_length=200, description="Beginnings of words, or of the id")] = "",
        problems: Annotated[bool, Query(description="Only courses with problems")] = False,
        start: Start = 0,
        limit: Limit = 50,
    ) -> Json:
        """List courses a page at a time: the last synced first, or the most problems first, or by name."""
        page = self._service.course_lists.page(words, only_problems=problems, start=start, limit=limit)
        return {"courses": [listed_json(course) for course in page.courses], "next": page.next_start}

    def course(
        self,
        course_id: CourseId,
        assignment_id: AssignmentId = None,
        student_sis_id: StudentId = None,
        live: Annotated[bool, Query(description="Ask Canvas and PowerSchool now")] = False,
    ) -> Json:
        """Say of every assignment whether it is in PowerSchool, and why it is not: as of the last sync, or live."""
        query, explainer = ExplainQuery(course_id, assignment_id, student_sis_id), self._service.explainer
        answer = explainer.explain(query) if live else explainer.explain_stored(query)
        if answer["as_of"] is None:
            raise ApiError(404, "course_not_synced", "Passback has never synced a course of this id.")
        return answer

    def history(
        self,
        course_id: CourseId,
        assignment_id: AssignmentId = None,
        student_sis_id: StudentId = None,
        since: Since = None,
        limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100,
    ) -> Json:
        """Return what was written to PowerSchool and what it replaced, the newest first."""
        entries = self._service.audit.of_course(course_id, since)
        found = islice(about(entries, assignment_id, student_sis_id), limit)
        return {"course_id": course_id, "entries": [entry_json(entry) for entry in found]}

    def plan(self, course_id: CourseId, assignment_id: AssignmentId = None) -> Json:
        """Say what a sync would write now. Asks Canvas and PowerSchool, and writes nothing."""
        return plan_preview(self._service.comparer, course_id, assignment_id)

    def sync(self, person: Operator, course_id: CourseId, body: SyncRequest | None = None) -> Json:
        """Ask for a sync now. Needs the header `X-Requested-With`, or a JSON body, against forgery."""
        self._actions.sync(person, course_id, [body.assignment_id] if body and body.assignment_id else [])
        return {"course_id": course_id, "requested": True}


def listed_json(course: CourseListItem) -> Json:
    """Return a course as lists have it; what its last sync found is null before the first."""
    summary = course.summary
    return {
        "course_id": course.course_id,
        "name": summary.name if summary else None,
        "synced_at": plain(summary.synced_at) if summary else None,
        "assignments": plain(summary.assignments) if summary else None,
        "scores_wanted": summary.scores_wanted if summary else None,
        "scores_there": summary.scores_there if summary else None,
        "students_held_back": summary.students_held_back if summary else None,
        "dead_letters": course.dead_letters,
        "has_problems": course.has_problems,
    }
