from datetime import timedelta

import httpx
import pytest
from scripted_remote import ScriptedRemote, answer, text

from shared.adapters.http.client import RemoteApi
from shared.adapters.http.exchange import RequestContext, http_client, use_context
from shared.adapters.http.response import MAX_RETRY_AFTER
from shared.adapters.redis.remote_limits.remote_limiter import Permit
from shared.errors import (
    AccessDenied,
    LeaseLost,
    NotFound,
    PassbackError,
    RequestRejected,
    ServiceUnavailable,
    TransientError,
    UnexpectedResponse,
)
from tests.manual_clock import ManualClock


class OpenGate:
    """Lets everyone in, and pauses for what concerns the whole system.

    Of throttled answers, `waited_out` says how many in a row are followed by another try.
    """

    waited_out = 0

    def __init__(self) -> None:
        self.failures: list[tuple[str, timedelta | None]] = []
        self.under_way = 0
        self.left: list[bool] = []
        self.again: list[Permit | None] = []
        self.waits = timedelta(0)
        self.unsent = 0

    def acquire(self, again: Permit | None = None) -> Permit:
        self.under_way += 1
        self.again.append(again)
        return Permit("caller", has_failures=False, waited=self.waits)

    def release(self, permit: Permit, *, succeeded: bool, sent: bool = True, advised: timedelta | None = None) -> None:
        self.under_way -= 1
        self.left.append(succeeded)
        self.unsent += not sent

    def record_throttled(self, permit: Permit, cause: str, retry_after: timedelta | None = None) -> timedelta | None:
        self.failures.append((cause, retry_after))
        assert self.under_way == 0
        self.waited_out -= 1
        return None if self.waited_out >= 0 else retry_after or timedelta(seconds=1)

    def record_failure(
        self, cause: str, retry_after: timedelta | None = None, *, for_everybody: bool
    ) -> timedelta | None:
        self.failures.append((cause, retry_after))
        assert self.under_way == 0
        return (retry_after or timedelta(seconds=1)) if for_everybody else None


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


@pytest.fixture
def api(remote: ScriptedRemote, gate: OpenGate, clock: ManualClock) -> RemoteApi:
    return RemoteApi("canvas", http_client("https://canvas.test", 5, transport=remote.transport), gate, clock)


def failure_of(api: RemoteApi, remote: ScriptedRemote, *is_responding: httpx.Response | Exception) -> PassbackError:
    remote.on("GET", "/api/v1/courses/7", *is_responding)
    with pytest.raises(PassbackError) as caught:
        api.send("GET", "/api/v1/courses/{course_id}", {"course_id": 7})
    return caught.value


@pytest.mark.parametrize(
    ("came_back", "kind", "cause"),
    [
        (httpx.ConnectError("refused"), ServiceUnavailable, "canvas_unavailable"),
        (httpx.ConnectTimeout("slow"), ServiceUnavailable, "canvas_unavailable"),
        (httpx.ReadTimeout("slow"), TransientError, "canvas_timeout"),
        (httpx.ReadError("reset"), TransientError, "canvas_unavailable"),
        (httpx.RemoteProtocolError("closed"), TransientError, "canvas_unavailable"),
        (answer({}, 500), TransientError, "canvas_error"),
        (text("bad gateway", 502), TransientError, "canvas_error"),
        (text("down", 503), ServiceUnavailable, "canvas_unavailable"),
        (text("", 302, Location="https://elsewhere.test"), ServiceUnavailable, "canvas_unavailable"),
        (text("<html>page unavailable</html>", 200, "text/html"), ServiceUnavailable, "canvas_unavailable"),
        (text('{"id": 1', 200, "application/json"), TransientError, "canvas_error"),
        (text("", 429), ServiceUnavailable, "canvas_throttled"),
        (text("403 Forbidden (Rate Limit Exceeded)", 403), ServiceUnavailable, "canvas_throttled"),
        (answer({"message": "Too many requests. Wait 4 seconds."}, 403), ServiceUnavailable, "canvas_throttled"),
        (answer({"errors": [{"message": "user not authorized"}]}, 403), AccessDenied, "canvas_403"),
        (answer({"errors": [{"message": "Invalid access token."}]}, 401), AccessDenied, "canvas_401"),
        (answer({"errors": [{"message": "no such thing"}]}, 404), NotFound, "canvas_404"),
        (answer({"message": "too many students"}, 400), RequestRejected, "canvas_400"),
    ],
)
def test_every_failure_becomes_one_error_of_ours(
    api: RemoteApi,
    remote: ScriptedRemote,
    came_back: httpx.Response | Exception,
    kind: type[PassbackError],
    cause: str,
) -> None:
    """Use cases meet the errors of one tree, with a cause that can be counted."""
    error = failure_of(api, remote, came_back)
    assert type(error) is kind
    assert getattr(error, "cause", None) == cause


