"""The JSON API as one application: what the command line and the pages show and do, over HTTP."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from shared.adapters.redis.client import RedisUnavailable
from shared.config import ConfigurationError
from shared.errors import NotFound, PassbackError, PermanentError, TransientError
from workers.container import Container
from workers.web.api import courses, dead_letters, installation, takeovers
from workers.web.api.dependencies import ErrorResponse, signed_in
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.errors import ApiError, redis_unavailable

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
# What Starlette rejects by itself: paths, methods, unreadable headers.
CODES = {
    400: ("not_readable", "The body is not readable as JSON in UTF-8."),
    401: ("not_signed_in", "Sign in as operator or viewer."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path has another method."),
}


def create_api(service: Container, sign_in: RequestAuthenticator) -> FastAPI:
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
    app.state.sign_in = sign_in
    router = APIRouter(responses=ERRORS)
    for module in (courses, dead_letters, installation, takeovers):
        router.include_router(module.router)
    app.include_router(router, prefix=PREFIX, dependencies=[Depends(signed_in), Depends(_no_store)])
    for error_type, convert in _CONVERTERS.items():
        app.add_exception_handler(error_type, partial(_respond, convert))
    return app


async def _no_store(response: Response) -> None:
    """Forbid caches to store a response: it may hold scores."""
    response.headers["Cache-Control"] = "no-store"


def _respond(convert: Callable[[Any], ApiError], _request: Request, error: Exception) -> Response:
    return convert(error).response()


def _validation_error(error: RequestValidationError) -> ApiError:
    """Say where the request is wrong, without repeating what was sent."""
    problems = [f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors()]
    return ApiError(422, "not_valid", "; ".join(problems))


def _http_exception(error: HTTPException) -> ApiError:
    code, message = CODES.get(error.status_code, ("refused", "The request is refused."))
    return ApiError(error.status_code, code, message, error.headers)


def _remote_error(error: PassbackError) -> ApiError:
    """Report a failed call of Canvas or PowerSchool; its message holds ids and codes only."""
    cause = error.cause if isinstance(error, TransientError | PermanentError) else "error"
    if isinstance(error, NotFound):
        return ApiError(404, cause, str(error))
    return ApiError(503, cause, str(error), {"Retry-After": "30"})


_CONVERTERS: dict[type[Exception], Callable[[Any], ApiError]] = {
    ApiError: lambda error: error,
    RequestValidationError: _validation_error,
    HTTPException: _http_exception,
    RedisError: lambda _error: redis_unavailable(),
    # Also one of the errors of remote systems, of which the class is looked up first.
    RedisUnavailable: lambda _error: redis_unavailable(),
    PassbackError: _remote_error,
    ConfigurationError: lambda error: ApiError(503, "not_configured", str(error)),
}
