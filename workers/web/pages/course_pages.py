"""The pages of courses: the list, one course, what a sync would do, what was written."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import cast

from starlette.responses import Response

from shared.adapters.redis.sync_queue.store import QueueState
from shared.domain.passback.audit import about
from shared.domain.passback.course_state import CourseRecord
from shared.domain.passback.course_summary import AssignmentStatus
from workers.grade_passback.explain.response import ExplainQuery
from workers.grade_passback.operations.audit_json import entry_json
from workers.grade_passback.operations.dry_run import plan_preview
from workers.web.api.parameters import CANVAS_ID
from workers.web.errors import ApiError
from workers.web.pages.course_table import AssignmentExplanation, work_of
from workers.web.pages.page_handlers import PageHandlers, PageRequest, View, redirect
from workers.web.views.dead_letter_causes import explained

PAGE = 50
SHOWN = (
    AssignmentStatus.RETRYING,
    AssignmentStatus.BLOCKED,
    AssignmentStatus.SYNCED,
    AssignmentStatus.WAITING,
    AssignmentStatus.KEPT_BACK,
)
SHOWN_ENTRIES = 200
COURSE = "/courses/{course_id}"


class CourseViews:
    """Everything under `/courses`."""

    def __init__(self, desk: PageHandlers) -> None:
        self._desk = desk

    def looks(self) -> Mapping[str, View]:
        """Return the pages by path."""
        return {
            "/courses": self._list,
            COURSE: self._course,
            f"{COURSE}/plan": self._plan,
            f"{COURSE}/history": self._history,
        }

    def acts(self) -> Mapping[str, View]:
        """Return the forms by path."""
        return {f"{COURSE}/sync": self._sync}

    def _list(self, visit: PageRequest) -> Response:
        words, only_problems, start = visit.asked("q")[:PAGE], visit.asked("problems") == "1", visit.start()
        lists = self._desk.service.course_lists
        page = lists.page(words, only_problems=only_problems, start=start, limit=PAGE)
        return self._desk.page(
            "courses.html", visit, standings=SHOWN, page=page, words=words, only_problems=only_problems, start=start,
            with_problems=lists.with_problems(), connected=self._desk.service.records.count(),
        )  # fmt: skip

    def _course(self, visit: PageRequest) -> Response:
        course_id, service = _course_id(visit), self._desk.service
        live = visit.asked("live") == "1"
        question = ExplainQuery(course_id)
        answer = service.explain.answer(question) if live else service.recall.answer(question)
        state, wait = service.changes.state_of(course_id), service.changes.wait_of(course_id)
        return self._desk.page(
            "course.html", visit, course_id=course_id, listed=service.course_lists.find(course_id), answer=answer,
            work=work_of(cast("Sequence[AssignmentExplanation]", answer["assignments"])), live=live, state=state,
            is_moving=state.whereabouts is not QueueState.IDLE, wait=wait, why=explained(wait.cause) if wait else None,
            letters=service.dead_letters.of_course(course_id), pause=service.pauses.of_course(course_id),
        )  # fmt: skip

    def _plan(self, visit: PageRequest) -> Response:
        course_id = _course_id(visit)
        plan = plan_preview(self._desk.service.surveyor, course_id)
        record = self._desk.service.records.course(course_id)
        names = _names(record)
        return self._desk.page("plan.html", visit, course_id=course_id, plan=plan, names=names)

    def _history(self, visit: PageRequest) -> Response:
        course_id, assignment_id = _course_id(visit), visit.asked("assignment") or None
        entries = about(self._desk.service.audit.of_course(course_id), assignment_id)
        record = self._desk.service.records.course(course_id)
        names = _names(record)
        found = [(entry.at, entry_json(entry)) for entry in islice(entries, SHOWN_ENTRIES)]
        return self._desk.page(
            "history.html", visit, course_id=course_id, entries=found, names=names, assignment_id=assignment_id,
            most=SHOWN_ENTRIES,
        )  # fmt: skip

    def _sync(self, visit: PageRequest) -> Response:
        course_id = _course_id(visit)
        self._desk.acts.sync(visit.person, course_id)
        return redirect(f"/courses/{course_id}?done=sync")


def _names(record: CourseRecord | None) -> dict[str, str]:
    return {each.assignment_id: each.name for each in record.assignments} if record else {}


def _course_id(visit: PageRequest) -> str:
    course_id = visit.parts["course_id"]
    if not re.fullmatch(CANVAS_ID, course_id):
        raise ApiError(404, "not_found", "A course's address ends with its Canvas id, a number.")
    return course_id
