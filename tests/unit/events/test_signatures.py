"""Who is believed to be Canvas, and this district."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from event_samples import UUID, event, raw
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from shared.events import (
    CLOCK_TOLERANCE,
    MalformedEvent,
    TrustedSenders,
    UntrustedEvent,
    keys_by_id,
    parse,
    read_token,
    verified_claims,
)

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
NOW = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)


def jwk(key: rsa.RSAPrivateKey = KEY, **changes: object) -> dict[str, Any]:
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "current", "alg": "RS256", **changes}


def part(content: object) -> bytes:
    encoded = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(encoded).rstrip(b"=")


def token(**header: object) -> bytes:
    return jwt.encode(event(), KEY, "RS256", {"kid": "current", **header}).encode()


def test_a_signed_event_is_the_claims_of_its_token() -> None:
    """A token that Canvas's key signed gives its event."""
    read = read_token(token())

    assert read.key_id == "current"
    assert parse(verified_claims(read, keys_by_id({"keys": [jwk()]})["current"])) == parse(raw())


@pytest.mark.parametrize("position", [5, 60, -3])
def test_a_changed_token_is_refused(position: int) -> None:
    """A token with any character changed is refused."""
    changed = bytearray(token())
    changed[position] = ord("A") if changed[position] != ord("A") else ord("B")

    with pytest.raises(UntrustedEvent):
        verified_claims(read_token(bytes(changed)), keys_by_id({"keys": [jwk()]})["current"])


def test_a_strangers_signature_is_refused() -> None:
    """A token of another key that claims our key's id is refused."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(event(), stranger, "RS256", {"kid": "current"}).encode()

    with pytest.raises(UntrustedEvent, match="bad_signature"):
        verified_claims(read_token(forged), keys_by_id({"keys": [jwk()]})["current"])


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS512", "PS256", "ES256", None, ["RS256"]])
def test_only_rs256_is_accepted(algorithm: object) -> None:
    """A header that names any other algorithm is refused before anything is verified."""
    forged = b".".join([part({"alg": algorithm, "kid": "current"}), part(event()), b""])

    with pytest.raises(UntrustedEvent, match="not_signed"):
        read_token(forged)


def test_the_public_key_is_no_shared_secret() -> None:
    """An HMAC over the token, keyed with the public key, is refused, also when the header claims RS256."""
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = b".".join([part({"alg": "RS256", "kid": "current"}), part(event())])
    forged = signed + b"." + part(hmac.new(pem, signed, hashlib.sha256).digest())

    with pytest.raises(UntrustedEvent, match="bad_signature"):
        verified_claims(read_token(forged), keys_by_id({"keys": [jwk()]})["current"])


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "RS256"},
        {"alg": "RS256", "kid": 5},
        {"alg": "RS256", "kid": "current", "crit": ["exp"]},
        {"alg": "RS256", "kid": "current", "b64": False},
        pytest.param(b"[" * 100_000, id="endless nesting"),
        b"\xff",
        [],
    ],
)
def test_odd_headers_are_refused(header: object) -> None:
    """A header without key id, with extensions, or that is no JSON object, is refused."""
    with pytest.raises(UntrustedEvent, match="not_signed"):
        read_token(b".".join([part(header), part(event()), b"c2ln"]))


@pytest.mark.parametrize("text", [b"", b"hello", b"a.b", b"a.b.c.d", b"a b.c.d", b"\x00.\x00.\x00", b"[1.5, 2.5]"])
def test_what_does_not_look_like_a_token_is_malformed(text: bytes) -> None:
    """Bytes that are not three parts of base64url are malformed rather than forged."""
    with pytest.raises(MalformedEvent):
        read_token(text)


@pytest.mark.parametrize(
    "unusable",
    [
        jwk(kty="oct", k="c2VjcmV0"),
        jwk(use="enc"),
        jwk(alg="RS512"),
        jwk(kid=None),
        jwk(n="!"),
        jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        {**ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True), "kid": "ec"},
        "text",
        None,
    ],
)
def test_one_unusable_key_spoils_no_other(unusable: object) -> None:
    """Of a key set, exactly the RSA keys for signing are taken."""
    assert list(keys_by_id({"keys": [unusable, jwk(kid="good")]})) == ["good"]


@pytest.mark.parametrize("key_set", [{}, {"keys": None}, {"keys": {}}, {"keys": []}])
def test_a_set_without_keys_is_empty(key_set: dict[str, object]) -> None:
    """A key set of another shape holds no key."""
    assert keys_by_id(key_set) == {}


@pytest.mark.parametrize("uuid", ["root-uuid-of-another-district", None, "", 5, [UUID], UUID + " "])
def test_another_district_is_refused(uuid: object) -> None:
    """An event whose root account is not ours, or is not named, is refused."""
    with pytest.raises(UntrustedEvent, match="foreign_district"):
        TrustedSenders(UUID).check_district(parse(raw(metadata={"root_account_uuid": uuid})))


@pytest.mark.parametrize("issuer", [None, "https://elsewhere.example", 5, ["https://canvas.example"]])
def test_a_listed_issuer_is_needed(issuer: object) -> None:
    """Where issuers are listed, another one or none is refused."""
    claims = json.dumps({**event(), "iss": issuer}).encode()

    with pytest.raises(UntrustedEvent, match="foreign_issuer"):
        TrustedSenders(UUID, frozenset({"https://canvas.example"})).check_claims(parse(claims), NOW)


def test_without_a_list_any_issuer_is_fine() -> None:
    """An empty list accepts an event that names no issuer."""
    TrustedSenders(UUID).check_claims(parse(raw()), NOW)


def expiring(at: datetime) -> bytes:
    return json.dumps({**event(), "exp": at.timestamp()}).encode()


def test_an_expired_token_is_refused() -> None:
    """A token whose expiry is longer past than clocks may differ is refused."""
    with pytest.raises(UntrustedEvent, match="expired"):
        TrustedSenders(UUID).check_claims(parse(expiring(NOW - CLOCK_TOLERANCE - timedelta(seconds=1))), NOW)


def test_clocks_may_differ_a_little() -> None:
    """A token that expired just now is accepted."""
    TrustedSenders(UUID).check_claims(parse(expiring(NOW - CLOCK_TOLERANCE)), NOW)
