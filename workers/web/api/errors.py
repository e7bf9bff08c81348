"""What the API answers where it does not do what was asked: always `{"error": {"code", "message"}}`."""

from collections.abc import Mapping, Sequence

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from shared.config import ConfigurationError
from shared.errors import NotFound, PassbackError, PermanentError, TransientError

# What Starlette refuses by itself: paths, methods, unreadable headers.
CODES = {
    400: ("not_readable", "The body is not readable as JSON in UTF-8."),
    401: ("not_signed_in", "Sign in as operator or viewer."),
    404: ("not_found", "There is nothing at this path."),
    405: ("method_not_allowed", "This path has another method."),
}


class ApiError(Exception):
    """Ends a request with a refusal; `message` is for the caller and holds no personal data."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class ErrorDetail(BaseModel):
    """Why something was not done."""

    code: str
    message: str


class ErrorResponse(BaseModel):
    """The answer to what was not done."""

    error: ErrorDetail


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, dict(headers or {}))


def install_error_handlers(app: FastAPI) -> None:
    """Make the app answer every refusal in the one shape."""
    app.add_exception_handler(ApiError, _not_done)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _of_framework)
    app.add_exception_handler(RedisError, _unavailable)
    app.add_exception_handler(PassbackError, _of_system)
    app.add_exception_handler(ConfigurationError, _not_configured)


def _not_done(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return refusal(error.status, error.code, error.message, error.headers)


def _not_valid(_request: Request, error: Exception) -> Response:
    """Say where the request is wrong, without repeating what was sent."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{_location(problem['loc'])}: {problem['msg']}" for problem in error.errors()]
    return refusal(422, "not_valid", "; ".join(problems))


def _location(location: Sequence[object]) -> str:
    return ".".join(str(part) for part in location)


def _of_framework(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = CODES.get(error.status_code, ("refused", "The request is refused."))
    return refusal(error.status_code, code, message, error.headers)


def _of_system(_request: Request, error: Exception) -> Response:
    """Answer for Canvas or PowerSchool, which were asked; their messages hold ids and codes only."""
    cause = error.cause if isinstance(error, TransientError | PermanentError) else "error"
    if isinstance(error, NotFound):
        return refusal(404, cause, str(error))
    return refusal(503, cause, str(error), {"Retry-After": "30"})


def _unavailable(_request: Request, _error: Exception) -> Response:
    return refusal(503, "unavailable", "Redis does not answer now. Try again.", {"Retry-After": "5"})


def _not_configured(_request: Request, error: Exception) -> Response:
    return refusal(503, "not_configured", str(error))
