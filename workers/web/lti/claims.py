"""The claims of a launch, and their checks in order. Pure: token, keys, clock and settings are arguments.

Source: IMS LTI 1.3 Core, section 5; IMS Security Framework 1.0, section 5.1.3; Canvas, "LTI launch overview", and
canvas-lms `lib/lti/messages/jwt_message.rb`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from jwt import PyJWK
from pydantic import AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.events import MalformedEvent, UntrustedEvent, read_token, verified_claims
from workers.web.lti.refusals import LaunchRefused, Refusal
from workers.web.lti.state import LoginState

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
PLACEMENT = "https://www.instructure.com/placement"
VERSION, MESSAGE = "1.3.0", "LtiResourceLinkRequest"
CLOCK_TOLERANCE = timedelta(seconds=60)
MAX_AGE = timedelta(minutes=10)
GUID_SUFFIX = ":canvas-lms"

Check = Iterator[tuple[Refusal, bool]]


def _text(value: object) -> str:
    """Return a value of a custom field; empty where Canvas had none and sent the variable's name."""
    if isinstance(value, bool):
        return str(value).lower()
    found = str(value).strip() if isinstance(value, str | int) else ""
    return "" if found.startswith("$") else found


Text = Annotated[str, BeforeValidator(_text)]
_CONFIG = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class Custom(BaseModel):
    """The custom fields for which the registration asks. All can be missing: an administrator may remove them."""

    model_config = _CONFIG

    course_id: Text = ""
    user_id: Text = ""
    enrollment_state: Text = ""
    section_ids: Text = ""
    account_id: Text = ""
    root_account_id: Text = ""
    root_account_uuid: Text = ""
    api_domain: Text = ""
    is_root_admin: Text = ""
    masquerading_user_id: Text = ""
    message_token: Text = ""
    high_contrast: Text = ""
    assignment_id: Text = ""


class Claims(BaseModel):
    """The claims that passback reads. Names and addresses of people are not among them."""

    model_config = _CONFIG

    iss: str
    aud: str | list[str]
    azp: str | None = None
    exp: float
    iat: float
    nbf: float | None = None
    nonce: str
    version: object = Field(None, alias=f"{LTI}version")
    message_type: object = Field(None, alias=f"{LTI}message_type")
    deployment_id: Text = Field("", alias=f"{LTI}deployment_id")
    target: Text = Field("", alias=f"{LTI}target_link_uri")
    resource_link_id: Text = Field("", validation_alias=AliasPath(f"{LTI}resource_link", "id"))
    context_id: Text = Field("", validation_alias=AliasPath(f"{LTI}context", "id"))
    platform_guid: Text = Field("", validation_alias=AliasPath(f"{LTI}tool_platform", "guid"))
    return_url: Text = Field("", validation_alias=AliasPath(f"{LTI}launch_presentation", "return_url"))
    roles: list[str] = Field([], alias=f"{LTI}roles")
    custom: Custom = Field(Custom(), alias=f"{LTI}custom")
    placement: Text = Field("", alias=PLACEMENT)


@dataclass(frozen=True, slots=True)
class Expected:
    """Whose launches are accepted: of this issuer, for these clients, of this district, for these pages."""

    issuer: str
    client_ids: Collection[str]
    root_account_uuid: str
    targets: Collection[str]


def signed_claims(id_token: str, key_of: Callable[[str], PyJWK | None]) -> Claims:
    """Return the claims, once the signature holds; the token does not choose the algorithm. Raises: LaunchRefused."""
    try:
        token = read_token(id_token.encode("ascii", "replace"))
    except MalformedEvent:
        raise LaunchRefused(Refusal.MALFORMED_TOKEN) from None
    except UntrustedEvent:
        raise LaunchRefused(Refusal.WRONG_ALGORITHM) from None
    key = key_of(token.key_id)
    if key is None:
        raise LaunchRefused(Refusal.UNKNOWN_KEY)
    try:
        return Claims.model_validate_json(verified_claims(token, key))
    except UntrustedEvent:
        raise LaunchRefused(Refusal.BAD_SIGNATURE) from None
    except (ValidationError, RecursionError):
        raise LaunchRefused(Refusal.MALFORMED_CLAIMS) from None


def check_sender(claims: Claims, expected: Expected, now: datetime) -> str:
    """Return the client for which this Canvas signed the launch just now. Raises: LaunchRefused."""
    audiences, at = [claims.aud] if isinstance(claims.aud, str) else claims.aud, now.timestamp()
    client_id = next((each for each in audiences if each in expected.client_ids), "")
    is_for_other = claims.azp != client_id and (len(audiences) > 1 or claims.azp is not None)
    begins = max(claims.iat, claims.nbf or claims.iat)
    refuse_first(
        [
            (Refusal.WRONG_ISSUER, claims.iss != expected.issuer),
            (Refusal.WRONG_AUDIENCE, not client_id or is_for_other),
            (Refusal.EXPIRED, claims.exp <= at),
            (Refusal.NOT_YET_VALID, begins > at + CLOCK_TOLERANCE.total_seconds()),
            (Refusal.TOO_OLD, claims.iat < at - MAX_AGE.total_seconds()),
        ]
    )
    return client_id


def check_state(claims: Claims, client_id: str, state: LoginState) -> None:
    """Refuse a launch that is not the one for which this login asked. Raises: LaunchRefused."""
    is_of_other = (state.issuer, state.client_id) != (claims.iss, client_id)
    refuse_first([(Refusal.STATE_OF_OTHER_CLIENT, is_of_other), (Refusal.WRONG_NONCE, claims.nonce != state.nonce)])


def check_message(claims: Claims, expected: Expected) -> None:
    """Refuse what is no launch of one of passback's pages in this district. Raises: LaunchRefused."""
    refuse_first(_message_checks(claims, expected))


def _message_checks(claims: Claims, expected: Expected) -> Check:
    yield Refusal.WRONG_VERSION, claims.version != VERSION
    yield Refusal.WRONG_MESSAGE, claims.message_type != MESSAGE
    yield Refusal.DEPLOYMENT_MISSING, not claims.deployment_id or len(claims.deployment_id) > 255
    yield Refusal.WRONG_TARGET, claims.target not in expected.targets
    yield Refusal.DISTRICT_MISSING, not claims.custom.root_account_uuid
    yield Refusal.FOREIGN_DISTRICT, claims.custom.root_account_uuid != expected.root_account_uuid
    yield Refusal.FOREIGN_DISTRICT, contradicts(claims.platform_guid, expected.root_account_uuid)
    # A link in an assignment or a module carries custom fields of its own, which replace those of the tool: its author
    # would choose the course. Without a link Canvas gives the context's own id.
    # Source: canvas-lms lib/lti/messages/resource_link_request.rb, `unexpanded_custom_parameters`.
    yield Refusal.CONTENT_LINK, not claims.context_id or claims.resource_link_id != claims.context_id


def contradicts(guid: str, root_account_uuid: str) -> bool:
    """Say whether the platform's own id is of another district. Accounts of former times have ids of other forms."""
    return guid.endswith(GUID_SUFFIX) and guid.removesuffix(GUID_SUFFIX) != root_account_uuid


def refuse_first(checks: Iterable[tuple[Refusal, bool]]) -> None:
    """Raise `LaunchRefused` for the first check that fails."""
    for refusal, fails in checks:
        if fails:
            raise LaunchRefused(refusal)
