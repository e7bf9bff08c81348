"""What PowerSchool's refusals mean: one row per sentence that it is known to use.

Sources: PowerSchool xte API reference; the PowerTeacher Pro titles of Instructure's "SIS Error Code Dictionary";
answers measured against a test server. Full bodies are not public, so sentences are recognized by their core.
"""

import re
from collections.abc import Iterator

from shared.adapters.http.error_text import error_messages, redact
from shared.adapters.http.response import ApiResponse
from shared.adapters.http.wire import Json, as_int
from shared.domain.causes import Cause
from shared.errors import AccessDenied, NotFound, PermanentError, RejectedRow, RequestRejected

# No request has more rows that could be refused.
MAX_ROWS = 1_000

_SECTION_GONE = re.compile(r"Unable to find \S{0,100}AssignmentSection with id (\d{1,19})\b", re.IGNORECASE | re.ASCII)
_STUDENT = re.compile(r"Student\.id \[(\d{1,19})\]", re.IGNORECASE | re.ASCII)

_FORBIDDEN = (
    (re.compile(r"does not teach", re.IGNORECASE), Cause.NOT_TEACHING),
    (re.compile(r"no ?access|lacks sufficient permission", re.IGNORECASE), Cause.GRANT_MISSING),
)

_NOT_CREATED = (re.compile(r"(unable to|cannot be) create", re.IGNORECASE), Cause.NOT_CREATED)

# In this order: the sentence about a duplicate may name its due date, the one about a scale its score.
_CONFLICTS = (
    (re.compile(r"already exists|duplicate|not unique", re.IGNORECASE), Cause.DUPLICATE),
    (re.compile(r"lock", re.IGNORECASE), Cause.LOCKED),
    (re.compile(r"grade ?scale", re.IGNORECASE), Cause.GRADE_SCALE),
    (re.compile(r"score ?type", re.IGNORECASE), Cause.SCORE_TYPE),
    (re.compile(r"due ?date", re.IGNORECASE), Cause.DUE_DATE),
    (re.compile(r"category", re.IGNORECASE), Cause.CATEGORY),
    (re.compile(r"score ?entry ?points?|total ?point ?value", re.IGNORECASE), Cause.POINTS),
    (re.compile(r"student", re.IGNORECASE), Cause.STUDENT),
    _NOT_CREATED,
)


class TokenRefused(AccessDenied):
    """The token is expired or unknown; a fresh one may help, once."""


def read_refusal(response: ApiResponse) -> PermanentError | None:
    """Return the error for a refusal of PowerSchool's own, None where the general rules apply."""
    match response.status:
        case 401:
            return _unauthorized(response)
        case 403:
            cause = _first_match(_FORBIDDEN, response.raw_error_text)
            return _refused(AccessDenied, response, cause) if cause else None
        case 409:
            return _refused(
                RequestRejected, response, _first_match(_CONFLICTS, response.raw_error_text) or Cause.REFUSED
            )
        case 400 | 412 as status:
            return _refused(
                RequestRejected,
                response,
                _first_match((_NOT_CREATED,), response.raw_error_text) or f"powerschool_{status}",
            )
        case 500:
            return _section_gone(response)
        case _:
            return None


def _unauthorized(response: ApiResponse) -> PermanentError:
    # A plugin without accessLevelV1Api gets a 401 as well, with every token.
    kind = AccessDenied if "accessLevel" in response.raw_error_text else TokenRefused
    return _refused(kind, response, Cause.POWERSCHOOL_401)


def _section_gone(response: ApiResponse) -> PermanentError | None:
    """A score for an assignment that was deleted is answered with a 500."""
    match = _SECTION_GONE.search(response.raw_error_text)
    if match is None:
        return None
    row = RejectedRow("AssignmentSection", assignment_section_id=int(match[1]))
    return NotFound(
        str(response), cause=Cause.POWERSCHOOL_404, status=response.status, error_text=response.error_text, rows=[row]
    )


def _refused(kind: type[RequestRejected], response: ApiResponse, cause: str) -> RequestRejected:
    rows = tuple(_rows(response.body))
    return kind(str(response), cause=cause, status=response.status, error_text=response.error_text, rows=rows)


def _first_match(table: tuple[tuple[re.Pattern[str], str], ...], raw_error_text: str) -> str | None:
    return next((cause for sentence, cause in table if sentence.search(raw_error_text)), None)


def _rows(body: Json) -> Iterator[RejectedRow]:
    errors = body.get("errors") if isinstance(body, dict) else None
    for error in errors[:MAX_ROWS] if isinstance(errors, list) else []:
        text = " ".join(error_messages(error))
        params = error.get("params") if isinstance(error, dict) else None
        student = _id_in(params, "student_dcid") or _number(_STUDENT.search(text))
        section = _id_in(params, "assignment_section_id") or _number(_SECTION_GONE.search(text))
        yield RejectedRow(redact(text), assignment_section_id=section, student_dcid=student)


def _id_in(params: Json, name: str) -> int | None:
    return as_int(params.get(name)) if isinstance(params, dict) else None


def _number(match: re.Match[str] | None) -> int | None:
    return int(match[1]) if match else None
