"""The control plane below `/_sandbox/`: seeding, looking inside, and acting as the people who use PowerSchool.

It has no authentication: a sandbox listens on the loopback interface only.
"""

from dataclasses import fields
from datetime import date
from decimal import Decimal
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from shared.sandbox.faults import CONTROL_PREFIX
from shared.sandbox.powerschool.actions.people import Action
from shared.sandbox.powerschool.errors import plain
from shared.sandbox.powerschool.request_context import powerschool
from shared.sandbox.powerschool.rows import AssignmentSection, Score
from shared.sandbox.powerschool.seed import PowerSchoolSeed
from shared.sandbox.powerschool.state import PowerSchool, Write

ACTIONS: TypeAdapter[Action] = TypeAdapter(Action)


ROW_FIELDS = frozenset(
    [
        "assignment_id",
        "assignment_section_id",
        "section_dcid",
        "name",
        "due_date",
        "points",
        "description",
        "publish_option",
        "locked",
        "counted",
        "scores_published",
        "score_type",
        "weight",
    ]
)
SCORE_FIELDS = frozenset(
    [
        "points",
        "percent",
        "letter",
        "entered",
        "kind",
        "missing",
        "exempt",
        "late",
        "collected",
        "absent",
        "incomplete",
        "comment",
    ]
)


async def seed(request: Request) -> Response:
    """Replace everything by what the seed describes, tokens included."""
    try:
        wanted = PowerSchoolSeed.model_validate_json(await request.body())
    except ValidationError as error:
        return PlainTextResponse(str(error), 422)
    request.app.state.powerschool = wanted.build(powerschool(request).clock)
    return Response(status_code=204)


async def read_state(request: Request) -> Response:
    """Answer every assignment section with its scores."""
    state = powerschool(request)
    return JSONResponse([_row_json(state, row) for row in state.assignment_sections.values()])


async def act(request: Request) -> Response:
    """Do one out-of-band change."""
    try:
        wanted = ACTIONS.validate_json(await request.body())
    except ValidationError as error:
        return PlainTextResponse(str(error), 422)
    wanted.apply(powerschool(request))
    return Response(status_code=204)


async def writes(request: Request) -> Response:
    """Answer the plugin's accepted writes in order, or forget them."""
    state = powerschool(request)
    if request.method == "DELETE":
        state.writes.clear()
        return Response(status_code=204)
    return JSONResponse([_write_json(write) for write in state.writes])


def _write_json(write: Write) -> dict[str, Any]:
    return {
        "at": write.at.isoformat(),
        "kind": write.kind,
        "assignment_section_id": write.assignment_section_id,
        "section_dcid": write.section_dcid,
        "students": list(write.student_dcids),
        "values": [[_shown(points), missing, exempt] for points, missing, exempt in write.values],
    }


def _row_json(state: PowerSchool, row: AssignmentSection) -> dict[str, Any]:
    shown = {field.name: _shown(getattr(row, field.name)) for field in fields(row) if field.name in ROW_FIELDS}
    return shown | {
        "category_id": row.category_id,
        "created_by_plugin": state.assignments[row.assignment_id].created_by_plugin,
        "scores": {str(student_dcid): _score_json(score) for student_dcid, score in row.scores.items()},
    }


def _score_json(score: Score) -> dict[str, Any]:
    return {field.name: _shown(getattr(score, field.name)) for field in fields(score) if field.name in SCORE_FIELDS}


def _shown(value: object) -> object:
    if isinstance(value, Decimal):
        return plain(value)
    return value.isoformat() if isinstance(value, date) else value


ROUTES = [
    Route(f"{CONTROL_PREFIX}/seed", seed, methods=["POST"]),
    Route(f"{CONTROL_PREFIX}/state", read_state, methods=["GET"]),
    Route(f"{CONTROL_PREFIX}/act", act, methods=["POST"]),
    Route(f"{CONTROL_PREFIX}/writes", writes, methods=["GET", "DELETE"]),
]
