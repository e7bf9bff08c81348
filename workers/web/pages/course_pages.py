"""The pages of courses: list, people's courses, course, preview of a sync, one student, totals."""

import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlencode

from shared.adapters.canvas.account import MAX_FOUND, MIN_NAME_CHARS
from shared.domain.passback.course_search import CourseSearch
from shared.domain.passback.course_state import AssignmentStatus, assignment_names
from workers.grade_passback.explain.activity import Activity
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.web.api.dependencies import CANVAS_ID, SIS_ID
from workers.web.errors import ApiError
from workers.web.pages.course_view import course_view, preview_rows
from workers.web.pages.page_context import status_page_context
from workers.web.pages.page_handlers import PageRequest, Values
from workers.web.views.live_reads import course_totals, live_explanation, live_preview
from workers.web.views.people import LivePeople, PersonCourses, courses_of_person, find_people, students_of
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


def list_courses(request: PageRequest) -> Values:
    """The connected courses, by name or id, school, term and person, and those with problems."""
    text, school, term = request.field("q")[:MAX_SEARCH_CHARS], request.field("school"), request.field("term")[:30]
    user_id = request.field("user") if re.fullmatch(CANVAS_ID, request.field("user")) else ""
    person = request.field("person").strip()[:255]
    courses = courses_of_person(request.service, user_id, person) if user_id or person else PersonCourses()
    search = CourseSearch(
        text=text,
        school=int(school) if school.isdecimal() and len(school) < 9 else None,
        term=term,
        only_problems=request.field("problems") == "1",
        course_ids=courses.ids,
    )
    lists, start = request.service.course_lists, request.offset()
    page, totals = lists.page_with_totals(search, start=start, limit=PAGE_SIZE)
    return {
        "statuses": STATUSES, "search": search, "start": start, "user_id": user_id, "person": person,
        "courses_of_person": courses, "never_synced": lists.never_synced(courses.ids or ()), "page": page,
        "totals": totals, "connected": request.service.records.count(),
    }  # fmt: skip


def search_people(request: PageRequest) -> Values | str:
    """Lead to the courses of a teacher or student, by SIS id or name; show the people, if there are several."""
    text = request.field("person").strip()[:255]
    if not text:
        return "/courses"
    by_sis_id = courses_of_person(request.service, "", text)
    if not by_sis_id.failure:
        return f"/courses?{urlencode({'person': text})}"
    people = LivePeople(failure=by_sis_id.failure)
    if request.user.can_see_scores and len(text) >= MIN_NAME_CHARS:
        people = find_people(request.service, text)
    if len(people.people) == 1:
        return f"/courses?user={people.people[0].user_id}"
    return {"people": people, "limit": MAX_FOUND, "min_chars": MIN_NAME_CHARS}


def show_course(request: PageRequest) -> Values:
    """Each assignment with its state and reasons, stored or live."""
    course_id, service = request.course_id(), request.service
    live = request.field("live") == "1"
    query = ExplainQuery(course_id)
    found = live_explanation(service, query) if live else service.explainer.explain_stored(query)
    explanation = visible_to(request.user, found)
    activity = cast("Mapping[str, object]", explanation["activity"])
    pause = service.pauses.of_course(course_id)
    return {
        "course_id": course_id, "page_context": status_page_context(course_id), "names": {}, "section_names": {},
        "summary": service.course_lists.find(course_id).summary, "explanation": explanation, "live": live,
        "view": course_view(explanation), "activity_sentence": activity["sentence"], "pause": pause,
        "proof": service.proofs.newest(course_id), "is_active": activity["state"] != Activity.IDLE,
        "assignment_names": assignment_names(service.records.course(course_id)),
        "is_held_up": pause is not None or activity["state"] not in (Activity.IDLE, Activity.WAITING, Activity.SYNCING),
    }  # fmt: skip


def sync(request: PageRequest) -> str:
    """Request a sync of the course."""
    course_id = request.course_id()
    request.actions.sync(course_id)
    return f"/courses/{course_id}?done=sync"


def verify(request: PageRequest) -> str:
    """Read both gradebooks back, and show what was found."""
    course_id = request.course_id()
    request.actions.verify_now(course_id)
    return f"/courses/{course_id}?done=verify"


def retry(request: PageRequest) -> str:
    """Retry one dead letter of the course. One that is not open any more needs no retry."""
    course_id, dead_letter_id = request.course_id(), request.field("id")
    found = request.service.dead_letters.of_course(course_id)
    request.actions.retry([dead_letter for dead_letter in found if dead_letter.id == dead_letter_id])
    return f"/courses/{course_id}?done=retry"


def show_plan(request: PageRequest) -> Values:
    """What a sync would do now with every assignment, or with one, and with each student's score."""
    course_id, service, user = request.course_id(), request.service, request.user
    assignment_id = request.field("assignment") or None
    if assignment_id is not None and not re.fullmatch(CANVAS_ID, assignment_id):
        raise ApiError(404, "not_found", "An assignment is named by its Canvas id, a number.")
    plan = visible_to(user, live_preview(service, course_id, assignment_id))
    assignments = cast("list[Json]", plan["assignments"])
    has_students = any(section["students"] for each in assignments for section in cast("list[Json]", each["sections"]))
    people = students_of(service, user, course_id) if has_students else LivePeople()
    return {
        "course_id": course_id, "page_context": status_page_context(course_id), "assignment_id": assignment_id,
        "people": people, "names": people.names, "can_see_scores": user.can_see_scores, "plan": plan,
        "assignments": preview_rows(assignments),
    }  # fmt: skip


def show_student(request: PageRequest) -> Values:
    """Why each score of one student is in PowerSchool, or is not."""
    course_id, sis_id = request.course_id(), _sis_id(request)
    explained = live_explanation(request.service, ExplainQuery(course_id, None, sis_id)) if sis_id else None
    people = students_of(request.service, request.user, course_id)
    return {
        "course_id": course_id, "page_context": status_page_context(course_id), "sis_id": sis_id, "people": people,
        "student": next((person for person in people.people if sis_id and person.sis_user_id == sis_id), None),
        "explanation": explained and visible_to(request.user, explained),
    }  # fmt: skip


def show_totals(request: PageRequest) -> Values:
    """Why the totals of the course's students differ, of one of them step by step."""
    course_id, sis_id = request.course_id(), _sis_id(request)
    totals = visible_to(request.user, course_totals(request.service, course_id, sis_id or None))
    people = students_of(request.service, request.user, course_id)
    return {
        "course_id": course_id, "page_context": status_page_context(course_id), "sis_id": sis_id, "totals": totals,
        "people": people, "names": people.names, "section_names": {},
    }  # fmt: skip


def _sis_id(request: PageRequest) -> str:
    """Return the student of the query, empty for none. Raises: ApiError."""
    sis_id = request.field("student").strip()
    if sis_id and not re.fullmatch(SIS_ID, sis_id):
        raise ApiError(422, "not_valid", "A SIS id has at most 255 characters.")
    return sis_id
