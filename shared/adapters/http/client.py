"""One way to send a request to a remote system, for both clients: through its gate, timed, failures translated once."""

import logging
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx

from shared.adapters.http import decimal_json
from shared.adapters.http.decimal_json import Json
from shared.adapters.http.exchange import ENCODINGS, Exchange, ResponseTooSlow, bound, read_body, within
from shared.adapters.http.failure_rules import FailureKind, FailureRule, classify_exception, failure_rule, retry_after
from shared.adapters.http.limiter import Limiter, Permit
from shared.adapters.http.request_context import Errand, current_errand
from shared.adapters.http.response import ApiResponse, Call, Decoder
from shared.adapters.telemetry.tracing import span
from shared.clock import Clock
from shared.errors import (
    AccessDenied,
    NotFound,
    PermanentError,
    RequestRejected,
    ResponseTooLarge,
    ServiceUnavailable,
    TransientError,
)

Params = Sequence[tuple[str, str]]
OnRequest = Callable[[str, str, int | str, float], None]
"""Called with system, `PUT /path/template`, status (or trouble) and seconds, once per request."""
OnFailure = Callable[[str, str], None]
"""Called with system and trouble, once per answer that says the system is unwell."""
Advice = Callable[[ApiResponse], timedelta | None]
"""Reads from an answer the interval between requests that it advises, None where it advises none."""
ReadRefusal = Callable[[ApiResponse], PermanentError | None]
"""Reads what only one system says; None leaves the answer to the general rules."""

CONNECT_TIMEOUT_S = 5.0
# How long Canvas or PowerSchool may be silent before a request is given up.
RESPONSE_TIMEOUT_S = 30.0
PROBE_TIMEOUT_S = 5.0
# A write that waited for so long is sent only if its sync may still write.
LONG_WAIT = timedelta(seconds=1)
_MAX_CONNECTIONS = 64
# A whole exchange may take as long as two silences, and its upload this long for each byte.
EXCHANGE_TIMEOUTS = 2.0
UPLOAD_S_PER_BYTE = 1 / 50_000
# A write that is under way when its process is told to stop may be answered for so long.
STOP_GRACE_S = 5.0
LEAST_EXCHANGE_S = 1.0
# The largest bodies that are read: of a list, of a small answer such as a token, of a refusal (of which the rest goes).
MAX_BYTES = 32_000_000
MAX_BYTES_SMALL = 64_000
MAX_BYTES_REFUSAL = 1_000_000

# httpx and httpcore log whole URLs with their queries.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


def longest_exchange(timeout_s: float) -> timedelta:
    """Return how long a whole exchange may take with this timeout, without an upload."""
    return timedelta(seconds=EXCHANGE_TIMEOUTS * timeout_s)


def http_client(
    base_url: str,
    timeout_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    ca_bundle: Path | None = None,
    transport: httpx.BaseTransport | None = None,
    before_sending: Sequence[Callable[[httpx.Request], None]] = (),
) -> httpx.Client:
    """Return a client to share among threads: every wait bounded, redirects never followed.

    What `before_sending` raises keeps a request from being sent.
    """
    client = httpx.Client(
        base_url=base_url,
        timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        limits=httpx.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_CONNECTIONS),
        headers={"Accept-Encoding": ENCODINGS, **(headers or {})},
        verify=_certificates(ca_bundle) if ca_bundle else True,
        follow_redirects=False,
        transport=transport,
        event_hooks={"request": list(before_sending)},
    )
    return bound(client)


def _certificates(ca_bundle: Path) -> ssl.SSLContext:
    """Return what trusts the authorities of a PEM file, and the public ones."""
    context = httpx.create_ssl_context()
    context.load_verify_locations(cafile=str(ca_bundle))
    return context


def no_counting(_system: str, _template: str, _status: int | str, _seconds: float) -> None:
    """Count nothing."""


def ignore_failure(_system: str, _trouble: str) -> None:
    """Count nothing."""


def general_rules_only(_answer: ApiResponse) -> None:
    """Leave every refusal to the general rules."""


def no_advice(_answer: ApiResponse) -> None:
    """Read no advice."""


