"""Errors that end a request, and their JSON: always `{"error": {"code", "message"}}`."""

from collections.abc import Mapping
from datetime import timedelta

from starlette.responses import JSONResponse


class ApiError(Exception):
    """Ends a request with an error response; `message` is for the caller and holds no personal data.

    `detail` names the failed check; it never quotes the sender.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        detail: str = "",
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.cause = detail or code
        """The most exact code there is, for logs."""
        self.message = f"{message} ({detail})" if detail else message
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["Retry-After"] = str(max(1, round(retry_after.total_seconds())))

    def response(self) -> JSONResponse:
        """Return the error as JSON."""
        return JSONResponse({"error": {"code": self.code, "message": self.message}}, self.status, self.headers)


def redis_unavailable() -> ApiError:
    """Return the error for a request that needs Redis while Redis does not respond."""
    return ApiError(503, "unavailable", "Redis does not answer now. Try again.", retry_after=timedelta(seconds=5))
