"""Maps exceptions to the API's error responses: always `{"error": {"code", "message"}}`."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.adapters.redis.client import RedisUnavailable
from shared.config import ConfigurationError
from shared.errors import NotFound, PassbackError, PermanentError, TransientError
from workers.web.errors import ApiError, redis_unavailable

# What Starlette rejects by itself: paths, methods, unreadable headers.
CODES = {
    400: ("not_readable", "The body is not readable as JSON in UTF-8."),
    401: ("not_signed_in", "Sign in as operator or viewer."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path has another method."),
}


class ErrorDetail(BaseModel):
    """Why something was not done."""

    code: str
    message: str


class ErrorResponse(BaseModel):
    """The response to what was not done."""

    error: ErrorDetail


def install_error_handlers(app: FastAPI) -> None:
    """Make the app respond to every error in the one shape."""
    converters: dict[type[Exception], Callable[[Any], ApiError]] = {
        ApiError: lambda error: error,
        RequestValidationError: _validation_error,
        HTTPException: _http_exception,
        RedisError: lambda _error: redis_unavailable(),
        # Also one of the errors of remote systems, of which the class is looked up first.
        RedisUnavailable: lambda _error: redis_unavailable(),
        PassbackError: _remote_error,
        ConfigurationError: lambda error: ApiError(503, "not_configured", str(error)),
    }
    for error_type, convert in converters.items():
        app.add_exception_handler(error_type, partial(_respond, convert))


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
