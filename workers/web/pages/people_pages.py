"""The pages that show students by name: preview of a sync, one student, totals of a course, people of a name."""

import re
from typing import cast
from urllib.parse import urlencode

from starlette.responses import Response

from shared.adapters.canvas.account import MAX_FOUND, MIN_NAME_CHARS
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.web.api.dependencies import CANVAS_ID, SIS_ID
from workers.web.errors import ApiError
from workers.web.pages.course_table import preview_rows
from workers.web.pages.page_context import status_page_context
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect
from workers.web.views.live_reads import course_totals, live_explanation, live_preview
from workers.web.views.people import LivePeople, courses_of_person, find_people, students_of
from workers.web.views.visibility import visible_to


def show_plan(pages: PageHandlers, request: PageRequest) -> Response:
    """`…/plan`: what a sync would do now with every assignment, or with one, and with each student's score."""
    course_id, service = request.course_id(), pages.service
    assignment_id = request.query("assignment") or None
    if assignment_id is not None and not re.fullmatch(CANVAS_ID, assignment_id):
        raise ApiError(404, "not_found", "An assignment is named by its Canvas id, a number.")
    plan = live_preview(service, course_id, assignment_id)
    people = students_of(service, request.user, course_id) if _has_students(plan) else LivePeople()
    shown = visible_to(request.user, plan)
    return pages.page(
        "plan.html", request, course_id=course_id, assignment_id=assignment_id, people=people,
        page_context=status_page_context(course_id), names=people.names, can_see_scores=request.user.can_see_scores,
        plan=shown,
        assignments=preview_rows(cast("list[Json]", shown["assignments"])),
    )  # fmt: skip


def _has_students(plan: Json) -> bool:
    assignments = cast("list[Json]", plan["assignments"])
    return any(section["students"] for each in assignments for section in cast("list[Json]", each["sections"]))


def show_student(pages: PageHandlers, request: PageRequest) -> Response:
    """`…/student`: why each score of one student is in PowerSchool, or is not."""
    course_id, service, sis_id = request.course_id(), pages.service, _sis_id(request)
    explanation = live_explanation(service, ExplainQuery(course_id, None, sis_id)) if sis_id else None
    students = students_of(service, request.user, course_id)
    student = next((person for person in students.people if sis_id and person.sis_user_id == sis_id), None)
    return pages.page(
        "student.html", request, course_id=course_id, sis_id=sis_id, page_context=status_page_context(course_id),
        people=students, student=student,
        explanation=explanation and visible_to(request.user, explanation),
    )  # fmt: skip


def show_totals(pages: PageHandlers, request: PageRequest) -> Response:
    """`…/totals`: why the totals of the course's students differ, of one of them step by step."""
    course_id, service, sis_id = request.course_id(), pages.service, _sis_id(request)
    totals = course_totals(service, course_id, sis_id or None)
    people = students_of(service, request.user, course_id)
    return pages.page(
        "totals.html", request, course_id=course_id, sis_id=sis_id, totals=visible_to(request.user, totals),
        page_context=status_page_context(course_id), people=people, names=people.names, section_names={},
    )  # fmt: skip


def _sis_id(request: PageRequest) -> str:
    """Return the student of the query, empty for none. Raises: ApiError."""
    sis_id = request.query("student").strip()
    if sis_id and not re.fullmatch(SIS_ID, sis_id):
        raise ApiError(422, "not_valid", "A SIS id has at most 255 characters.")
    return sis_id


def search_people(pages: PageHandlers, request: PageRequest) -> Response:
    """`/courses/people`: leads to the courses of a teacher or student, by SIS id or name."""
    text = request.form("person").strip()[:255]
    if not text:
        return redirect("/courses")
    by_sis_id = courses_of_person(pages.service, "", text)
    if not by_sis_id.failure:
        return redirect(f"/courses?{urlencode({'person': text})}")
    people = LivePeople(failure=by_sis_id.failure)
    if request.user.can_see_scores and len(text) >= MIN_NAME_CHARS:
        people = find_people(pages.service, text)
    if len(people.people) == 1:
        return redirect(f"/courses?user={people.people[0].user_id}")
    return pages.page("people.html", request, people=people, limit=MAX_FOUND, min_chars=MIN_NAME_CHARS)


GET = {
    "/courses/{course_id}/plan": show_plan,
    "/courses/{course_id}/student": show_student,
    "/courses/{course_id}/totals": show_totals,
}
POST = {"/courses/people": search_people}
