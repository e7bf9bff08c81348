"""`/lti/login`: Canvas announces a launch, and passback sends the browser back to Canvas to get it.

Source: IMS Security Framework 1.0, section 5.1.1, and Canvas, "LTI launch overview".
"""

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from workers.web.lti.binding import set_cookie
from workers.web.lti.pages.handlers import LtiPages
from workers.web.lti.refusals import LaunchRefused, Refusal
from workers.web.lti.state import LoginState, new_state
from workers.web.lti.tool import LtiTool
from workers.web.pages.page_handlers import Form, first

MAX_HINT_CHARS = 4_096
MAX_FIELD_CHARS = 1_024
FOUND = 302


def begin_login(tool: LtiTool, pages: LtiPages, request: Request, fields: Form) -> Response:
    """Answer a login initiation: with a redirect, or with a page that first stores the proof of this browser."""
    state = _new_state(tool, fields)
    url = _authorization_url(tool, state, fields)
    # A page inside a frame cannot know whether its cookie is stored: its script finds out before Canvas is asked.
    is_framed = request.headers.get("sec-fetch-dest", "") in ("iframe", "frame")
    response: Response
    if state.storage_target or is_framed:
        hints = {name: first(fields, name) for name in ("login_hint", "lti_message_hint")}
        again = {"iss": state.issuer, "client_id": state.client_id, "target_link_uri": state.target, **hints}
        response = pages.message(
            200, "Opening passback…", "", template="lti/launch/login.html", next_url=url, again=again, state=state,
            proof=tool.states.proof(state), storage_origin=tool.platform.storage_origin,
        )  # fmt: skip
    else:
        response = RedirectResponse(url, FOUND)
    set_cookie(response, state, tool.states.proof(state))
    return response


def _new_state(tool: LtiTool, fields: Form) -> LoginState:
    """Return the state of a login that a known Canvas begins for one of the pages. Raises: LaunchRefused."""
    login_hint, message_hint = first(fields, "login_hint"), first(fields, "lti_message_hint")
    names = ("iss", "client_id", "target_link_uri", "lti_storage_target", "lti_deployment_id", "deployment_id")
    is_too_long = any(len(first(fields, name)) > MAX_FIELD_CHARS for name in names)
    if is_too_long or not login_hint or max(len(login_hint), len(message_hint)) > MAX_HINT_CHARS:
        raise LaunchRefused(Refusal.MALFORMED_LOGIN)
    if first(fields, "iss").rstrip("/") != tool.platform.issuer:
        raise LaunchRefused(Refusal.FOREIGN_ISSUER)
    client_id, target = tool.known_client(first(fields, "client_id")), first(fields, "target_link_uri")
    if target not in tool.targets:
        raise LaunchRefused(Refusal.FOREIGN_TARGET)
    storage_target = first(fields, "lti_storage_target")
    now = tool.service.clock.now()
    return new_state(tool.platform.issuer, client_id, target, storage_target, (login_hint, message_hint), now)


def _authorization_url(tool: LtiTool, state: LoginState, fields: Form) -> str:
    """Return where the browser gets its launch. The hints go back to Canvas as they came."""
    query = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": state.client_id,
        "redirect_uri": tool.launch_url,
        "login_hint": first(fields, "login_hint"),
        "lti_message_hint": first(fields, "lti_message_hint"),
        "state": tool.states.sign(state),
        "nonce": state.nonce,
    }
    return f"{tool.platform.authorization_url}?{urlencode(query)}"
