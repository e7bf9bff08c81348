"""The endpoints of the platform: authorization, keys, dynamic registration, and the frame that forwards messages.

`/_sandbox/lti` has its settings and faults, tools, keys, and the log of launches.

Source: canvas-lms app/controllers/lti/ims/authentication_controller.rb (the checks, their order, and that an error is
posted to the tool), security_controller.rb (keys), dynamic_registration_controller.rb, platform_storage_controller.rb.
"""

from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.sandbox.canvas.lti.claims import account_guid, opaque_id
from shared.sandbox.canvas.lti.faults import ERRORS, LtiFault
from shared.sandbox.canvas.lti.platform import LoggedLaunch, LtiPlatform, LtiSettings
from shared.sandbox.canvas.lti.tools import (
    PLACEMENTS,
    RESOURCE_LINK_REQUEST,
    SCOPES,
    TOOL_CONFIGURATION,
    JsonConfiguration,
    Registration,
)
from shared.sandbox.canvas.lti.visit import platform, rendered, signed_in_user_id
from shared.sandbox.control import control_route, log_route

REQUIRED: Final = (
    "client_id", "login_hint", "lti_message_hint", "nonce", "prompt", "redirect_uri", "response_mode",
    "response_type", "scope",
)  # fmt: skip
# Canvas compares the scope only; the others are those of the LTI security framework, without which nothing works.
ONLY_VALUES: Final = {
    "scope": "openid", "response_type": "id_token", "response_mode": "form_post", "prompt": "none",
}  # fmt: skip
PARAMETERS: Final = (*REQUIRED, "state")
KEYS_MAX_AGE_S: Final = 864_000


async def authorize_redirect(request: Request) -> Response:
    """Send the browser on to the Canvas that the message hint names; the tool knows the platform's address only."""
    parameters = await _parameters(request)
    hint = platform(request).claims(parameters.get("lti_message_hint", ""))
    if hint is None:
        return PlainTextResponse("Invalid lti_message_hint", 400)
    return RedirectResponse(f"{hint['canvas_url']}/api/lti/authorize?{urlencode(parameters)}", 302)


async def authorize(request: Request) -> Response:
    """Hand the launch out, or post an error, to the tool's redirect URI."""
    own, parameters = platform(request), await _parameters(request)
    hint = own.claims(parameters.get("lti_message_hint", ""))
    if hint is None:
        return PlainTextResponse("Invalid lti_message_hint", 400)
    tool = own.tool_of_client(parameters.get("client_id", ""))
    uri = parameters.get("redirect_uri", "")
    if tool is None or not any(matches(configured, uri) for configured in tool.redirect_uris):
        return PlainTextResponse("Invalid redirect_uri", 400)
    fields = _launch_fields(request, own, hint, parameters)
    own.log.append(LoggedLaunch(own.canvas.clock.now(), uri, fields))
    return rendered("post.html", action=uri, fields=fields)


def _launch_fields(
    request: Request, own: LtiPlatform, hint: dict[str, str], parameters: dict[str, str]
) -> dict[str, str]:
    state = {"state": parameters["state"]} if "state" in parameters else {}
    problem = _problem(request, own, parameters)
    # A request that is refused leaves the launch where it is, as in Canvas.
    launch = None if problem else own.take(hint["verifier"])
    if launch is None:
        gone = LtiFault.LAUNCH_NO_LONGER_VALID
        error, description = problem or (gone, ERRORS[gone])
        return {"error": error, "error_description": description, **state}
    granted = {"id_token": own.id_token(launch, parameters["nonce"])}
    return own.replayed(granted | state | own.storage_target(hint["storage"]))


def _problem(request: Request, own: LtiPlatform, parameters: dict[str, str]) -> tuple[str, str] | None:
    """Return code and description of what is wrong; what Canvas checks later overrides what it checks before."""
    problem = None
    if missing := [name for name in REQUIRED if name not in parameters]:
        problem = "invalid_request_object", f"The following parameters are missing: {','.join(missing)}"
    for name, value in ONLY_VALUES.items():
        if name in parameters and parameters[name] != value:
            problem = "invalid_request_object", f"The '{name}' must be '{value}'"
    user_id = signed_in_user_id(request)
    if user_id is None or opaque_id("legacy user", user_id) != parameters.get("login_hint"):
        problem = LtiFault.LOGIN_REQUIRED, ERRORS[LtiFault.LOGIN_REQUIRED]
    fault = own.settings.fault
    return (fault, ERRORS[fault]) if fault in ERRORS else problem


def matches(configured: str, uri: str) -> bool:
    """Say whether a redirect URI is the configured one, whose query parameters must be in it."""
    wanted, given = urlsplit(configured), urlsplit(uri)
    if wanted._replace(query="") != given._replace(query=""):
        return False
    has, needs = parse_qs(given.query), parse_qs(wanted.query)
    return all(has.get(name) == values for name, values in needs.items())


async def _parameters(request: Request) -> dict[str, str]:
    """Return the known parameters, of the query and of a form."""
    given: dict[str, Any] = dict(request.query_params)
    if request.method == "POST":
        given |= dict(await request.form())
    return {name: str(given[name]) for name in PARAMETERS if name in given}


