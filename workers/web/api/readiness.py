"""The API about readiness: what would keep grades back, and a new check."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from shared.domain.passback.rules.reasons import Actor
from workers.grade_passback.explain.response import Json, time_json
from workers.grade_passback.readiness.report import ReadinessQuery, readiness_csv, readiness_report
from workers.web.api.dependencies import CODE, Actions, Service, SignedIn

router = APIRouter()


def _query(
    school: Annotated[int | None, Query(ge=0, le=10_000_000, description="Only of this school number")] = None,
    term: Annotated[
        str, Query(max_length=30, description="Only of this school year, or term as a finding has it")
    ] = "",
    teacher: Annotated[str, Query(max_length=255, description="Only of this lead teacher: SIS id or USERS.DCID")] = "",
    who: Annotated[Actor | None, Query(description="Only what this one can mend")] = None,
    code: Annotated[str | None, Query(pattern=CODE, description="Only this reason")] = None,
) -> ReadinessQuery:
    return ReadinessQuery(school, term, teacher, who, code or "")


Selected = Annotated[ReadinessQuery, Depends(_query)]


@router.get("/readiness")
def readiness(
    service: Service,
    _user: SignedIn,
    query: Selected,
    start: Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the page before")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """Return what the newest check found, what holds most grades back first, a page at a time."""
    return readiness_report(service.readiness, query).as_json(start, limit)


@router.get("/readiness.csv", response_class=Response)
def download(service: Service, _user: SignedIn, query: Selected) -> Response:
    """Return every selected finding as CSV, by school and teacher."""
    content = readiness_csv(readiness_report(service.readiness, query).findings)
    return Response(content, media_type="text/csv; charset=utf-8", headers={"Cache-Control": "no-store"})


@router.post("/readiness", status_code=202)
def check(operator: Actions) -> Json:
    """Request a check of the district; one that is not finished goes on. Safe to repeat."""
    run = operator.check_readiness()
    return {"started_at": time_json(run.started_at), "actor": run.actor}
