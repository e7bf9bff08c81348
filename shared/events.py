"""Canvas Live Events: from bytes to the change that an event means, and who signed it.

Pure: keys, clocks and settings are arguments. Canvas posts a signed event as a compact JWT, the event being its claims.
One key set serves all Canvas customers, so a signature proves "Instructure", and only the root account proves "this
district".
Sources: Canvas Live Events, "Event metadata", "Verifying signed payloads"; canvas-lms `lib/canvas/live_events.rb` for
the event bodies, and `lib/canvas/live_events_callbacks.rb` for when Canvas sends which event.
"""

import binascii
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

import msgspec
from jwt import PyJWK, PyJWTError
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.domain.passback.changes import Change, ChangeKind

LOCAL_IDS_PER_SHARD = 10**13
MAX_ID_DIGITS = 20

TEST_STUDENT_ENROLLMENT = "StudentViewEnrollment"


# A grade is one assignment's; everything else may touch the whole course.
EVENT_KINDS: dict[str, ChangeKind] = {
    # Score, excuse or posting changed. Test students are in it too: their missing SIS id is no certain sign.
    "grade_change": ChangeKind.GRADE,
    # The only event of a missing mark, and of a new submission to graded work.
    "submission_updated": ChangeKind.GRADE,
    "assignment_created": ChangeKind.ASSIGNMENT,
    # Deleting and unpublishing are updates.
    "assignment_updated": ChangeKind.ASSIGNMENT,
    "assignment_group_created": ChangeKind.ASSIGNMENT,
    "assignment_group_updated": ChangeKind.ASSIGNMENT,
    "assignment_override_created": ChangeKind.ASSIGNMENT,
    "assignment_override_updated": ChangeKind.ASSIGNMENT,
    "course_updated": ChangeKind.ASSIGNMENT,
    # Cross-listing moves a section to another course.
    "course_section_updated": ChangeKind.ASSIGNMENT,
    "enrollment_created": ChangeKind.ASSIGNMENT,
    "enrollment_updated": ChangeKind.ASSIGNMENT,
}


# Canvas names the job that imports rosters like this. Source: the reference's example of an import's `job_tag`.
SIS_IMPORT_JOB = "SIS::CSV"
# What an import of rosters sends for every row it changes, thousands at once. A provisioning run ends with one sync of
# each course it touched; what other imports change is found by the next event of the course, or reconciliation.
SIS_IMPORT_EVENTS = frozenset({"course_updated", "course_section_updated", "enrollment_created", "enrollment_updated"})


class MalformedEvent(ValueError):
    """The bytes are no Live Event. The message says what is wrong with their shape, and quotes nothing of them."""


@dataclass(frozen=True)
class EventMetadata:
    """The envelope. Only the name is certain to be there: background jobs send no context, but a `job_tag`.

    Ids are `object` so that an odd one does not make an event malformed; `local_id` reads them. `event_time` comes in
    two formats and is not read: a sync reads the current state from Canvas, so order does not matter.
    """

    event_name: str
    context_type: object = None
    context_id: object = None
    root_account_uuid: object = None
    job_tag: object = None


@dataclass(frozen=True)
class EventBody:
    """The ids that a body may name; which of them are there depends on the event."""

    course_id: object = None
    context_type: object = None
    context_id: object = None
    assignment_id: object = None
    course_section_id: object = None
    enrollment_id: object = None
    type: object = None


@dataclass(frozen=True)
class LiveEvent:
    """One event. `iss`, `exp` and `nbf` are claims of the signed form; Canvas documents none of them.

    Inside Canvas the envelope is called `attributes`; deliveries call it `metadata`.
    """

    metadata: EventMetadata
    body: EventBody
    iss: object = None
    exp: float | None = None
    nbf: float | None = None


DECODER = msgspec.json.Decoder(LiveEvent)


def parse(raw: bytes) -> LiveEvent:
    """Return the event in this JSON; unknown keys and unknown events are fine.

    Raises: MalformedEvent.
    """
    try:
        return DECODER.decode(raw)
    except (ValueError, RecursionError):
        return parse_leniently(raw)


