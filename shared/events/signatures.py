"""Who sent a Live Event: signature, issuer and district. Pure: keys, clocks and settings are arguments.

Canvas posts a signed event as a compact JWT, the event being its claims. One key set serves all Canvas customers, so
a signature proves "Instructure", and only the root account proves "this district".
Source: Canvas Live Events, "Verifying signed payloads".
"""

import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal

from jwt import PyJWK, PyJWTError
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.events.live_events import LiveEvent, MalformedEvent

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
