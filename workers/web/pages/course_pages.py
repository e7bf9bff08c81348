"""The pages of courses: list, course."""

import re
from collections.abc import Mapping
from typing import cast

from starlette.responses import Response

from shared.domain.passback.course_search import CourseSearch
from shared.domain.passback.course_state import AssignmentStatus
from workers.grade_passback.explain.activity import Activity
from workers.grade_passback.explain.response import ExplainQuery
from workers.web.api.dependencies import CANVAS_ID
from workers.web.pages.course_view import course_view
from workers.web.pages.page_context import status_page_context
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect
from workers.web.views.live_reads import live_explanation
from workers.web.views.people import PersonCourses, courses_of_person
from workers.web.views.visibility import visible_to

PAGE_SIZE = 50
MAX_SEARCH_CHARS = 50
STATUSES = (
    AssignmentStatus.RETRYING,
    AssignmentStatus.BLOCKED,
    AssignmentStatus.SYNCED,
    AssignmentStatus.WAITING,
    AssignmentStatus.NOT_SELECTED,
)


def list_courses(pages: PageHandlers, request: PageRequest) -> Response:
    """`/courses`: the connected courses, by name or id, school, term and person, and those with problems."""
    text, school, term = request.query("q")[:MAX_SEARCH_CHARS], request.query("school"), request.query("term")[:30]
    user_id = request.query("user") if re.fullmatch(CANVAS_ID, request.query("user")) else ""
    person = request.query("person").strip()[:255]
    courses = courses_of_person(pages.service, user_id, person) if user_id or person else PersonCourses()
    search = CourseSearch(
        text=text,
        school=int(school) if school.isdecimal() and len(school) < 9 else None,
        term=term,
        only_problems=request.query("problems") == "1",
        course_ids=courses.ids,
    )
    lists, start = pages.service.course_lists, request.offset()
    page, totals = lists.page_with_totals(search, start=start, limit=PAGE_SIZE)
    return pages.page(
        "courses.html", request, statuses=STATUSES, search=search, start=start, user_id=user_id, person=person,
        courses_of_person=courses, never_synced=lists.never_synced(courses.ids or ()), page=page, totals=totals,
        connected=pages.service.records.count(),
    )  # fmt: skip


def show_course(pages: PageHandlers, request: PageRequest) -> Response:
    """`/courses/{course_id}`: each assignment with its state and reasons, stored or live."""
    course_id, service = request.course_id(), pages.service
    live = request.query("live") == "1"
    query = ExplainQuery(course_id)
    found = live_explanation(service, query) if live else service.explainer.explain_stored(query)
    explanation = visible_to(request.user, found)
    activity = cast("Mapping[str, object]", explanation["activity"])
    pause = service.pauses.of_course(course_id)
    return pages.page(
        "course.html", request, course_id=course_id, summary=service.course_lists.find(course_id).summary,
        explanation=explanation, view=course_view(explanation), page_context=status_page_context(course_id), names={},
        activity_sentence=activity["sentence"], section_names={}, live=live, pause=pause,
        proof=service.proofs.newest(course_id),
        is_active=activity["state"] != Activity.IDLE, assignment_names=_names(pages, course_id),
        is_held_up=pause is not None or activity["state"] not in (Activity.IDLE, Activity.WAITING, Activity.SYNCING),
    )  # fmt: skip


def sync(_pages: PageHandlers, request: PageRequest) -> Response:
    """Request a sync of the course."""
    course_id = request.course_id()
    request.actions.sync(course_id)
    return redirect(f"/courses/{course_id}?done=sync")


def verify(_pages: PageHandlers, request: PageRequest) -> Response:
    """Read both gradebooks back, and show what was found."""
    course_id = request.course_id()
    request.actions.verify_now(course_id)
    return redirect(f"/courses/{course_id}?done=verify")


def retry(pages: PageHandlers, request: PageRequest) -> Response:
    """Retry one dead letter of the course. One that is not open any more needs no retry."""
    course_id, dead_letter_id = request.course_id(), request.form("id")
    for dead_letter in pages.service.dead_letters.of_course(course_id):
        if dead_letter.id == dead_letter_id:
            request.actions.retry_one(dead_letter)
    return redirect(f"/courses/{course_id}?done=retry")


def _names(pages: PageHandlers, course_id: str) -> dict[str, str]:
    record = pages.service.records.course(course_id)
    return {assignment.assignment_id: assignment.name for assignment in record.assignments} if record else {}


GET = {
    "/courses": list_courses,
    "/courses/{course_id}": show_course,
}
POST = {
    "/courses/{course_id}/sync": sync,
    "/courses/{course_id}/verify": verify,
    "/courses/{course_id}/retry": retry,
}