def parse_leniently(raw: bytes) -> LiveEvent:
    """Return the same for what the fast decoder rejects: numbers of any size, as ids, and the envelope's other name.

    Raises: MalformedEvent.
    """
    try:
        document = json.loads(raw.decode())
    except (ValueError, RecursionError):
        raise MalformedEvent("no JSON") from None
    if isinstance(document, dict) and "metadata" not in document and "attributes" in document:
        document["metadata"] = document["attributes"]
    try:
        event = msgspec.convert(document, LiveEvent, strict=False)
    except (ValueError, RecursionError) as error:
        raise MalformedEvent(str(error)) from None
    name, times = event.metadata.event_name, (event.exp, event.nbf)
    if any(time is not None and not math.isfinite(time) for time in times):
        raise MalformedEvent("a time out of range")
    if any("\ud800" <= character <= "\udfff" for character in name):
        raise MalformedEvent("half of a surrogate pair")
    return event


def local_id(value: object) -> str | None:
    """Return an id of Canvas local to the root account's shard, None where `value` is no id.

    A global id is the shard times 10**13 plus the local id. Canvas writes ids as text or as numbers.
    """
    if type(value) is str:
        if not value.isascii() or not value.isdigit() or len(value) > MAX_ID_DIGITS:
            return None
        number = int(value)
    elif type(value) is int and 0 < value < 10**MAX_ID_DIGITS:
        number = value
    else:
        return None
    return str(number % LOCAL_IDS_PER_SHARD) if number % LOCAL_IDS_PER_SHARD else None


def to_change(event: LiveEvent) -> Change | None:
    """Return the change that the event means, None if it is of no interest.

    An event without any way to its course is of no interest either: reconciliation finds its cause.
    """
    kind = EVENT_KINDS.get(event.metadata.event_name)
    if kind is None or event.body.type == TEST_STUDENT_ENROLLMENT or is_sis_import_event(event):
        return None
    course_id = course_id_of(event)
    if course_id is None:
        return _change_of_unknown_course(kind, event.body)
    assignment_id = local_id(event.body.assignment_id) if kind is ChangeKind.GRADE else None
    return Change(kind, course_id, assignment_id=assignment_id)


def is_sis_import_event(event: LiveEvent) -> bool:
    """Say whether an SIS import caused the event."""
    job = event.metadata.job_tag
    return event.metadata.event_name in SIS_IMPORT_EVENTS and isinstance(job, str) and job.startswith(SIS_IMPORT_JOB)


def course_id_of(event: LiveEvent) -> str | None:
    """Return the local id of the course the event names: its context, else in its body; None if it names none."""
    metadata, body = event.metadata, event.body
    if metadata.context_type == "Course" and (course_id := local_id(metadata.context_id)):
        return course_id
    if course_id := local_id(body.course_id):
        return course_id
    return local_id(body.context_id) if body.context_type == "Course" else None


def _change_of_unknown_course(kind: ChangeKind, body: EventBody) -> Change | None:
    """Return a change that holds other ids to find its course by, None where the event has none of them."""
    assignment_id = local_id(body.assignment_id)
    section_id = local_id(body.course_section_id)
    enrollment_id = local_id(body.enrollment_id)
    if not (assignment_id or section_id or enrollment_id):
        return None
    return Change(kind, None, assignment_id=assignment_id, section_id=section_id, enrollment_id=enrollment_id)


ALGORITHM = "RS256"
# Canvas does not document the issuer.
ISSUERS = frozenset({"https://live-events.canvas.instructure.com"})
CLOCK_TOLERANCE = timedelta(seconds=60)
MIN_KEY_BITS = 2048
USUAL_HEADER_BYTES = 512

_TOKEN_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=."
_FROM_BASE64URL = bytes.maketrans(b"-_", b"+/")


class UntrustedEvent(Exception):
    """The event is not signed by Canvas, or not of this district. `code` names the check that rejected it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Header(BaseModel):
    """The only header a token may have: the token does not choose the algorithm, and no extension is known."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    alg: Literal["RS256"]
    kid: str
    crit: None = None
    b64: Literal[True] = True


