"""The API about proofs of agreement: of a course, of many, and the public key; and to verify a course now."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from shared.domain.passback.course_search import CourseSearch
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.verification.proofs import proof_json, summary_csv
from workers.web.api.dependencies import Actions, CourseId, Service

MAX_PROOFS = 200

School = Annotated[int | None, Query(ge=0, le=10_000_000, description="Only courses of this school number")]
Term = Annotated[str, Query(max_length=30, description="Only courses of this term, as `terms` of a course has it")]

router = APIRouter()


@router.get("/courses/{course_id}/agreement")
def agreement(service: Service, course_id: CourseId, limit: Annotated[int, Query(ge=1, le=MAX_PROOFS)] = 10) -> Json:
    """Return the course's proofs, the newest first, each with the text that was signed and its signature."""
    return {"course_id": course_id, "proofs": [proof_json(each) for each in service.proofs.of_course(course_id, limit)]}


@router.post("/courses/{course_id}/verify")
def verify(actions: Actions, course_id: CourseId) -> Json:
    """Read both gradebooks back now, and return the proof. Writes nothing; what differs becomes due."""
    return proof_json(actions.verify_now(course_id).signed)


@router.get("/agreement")
def agreements(
    service: Service,
    school: School = None,
    term: Term = "",
    start: Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PROOFS)] = 50,
) -> Json:
    """Return the newest proof of each course, a page of courses at a time, and which were never verified."""
    page = service.course_lists.page(CourseSearch(school=school, term=term), start=start, limit=limit)
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
    found = service.proofs.newest_of(course_ids)
    content = summary_csv([(each, service.course_lists.find(each.proof.course_id).summary) for each in found])
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="passback-agreement.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/agreement/public-key.pem", response_class=Response)
def public_key(service: Service) -> Response:
    """Return the public key that checks the signatures of proofs."""
    return Response(service.proof_key.public_pem(), media_type="application/x-pem-file")
