"""The pages of a course that show what is stored: course, assignment, the Gradebook's Sync; and the sync itself."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, Response

from shared.errors import NotInCourse
from workers.grade_passback.explain.activity import Activity
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.web.api.dependencies import CANVAS_ID
from workers.web.auth.roles import Role, User
from workers.web.errors import ApiError
from workers.web.lti.pages.page_request import (
    ASKED_FIELD,
    CourseAccess,
    LtiPages,
    LtiRequest,
    course_access,
    may_sync,
    require_sync,
)
from workers.web.lti.pages.plain_text import TELL_SOMEBODY, activity_text, clock_time, without_codes
from workers.web.pages.course_view import course_view
from workers.web.views.live_reads import FOR_BOTH_SIDES
from workers.web.views.operator_actions import OperatorActions
from workers.web.views.people import LivePeople, read_people
from workers.web.views.visibility import only_sections


def show_course(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/course`: the sentence, then what needs the teacher, what waits, and what agrees."""
    return _course_page(pages, request, "lti/course.html", "/lti/course")


def show_post_grades(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/post-grades`: the same from the Gradebook's menu, with the plan and the way back."""
    given, canvas = urlsplit(request.session.return_url), urlsplit(pages.canvas_url(request.session))
    # Back to the Canvas around the page, and nowhere else.
    back = request.session.return_url if given[:2] == canvas[:2] else ""
    return _course_page(pages, request, "lti/post_grades.html", "/lti/post-grades", return_url=back)


def show_assignment(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/assignment`: the answer for the assignment from whose menu the page was opened."""
    assignment_id = assignment_of(request) or request.session.assignment_id
    if assignment_id is None:
        return show_course(pages, request)
    return _course_page(pages, request, "lti/assignment.html", "/lti/assignment", assignment_id=assignment_id)


def sync(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/course/sync`: request a sync of the course, or of one assignment, and show the page that asked."""
    require_sync(request.session, pages.service.settings)
    access, assignment_id = course_access(request), assignment_of(request)
    actions = OperatorActions(pages.service, User(request.session.actor, Role.OPERATOR))
    actions.sync(access.course_id, [assignment_id] if assignment_id else [])
    asked = {ASKED_FIELD: [str(int(pages.service.clock.now().timestamp()))]}
    request = replace(request, form_fields={**request.form_fields, **asked})
    shows = {"post_grades": show_post_grades, "assignment": show_assignment}
    return shows.get(request.form("from"), show_course)(pages, request)


def names(pages: LtiPages, request: LtiRequest) -> Response:
    """`/lti/course/names`: the names of the students in the visible sections by Canvas user id, as JSON."""
    found = students_of(pages, course_access(request))
    return JSONResponse({"names": found.names, "failure": found.failure})


def no_response(pages: LtiPages, request: LtiRequest) -> Response:
    """Return the page in place of one that reads a system which does not answer; the way to stored pages stays."""
    seconds = int(FOR_BOTH_SIDES.total_seconds())
    text = (
        f"This page waits for the two gradebooks for {seconds} seconds at most. Nothing is lost: changes are "
        "collected, and go on by themselves. Try this page again in a moment."
    )
    return _not_made(pages, request, 503, "Canvas or PowerSchool does not answer now", text)


def course_gone(pages: LtiPages, request: LtiRequest) -> Response:
    """Return the page in place of one about a course that was deleted in Canvas."""
    text = "What was sent of it is still in PowerSchool, and nothing more is sent."
    return _not_made(pages, request, 404, "Canvas has no such course any more", text)


def not_in_course(pages: LtiPages, request: LtiRequest, error: NotInCourse) -> Response:
    """Return the page in place of one about an assignment or a person that the course does not have."""
    text = str(error)
    return _not_made(pages, request, 404, "Not done", f"{text[0].upper()}{text[1:]}.", is_refused=True)


def not_done(pages: LtiPages, request: LtiRequest, error: ApiError) -> Response:
    """Return the page in place of one that was refused. Raises the error where no page of a course is allowed."""
    try:
        return _not_made(pages, request, error.status, "Not done", error.message, is_refused=True)
    except ApiError:
        raise error from None


def asked_again(pages: LtiPages, request: LtiRequest) -> Response:
    """Return the page in place of one that was not made, since the same person asked for another one meanwhile."""
    text = (
        "passback reads both gradebooks for one page of yours at a time. Open this page again when the other is there."
    )
    return _not_made(pages, request, 429, "You have opened another page meanwhile", text)


def _not_made(
    pages: LtiPages, request: LtiRequest, status: int, title: str, text: str, *, is_refused: bool = False
) -> Response:
    response = pages.course_page("lti/no_response.html", request, "", title=title, text=text, is_refused=is_refused)
    response.status_code = status
    return response


def students_of(pages: LtiPages, access: CourseAccess) -> LivePeople:
    """Return the students of the visible sections, read from Canvas now and stored nowhere."""
    return read_people(lambda: pages.service.canvas_account.students(access.course_id, access.section_ids))


def assignment_of(request: LtiRequest) -> str | None:
    """Return the assignment that the form names. Raises `ApiError` for what is no id."""
    assignment_id = request.form("assignment")
    if assignment_id and not re.fullmatch(CANVAS_ID, assignment_id):
        raise ApiError(422, "not_valid", "An assignment is named by its Canvas id, a number.")
    return assignment_id or None


def explained(found: Json, access: CourseAccess) -> Json:
    """Return an explanation or a preview as this person may see it, in the texts of the page."""
    visible = only_sections(found, access.section_ids)
    return without_codes(visible) if access.page_context.states else visible


def _course_page(
    pages: LtiPages,
    request: LtiRequest,
    template: str,
    page: str,
    assignment_id: str | None = None,
    **values: object,
) -> Response:
    access, service = course_access(request), pages.service
    found = service.explainer.explain_stored(ExplainQuery(access.course_id, assignment_id))
    explanation = explained(found, access)
    activity = cast("Mapping[str, Any]", explanation["activity"])
    paused = cast("Mapping[str, Any] | None", explanation["paused"])
    summary = service.course_lists.find(access.course_id).summary
    view = course_view(explanation)
    newest = service.proofs.newest(access.course_id)
    people = students_of(pages, access) if request.form("names") == "1" else LivePeople()
    return pages.course_page(
        template, request, page,
        course_name=summary.name if summary else "", explanation=explanation, view=view,
        sentence=view.sentence(access.page_context.you), proof=newest.proof if newest else None,
        section_names=access.section_names(explanation), people=people, names=people.names, activity=activity,
        requested=_requested_sync(pages, request, access, found), is_part=access.is_part(found),
        patience_s=int(FOR_BOTH_SIDES.total_seconds()),
        activity_sentence=activity_text(activity, paused, service.clock.now(), pages.zone),
        is_active=activity["state"] in (Activity.SYNCING, Activity.WAITING),
        is_held_up=paused is not None
        or activity["state"] not in (Activity.SYNCING, Activity.WAITING, Activity.IDLE),
        can_sync=may_sync(request.session, service.settings), assignment_id=assignment_id, **values,
    )  # fmt: skip


def _requested_sync(pages: LtiPages, request: LtiRequest, access: CourseAccess, explanation: Json) -> tuple[str, str]:
    """Return the state of the sync that a person asked for and its sentence; both empty where nobody did.

    A request is part of the pending changes until its sync ends, whatever holds that up; what is known later is when
    this page, or one before it, asked.
    """
    changes, asked = pages.service.changes, access.asked_at
    pending, taken = changes.state_of(access.course_id).pending, changes.taken_of(access.course_id)
    found = [each for each in (pending, taken) if each and each.asked_for_by_person]
    asked_here = asked is not None or any(request.session.actor in each.actors for each in found)
    at = f" at {clock_time(asked, pages.service.clock.now(), pages.zone)}" if asked else ""
    subject = f"The sync that you asked for{at}" if asked_here else "A sync that somebody asked for"
    if pending in found:
        return "waits", f"{subject} is noted, and runs by itself as soon as it can. There is no need to ask again."
    if found:
        return "runs", f"{subject} runs now."
    synced_at = cast("str | None", explanation["synced_at"])
    if asked is None:
        return "", ""
    if synced_at and datetime.fromisoformat(synced_at) >= asked:
        return "done", f"{subject} is done."
    return "ended", f"{subject} was not carried out. {TELL_SOMEBODY if explanation['dead_letters'] else 'Ask again.'}"


POST = {
    "/lti/course": show_course,
    "/lti/course/sync": sync,
    "/lti/course/names": names,
    "/lti/post-grades": show_post_grades,
    "/lti/assignment": show_assignment,
}
