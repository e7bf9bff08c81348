"""The response to a request, read once: JSON, rows, error text; and which responses are a failure of the system."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import Enum, StrEnum, auto
from typing import Any, TypeVar

import httpx
import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from shared.adapters.http.error_text import MAX_ERROR_TEXT_CHARS, cut, error_messages, redact
from shared.adapters.http.wire import Json, loads
from shared.errors import UnexpectedResponse

T = TypeVar("T")

_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)

Decoder = msgspec.json.Decoder[Any]


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request by its path template: safe to log."""

    system: str
    method: str
    template: str

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


class Payload(Enum):
    """What the body of a response turned out to be."""

    EMPTY = auto()
    JSON = auto()
    BROKEN_JSON = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of a list that could not be read: the row as it came, and its fields that are missing or malformed."""

    row: Json
    fields: str

    def id(self, name: str = "id") -> str | None:
        """Return what the row has under `name`, None unless it is an id: a number, or text without blanks."""
        value = self.row.get(name) if isinstance(self.row, dict) else None
        is_id = isinstance(value, int) and not isinstance(value, bool)
        return str(value) if is_id or (isinstance(value, str) and _ID.fullmatch(value)) else None


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """What came back, read once.

    `body` is the parsed JSON, None where there is none. `raw_error_text` is cut, not redacted. `next_url` is the page
    that a `Link` header calls next, `current_url` the one that it calls this page or the first one. `decoded` is there
    instead of `body` where a decoder was given that could read it. `seconds` is how long the exchange took.
    """

    request: RequestInfo
    status: int
    headers: httpx.Headers
    payload: Payload
    body: Json
    raw_error_text: str
    next_url: str | None = None
    current_url: str | None = None
    decoded: object = None
    seconds: float = 0.0

    @classmethod
    def of(
        cls,
        request: RequestInfo,
        response: httpx.Response,
        decoder: "Decoder | None" = None,
        raw: bytes | None = None,
        seconds: float = 0.0,
    ) -> "ApiResponse":
        """Return the response of httpx, whose body is `raw` where it was read apart from it.

        The decoder is for large responses of a known form: it makes no objects of fields that nobody needs. What it
        cannot read, and every failure, is read like any other response.
        """
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        raw = response.content if raw is None else raw
        use_decoder = decoder is not None and response.is_success and "json" in media_type
        decoded = _decode(raw, decoder) if decoder is not None and use_decoder else None
        payload, body = (Payload.JSON, None) if decoded is not None else _read(raw, media_type)
        # A success has no error text.
        texts = [] if response.is_success and payload is Payload.JSON else error_messages(body)
        if not texts and media_type == "text/plain":
            texts = [cut(raw[: 4 * MAX_ERROR_TEXT_CHARS].decode(errors="replace"))]
        next_url, current_url = _linked(response, "next"), _linked(response, "current", "first")
        status, headers, text = response.status_code, response.headers, " · ".join(texts)
        return cls(request, status, headers, payload, body, text, next_url, current_url, decoded, seconds)

    @property
    def has_content(self) -> bool:
        """Say whether there is anything in the body."""
        return bool(self.body or self.decoded)

    @property
    def succeeded(self) -> bool:
        """Say whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def error_text(self) -> str:
        """The system's error text, without personal data."""
        return redact(self.raw_error_text)

    def __str__(self) -> str:
        return f"{self.request}: {self.status}"

    def member(self, name: str) -> Json:
        """Return the member of this name of the body. Raises: UnexpectedResponse where the body is no JSON object."""
        if not isinstance(self.body, dict):
            raise self.unexpected(f"no usable {name}")
        return self.body.get(name)

    def parse(self, wire: TypeAdapter[T], value: Json = None) -> T:
        """Return the body, or a part of it, as the wire type.

        Raises: UnexpectedResponse naming the fields that are missing or malformed. A 200 alone proves nothing.
        """
        try:
            return wire.validate_python(self.body if value is None else value)
        except ValidationError as error:
            raise self.unexpected(f"no usable {fields_of(error)}") from None

    def rows(self, wire: TypeAdapter[list[T]], value: Json = None) -> tuple[list[T], list[UnreadableRow]]:
        """Return the rows of the body, or of a part of it, that are of the wire type, and those that are not.

        Raises: UnexpectedResponse where it is no list, and where all rows lack the same field. Then the system did not
        send what was requested, as it does where a right is missing.
        """
        rows = self.body if value is None else value
        try:
            return wire.validate_python(rows), []
        except ValidationError as error:
            problems = _by_row(error)
            if not isinstance(rows, list) or None in problems or not problems:
                raise self.unexpected(f"no usable {fields_of(error)}") from None
            if len(problems) == len(rows) and set.intersection(*map(_missing_fields, problems.values())):
                raise self.unexpected(f"no usable {fields_of(error)}") from None
        good = [row for number, row in enumerate(rows) if number not in problems]
        odd = [UnreadableRow(rows[number], _names(row)) for number, row in problems.items() if number is not None]
        return wire.validate_python(good), odd

    def unexpected(self, what: str) -> UnexpectedResponse:
        """Return the error for a response that the system's reference does not describe."""
        return UnexpectedResponse(f"{self}, {what}", cause=f"{self.request.system}_unexpected")


def _linked(response: httpx.Response, *relations: str) -> str | None:
    """Return the address that the `Link` header gives the first of these relations that it has.

    A relative one is relative to the request (RFC 8288). One that is no address is returned as it is.
    """
    links = response.links
    url = next((url for url in (links.get(relation, {}).get("url") for relation in relations) if url), None)
    try:
        return None if url is None else str(response.url.join(url))
    except httpx.InvalidURL:
        return url