@dataclass(frozen=True, slots=True)
class SignedToken:
    """A compact JWT taken apart, not verified yet."""

    key_id: str
    signed: bytes
    claims: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class TrustedSenders:
    """Whose events are accepted. No `issuers` accepts any, and a missing one; no `root_account_uuid` any district."""

    root_account_uuid: str
    issuers: frozenset[str] = frozenset()

    def check_district(self, event: LiveEvent) -> None:
        """Raise `UntrustedEvent` unless the event is of this district."""
        if self.root_account_uuid and event.metadata.root_account_uuid != self.root_account_uuid:
            raise UntrustedEvent("foreign_district")

    def check_claims(self, event: LiveEvent, now: datetime) -> None:
        """Raise `UntrustedEvent` unless `iss`, `exp` and `nbf` are fine; a token without expiry does not expire."""
        if self.issuers and not (isinstance(event.iss, str) and event.iss in self.issuers):
            raise UntrustedEvent("foreign_issuer")
        if event.exp is not None and now.timestamp() > event.exp + CLOCK_TOLERANCE.total_seconds():
            raise UntrustedEvent("expired")
        if event.nbf is not None and now.timestamp() < event.nbf - CLOCK_TOLERANCE.total_seconds():
            raise UntrustedEvent("not_yet_valid")


def read_token(raw: bytes) -> SignedToken:
    """Return the parts of a compact JWT.

    Only its short header is parsed before the signature is checked, so that forging costs us little.
    Raises: MalformedEvent, if the bytes do not even look like a token; UntrustedEvent, if it is not one of Canvas's.
    """
    if raw.count(b".") != 2 or raw.translate(None, _TOKEN_BYTES):
        raise MalformedEvent("neither_json_nor_jwt")
    signed, _, signature = raw.rpartition(b".")
    header, _, claims = signed.partition(b".")
    try:
        # Canvas writes the same header for as long as it signs with the same key.
        key_id = _known_key_id(header) if len(header) <= USUAL_HEADER_BYTES else _key_id(header)
        return SignedToken(key_id, signed, claims, _from_base64url(signature))
    except (ValidationError, binascii.Error):
        raise UntrustedEvent("not_signed") from None


def verified_claims(token: SignedToken, key: PyJWK) -> bytes:
    """Return the token's claims, which are the event as JSON, once the signature holds. Raises: UntrustedEvent."""
    if not key.Algorithm.verify(token.signed, key.key, token.signature):
        raise UntrustedEvent("bad_signature")
    try:
        return _from_base64url(token.claims)
    except binascii.Error:
        raise UntrustedEvent("not_signed") from None


def _key_id(header: bytes) -> str:
    return _Header.model_validate_json(_from_base64url(header)).kid


_known_key_id = lru_cache(maxsize=64)(_key_id)


def keys_by_id(key_set: Mapping[str, object]) -> dict[str, PyJWK]:
    """Return the usable keys of a JSON Web Key Set: RSA keys of at least 2,048 bits with an id, meant for signing."""
    keys: dict[str, PyJWK] = {}
    listed = key_set.get("keys")
    for jwk in listed if isinstance(listed, list) else ():
        key = _signing_key(jwk)
        if key is not None and key.key_id is not None:
            keys[key.key_id] = key
    return keys


def _signing_key(jwk: object) -> PyJWK | None:
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig":
        return None
    if jwk.get("alg", ALGORITHM) != ALGORITHM or not isinstance(jwk.get("kid"), str):
        return None
    try:
        key = PyJWK(jwk, algorithm=ALGORITHM)
    except (PyJWTError, ValueError, TypeError, AttributeError, ArithmeticError):
        # The others stay usable; events signed with this key are rejected.
        return None
    return key if key.key.key_size >= MIN_KEY_BITS else None


def _from_base64url(segment: bytes) -> bytes:
    padded = segment.translate(_FROM_BASE64URL) + b"=" * (-len(segment) % 4)
    return binascii.a2b_base64(padded, strict_mode=True)