@pytest.mark.parametrize(
    ("came_back", "outcome_unknown"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ReadTimeout("slow"), True),
        (httpx.RemoteProtocolError("closed"), True),
        (answer({}, 500), True),
        (text("down", 503), False),
        (text("", 429), False),
    ],
)
def test_a_write_that_may_be_done_says_so(
    api: RemoteApi, remote: ScriptedRemote, came_back: httpx.Response | Exception, outcome_unknown: bool
) -> None:
    """What was turned away was not carried out; after anything else nobody knows. A read is never done."""
    remote.on("PUT", "/api/v1/courses/7", came_back)
    with pytest.raises(TransientError) as caught:
        api.send("PUT", "/api/v1/courses/{course_id}", {"course_id": 7}, body={})
    assert caught.value.outcome_unknown is outcome_unknown
    error = failure_of(api, remote, came_back)
    assert isinstance(error, TransientError)
    assert not error.outcome_unknown


@pytest.mark.parametrize(
    ("came_back", "seconds"),
    [
        (text("", 429, Retry_After="3"), 3),
        (text("", 429, Retry_After="Mon, 06 Oct 2031 19:00:09 GMT"), 9),
        (answer({"message": "Too many requests. Wait 4 seconds."}, 403), 4),
        (text("", 503, Retry_After="90"), 90),
        (text("", 429, Retry_After="86400"), MAX_RETRY_AFTER.total_seconds()),
    ],
)
def test_the_wait_that_is_asked_for_is_kept(
    api: RemoteApi, remote: ScriptedRemote, came_back: httpx.Response, seconds: float
) -> None:
    """By header in seconds or as a date, or in the text."""
    error = failure_of(api, remote, came_back)
    assert isinstance(error, ServiceUnavailable)
    assert error.delay == timedelta(seconds=seconds)


@pytest.mark.parametrize("header", ["soon", "-3", "0", "nan", "inf"])
def test_a_senseless_wait_is_ignored(api: RemoteApi, remote: ScriptedRemote, gate: OpenGate, header: str) -> None:
    """The own backoff stands in for it."""
    failure_of(api, remote, text("", 429, Retry_After=header))
    assert gate.failures == [("canvas_throttled", None)]


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize("throttled", [text("", 429), text("403 Forbidden (Rate Limit Exceeded)", 403)])
def test_a_throttled_request_is_sent_again_in_its_place(
    api: RemoteApi, remote: ScriptedRemote, gate: OpenGate, method: str, throttled: httpx.Response
) -> None:
    """It was not carried out, so that it is the same request, body and all, for a read as for a write."""
    gate.waited_out = 2
    remote.on(method, "/a/1", throttled, throttled, answer({"id": 1}))
    body = None if method == "GET" else {"score": 1}
    assert api.send(method, "/a/{id}", {"id": 1}, body=body).body == {"id": 1}
    assert [request.content for request in remote.requests] == [b"" if body is None else b'{"score":1}'] * 3
    assert [again is None for again in gate.again] == [True, False, False]
    assert gate.left == [False, False, True]


