"""The JSON API as one application: what the command line and the pages show and do, over HTTP."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response

from workers.container import Container
from workers.web.api import agreement, courses, dead_letters, installation, readiness, takeovers
from workers.web.api.dependencies import signed_in
from workers.web.api.errors import ErrorResponse, install_error_handlers
from workers.web.auth.sign_in import RequestAuthenticator

PREFIX = "/api/v1"

# Every endpoint may also respond with one of these errors.
ERRORS: dict[int | str, dict[str, Any]] = {
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
    app = FastAPI(
        title="passback",
        description="What is in PowerSchool, why something is not, and what to do about it.",
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        # A redirect of the framework's leads to the host that the request names.
        redirect_slashes=False,
    )
    app.state.container = service
    app.state.sign_in = sign_in or RequestAuthenticator(service.settings, service.redis, service.keys)
    router = APIRouter(responses=ERRORS)
    for module in (agreement, courses, dead_letters, installation, readiness, takeovers):
        router.include_router(module.router)
    app.include_router(router, prefix=PREFIX, dependencies=[Depends(signed_in), Depends(_no_store)])
    install_error_handlers(app)
    return app


async def _no_store(response: Response) -> None:
    """Forbid caches to store a response: it may hold scores."""
    response.headers["Cache-Control"] = "no-store"
