"""Errors that end a request, and their JSON: always `{"error": {"code", "message"}}`."""

from collections.abc import Mapping

from starlette.responses import JSONResponse


class ApiError(Exception):
    """Ends a request with an error response; `message` is for the caller and holds no personal data."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers

    def response(self) -> JSONResponse:
        """Return the error as JSON."""
        error = {"code": self.code, "message": self.message}
        return JSONResponse({"error": error}, self.status, dict(self.headers or {}))


def redis_unavailable() -> ApiError:
    """Return the error for a request that needs Redis while Redis does not respond."""
    return ApiError(503, "unavailable", "Redis does not answer now. Try again.", {"Retry-After": "5"})