async def jwks(request: Request) -> Response:
    """Publish the previous, the current and the next key; tools may cache them (canvas-lms Lti::KeyStorage)."""
    return JSONResponse(platform(request).keys.jwks(), headers={"Cache-Control": f"max-age={KEYS_MAX_AGE_S}"})


def _registration_token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else request.query_params.get("registration_token", "")


async def openid_configuration(request: Request) -> Response:
    """Describe the platform to a tool that registers itself."""
    own = platform(request)
    if not own.accepts_registration(_registration_token(request)):
        return JSONResponse({"errorMessage": "Invalid registration token"}, 401)
    base = own.settings.platform_url or str(request.base_url).rstrip("/")
    return JSONResponse(
        {
            "issuer": own.settings.issuer,
            "authorization_endpoint": f"{base}/api/lti/authorize_redirect",
            "registration_endpoint": f"{base}/api/lti/registrations",
            "jwks_uri": f"{base}/api/lti/security/jwks",
            "token_endpoint": f"{base}/login/oauth2/token",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", *sorted(SCOPES)],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["sub", "picture", "email", "name", "given_name", "family_name", "locale"],
            "subject_types_supported": ["public"],
            "authorization_server": urlsplit(base).netloc,
            "https://purl.imsglobal.org/spec/lti-platform-configuration": {
                "product_family_code": "canvas",
                "version": "vCloud",
                "messages_supported": [{"type": RESOURCE_LINK_REQUEST, "placements": sorted(PLACEMENTS)}],
                "variables": [],
                "https://canvas.instructure.com/lti/account_name": "Sandbox district",
                "https://canvas.instructure.com/lti/account_lti_guid": account_guid(own.canvas),
            },
        }
    )


async def register(request: Request) -> Response:
    """Install the tool that registers itself, and answer with its client id."""
    own = platform(request)
    if not own.accepts_registration(_registration_token(request)):
        return JSONResponse({"errorMessage": "JWT did not include expected contents"}, 401)
    try:
        registration = Registration.model_validate_json(await request.body())
        tool = own.install(registration.tool())
    except (ValueError, LookupError) as error:
        return JSONResponse({"errors": str(error)}, 422)
    answer = registration.model_dump(by_alias=True) | {"client_id": tool.client_id}
    config_url = f"{request.base_url}accounts/1/developer_keys"
    answer[TOOL_CONFIGURATION] |= {"https://canvas.instructure.com/lti/registration_config_url": config_url}
    return JSONResponse(answer)


async def forwarding_frame(request: Request) -> Response:
    """Show the hidden frame that forwards a tool's messages to the page around it, and the answers back."""
    parent = platform(request).parent_of(request.query_params.get("token", ""))
    if parent is None:
        return PlainTextResponse("Not Found", 404)
    response = rendered("forwarding.html", parent=parent)
    response.headers["Content-Security-Policy"] = f"frame-ancestors 'self' {parent}"
    return response


PLATFORM_ROUTES: Final = [
    Route("/api/lti/authorize_redirect", authorize_redirect, methods=["GET", "POST"]),
    Route("/api/lti/authorize", authorize, methods=["GET"]),
    Route("/api/lti/security/jwks", jwks, methods=["GET"]),
    Route("/api/lti/security/openid-configuration", openid_configuration, methods=["GET"]),
    Route("/api/lti/registrations", register, methods=["POST"]),
    Route("/post_message_forwarding", forwarding_frame, methods=["GET"]),
]


class Installation(BaseModel):
    """What an administrator does with a JSON configuration: paste it, enter redirect URIs, and install the tool.

    Without a `client_id` the platform makes one.
    """

    model_config = ConfigDict(extra="forbid")

    configuration: JsonConfiguration
    redirect_uris: list[str]
    client_id: str = ""


async def settings(request: Request) -> Response:
    """Show or replace how the platform presents itself and what is wrong with its launches."""
    own = platform(request)
    if request.method == "PUT":
        own.settings = LtiSettings.model_validate_json(await request.body())
    return JSONResponse(own.settings.model_dump(mode="json"))


async def tools(request: Request) -> Response:
    """List the installed tools, install one, or remove the one of a `client_id`."""
    own = platform(request)
    if request.method == "POST":
        asked = Installation.model_validate_json(await request.body())
        tool = own.install(asked.configuration.tool(asked.redirect_uris), asked.client_id)
        return JSONResponse(tool.model_dump(), 201)
    if request.method == "DELETE":
        client_id = request.query_params["client_id"]
        own.tools = {number: tool for number, tool in own.tools.items() if tool.client_id != client_id}
        return Response(status_code=204)
    return JSONResponse([tool.model_dump() for tool in own.tools.values()])


async def rotate(request: Request) -> Response:
    """Retire the oldest key and sign with the next one."""
    return JSONResponse(platform(request).keys.rotate())


LTI_CONTROL_ROUTES: Final = [
    control_route("/lti", settings, "GET", "PUT"),
    control_route("/lti/tools", tools, "GET", "POST", "DELETE"),
    control_route("/lti/rotate", rotate, "POST"),
    log_route("/lti/launches", lambda request: platform(request).log),
]
