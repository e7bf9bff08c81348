"""The API about courses: list, explanation, history, plan, totals, sync, and proofs of agreement."""

from itertools import islice
from typing import Annotated, cast

from fastapi import APIRouter, Depends, Query, Response

from shared.adapters.http.exchange import waits_at_most
from shared.domain.passback.audit import HistoryQuery, matching
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_search import CourseSearch
from shared.domain.passback.powerschool import WrittenField
from shared.domain.passback.student_status import StudentStatus
from workers.container import Container
from workers.grade_passback.explain.activity import Activity
from workers.grade_passback.explain.response import ExplainQuery, Json
from workers.grade_passback.operations.history import csv_text, entry_json
from workers.grade_passback.operations.verification.proofs import proof_json, summary_csv
from workers.known_ids import require_course, require_selected
from workers.status import course_json
from workers.web.api.dependencies import (
    MAX_ENTRIES,
    SIS_ID,
    Actions,
    AssignmentId,
    CourseId,
    OneAssignment,
    School,
    Service,
    SignedIn,
    Since,
    Start,
    Term,
    TimeParameter,
    csv_file,
    plain,
)
from workers.web.errors import ApiError
from workers.web.views.live_reads import FOR_NAMES, course_totals, live_explanation, live_preview
from workers.web.views.operator_actions import refuse_unknown_part
from workers.web.views.visibility import visible_to

StudentId = Annotated[str | None, Query(pattern=SIS_ID, description="Only this student, by SIS id")]
Limit = Annotated[int, Query(ge=1, le=200)]

MAX_PROOFS = 200

router = APIRouter()


@router.get("/courses")
def courses(
    service: Service,
    text: Annotated[
        str, Query(alias="q", max_length=200, description="Beginnings of words of the name, of the id or of a section")
    ] = "",
    problems: Annotated[bool, Query(description="Only courses with problems")] = False,
    school: School = None,
    term: Term = "",
    person: Annotated[
        str | None, Query(pattern=SIS_ID, description="Only of the teacher or student with this SIS id; asks Canvas")
    ] = None,
    start: Start = 0,
    limit: Limit = 50,
) -> Json:
    """List courses a page at a time: the last synced first, or the most problems first, or by name."""
    with waits_at_most(FOR_NAMES):
        course_ids = None if person is None else service.canvas_account.courses_of(sis_id=person)
    search = CourseSearch(text, school, term, problems, course_ids)
    page = service.course_lists.page(search, start=start, limit=limit)
    if not page.courses:
        refuse_unknown_part(service, school, term)
    return {"courses": [plain(course_json(course)) for course in page.courses], "next": page.next_start}


@router.get("/courses/{course_id}")
def course(
    service: Service,
    user: SignedIn,
    course_id: CourseId,
    assignment_id: AssignmentId = None,
    student_sis_id: StudentId = None,
    live: Annotated[bool, Query(description="Read Canvas and PowerSchool now")] = False,
) -> Json:
    """Explain for every assignment whether it is in PowerSchool, and why it is not: as of the last sync, or live."""
    query = ExplainQuery(course_id, assignment_id, student_sis_id)
    explanation = live_explanation(service, query) if live else service.explainer.explain_stored(query)
    is_idle = cast("Json", explanation["activity"])["state"] == Activity.IDLE
    if explanation["as_of"] is None and is_idle and not explanation["dead_letters"]:
        raise ApiError(404, "course_not_synced", "Passback has never synced a course of this id.")
    _refuse_if_nothing(service, explanation["assignments"], course_id, assignment_id, student_sis_id)
    return visible_to(user, explanation)


def _history_query(
    assignment_id: AssignmentId = None,
    student_sis_id: StudentId = None,
    field: Annotated[WrittenField | None, Query(description="Only writes of this field")] = None,
    actor: Annotated[str | None, Query(max_length=255, description="Who asked; `passback` for nobody")] = None,
    trigger: Annotated[ChangeCause | None, Query(description="Why the sync ran")] = None,
    since: Since = None,
    until: Annotated[TimeParameter | None, Query(description="Only until this time; UTC without an offset")] = None,
) -> HistoryQuery:
    return HistoryQuery(assignment_id, student_sis_id, field, actor, trigger, since, until)


SelectedHistory = Annotated[HistoryQuery, Depends(_history_query)]


@router.get("/courses/{course_id}/history")
def history(
    service: Service,
    user: SignedIn,
    course_id: CourseId,
    query: SelectedHistory,
    start: Start = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 100,
) -> Json:
    """Return what was written to PowerSchool and what it replaced, the newest first, a page at a time."""
    entries = matching(service.audit.of_course(course_id, query.since), query)
    found = [entry_json(entry) for entry in islice(entries, start, start + limit + 1)]
    next_start = start + limit if len(found) > limit else None
    if not start:
        _refuse_if_nothing(service, found, course_id, query.assignment_id, query.student_sis_id)
    return visible_to(user, {"course_id": course_id, "entries": found[:limit], "next": next_start})


