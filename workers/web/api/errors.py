"""Maps exceptions to the API's error responses: always `{"error": {"code", "message"}}`."""

from collections.abc import Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.responses import Response

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
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RedisError, _redis_error)
    app.add_exception_handler(PassbackError, _remote_error)
    app.add_exception_handler(ConfigurationError, _configuration_error)


def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error.response()


def _validation_error(_request: Request, error: Exception) -> Response:
    """Say where the request is wrong, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{_location(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
    return ApiError(422, "not_valid", "; ".join(problems)).response()


def _location(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location)


def _http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = CODES.get(error.status_code, ("refused", "The request is refused."))
    return ApiError(error.status_code, code, message, error.headers).response()


def _remote_error(_request: Request, error: Exception) -> Response:
    """Report a failed call of Canvas or PowerSchool; its message holds ids and codes only."""
    cause = error.cause if isinstance(error, TransientError | PermanentError) else "error"
    if isinstance(error, NotFound):
        return ApiError(404, cause, str(error)).response()
    return ApiError(503, cause, str(error), {"Retry-After": "30"}).response()


def _redis_error(_request: Request, _error: Exception) -> Response:
    return redis_unavailable().response()


def _configuration_error(_request: Request, error: Exception) -> Response:
    return ApiError(503, "not_configured", str(error)).response()
