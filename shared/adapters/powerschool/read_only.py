"""Read-only access to PowerSchool, for provisioning.

Two locks, of which each is sufficient. `ReadOnlyPowerSchool` has no method that writes. And the HTTP client below it
rejects every request that is not a read before it is sent, so that no write bypasses the first lock.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial

import httpx

from shared.adapters.http.client import Params
from shared.adapters.http.response import ApiResponse, Decoder
from shared.adapters.http.wire import Json
from shared.adapters.powerschool.client import PowerSchoolApi
from shared.domain.causes import Cause
from shared.errors import PermanentError, ServiceUnavailable, TransientError

ATTEMPTS = 3
# PowerQueries are run, and tokens given, by POST; neither changes anything.
_READS_BY_POST = re.compile(r"/ws/schema/query/[\w.]+(/count)?|/oauth/access_token/?")


class ReadOnlyViolation(PermanentError):
    """A read-only client was told to write, which is a bug. Nothing was sent."""


def reject_writes(request: httpx.Request) -> None:
    """Let a read pass. Raises `ReadOnlyViolation` for everything else. A request hook of httpx."""
    # The path as it is sent: decoded, an escaped slash would look like one.
    path = request.url.raw_path.partition(b"?")[0].decode("ascii")
    is_read = request.method == "GET" or (request.method == "POST" and _READS_BY_POST.fullmatch(path) is not None)
    if not is_read:
        raise ReadOnlyViolation(
            f"{request.method} by a client that only reads", cause=Cause.POWERSCHOOL_WRITE_ATTEMPTED
        )


class ReadOnlyPowerSchool:
    """Sends reads. One that fails by itself is sent again at once, so that a long read need not start anew.

    That is no retry of a job: while PowerSchool is unavailable, nothing is sent again.
    """

    def __init__(self, api: PowerSchoolApi) -> None:
        self._api = api

    def get(self, template: str, ids: Mapping[str, object]) -> ApiResponse:
        """Return a successful response. Raises the errors of `shared.errors`."""
        return _send_with_retries(partial(self._api.send, "GET", template, ids))

    def query(self, path: str, params: Params, body: Json, decoder: Decoder | None = None) -> ApiResponse:
        """Return the response of a PowerQuery. Raises the errors of `shared.errors`."""
        return _send_with_retries(partial(self._api.query, path, params, body, decoder))

    def close(self) -> None:
        """Close the connections."""
        self._api.close()


def _send_with_retries(send: Callable[[], ApiResponse]) -> ApiResponse:
    for _ in range(ATTEMPTS - 1):
        try:
            return send()
        except ServiceUnavailable:
            raise
        except TransientError:
            continue
    return send()