@router.get("/courses/{course_id}/history.csv", response_class=Response)
def history_csv(service: Service, user: SignedIn, course_id: CourseId, query: SelectedHistory) -> Response:
    """Return the same as CSV: a row per changed field or value. Viewers get students without scores."""
    entries = matching(service.audit.of_course(course_id, query.since), query)
    content = csv_text(entries, service.records.course(course_id), with_scores=user.can_see_scores)
    return csv_file(content, f"passback-{course_id}.csv")


@router.get("/courses/{course_id}/plan")
def plan(service: Service, user: SignedIn, course_id: CourseId, assignment_id: AssignmentId = None) -> Json:
    """Return what a sync would write now. Reads Canvas and PowerSchool, and writes nothing."""
    found = live_preview(service, course_id, assignment_id)
    _refuse_if_nothing(service, found["assignments"], course_id, assignment_id)
    return visible_to(user, found)


@router.get("/courses/{course_id}/totals")
def totals(service: Service, user: SignedIn, course_id: CourseId, student_sis_id: StudentId = None) -> Json:
    """Return why students' totals in Canvas and PowerSchool differ. Reads both, and stores nothing."""
    found = course_totals(service, course_id, student_sis_id)
    _refuse_if_nothing(service, found["students"], course_id, sis_id=student_sis_id)
    return visible_to(user, found)


@router.post("/courses/{course_id}/sync", status_code=202)
def sync(actions: Actions, course_id: CourseId, body: OneAssignment | None = None) -> Json:
    """Request a sync now; the whole course is synced in any case.

    Needs the header `X-Requested-With`, or a JSON body, against forgery.
    """
    actions.sync(course_id, [body.assignment_id] if body and body.assignment_id else [])
    return {"course_id": course_id, "requested": True}


@router.get("/courses/{course_id}/agreement")
def agreement(service: Service, course_id: CourseId, limit: Annotated[int, Query(ge=1, le=MAX_PROOFS)] = 10) -> Json:
    """Return the course's proofs, the newest first, each with the text that was signed and its signature."""
    proofs = service.proofs.of_course(course_id, limit)
    if not proofs:
        require_course(service, course_id)
    return {"course_id": course_id, "proofs": [proof_json(each) for each in proofs]}


@router.post("/courses/{course_id}/verify")
def verify(actions: Actions, course_id: CourseId) -> Json:
    """Read both gradebooks back now, and return the proof. Writes nothing; what differs becomes due."""
    return proof_json(actions.verify_now(course_id).signed)


@router.get("/agreement")
def agreements(
    service: Service,
    school: School = None,
    term: Term = "",
    start: Start = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PROOFS)] = 50,
) -> Json:
    """Return the newest proof of each course, a page of courses at a time, and which were never verified."""
    page = service.course_lists.page(CourseSearch(school=school, term=term), start=start, limit=limit)
    if not page.courses:
        refuse_unknown_part(service, school, term)
    course_ids = [course.course_id for course in page.courses]
    proofs = service.proofs.newest_of(course_ids)
    verified = {each.proof.course_id for each in proofs}
    return {
        "proofs": [proof_json(each) for each in proofs],
        "never_verified": [course_id for course_id in course_ids if course_id not in verified],
        "next": page.next_start,
    }


@router.get("/agreement.csv", response_class=Response)
def agreements_csv(service: Service, school: School = None, term: Term = "") -> Response:
    """Return a line for the newest proof of each course: counts, digests and what differs; no student, no score."""
    search = CourseSearch(school=school, term=term)
    course_ids = service.records.connected() if search.selects_all else service.course_lists.ids(search)
    if not course_ids:
        refuse_unknown_part(service, school, term)
    found = service.proofs.newest_of(course_ids)
    lines = [(each, service.course_lists.find(each.proof.course_id).summary) for each in found]
    return csv_file(summary_csv(lines), "passback-agreement.csv")


@router.get("/agreement/public-key.pem", response_class=Response)
def public_key(
    service: Service,
    key_id: Annotated[str | None, Query(pattern=r"^[0-9a-f]{16}$", description="`key_id` of a proof: its key")] = None,
) -> Response:
    """Return the public key that checks the signatures of proofs: the one that signs now, or that of a proof."""
    pem = service.proof_keys.current().public_pem if key_id is None else service.proof_keys.public_pem(key_id)
    if pem is None:
        raise ApiError(404, "key_unknown", "No key of passback has this id.")
    return Response(pem, media_type="application/x-pem-file")


def _refuse_if_nothing(
    service: Container, found: object, course_id: str, assignment_id: str | None = None, sis_id: str | None = None
) -> None:
    """Respond with 404 where nothing was found since the course, the assignment or the student does not exist."""
    if sis_id is not None and all(map(_may_be_of_another_course, cast("list[Json]", found))):
        found = None
    if not found:
        require_selected(service, course_id, assignment_id, sis_id)


def _may_be_of_another_course(explained: Json) -> bool:
    """Say whether nothing is there about the student; where nothing was read live, nothing is to be sent then."""
    student = cast("Json", explained.get("student") or {})
    return student.get("standing") in (StudentStatus.NOT_IN_COURSE, StudentStatus.NOTHING_TO_SEND)
