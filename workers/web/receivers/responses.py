"""The responses of the receivers: 202, and one row per reason to reject a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import JSONResponse, Response

ACCEPTED = Response(status_code=202)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a request is rejected. `closes` ends the connection too: the rest of the body is not read."""

    status: int
    code: str
    message: str
    closes: bool = False


MALFORMED_EVENT = Rejection(400, "malformed", "The body is no Live Event.")
NOT_A_WEBHOOK = Rejection(400, "malformed", "The body is no change: see the webhook's format.")
INCOMPLETE = Rejection(400, "incomplete", "The body ended early.", closes=True)
INVALID_SIGNATURE = Rejection(401, "not_from_canvas", "The event is not signed by Canvas, or not of this district.")
NOT_SIGNED = Rejection(401, "not_signed", "The webhook's signature, timestamp or id is missing or wrong.")
UNKNOWN_PATH = Rejection(404, "not_found", "There is nothing at this path.")
WRONG_METHOD = Rejection(405, "method_not_allowed", "This path has another method.")
TOO_SLOW = Rejection(408, "too_slow", "The body took too long to arrive.", closes=True)
TOO_LARGE = Rejection(413, "too_large", "The body is larger than a receiver reads.", closes=True)
TOO_BUSY = Rejection(503, "too_busy", "Too many bodies are arriving at once.", closes=True)
TOO_MANY = Rejection(503, "too_busy", "Too many requests are in work. Send it again.")
UNAVAILABLE = Rejection(503, "unavailable", "The change cannot be stored or checked now. Send it again.")


class RequestRejected(Exception):
    """Ends a request with a rejection.

    `detail` names the failed check; it never quotes the sender.
    """

    def __init__(
        self,
        rejection: Rejection,
        detail: str = "",
        retry_after: timedelta | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(rejection.code, detail)
        self.rejection = rejection
        self.detail = detail
        self._retry_after = retry_after
        self._headers = headers or {}

    @property
    def cause(self) -> str:
        """The most exact code there is, for logs."""
        return self.detail or self.rejection.code

    def response(self) -> Response:
        """Return the response for the sender."""
        headers = dict(self._headers)
        if self.rejection.closes:
            headers["Connection"] = "close"
        if self._retry_after is not None:
            headers["Retry-After"] = str(max(1, round(self._retry_after.total_seconds())))
        message = f"{self.rejection.message} ({self.detail})" if self.detail else self.rejection.message
        error = {"code": self.rejection.code, "message": message}
        return JSONResponse({"error": error}, self.rejection.status, headers)
