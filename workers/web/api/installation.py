"""The API about the whole installation: status, pauses, actions, provisioning, readiness."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import StringConstraints

from shared.domain.actions import EVERYTHING, MAX_REASON_CHARS, PROVISIONING
from shared.domain.passback.rules.reasons import Actor
from shared.domain.provisioning.run import Run
from workers.alerts import alerts_json
from workers.grade_passback.explain.response import Json, pause_json, time_json
from workers.grade_passback.readiness.report import ReadinessQuery, ReadinessReport, readiness_csv, readiness_report
from workers.provisioning.changed_rows import changed_rows
from workers.provisioning.serializers import message_api_json, rows_api_json, run_api_json
from workers.status import read_status, status_json
from workers.web.api.dependencies import CODE, Actions, School, Service, SignedIn, Start, StrictModel, csv_file, plain
from workers.web.errors import ApiError
from workers.web.views.visibility import visible_run

PART = rf"^({PROVISIONING}|course:[0-9]{{1,20}})$"
TARGET = rf"^({EVERYTHING}|{PROVISIONING}|course:[0-9]{{1,20}})$"
RunId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="Id of a provisioning run")]

router = APIRouter()


def _known_run(service: Service, run_id: RunId) -> Run:
    found = service.provision_runs.find(run_id)
    if found is None:
        raise ApiError(404, "run_unknown", "There is no provisioning run of this id.")
    return found


KnownRun = Annotated[Run, Depends(_known_run)]


class Target(StrictModel):
    """What is resumed."""

    target: Annotated[str, StringConstraints(pattern=TARGET)] = EVERYTHING


class PauseEverything(StrictModel):
    """A pause of everything, and why: others have to know when it may end."""

    target: Literal["passback"] = "passback"
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON_CHARS, pattern=r"\S")]


class PausePart(StrictModel):
    """A pause of provisioning or of a course, and why."""

    target: Annotated[str, StringConstraints(pattern=PART)]
    reason: Annotated[str, StringConstraints(max_length=MAX_REASON_CHARS)] = ""


@router.get("/status")
def status(service: Service) -> Json:
    """Return the status of the whole installation."""
    found = read_status(service)
    return {
        **status_json(found),
        "problems": alerts_json(found),
        "courses_with_problems": found.with_problems,
        "assignments": plain(found.statuses),
        "event_to_powerschool": [
            {"hour": hour.begins_at.isoformat(), "changes": hour.total, "half_within_s": hour.bound_for(0.5),
             "nearly_all_within_s": hour.bound_for(0.95)}
            for hour in found.hours
        ],
    }  # fmt: skip


@router.get("/actions")
def actions(service: Service, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Json]:
    """Return what people did on the pages, through the API and on the command line, the newest first."""
    return [plain(action) for action in service.actions.newest(limit)]


@router.get("/pauses")
def pauses(service: Service) -> list[Json | None]:
    """Return the pauses, the oldest first."""
    return [pause_json(pause) for pause in service.pauses.all()]


@router.post("/pauses", status_code=202)
def pause(operator: Actions, body: PauseEverything | PausePart) -> Json:
    """Pause everything, provisioning or a course. Changes are collected meanwhile. Safe to repeat."""
    return {"target": body.target, "paused": operator.pause(body.target, body.reason)}


@router.post("/pauses/resume", status_code=202)
def resume(operator: Actions, body: Target) -> Json:
    """Resume what was paused. Safe to repeat."""
    return {"target": body.target, "resumed": operator.resume(body.target)}


@router.get("/provisioning")
def provisioning(service: Service, limit: Annotated[int, Query(ge=1, le=50)] = 20) -> Json:
    """Return the newest provisioning runs, the newest first, and those that wait for approval.

    `held` is the first of `held_runs`: the district's, if there is one, then by school.
    """
    runs, now = service.provision_runs, service.clock.now()
    held = [run_api_json(run, now) for run in runs.held_runs()]
    newest = [run_api_json(run, now) for run in runs.newest(limit)]
    return {"held": plain(held[0] if held else None), "held_runs": plain(held), "runs": plain(newest)}


@router.get("/provisioning/{run_id}")
def run(service: Service, user: SignedIn, found: KnownRun) -> Json:
    """Return a run with the exact rows of its plan, and the rows that Canvas rejected.

    Rows and Canvas's messages contain names: viewers get the numbers without them.
    """
    runs = service.provision_runs
    return {
        "run": plain(run_api_json(found, service.clock.now())),
        "rows": [visible_run(user, rows_api_json(changed)) for changed in changed_rows(runs, found)],
        "troubles": [visible_run(user, message_api_json(message)) for message in runs.messages(found.id)],
    }


@router.post("/provisioning/{run_id}/approve", status_code=202)
def approve(operator: Actions, found: KnownRun) -> Json:
    """Approve a held plan. Safe to repeat."""
    return {"run_id": found.id, "approved": operator.approve(found.id)}


@router.post("/provisioning/{run_id}/discard", status_code=202)
def discard(operator: Actions, found: KnownRun) -> Json:
    """Discard a held plan without applying it. Safe to repeat."""
    return {"run_id": found.id, "discarded": operator.reject(found.id)}


def _readiness_query(
    school: School = None,
    term: Annotated[
        str, Query(max_length=30, description="Only of this school year, or term as a finding has it")
    ] = "",
    teacher: Annotated[str, Query(max_length=255, description="Only of this lead teacher: SIS id or USERS.DCID")] = "",
    who: Annotated[Actor | None, Query(description="Only what this one can mend")] = None,
    code: Annotated[str | None, Query(pattern=CODE, description="Only this reason")] = None,
) -> ReadinessQuery:
    return ReadinessQuery(school, term, teacher, who, code or "")


def _readiness_report(service: Service, query: ReadinessQuery) -> ReadinessReport:
    report = readiness_report(service.readiness, query)
    if report.unknown:
        raise ApiError(404, "selection_unknown", " ".join(report.unknown))
    return report


SelectedFindings = Annotated[ReadinessQuery, Depends(_readiness_query)]


@router.get("/readiness")
def readiness(
    service: Service,
    _user: SignedIn,
    query: SelectedFindings,
    start: Start = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Json:
    """Return what the newest check found, what holds most grades back first, a page at a time."""
    return _readiness_report(service, query).as_json(start, limit)


@router.get("/readiness.csv", response_class=Response)
def download(service: Service, _user: SignedIn, query: SelectedFindings) -> Response:
    """Return every selected finding as CSV, by school and teacher."""
    return csv_file(readiness_csv(_readiness_report(service, query).findings), "passback-readiness.csv")


@router.post("/readiness", status_code=202)
def check(operator: Actions) -> Json:
    """Request a check of the district; one that is not finished goes on. Safe to repeat."""
    run = operator.check_readiness()
    return {"started_at": time_json(run.started_at), "actor": run.actor}
