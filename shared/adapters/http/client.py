"""Sends a request to a remote system for both clients: through its limiter, timed, counted, its failures translated."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypedDict, Unpack
from urllib.parse import quote, urlencode

import httpx

from shared.adapters.http.exchange import (
    BodyTooLarge,
    current_context,
    is_over,
    read_body,
    request_deadline,
)
from shared.adapters.http.response import (
    ApiResponse,
    Decoder,
    Failure,
    FailureKind,
    RequestInfo,
    classify_exception,
    failure_of,
    retry_after,
)
from shared.adapters.http.wire import Json, dumps
from shared.adapters.redis.remote_limits.remote_limiter import Permit, RemoteLimiter
from shared.adapters.telemetry.tracing import span
from shared.clock import Clock
from shared.domain.metrics import REQUEST_BOUNDS_S, SUM_MS, CounterName, bucket_for
from shared.errors import (
    AccessDenied,
    NotFound,
    PassbackError,
    PermanentError,
    RequestRejected,
    ResponseTooLarge,
    ServiceUnavailable,
    TransientError,
)
from shared.ports.passback import Count, ignore_count

Params = Sequence[tuple[str, str]]

# How long Canvas or PowerSchool may be silent before a request is given up.
RESPONSE_TIMEOUT_S = 30.0
PROBE_TIMEOUT_S = 5.0
# A write that waited for so long is sent only if its sync may still write.
LONG_WAIT = timedelta(seconds=1)
# A whole exchange may take as long as two timeouts, and its upload this long for each byte.
EXCHANGE_TIMEOUTS = 2.0
UPLOAD_S_PER_BYTE = 1 / 50_000
# The largest bodies that are read: of a list, of a small response such as a token, of a refusal (the rest is dropped).
MAX_BYTES = 32_000_000
MAX_BYTES_SMALL = 64_000
MAX_BYTES_REFUSAL = 1_000_000


def max_exchange(timeout_s: float) -> timedelta:
    """Return how long a whole exchange may take with this timeout, without an upload."""
    return timedelta(seconds=EXCHANGE_TIMEOUTS * timeout_s)


class RequestOptions(TypedDict, total=False):
    """What a request has beside its method and path.

    `content` is a body that is no JSON; its type is in `headers`. A `url` (a page's successor) replaces path and
    `params`. For `decoder` see `ApiResponse.of`. A response of more than `max_bytes` is read no further.
    """

    params: Params
    body: Json
    content: bytes
    form: Mapping[str, str]
    headers: Mapping[str, str]
    url: str | None
    decoder: Decoder | None
    max_bytes: int


class RemoteApi:
    """A system that speaks JSON over HTTP. Raises the errors of `shared.errors` and nothing of httpx.

    `read_refusal` returns the error for a refusal that only this system uses; None applies the general rules. `advice`
    returns the interval between requests that a response advises. `probe` is the path of a cheap GET. It is sent after
    a failure that may be the request's own, such as a timeout: if it fails as well, the whole system is unavailable, so
    that no job spends an attempt on an outage.
    """

    def __init__(
        self,
        system: str,
        http: httpx.Client,
        limiter: RemoteLimiter,
        clock: Clock,
        *,
        count: Count = ignore_count,
        read_refusal: Callable[[ApiResponse], PermanentError | None] = lambda _: None,
        advice: Callable[[ApiResponse], timedelta | None] = lambda _: None,
        probe: str | None = None,
    ) -> None:
        self._system = system
        self._http = http
        self._base_url = str(http.base_url).rstrip("/")
        self._timeout = http.timeout.as_dict()
        self._max_exchange_s = max_exchange(http.timeout.read or PROBE_TIMEOUT_S).total_seconds()
        self._limiter = limiter
        self._clock = clock
        self._count = count
        self._read_refusal = read_refusal
        self._advice = advice
        self._probe = probe

    def send(
        self, method: str, template: str, ids: Mapping[str, object] | None = None, **options: Unpack[RequestOptions]
    ) -> ApiResponse:
        """Return a successful response. `ids` fill the path template.

        Raises: ServiceUnavailable, TransientError, RequestRejected and its kinds, UnexpectedResponse, ResponseTooLarge.
        """
        info = RequestInfo(self._system, method, template)
        path = template.format_map({name: quote(str(value), safe="") for name, value in (ids or {}).items()})
        request = self._request(method, path, options)
        try:
            response, failure = self._send_until_admitted(info, request, options)
        except httpx.RequestError as error:
            failure = classify_exception(error)
            raise self._record_failure(info, f"{info}: {failure[0]}", failure) from error
        if failure is not None:
            wait = retry_after(response, self._clock.now())
            raise self._record_failure(info, f"{response} {failure[0]}", failure, wait)
        if not response.succeeded:
            raise self._read_refusal(response) or _refusal(response)
        return response

    def is_responding(self) -> bool:
        """Say whether the system answers a cheap request now. Ignores the circuit, and changes nothing."""
        if self._probe is None:
            return False
        request = self._http.build_request("GET", self._probe, timeout=PROBE_TIMEOUT_S)
        try:
            response = self._exchange(RequestInfo(self._system, "GET", self._probe), request)
        except (PassbackError, httpx.RequestError):
            return False
        return failure_of(response) is None

    def ask(self) -> None:
        """Send a cheap request as any other is sent: paced, and recorded if it fails. Raises as `send` does."""
        if self._probe is not None:
            self.send("GET", self._probe)

    def pause(self, cause: str, duration: timedelta) -> None:
        """Let no worker call the system for this long."""
        self._limiter.record_failure(cause, duration, for_everybody=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(self, method: str, path: str, options: RequestOptions) -> httpx.Request:
        """Return what the client's own `build_request` does, in a third of its time: the address is whole already."""
        params, body = options.get("params"), options.get("body")
        headers = self._http.headers.copy()
        headers.update(options.get("headers"))
        if body is not None:
            headers["Content-Type"] = "application/json"
        return httpx.Request(
            method,
            options.get("url") or f"{self._base_url}{path}{f'?{urlencode(list(params))}' if params else ''}",
            headers=headers,
            cookies=self._http.cookies,
            content=options.get("content") if body is None else dumps(body).encode(),
            data=options.get("form"),
            extensions={"timeout": self._timeout},
        )

    def _send_until_admitted(
        self, info: RequestInfo, request: httpx.Request, options: RequestOptions
    ) -> tuple[ApiResponse, Failure | None]:
        """Return the response of the first exchange that is not throttled, and the failure that it means.

        A throttled request was not carried out, whatever its method: it is sent again in its place, once its turn has
        come. Raises `ServiceUnavailable` where the pause is long or the turn too far away.
        """
        permit: Permit | None = None
        while True:
            response, failure, permit = self._send_with_permit(info, request, options, permit)
            if failure is None or failure[0] is not FailureKind.THROTTLED:
                return response, failure
            pause = self._throttled(response, permit)
            if pause is not None:
                kind = FailureKind.THROTTLED
                raise ServiceUnavailable(f"{response} {kind}", cause=f"{self._system}_{kind}", delay=pause)

    def _throttled(self, response: ApiResponse, permit: Permit) -> timedelta | None:
        self._count(CounterName.FAILURES_BY_KIND, self._system, FailureKind.THROTTLED)
        wait = retry_after(response, self._clock.now())
        return self._limiter.record_throttled(permit, f"{self._system}_{FailureKind.THROTTLED}", wait)

    def _send_with_permit(
        self, info: RequestInfo, request: httpx.Request, options: RequestOptions, again: Permit | None
    ) -> tuple[ApiResponse, Failure | None, Permit]:
        """Return the response, the failure that it means, and the permit, which is released in any case."""
        context = current_context()
        if context:
            context.check_wait()
        permit = self._limiter.acquire(again)
        if context and permit.waited >= LONG_WAIT and info.method != "GET":
            try:
                context.check_write()
            except BaseException:
                self._limiter.release(permit, succeeded=False, sent=False)
                raise
        succeeded, advised = False, None
        try:
            response = self._exchange(info, request, options.get("decoder"), options.get("max_bytes", MAX_BYTES))
            # A refusal of one request is no failure of the system.
            is_refusal = not response.succeeded and self._read_refusal(response) is not None
            failure = None if is_refusal else failure_of(response)
            succeeded = failure is None
            advised = self._advice(response)
        finally:
            self._limiter.release(permit, succeeded=succeeded, advised=advised)
        return response, failure, permit

    def _exchange(
        self, info: RequestInfo, request: httpx.Request, decoder: Decoder | None = None, max_bytes: int = MAX_BYTES
    ) -> ApiResponse:
        """Return what came back, whatever its status. Raises: httpx.RequestError, ServiceUnavailable."""
        with span(str(info), {"system": self._system}) as set_attribute:
            started = time.perf_counter()
            try:
                upload_s = int(request.headers.get("Content-Length", 0)) * UPLOAD_S_PER_BYTE
                with request_deadline(info.method, self._max_exchange_s + upload_s):
                    response, content = self._receive(info, request, max_bytes)
            except httpx.RequestError as error:
                self._count_request(info, classify_exception(error)[0], time.perf_counter() - started)
                raise
            except ServiceUnavailable as ended:
                ended.outcome_unknown = info.method != "GET"
                raise
            seconds = time.perf_counter() - started
            self._count_request(info, f"{response.status_code // 100}xx", seconds)
            set_attribute("http.response.status_code", response.status_code)
            return ApiResponse.of(info, response, decoder, content, seconds)

    def _count_request(self, info: RequestInfo, result: str, seconds: float) -> None:
        self._count(CounterName.REQUESTS, self._system, str(info), result)
        self._count(CounterName.REQUEST_SECONDS, self._system, bucket_for(seconds, REQUEST_BOUNDS_S))
        self._count(CounterName.REQUEST_SECONDS, self._system, SUM_MS, amount=round(seconds * 1000))

    def _receive(self, info: RequestInfo, request: httpx.Request, max_bytes: int) -> tuple[httpx.Response, bytes]:
        response = self._http.send(request, stream=True)
        try:
            return response, read_body(
                response, max_bytes if response.is_success else min(max_bytes, MAX_BYTES_REFUSAL)
            )
        except BodyTooLarge as body:
            if response.is_success:
                message = f"{info}: {response.status_code}, more than {max_bytes} bytes"
                raise ResponseTooLarge(message, cause=f"{self._system}_unexpected") from None
            return response, body.start
        finally:
            response.close()

    def _record_failure(
        self, info: RequestInfo, message: str, failure: Failure, wait: timedelta | None = None
    ) -> TransientError:
        """Record the failure, probe the system where it may be the request's own, and return the error."""
        kind, for_everybody = failure
        cause = f"{self._system}_{kind}"
        # A failure that concerns every request came before this one was looked at; any other may have carried it out.
        outcome_unknown = info.method != "GET" and not for_everybody
        self._count(CounterName.FAILURES_BY_KIND, self._system, kind)
        pause = self._limiter.record_failure(cause, wait, for_everybody=for_everybody)
        if pause is None and not self._probe_succeeds():
            pause = self._limiter.record_failure(cause, for_everybody=True)
        if pause is None:
            return TransientError(message, cause=cause, outcome_unknown=outcome_unknown)
        return ServiceUnavailable(message, cause=cause, delay=pause, outcome_unknown=outcome_unknown)

    def _probe_succeeds(self) -> bool:
        if self._probe is None or is_over(current_context()):
            # Where the time of the work is over, a probe has none.
            return True
        request = self._http.build_request("GET", self._probe, timeout=PROBE_TIMEOUT_S)
        try:
            permit = self._limiter.acquire()
            try:
                response = self._exchange(RequestInfo(self._system, "GET", self._probe), request)
            finally:
                # The request before it failed all the same.
                self._limiter.release(permit, succeeded=False)
        except (ServiceUnavailable, httpx.RequestError):
            return False
        failure = failure_of(response)
        # A system that throttles is there.
        is_throttled = failure is not None and failure[0] is FailureKind.THROTTLED
        return self._throttled(response, permit) is None if is_throttled else failure is None


def _refusal(response: ApiResponse) -> PermanentError:
    """Return the error for a 4xx that no rule of the system's own describes."""
    if not 400 <= response.status < 500:
        return response.unexpected("a status that HTTP does not describe")
    kind = {401: AccessDenied, 403: AccessDenied, 404: NotFound}.get(response.status, RequestRejected)
    cause = f"{response.request.system}_{response.status}"
    return kind(str(response), cause=cause, status=response.status, error_text=response.error_text)