def _decode(content: bytes, decoder: Decoder) -> object:
    try:
        return decoder.decode(content)
    except (ValueError, ArithmeticError, RecursionError):
        # Of another form, no JSON, no UTF-8, with an impossible number, or nested without end.
        return None


def _read(content: bytes, media_type: str) -> tuple[Payload, Json]:
    if not content.strip():
        return Payload.EMPTY, None
    is_json = "json" in media_type
    try:
        body = loads(content)
    except ValueError:
        return (Payload.BROKEN_JSON if is_json else Payload.OTHER), None
    return (Payload.JSON if is_json else Payload.OTHER), body


def fields_of(error: ValidationError) -> str:
    """Return the names of the fields that are missing or malformed; never a value."""
    return _names(problems_of(error))


def problems_of(error: ValidationError) -> list[ErrorDetails]:
    """Return the problems, or none where their text cannot be made: some quote a value that is no valid UTF-8."""
    try:
        return error.errors()
    except UnicodeEncodeError:
        return []


def _by_row(error: ValidationError) -> dict[int | None, list[ErrorDetails]]:
    """Return the problems by their row's position in the list; None for those of the list itself."""
    problems: dict[int | None, list[ErrorDetails]] = {}
    for problem in problems_of(error):
        number = problem["loc"][0] if problem["loc"] else None
        problems.setdefault(number if isinstance(number, int) else None, []).append(problem)
    return problems


def _missing_fields(problems: Sequence[ErrorDetails]) -> set[str]:
    """Return the fields that a row lacks. A row that is rejected as a whole lacks one of several."""
    return {_names([problem]) for problem in problems if problem["type"] == "missing" or len(problem["loc"]) == 1}


def _names(problems: Sequence[ErrorDetails]) -> str:
    """Name the fields by their keys; positions in lists say nothing, and unions add names of types."""
    paths = [".".join(part for part in problem["loc"] if isinstance(part, str)) for problem in problems] or [""]
    return ", ".join(list(dict.fromkeys(path or "body" for path in paths))[:5])


MAX_RETRY_AFTER = timedelta(hours=1)
_THROTTLED = re.compile(r"rate.?limit|too many|throttl|\bwait\b", re.IGNORECASE)
_SECONDS = re.compile(r"(?<![\d.])(\d{1,9}(?:\.\d{1,9})?)\s{0,3}s(?:ec(?:ond)?s?)?\b", re.IGNORECASE | re.ASCII)
_MAX_HEADER_CHARS = 64


class FailureKind(StrEnum):
    """How a system fails; the second half of the cause, as in `canvas_throttled`."""

    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    ERROR = "error"


Failure = tuple[FailureKind, bool]
"""How a system fails, and whether it fails for everybody: then no other request would fare better."""

FAILURE_RULES: Sequence[tuple[Failure, Callable[[ApiResponse], bool]]] = (
    ((FailureKind.THROTTLED, True), lambda r: r.status == 429),
    # Canvas (request_throttle.rb) and PowerSchool both throttle with a 403 that only its text tells from a refusal.
    ((FailureKind.THROTTLED, True), lambda r: r.status == 403 and _THROTTLED.search(r.raw_error_text) is not None),
    # In maintenance PowerSchool redirects to a page that has status 200 and HTML.
    ((FailureKind.UNAVAILABLE, True), lambda r: 300 <= r.status < 400 or r.status == 503),
    ((FailureKind.UNAVAILABLE, True), lambda r: r.succeeded and r.payload is Payload.OTHER),
    # A load balancer gives up a request that its server is still working on; others may succeed.
    ((FailureKind.TIMEOUT, False), lambda r: r.status in (408, 504)),
    ((FailureKind.ERROR, False), lambda r: r.status >= 500 or (r.succeeded and r.payload is Payload.BROKEN_JSON)),
)


def failure_of(response: ApiResponse) -> Failure | None:
    """Return the failure of the first rule that matches the response, None if the system works."""
    return next((failure for failure, matches in FAILURE_RULES if matches(response)), None)


def classify_exception(error: httpx.RequestError) -> Failure:
    """Return the failure of an exchange without a response.

    A connection that cannot be made concerns everyone; one that breaks or stays silent may be this request's.
    """
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError):
        return FailureKind.UNAVAILABLE, True
    is_timeout = isinstance(error, httpx.TimeoutException)
    return FailureKind.TIMEOUT if is_timeout else FailureKind.UNAVAILABLE, False


def retry_after(response: ApiResponse, now: datetime) -> timedelta | None:
    """Return how long the system asks to wait, an hour at most: by header (seconds or HTTP date) or in its text."""
    header = response.headers.get("Retry-After", "")[:_MAX_HEADER_CHARS].strip()
    match = None if header else _SECONDS.search(response.raw_error_text)
    wait = _header_wait(header, now) if header else _seconds(match[1]) if match else None
    return None if wait is None or wait <= timedelta(0) else min(wait, MAX_RETRY_AFTER)


def _header_wait(header: str, now: datetime) -> timedelta | None:
    try:
        return _seconds(header)
    except ValueError:
        pass
    try:
        time = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        # No date, or numbers that no date has.
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)) - now


def _seconds(number: str) -> timedelta | None:
    """Return a number of seconds, an hour at most. Raises: ValueError if it is none."""
    seconds = float(number)
    is_wait = math.isfinite(seconds) and seconds > 0
    return timedelta(seconds=min(seconds, MAX_RETRY_AFTER.total_seconds())) if is_wait else None
