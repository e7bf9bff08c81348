"""Launches that a tool must refuse: what each fault does to the claims, to the signature, or instead of a launch.

None of them is known of a real Canvas; each is what an attacker, a defect or a wrong configuration sends.
"""

import base64
import hashlib
import hmac
import json
from enum import StrEnum
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.sandbox.canvas.live_events.delivery import KeyRing
from shared.sandbox.canvas.lti.claims import CLAIM, MEMBERSHIP

KEY_SIZE: Final = 2048


class LtiFault(StrEnum):
    """What is wrong with the next launches."""

    WRONG_AUDIENCE = "wrong_audience"
    AUDIENCE_LIST = "audience_list"
    """The client among others, named by `azp`: this one is right."""
    AUDIENCE_LIST_OF_ANOTHER = "audience_list_of_another"
    """The client among others, and `azp` names another one."""
    WRONG_ISSUER = "wrong_issuer"
    EXPIRED = "expired"
    OLD = "old"
    ISSUED_IN_FUTURE = "issued_in_future"
    NO_TIMES = "no_times"
    WRONG_NONCE = "wrong_nonce"
    NO_NONCE = "no_nonce"
    WRONG_VERSION = "wrong_version"
    WRONG_MESSAGE_TYPE = "wrong_message_type"
    OTHER_DEPLOYMENT = "other_deployment"
    OTHER_ROOT_ACCOUNT = "other_root_account"
    OTHER_PLATFORM_GUID = "other_platform_guid"
    FOREIGN_TARGET = "foreign_target"
    UNSUBSTITUTED = "unsubstituted"
    NO_CUSTOM_FIELDS = "no_custom_fields"
    NO_ROLES = "no_roles"
    ONLY_INSTITUTION_ROLES = "only_institution_roles"
    """As of a teacher of another course."""
    ALGORITHM_NONE = "algorithm_none"
    HS256_WITH_PUBLIC_KEY = "hs256_with_public_key"
    UNKNOWN_KEY = "unknown_key"
    WRONG_SIGNATURE = "wrong_signature"
    REPLAYED_STATE = "replayed_state"
    """The state of the launch before this one, with a new id token."""
    REPLAYED_ID_TOKEN = "replayed_id_token"
    """The id token of the launch before this one, with this state."""
    LOGIN_REQUIRED = "login_required"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    LAUNCH_NO_LONGER_VALID = "launch_no_longer_valid"


# Source: canvas-lms app/controllers/lti/ims/authentication_controller.rb
ERRORS: Final = {
    LtiFault.LOGIN_REQUIRED: "Must have an active user session",
    LtiFault.UNAUTHORIZED_CLIENT: "Client not authorized in requested context",
    LtiFault.LAUNCH_NO_LONGER_VALID: "The launch has either expired or already been consumed",
}


def spoiled(claims: dict[str, Any], custom_fields: dict[str, str], fault: LtiFault | None) -> dict[str, Any]:
    """Return the claims as the fault leaves them. `custom_fields` are the tool's, unsubstituted."""
    client, custom = claims["aud"], claims[f"{CLAIM}custom"]
    roles: list[str] = claims[f"{CLAIM}roles"]
    changes: dict[LtiFault, dict[str, Any]] = {
        LtiFault.WRONG_AUDIENCE: {"aud": f"{client}0", "azp": f"{client}0"},
        LtiFault.AUDIENCE_LIST: {"aud": [client, f"{client}0"]},
        LtiFault.AUDIENCE_LIST_OF_ANOTHER: {"aud": [client, f"{client}0"], "azp": f"{client}0"},
        LtiFault.WRONG_ISSUER: {"iss": "https://canvas.example"},
        LtiFault.EXPIRED: {"exp": claims["iat"] - 61, "iat": claims["iat"] - 120},
        LtiFault.OLD: {"iat": claims["iat"] - 3_000},
        LtiFault.ISSUED_IN_FUTURE: {"iat": claims["iat"] + 600},
        LtiFault.NO_TIMES: {"iat": None, "exp": None},
        LtiFault.WRONG_NONCE: {"nonce": "of-another-login"},
        LtiFault.NO_NONCE: {"nonce": None},
        LtiFault.WRONG_VERSION: {f"{CLAIM}version": "1.1"},
        LtiFault.WRONG_MESSAGE_TYPE: {f"{CLAIM}message_type": "LtiDeepLinkingRequest"},
        LtiFault.OTHER_DEPLOYMENT: {f"{CLAIM}deployment_id": "99:another"},
        LtiFault.OTHER_ROOT_ACCOUNT: {
            f"{CLAIM}custom": custom | _fields_of("$vnd.Canvas.root_account.uuid", custom_fields, "another-district"),
        },
        LtiFault.OTHER_PLATFORM_GUID: {f"{CLAIM}tool_platform": {"guid": "another-district:canvas-lms"}},
        LtiFault.FOREIGN_TARGET: {f"{CLAIM}target_link_uri": "https://attacker.example/lti/course"},
        LtiFault.UNSUBSTITUTED: {f"{CLAIM}custom": custom_fields},
        LtiFault.NO_CUSTOM_FIELDS: {f"{CLAIM}custom": None},
        LtiFault.NO_ROLES: {f"{CLAIM}roles": []},
        LtiFault.ONLY_INSTITUTION_ROLES: {f"{CLAIM}roles": [r for r in roles if not r.startswith(MEMBERSHIP)]},
    }
    changed = claims | (changes.get(fault, {}) if fault else {})
    return {name: value for name, value in changed.items() if value is not None}


def signed(claims: dict[str, Any], keys: KeyRing, fault: LtiFault | None) -> str:
    """Return the id token, signed as the fault says."""
    kid = keys.current.kid
    match fault:
        case LtiFault.ALGORITHM_NONE:
            return jwt.encode(claims, "", algorithm="none", headers={"kid": kid})
        case LtiFault.HS256_WITH_PUBLIC_KEY:
            return _with_public_key_as_secret(claims, keys)
        case LtiFault.UNKNOWN_KEY | LtiFault.WRONG_SIGNATURE:
            stranger = rsa.generate_private_key(public_exponent=65537, key_size=KEY_SIZE)
            kid = kid if fault is LtiFault.WRONG_SIGNATURE else "nobody-s-key"
            return jwt.encode(claims, stranger, algorithm="RS256", headers={"kid": kid})
        case _:
            return keys.sign(claims)


def _fields_of(variable: str, custom_fields: dict[str, str], value: str) -> dict[str, str]:
    return {name: value for name, field in custom_fields.items() if field == variable}


def _with_public_key_as_secret(claims: dict[str, Any], keys: KeyRing) -> str:
    """Return a token that a tool accepts if the token chooses the algorithm. PyJWT refuses to make one."""
    public_key = keys.current.private_key.public_key()
    secret = public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT", "kid": keys.current.kid}
    content = f"{_base64url(json.dumps(header).encode())}.{_base64url(json.dumps(claims).encode())}"
    return f"{content}.{_base64url(hmac.digest(secret, content.encode(), hashlib.sha256))}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
