"""A call as it may be logged, and its answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, TypeVar

import httpx
import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from shared.adapters.http import decimal_json
from shared.adapters.http.decimal_json import Json
from shared.adapters.http.error_text import MAX_ERROR_TEXT_CHARS, cut, error_messages, masked
from shared.errors import UnexpectedResponse

T = TypeVar("T")

_ID = re.compile(r"[\w.:-]{1,64}", re.ASCII)

Decoder = msgspec.json.Decoder[Any]


@dataclass(frozen=True, slots=True)
class Call:
    """One call, by its path template: safe to log."""

    system: str
    method: str
    template: str

    def __str__(self) -> str:
        return f"{self.method} {self.template}"


class Content(Enum):
    """What the body of an answer turned out to be."""

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

    `body` is the parsed JSON, None where there is none. `raw_error_text` is unmasked and cut. `next_url` is the page
    that a `Link` header calls next, `own_url` the one that it calls this page or the first one. `decoded` is there
    instead of `body` where a decoder was given that could read it. `seconds` is how long the exchange took.
    """

    call: Call
    status: int
    headers: httpx.Headers
    content: Content
    body: Json
    raw_error_text: str
    next_url: str | None = None
    decoded: object = None
    own_url: str | None = None
    seconds: float = 0.0

    @classmethod
    def of(
        cls,
        call: Call,
        response: httpx.Response,
        decoder: "Decoder | None" = None,
        raw: bytes | None = None,
        seconds: float = 0.0,
    ) -> "ApiResponse":
        """Return the response as an answer. Its text counts as spoken only if it is JSON or plain text.

        `raw` is its body, where it was read apart from it.

        The decoder is for large answers of a known form: it makes no objects of what nobody needs. What it cannot
        read, and every failure, is read like any other answer.
        """
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        next_url, own_url = _linked(response, "next"), _linked(response, "current", "first")
        raw = response.content if raw is None else raw
        if decoder is not None and response.is_success and "json" in media_type:
            decoded = _decoded(raw, decoder)
            if decoded is not None:
                content = Content.JSON
                return cls(
                    call, response.status_code, response.headers, content, None, "", next_url, decoded, own_url, seconds
                )
        content, body = _read(raw, media_type)
        # A success has much to read, and nothing to say.
        texts = [] if response.is_success and content is Content.JSON else error_messages(body)
        if not texts and media_type == "text/plain":
            texts = [cut(raw[: 4 * MAX_ERROR_TEXT_CHARS].decode(errors="replace"))]
        raw_error_text = " · ".join(texts)
        return cls(
            call,
            response.status_code,
            response.headers,
            content,
            body,
            raw_error_text,
            next_url,
            None,
            own_url,
            seconds,
        )

    @property
    def has_content(self) -> bool:
        """Say whether there is anything in the body."""
        return bool(self.body or self.decoded)

    @property
    def succeeded(self) -> bool:
        """Say whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """What the system said, without personal data."""
        return masked(self.raw_error_text)

    def __str__(self) -> str:
        return f"{self.call}: {self.status}"

    def parsed(self, wire: TypeAdapter[T], value: Json = None) -> T:
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
        give what was asked for, as it does where a right is missing.
        """
        found = self.body if value is None else value
        try:
            return wire.validate_python(found), []
        except ValidationError as error:
            problems = _by_row(error)
            if not isinstance(found, list) or None in problems or not problems:
                raise self.unexpected(f"no usable {fields_of(error)}") from None
            if len(problems) == len(found) and set.intersection(*map(_absent, problems.values())):
                raise self.unexpected(f"no usable {fields_of(error)}") from None
        good = [row for number, row in enumerate(found) if number not in problems]
        odd = [UnreadableRow(found[number], _fields(own)) for number, own in problems.items() if number is not None]
        return wire.validate_python(good), odd

    def unexpected(self, what: str) -> UnexpectedResponse:
        """Return the error for an answer that its reference does not describe."""
        return UnexpectedResponse(f"{self}, {what}", cause=f"{self.call.system}_unexpected")


def _linked(response: httpx.Response, *relations: str) -> str | None:
    """Return the address that the `Link` header gives the first of these relations that it has.

    A relative one is relative to what was asked for (RFC 8288). One that is no address is returned as it is.
    """
    links = response.links
    url = next((url for url in (links.get(each, {}).get("url") for each in relations) if url), None)
    try:
        return None if url is None else str(response.url.join(url))
    except httpx.InvalidURL:
        return url


def _decoded(content: bytes, decoder: Decoder) -> object:
    try:
        return decoder.decode(content)
    except (ValueError, ArithmeticError, RecursionError):
        # Of another form, no JSON, no UTF-8, with an impossible number, or nested without end.
        return None


def _read(content: bytes, media_type: str) -> tuple[Content, Json]:
    if not content.strip():
        return Content.EMPTY, None
    is_json = "json" in media_type
    try:
        body = decimal_json.loads(content)
    except ValueError:
        return (Content.BROKEN_JSON if is_json else Content.OTHER), None
    return (Content.JSON if is_json else Content.OTHER), body


def fields_of(error: ValidationError) -> str:
    """Return the names of the fields that are missing or malformed; never a value."""
    return _fields(problems_of(error))


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


def _absent(problems: Sequence[ErrorDetails]) -> set[str]:
    """Return the fields that a row lacks. A row that is refused as a whole lacks one of several."""
    return {_fields([problem]) for problem in problems if problem["type"] == "missing" or len(problem["loc"]) == 1}


def _fields(problems: Sequence[ErrorDetails]) -> str:
    """Name the fields by their keys; positions in lists say nothing, and unions add names of types."""
    paths = [".".join(part for part in problem["loc"] if isinstance(part, str)) for problem in problems] or [""]
    return ", ".join(list(dict.fromkeys(path or "body" for path in paths))[:5])