class RemoteApi:
    """A system that speaks JSON over HTTP. Raises the errors of `shared.errors` and nothing of httpx.

    `probe` is the path of a cheap GET. A request that fails in a way that may be its own, such as a timeout, is
    followed by it: if that fails as well, the whole system is unwell, so that an outage spends no attempt of anybody.
    """

    def __init__(
        self,
        system: str,
        http: httpx.Client,
        gate: Limiter,
        clock: Clock,
        *,
        read_refusal: ReadRefusal = general_rules_only,
        on_request: OnRequest | None = None,
        probe: str | None = None,
        on_failure: OnFailure | None = None,
        advice: Advice = no_advice,
    ) -> None:
        self._system = system
        self._http = http
        self._base_url = str(http.base_url).rstrip("/")
        self._timeout = http.timeout.as_dict()
        self._longest_s = longest_exchange(http.timeout.read or PROBE_TIMEOUT_S).total_seconds()
        self._limiter = gate
        self._clock = clock
        self._read_refusal = read_refusal
        self._on_request = on_request or no_counting
        self._probe = probe
        self._on_failure = on_failure or ignore_failure
        self._advice = advice

    def send(
        self,
        method: str,
        template: str,
        ids: Mapping[str, object] | None = None,
        *,
        params: Params = (),
        body: Json = None,
        content: bytes | None = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        url: str | None = None,
        decoder: Decoder | None = None,
        most_bytes: int = MAX_BYTES,
    ) -> ApiResponse:
        """Return a successful answer. `ids` fill the template; a `url` (a page's successor) replaces both.

        `content` is a body that is no JSON; its type is in `headers`. For `decoder` see `ApiResponse.of`. A response of
        more than `most_bytes` is read no further.

        Raises: ServiceUnavailable, TransientError, RequestRejected and its kinds, UnexpectedResponse, ResponseTooLarge.
        """
        call = Call(self._system, method, template)
        path = template.format_map({name: quote(str(value), safe="") for name, value in (ids or {}).items()})
        text = None if body is None else decimal_json.dumps(body).encode()
        request = self._request(
            method,
            url or f"{self._base_url}{path}{_query(params)}",
            {**(headers or {}), **({"Content-Type": "application/json"} if text else {})},
            content if text is None else text,
            form,
        )
        try:
            answer, sign = self._until_let_through(call, request, decoder, most_bytes)
        except httpx.RequestError as error:
            trouble, whole_system = classify_exception(error)
            raise self._unwell(call, f"{call}: {trouble}", trouble, None, whole_system=whole_system) from error
        if sign is not None:
            raise self._record_failure(answer, sign)
        if not answer.succeeded:
            raise self._read_refusal(answer) or _refusal(answer)
        return answer

    def pause(self, cause: str, duration: timedelta) -> None:
        """Let no worker call the system for this long."""
        self._limiter.failed(cause, duration, whole_system=True)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        content: bytes | None,
        form: Mapping[str, str] | None,
    ) -> httpx.Request:
        """Return what the client's own `build_request` does, in a third of its time: the address is whole already."""
        all_headers = self._http.headers.copy()
        all_headers.update(headers)
        return httpx.Request(
            method,
            url,
            headers=all_headers,
            cookies=self._http.cookies,
            content=content,
            data=form,
            extensions={"timeout": self._timeout},
        )

    def _until_let_through(
        self, call: Call, request: httpx.Request, decoder: Decoder | None, most_bytes: int
    ) -> tuple[ApiResponse, FailureRule | None]:
        """Return the answer, and what it says about the system's health, of the first exchange that is not throttled.

        A throttled request was not carried out, whatever its method: it is sent again in its place, once its turn has
        come. Raises `ServiceUnavailable` where the pause is long or the turn too far away.
        """
        permit: Permit | None = None
        while True:
            answer, sign, permit = self._exchanged(call, request, decoder, most_bytes, permit)
            if sign is None or sign.trouble is not FailureKind.THROTTLED:
                return answer, sign
            self._on_failure(self._system, sign.trouble.value)
            pause = self._throttled(answer, permit)
            if pause is not None:
                raise ServiceUnavailable(
                    f"{answer} {sign.trouble}", cause=f"{self._system}_{sign.trouble}", delay=pause
                )

    def _throttled(self, answer: ApiResponse, permit: Permit) -> timedelta | None:
        asked = retry_after(answer, self._clock.now())
        return self._limiter.throttled(permit, f"{self._system}_{FailureKind.THROTTLED}", asked)

    def _exchanged(
        self, call: Call, request: httpx.Request, decoder: Decoder | None, most_bytes: int, again: Permit | None
    ) -> tuple[ApiResponse, FailureRule | None, Permit]:
        """Return the answer, and what it says about the system's health. Whatever happens, the gate is left."""
        errand = current_errand()
        if errand:
            errand.check_wait()
        permit = self._limiter.enter(again)
        if permit.waited >= LONG_WAIT and call.method != "GET":
            self._check_write(permit)
        well, advised = False, None
        try:
            answer = self._sent(call, request, decoder, most_bytes)
            sign = self._failure_rule(answer)
            well = sign is None
            advised = self._advice(answer)
        finally:
            self._limiter.leave(permit, answered=well, advised=advised)
        return answer, sign, permit

    def _check_write(self, permit: Permit) -> None:
        """Make sure that a write may still be sent, such as that its sync still has its course."""
        errand = current_errand()
        try:
            if errand:
                errand.check_write()
        except BaseException:
            self._limiter.leave(permit, answered=False, sent=False)
            raise

    def _sent(
        self, call: Call, request: httpx.Request, decoder: Decoder | None = None, most_bytes: int = MAX_BYTES
    ) -> ApiResponse:
        with span(str(call), {"system": self._system}) as notes:
            started = time.perf_counter()
            try:
                with within(self._exchange(call, request)):
                    response, content = self._received(call, request, most_bytes)
            except httpx.RequestError as error:
                self._on_request(
                    self._system, str(call), classify_exception(error)[0].value, time.perf_counter() - started
                )
                raise
            except ServiceUnavailable as ended:
                if call.method != "GET":
                    raise ServiceUnavailable(
                        str(ended), cause=ended.cause, delay=ended.delay, outcome_unknown=True
                    ) from None
                raise
            seconds = time.perf_counter() - started
            self._on_request(self._system, str(call), response.status_code, seconds)
            notes.note("http.response.status_code", response.status_code)
            return ApiResponse.of(call, response, decoder, content, seconds)

    def _exchange(self, call: Call, request: httpx.Request) -> Exchange:
        """Return the bounds in time of a request: its own, and those of the work that it is sent for.

        A write that began is not given up for the deadline of its work: whether it was carried out would be unknown.
        """
        errand = current_errand()
        longest = self._longest_s + int(request.headers.get("Content-Length", 0)) * UPLOAD_S_PER_BYTE
        if errand is None:
            return Exchange(longest, _go_on)
        if call.method != "GET":
            return Exchange(longest, _AfterGrace(errand.check_stop))
        return Exchange(min(longest, max(errand.patience().total_seconds(), LEAST_EXCHANGE_S)), errand.check_stop)

    def _received(self, call: Call, request: httpx.Request, most_bytes: int) -> tuple[httpx.Response, bytes]:
        response = self._http.send(request, stream=True)
        try:
            most = most_bytes if response.is_success else min(most_bytes, MAX_BYTES_REFUSAL)
            return response, read_body(response, most)
        except ResponseTooSlow as long:
            if response.is_success:
                message = f"{call}: {response.status_code}, more than {most_bytes} bytes"
                raise ResponseTooLarge(message, cause=f"{self._system}_unexpected") from None
            return response, long.start
        finally:
            response.close()

    def _failure_rule(self, answer: ApiResponse) -> FailureRule | None:
        """Return the sign of trouble in the answer, None where it is a success or a refusal of one request."""
        return None if not answer.succeeded and self._read_refusal(answer) else failure_rule(answer)

    def _record_failure(self, answer: ApiResponse, sign: FailureRule) -> TransientError:
        asked = retry_after(answer, self._clock.now())
        message = f"{answer} {sign.trouble}"
        return self._unwell(answer.call, message, sign.trouble, asked, whole_system=sign.whole_system)

    def _probe_succeeded(self) -> bool:
        if self._probe is None or _is_over(current_errand()):
            # Where the time of the work is over, nobody learns whether others are answered.
            return True
        request = self._http.build_request("GET", self._probe, timeout=PROBE_TIMEOUT_S)
        try:
            permit = self._limiter.enter()
            try:
                answer = self._sent(Call(self._system, "GET", self._probe), request)
            finally:
                # The request before it failed all the same.
                self._limiter.leave(permit, answered=False)
        except (ServiceUnavailable, httpx.RequestError):
            return False
        sign = failure_rule(answer)
        if sign is not None and sign.trouble is FailureKind.THROTTLED:
            # Whoever throttles is there.
            self._on_failure(self._system, sign.trouble.value)
            return self._throttled(answer, permit) is None
        return sign is None

    def _unwell(
        self, call: Call, message: str, trouble: FailureKind, asked: timedelta | None, *, whole_system: bool
    ) -> TransientError:
        cause = f"{self._system}_{trouble}"
        # What turns everybody away did not look at this request; anything else may have carried it out.
        outcome_unknown = call.method != "GET" and not whole_system
        self._on_failure(self._system, trouble.value)
        pause = self._limiter.failed(cause, asked, whole_system=whole_system)
        if pause is None and not self._probe_succeeded():
            pause = self._limiter.failed(cause, whole_system=True)
        if pause is None:
            return TransientError(message, cause=cause, outcome_unknown=outcome_unknown)
        return ServiceUnavailable(message, cause=cause, delay=pause, outcome_unknown=outcome_unknown)


class _AfterGrace:
    """A check that raises from a few seconds after it first would have."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._until: float | None = None

    def __call__(self) -> None:
        try:
            self._check()
        except ServiceUnavailable:
            now = time.monotonic()
            if self._until is None:
                self._until = now + STOP_GRACE_S
            if now >= self._until:
                raise


def _go_on() -> None:
    """Let everything go on."""


def _is_over(errand: Errand | None) -> bool:
    if errand is None:
        return False
    try:
        errand.check_wait()
    except ServiceUnavailable:
        return True
    return errand.patience() <= timedelta(0)


def _query(params: Params) -> str:
    return f"?{urlencode(list(params))}" if params else ""


def _refusal(answer: ApiResponse) -> PermanentError:
    """Return the error for a 4xx that no rule of the system's own describes."""
    match answer.status:
        case 401 | 403:
            kind: type[RequestRejected] = AccessDenied
        case 404:
            kind = NotFound
        case status if 400 <= status < 500:
            kind = RequestRejected
        case _:
            return answer.unexpected("a status that HTTP does not describe")
    return kind(str(answer), cause=f"{answer.call.system}_{answer.status}", status=answer.status, words=answer.words)
