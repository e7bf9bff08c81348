"""The JSON API, put together: what `passback` and the pages say and do, over HTTP."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response

from workers.container import Container
from workers.web.api.courses import CourseApi
from workers.web.api.dead_letters import DeadLetterApi
from workers.web.api.errors import ErrorResponse, install_error_handlers
from workers.web.api.installation import InstallationApi
from workers.web.auth.access import require_user
from workers.web.auth.roles import User
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.views.operator_actions import OperatorActions

PREFIX = "/api/v1"

# What every endpoint may answer besides what it is for.
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorResponse, "description": why}
    for status, why in (
        (400, "The body is not readable"),
        (401, "Nobody signed in"),
        (403, "Only operators may; or the action may be forged; or nobody can sign in yet"),
        (404, "There is no such thing"),
        (408, "The body took too long to arrive"),
        (413, "The body is too large"),
        (422, "The request is not valid"),
        (429, "Too many wrong passwords"),
        (503, "Redis, Canvas or PowerSchool does not answer now, or is not configured"),
    )
}


def create_api(service: Container, sign_in: RequestAuthenticator | None = None) -> FastAPI:
    """Return the API as an ASGI application. Its endpoints block, and so run in threads."""
    sign_in = sign_in or RequestAuthenticator(service.settings, lambda: service.redis, service.keys)
    actions = OperatorActions(service)
    app = FastAPI(
        title="passback",
        description="What is in PowerSchool, why something is not, and what to do about it.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        # A redirect of the framework's leads to the host that the request names.
        redirect_slashes=False,
    )
    router = APIRouter(responses=REFUSALS)
    for part in (
        CourseApi(service, actions),
        DeadLetterApi(service, actions),
        InstallationApi(service, actions),
    ):
        part.add_to(router)
    app.include_router(router, prefix=PREFIX, dependencies=[Depends(_known(sign_in)), Depends(_private)])
    install_error_handlers(app)
    return app


def _known(sign_in: RequestAuthenticator) -> Any:  # FastAPI reads the signature itself
    who = require_user(sign_in)

    def known(request: Request, person: User = Depends(who)) -> None:  # noqa: B008  # FastAPI's way
        request.state.person = person

    return known


def _private(response: Response) -> None:
    """Let nobody on the way keep an answer: it may hold scores."""
    response.headers["Cache-Control"] = "no-store"
