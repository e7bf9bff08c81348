"""The pages of a course that show scores: preview, one student and totals, all read live, and the history."""

from functools import partial
from itertools import islice
from typing import Any, cast

from starlette.responses import Response

from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.canvas import Person
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.grade_passback.operations.preview import summary_of_preview
from workers.web.errors import ApiError
from workers.web.lti.pages.course_pages import assignment_of, explained, students_of
from workers.web.lti.pages.page_request import CourseAccess, LtiPages, LtiRequest, course_access, may_sync
from workers.web.lti.pages.plain_text import asked_by, without_codes
from workers.web.pages.course_view import preview_rows
from workers.web.pages.history_pages import PAGE_SIZE, given_filters, history_entries, history_values
from workers.web.views.live_reads import course_totals, live_explanation, live_preview
from workers.web.views.people import LivePeople, read_people


def show_preview(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/course/preview`: what a sync would write now, with each student's score before and after."""
    access, service = course_access(request), pages.service
    assignment_id = assignment_of(request)
    found = live_preview(service, access.course_id, assignment_id)
    plan = explained(found, access)
    assignments = cast("list[dict[str, Any]]", plan["assignments"])
    rows = preview_rows(assignments)
    if request.form("only") == "changes":
        rows = [(each, changed) for each, sections in rows if (changed := [s for s in sections if s["actions"]])]
    has_students = any(section["students"] for each in assignments for section in each["sections"])
    people = students_of(pages, access) if has_students else LivePeople()
    return pages.course_page(
        "lti/preview.html", request, "/lti/course/preview", assignment_id=assignment_id, plan=plan,
        summary=summary_of_preview(assignments), assignments=rows, is_part=access.is_part(found), people=people,
        names=people.names, section_names=access.section_names(plan), can_see_scores=True,
        can_sync=may_sync(request.session, service.settings),
    )  # fmt: skip


def show_student(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/course/student`: why each score of one student is in PowerSchool, or is not."""
    access, service, sis_id = course_access(request), pages.service, request.form("student")
    students, student = _students(pages, access, sis_id)
    explanation: Json | None = None
    if sis_id:
        explanation = explained(live_explanation(service, ExplainQuery(access.course_id, None, sis_id)), access)
    return pages.course_page(
        "lti/student.html", request, "/lti/course/student", people=students, student=student, sis_id=sis_id,
        explanation=explanation, section_names=access.section_names(explanation) if explanation else {},
    )  # fmt: skip


def show_totals(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/course/totals`: why the totals of the students differ, of one of them step by step."""
    access, service, sis_id = course_access(request), pages.service, request.form("student")
    people, _ = _students(pages, access, sis_id)
    totals = course_totals(service, access.course_id, sis_id or None, access.section_ids)
    record = service.records.course(access.course_id)
    return pages.course_page(
        "lti/totals.html", request, "/lti/course/totals", people=people, names=people.names, sis_id=sis_id,
        totals=without_codes(totals) if access.page_context.states else totals,
        section_names={section.sis_id: section.name for section in record.sections} if record else {},
    )  # fmt: skip


def _students(pages: LtiPages, access: CourseAccess, sis_id: str) -> tuple[LivePeople, Person | None]:
    """Return the students of the visible sections, and the one with this SIS id. Raises `ApiError` for another."""
    students = students_of(pages, access)
    if students.failure:
        # Without Canvas, the students are those that PowerSchool had in these sections at the last sync.
        sis_ids = access.student_sis_ids(pages.service.records.course(access.course_id))
        students = LivePeople(tuple(Person("", "Student", id_) for id_ in sorted(sis_ids)), students.failure)
    student = next((each for each in students.people if sis_id and each.sis_user_id == sis_id), None)
    if sis_id and student is None:
        raise ApiError(404, "student_unknown", "No student with this SIS id is in your sections of the course.")
    return students, student


def show_history(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/course/history`: what was written to PowerSchool for the visible sections, the newest first."""
    access, service = course_access(request), pages.service
    given, start = given_filters(request.form), request.offset()
    record = service.records.course(access.course_id)
    dcids = access.section_dcids(record)

    def is_visible(entry: AuditEntry) -> bool:
        return access.section_ids is None or entry.section_dcid in dcids

    entries = filter(is_visible, history_entries(service, access.course_id, given))
    shown = list(islice(entries, start, start + PAGE_SIZE + 1))
    people = LivePeople()
    if any(entry.scores or entry.occasion.actor for entry in shown):
        people = read_people(lambda: service.canvas_account.members(access.course_id, access.section_ids))
    values = history_values(shown, people, given, access.seen(record), start)
    return pages.course_page(
        "lti/history.html", request, "/lti/course/history", can_see_scores=True, sections=dcids, start=start,
        asked_for_by=partial(asked_by, names=people.names), **values,
    )  # fmt: skip


POST = {
    "/lti/course/preview": show_preview,
    "/lti/course/student": show_student,
    "/lti/course/totals": show_totals,
    "/lti/course/history": show_history,
}
# What reads a whole course from both systems.
READ_LIVE = frozenset({show_preview, show_student, show_totals})