def test_a_write_that_waited_is_sent_only_if_it_may_be(api: RemoteApi, remote: ScriptedRemote, gate: OpenGate) -> None:
    """A sync that lost its course while it waited writes nothing; a read does no harm."""
    gate.waits = timedelta(seconds=3)
    remote.on("PUT", "/a/1", answer({})).on("GET", "/a/1", answer({}))

    def lost() -> None:
        raise LeaseLost("7")

    with use_context(RequestContext(1, lambda: timedelta(seconds=9), check_write=lost)):
        api.send("GET", "/a/{id}", {"id": 1})
        with pytest.raises(LeaseLost):
            api.send("PUT", "/a/{id}", {"id": 1}, body={})
    assert [request.method for request in remote.requests] == ["GET"]
    assert (gate.under_way, gate.unsent) == (0, 1)


def test_errors_name_the_call_by_its_template(api: RemoteApi, remote: ScriptedRemote) -> None:
    """No id in a path, no query, no text of the answer reaches a log line."""
    error = failure_of(api, remote, answer({"message": "Some Body is not here"}, 404))
    assert str(error) == "GET /api/v1/courses/{course_id}: 404"


def test_an_unknown_status_is_unexpected(api: RemoteApi, remote: ScriptedRemote) -> None:
    """Nothing is guessed from it."""
    assert isinstance(failure_of(api, remote, httpx.Response(199)), UnexpectedResponse)


def test_redirects_are_never_followed(api: RemoteApi, remote: ScriptedRemote) -> None:
    """The page behind an outage's redirect answers 200."""
    failure_of(api, remote, text("", 302, Location="https://canvas.test/maintenance"))
    assert len(remote.requests) == 1


def test_every_request_is_counted(remote: ScriptedRemote, gate: OpenGate, clock: ManualClock) -> None:
    """By system, path template and status, or by what went wrong."""
    seen: list[tuple[str, ...]] = []
    http = http_client("https://canvas.test", 5, transport=remote.transport)
    api = RemoteApi("canvas", http, gate, clock, count=lambda name, *labels, amount=1: seen.append((name, *labels)))
    remote.on("GET", "/a/1", answer({}), httpx.ReadTimeout("slow"))
    api.send("GET", "/a/{id}", {"id": 1})
    with pytest.raises(TransientError):
        api.send("GET", "/a/{id}", {"id": 1})
    requests = [labels for name, *labels in seen if name == "requests"]
    assert requests == [["canvas", "GET /a/{id}", "2xx"], ["canvas", "GET /a/{id}", "timeout"]]


def test_ids_cannot_leave_their_place_in_the_path(api: RemoteApi, remote: ScriptedRemote) -> None:
    """An id that is no id addresses nothing else."""
    remote.on("GET", "/a/7%2F..%2Fb", answer({}))
    remote.on("GET", "/a/7/../b", answer({}))
    api.send("GET", "/a/{id}", {"id": "7/../b"})
    assert remote.requests[0].url.raw_path == b"/a/7%2F..%2Fb"


@pytest.mark.parametrize(
    ("probed", "kind"),
    [
        (answer({"id": 1}), TransientError),
        (answer({"errors": [{"message": "Insufficient scopes on access token."}]}, 401), TransientError),
        (httpx.ReadTimeout("slow"), ServiceUnavailable),
        (httpx.ReadError("reset"), ServiceUnavailable),
        (answer({}, 500), ServiceUnavailable),
        (text("<html>page unavailable</html>", 200, "text/html"), ServiceUnavailable),
    ],
)
@pytest.mark.parametrize("failure", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), answer({}, 500)])
def test_a_probe_tells_an_outage_from_one_requests_trouble(
    remote: ScriptedRemote,
    gate: OpenGate,
    clock: ManualClock,
    failure: httpx.Response | Exception,
    probed: httpx.Response | Exception,
    kind: type[TransientError],
) -> None:
    """A request that breaks off spends an attempt if the system answers a cheap one; else everybody waits."""
    http = http_client("https://canvas.test", 5, transport=remote.transport)
    api = RemoteApi("canvas", http, gate, clock, probe="/api/v1/users/self")
    remote.on("GET", "/api/v1/users/self", probed)
    assert type(failure_of(api, remote, failure)) is kind
    assert len(remote.requests) == 2
