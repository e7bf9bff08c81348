"""What the API's endpoints share: the container, the signed-in user, an operator's actions, and parameter formats."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response
from fastapi.security import HTTPBasic, HTTPBasicCredentials
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints
from pydantic_core import to_jsonable_python
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from workers.container import Container
from workers.web.auth.passwords import CHALLENGE, name_and_password
from workers.web.auth.roles import User
from workers.web.auth.sign_in import CLOSED, RequestAuthenticator
from workers.web.errors import ApiError
from workers.web.views.operator_actions import OperatorActions

CANVAS_ID = r"^[0-9]{1,20}$"
DEAD_LETTER_ID = r"^[A-Za-z0-9_.:-]{1,100}$"
SIS_ID = r"^[^\x00-\x1f]{1,255}$"
CODE = r"^[A-Za-z0-9_.-]{1,100}$"
MAKER = r"[^\x00-\x1f,]{1,100}"
MAX_MAKERS = 20
MAX_ENTRIES = 1000


class _Utf8Basic(HTTPBasic):
    """HTTP Basic with name and password in UTF-8, as the challenge says; ignores unreadable ones."""

    async def __call__(  # type: ignore[override]  # as FastAPI's own HTTPBasic, which differs from its base
        self, request: HTTPConnection
    ) -> HTTPBasicCredentials | None:
        name, password = name_and_password(request.headers.get("authorization", ""))
        return HTTPBasicCredentials(username=name, password=password) if name or password else None


_basic = _Utf8Basic(scheme_name="password", auto_error=False)


async def container(request: Request) -> Container:
    """Return the container of this process."""
    service: Container = request.app.state.container
    return service


async def signed_in(request: Request, given: Annotated[HTTPBasicCredentials | None, Depends(_basic)]) -> User:
    """Return the user: by HTTP Basic, with a session's cookie, or as a trusted proxy says. Raises: ApiError."""
    sign_in: RequestAuthenticator = request.app.state.sign_in
    if not sign_in.is_possible:
        raise ApiError(403, "no_password_configured", CLOSED)
    if given is not None:
        return await sign_in.check_password(request, given.username, given.password, "api")
    user = (await run_in_threadpool(sign_in.authenticate, request)).user
    if user is None:
        raise ApiError(401, "not_signed_in", "Sign in as operator or viewer.", CHALLENGE)
    return user


SignedIn = Annotated[User, Depends(signed_in)]


async def operator_actions(
    request: Request, user: SignedIn, service: Annotated[Container, Depends(container)]
) -> OperatorActions:
    """Return what the signed-in operator can do. Raises: ApiError for viewers, and against forgery.

    A page of another site may make the browser send its stored password. Its forms can neither send JSON nor set a
    header; its scripts would have to be allowed to.
    """
    is_json = request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if not is_json and "x-requested-with" not in request.headers:
        raise ApiError(
            403, "maybe_forged", "Send the header X-Requested-With, or Content-Type: application/json, with an action."
        )
    if not user.can_operate:
        raise ApiError(403, "not_operator", "Only operators may do this.")
    return OperatorActions(service, user)


def _as_text(at: Any) -> Any:
    """Raise `ValueError` for a number: pydantic would take it for seconds since 1970, which no one documents."""
    if not isinstance(at, str | datetime) or (isinstance(at, str) and re.fullmatch(r"\s*[-+]?[\d._]+\s*", at)):
        raise ValueError("Write a time such as 2031-10-06T19:00:00Z.")
    return at


def _aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Service = Annotated[Container, Depends(container)]
Actions = Annotated[OperatorActions, Depends(operator_actions)]
CourseId = Annotated[str, Path(pattern=CANVAS_ID, description="Canvas course id")]
DeadLetterId = Annotated[str, Path(alias="letter_id", pattern=DEAD_LETTER_ID, description="Dead letter id")]
Code = Annotated[str, StringConstraints(pattern=CODE)]
TimeParameter = Annotated[datetime, BeforeValidator(_as_text, json_schema_input_type=datetime), AfterValidator(_aware)]
School = Annotated[int | None, Query(ge=0, le=10_000_000, description="Only of this school number")]
Term = Annotated[str, Query(max_length=30, description="Only of this term, as `terms` of a course has it")]
AssignmentId = Annotated[str | None, Query(pattern=CANVAS_ID, description="Only this Canvas assignment")]
Start = Annotated[int, Query(ge=0, le=10_000_000, description="`next` of the page before")]
Since = Annotated[TimeParameter | None, Query(description="Only from this time on; UTC without an offset")]


def makers(given: Iterable[str]) -> frozenset[str]:
    """Return the selected makers, each by itself or with commas between them. Raises `ApiError` for what is none."""
    named = [one.strip() for each in given for one in each.split(",") if one.strip()]
    if len(named) > MAX_MAKERS or not all(re.fullmatch(MAKER, one) for one in named):
        raise ApiError(422, "not_valid", "A maker is teacher, or a plugin as PowerSchool names it.")
    return frozenset(named)


class ErrorDetail(BaseModel):
    """Why something was not done."""

    code: str
    message: str


class ErrorResponse(BaseModel):
    """The response to what was not done."""

    error: ErrorDetail


class StrictModel(BaseModel):
    """A request body that rejects unknown fields."""

    model_config = ConfigDict(extra="forbid")


class OneAssignment(StrictModel):
    """The assignment that an action is about; without one, all of the course."""

    assignment_id: Annotated[str, StringConstraints(pattern=CANVAS_ID)] | None = None


def csv_file(content: str | bytes, name: str) -> Response:
    """Return a file that a browser saves."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def plain(value: object) -> Any:  # JSON
    """Return a value as JSON has it: dataclasses by their fields, times in ISO 8601, durations in seconds."""
    return to_jsonable_python(value, timedelta_mode="float")
