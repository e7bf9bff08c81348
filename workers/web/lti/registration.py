"""`/lti/register/…`: a Canvas installs passback by itself, with a link of `passback lti register`.

The link works once and for a day, requests go to the configured Canvas's hosts alone, and a registration counts once an
operator has confirmed it. Source: IMS Dynamic Registration 1.0, and canvas-lms `doc/api/registration.md`.
"""

import json
import re
import secrets
from urllib.parse import urlsplit

import httpx
import structlog
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm
from pydantic import AliasPath, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from shared.adapters.http.exchange import BodyTooLarge, deadline, http_client, read_body
from shared.adapters.redis.operations.lti import LtiStore, Registration
from shared.config import Settings, is_loopback, origin
from shared.events import ALGORITHM
from shared.log_events import LogEvent
from workers.web.lti.claims import Text, contradicts
from workers.web.lti.configuration import CANVAS, registration_request
from workers.web.lti.pages.page_request import LtiPages
from workers.web.lti.refusals import LaunchRefused, Refusal
from workers.web.lti.tool import LtiTool
from workers.web.pages.page_handlers import Form, first

log = structlog.get_logger()

KEY_BITS = 2048
TIMEOUT_S = 5.0
MAX_BYTES = 262_144
MAX_TOKEN_CHARS = 8_192
MAX_NAME_CHARS = 200
PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
INSTRUCTURE_DOMAINS = (".instructure.com", ".canvaslms.com")
SUCCESSES = (200, 201)
_OBJECT = TypeAdapter(dict[str, object])


class _OpenIdConfiguration(BaseModel):
    """What a Canvas says of itself."""

    model_config = ConfigDict(extra="ignore")

    issuer: str
    authorization_endpoint: str
    registration_endpoint: str
    jwks_uri: str
    account_name: Text = Field("", validation_alias=AliasPath(PLATFORM, f"{CANVAS}account_name"))
    account_guid: Text = Field("", validation_alias=AliasPath(PLATFORM, f"{CANVAS}account_lti_guid"))


def register(tool: LtiTool, pages: LtiPages, request: Request, fields: Form) -> Response:
    """Register passback with the Canvas that opened this address, and show what is to be done next."""
    configuration_url, token = first(fields, "openid_configuration"), first(fields, "registration_token")
    if not configuration_url or len(token) > MAX_TOKEN_CHARS or not token.isprintable() or not token.isascii():
        raise LaunchRefused(Refusal.MALFORMED_REGISTRATION)
    if not is_allowed(configuration_url, tool.service.settings):
        raise LaunchRefused(Refusal.FOREIGN_PLATFORM)
    # Taken before anything is sent: a link that somebody else saw as well does not work twice.
    made_by = tool.service.lti.take_link(request.path_params["link"])
    if made_by is None:
        raise LaunchRefused(Refusal.LINK_USED)
    registration = _register(tool, configuration_url, token, made_by)
    tool.service.lti.save_registration(registration)
    log.info(LogEvent.LTI_REGISTERED, client_id=registration.client_id)
    return pages.message(
        200, "Passback is registered", "", template="lti/launch/registered.html", registration=registration
    )


def is_allowed(url: str, settings: Settings) -> bool:
    """Say whether passback sends requests to this address: one of Instructure's, or one of the settings.

    Certificates prove Instructure's hosts, so that a name which leads elsewhere gains nothing.
    """
    try:
        parts = urlsplit(url)
        has_usual_port = parts.port in (None, 443)
    except ValueError:
        return False
    if parts.username is not None or not url.isascii() or any(map(str.isspace, url)):
        return False
    # Libraries read other characters in a host differently.
    host = parts.hostname if parts.hostname and re.fullmatch(r"[a-z0-9.-]+", parts.hostname) else ""
    is_instructure = parts.scheme == "https" and host.endswith(INSTRUCTURE_DOMAINS) and has_usual_port
    # People may open Canvas under an address of the district's own. One with a * names no host.
    configured = {origin(settings.canvas_url), origin(settings.lti_platform_url), *settings.lti_frame_ancestors} - {""}
    is_encrypted = parts.scheme == "https" or is_loopback(url)
    return is_instructure or (is_encrypted and origin(url) in configured)


def _register(tool: LtiTool, configuration_url: str, token: str, made_by: str) -> Registration:
    """Return what the Canvas answers to a registration. Raises: LaunchRefused."""
    settings = tool.service.settings
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    with http_client("", TIMEOUT_S, headers=headers, ca_bundle=settings.ca_bundle) as http:
        try:
            found = _OpenIdConfiguration.model_validate(_send(http.build_request("GET", configuration_url), http))
        except ValidationError:
            raise LaunchRefused(Refusal.PLATFORM_UNAVAILABLE) from None
        _check(tool, found)
        body = registration_request(settings.public_url)
        answer = _send(http.build_request("POST", found.registration_endpoint, json=body), http)
    client_id = str(answer.get("client_id", ""))
    if not re.fullmatch(r"\d{1,30}", client_id, re.ASCII):
        raise LaunchRefused(Refusal.PLATFORM_UNAVAILABLE)
    return Registration(
        client_id=client_id,
        issuer=found.issuer,
        account_name=found.account_name[:MAX_NAME_CHARS],
        account_guid=found.account_guid[:MAX_NAME_CHARS],
        registered_at=tool.service.clock.now(),
        link_made_by=made_by,
    )


def _check(tool: LtiTool, found: _OpenIdConfiguration) -> None:
    """Refuse a Canvas whose launches would not be accepted. Raises: LaunchRefused."""
    urls = (found.authorization_endpoint, found.registration_endpoint, found.jwks_uri)
    are_allowed = all(is_allowed(url, tool.service.settings) for url in urls)
    if found.issuer != tool.platform.issuer or not are_allowed:
        raise LaunchRefused(Refusal.FOREIGN_PLATFORM)
    if contradicts(found.account_guid, tool.service.settings.canvas_root_account_uuid):
        raise LaunchRefused(Refusal.FOREIGN_DISTRICT)


def _send(request: httpx.Request, http: httpx.Client) -> dict[str, object]:
    """Return the object that Canvas answers; redirects are not followed. Raises: LaunchRefused."""
    try:
        with deadline(TIMEOUT_S):
            response = http.send(request, stream=True)
            try:
                if response.status_code not in SUCCESSES:
                    raise LaunchRefused(Refusal.PLATFORM_UNAVAILABLE)
                return _OBJECT.validate_json(read_body(response, MAX_BYTES))
            finally:
                response.close()
    except (httpx.HTTPError, ValueError, RecursionError, BodyTooLarge):
        raise LaunchRefused(Refusal.PLATFORM_UNAVAILABLE) from None


def public_key_set(store: LtiStore) -> str:
    """Return as JSON the key set that Canvas asks every tool for; the first call of all processes makes it.

    passback uses none of Canvas's LTI services, so it signs nothing: the private half is not kept.
    """
    stored = store.public_key_set()
    if stored is not None:
        return stored
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS).public_key()
    public = {**RSAAlgorithm.to_jwk(key, as_dict=True), "kid": secrets.token_hex(8), "alg": ALGORITHM, "use": "sig"}
    store.add_public_key_set(json.dumps({"keys": [public]}))
    return store.public_key_set() or json.dumps({"keys": [public]})
