"""From `/lti/login`, by which Canvas announces a launch, through the launch that it signs to the first page.

Source: IMS Security Framework 1.0, section 5.1.1; IMS LTI 1.3 Core; Canvas, "LTI launch overview"; IMS LTI Client Side
postMessages.
"""

import json
import secrets
from urllib.parse import quote, urlencode

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.config import origin
from shared.domain.metrics import CounterName
from shared.errors import ServiceUnavailable
from shared.log_events import LogEvent
from workers.web.lti.claims import Claims, check_message, check_sender, check_state, signed_claims
from workers.web.lti.pages.handlers import landing_page
from workers.web.lti.pages.page_request import LtiPages
from workers.web.lti.refusals import LaunchRefused, Refusal
from workers.web.lti.session import LtiSession, session_of
from workers.web.lti.state import STATE_LIFETIME, LoginState, has_cookie, is_proof, new_state, set_cookie
from workers.web.lti.tool import LAUNCH_PATH, OPENED, LtiTool
from workers.web.pages.page_handlers import Form, first

log = structlog.get_logger()

MAX_HINT_CHARS = 4_096
MAX_FIELD_CHARS = 1_024
FOUND = 302

PLATFORM_ERRORS = {
    "login_required": Refusal.LOGIN_REQUIRED,
    "launch_no_longer_valid": Refusal.LAUNCH_EXPIRED,
    "unauthorized_client": Refusal.TOOL_DISABLED,
}
"""What Canvas posts instead of a launch, and what it means for whoever sees the page."""


def begin_login(tool: LtiTool, pages: LtiPages, request: Request, fields: Form) -> Response:
    """Answer a login initiation: with a redirect, or with a page that first stores the proof of this browser."""
    state = _new_state(tool, fields)
    url = _authorization_url(tool, state, fields)
    # A page inside a frame cannot know whether its cookie is stored: its script finds out before Canvas is asked.
    is_framed = request.headers.get("sec-fetch-dest", "") in ("iframe", "frame")
    response: Response
    if state.storage_target or is_framed:
        again = state.again(first(fields, "login_hint"), first(fields, "lti_message_hint"))
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
        "redirect_uri": f"{tool.service.settings.public_url}{LAUNCH_PATH}",
        "login_hint": first(fields, "login_hint"),
        "lti_message_hint": first(fields, "lti_message_hint"),
        "state": tool.states.sign(state),
        "nonce": state.nonce,
    }
    return f"{tool.platform.authorization_url}?{urlencode(query)}"


def receive_launch(tool: LtiTool, pages: LtiPages, request: Request, fields: Form) -> Response:
    """Answer a launch: with its first page, or with a page that asks Canvas's storage for the proof."""
    now = tool.service.clock.now()
    if first(fields, "error"):
        return _platform_error(tool, pages, fields)
    state, claims = _verified(tool, fields)
    may_sync = tool.service.settings.lti_teachers_may_sync
    session, proof = session_of(claims, teachers_may_sync=may_sync, now=now), tool.states.proof(state)
    # No registration names the deployment, and a client can have several.
    if tool.service.lti.record_launch(state.client_id, claims.deployment_id, now):
        log.info(LogEvent.LTI_DEPLOYMENT_LEARNED, client_id=state.client_id, deployment_id=claims.deployment_id)
    if has_cookie(request, state, proof):
        response = _open(tool, pages, session)
        set_cookie(response, state, "")
        return response
    launch_id = secrets.token_urlsafe(32)
    # A verified launch that waits for the proof of its browser.
    tool.service.lti.save_launch(launch_id, json.dumps({"token": pages.sessions.issue(session), "proof": proof}))
    return pages.message(
        200, "Opening passback…", "", template="lti/launch/finish.html", launch_id=launch_id, state=state,
        storage_target=first(fields, "lti_storage_target")[:255] or state.storage_target,
        storage_origin=tool.platform.storage_origin, new_tab_url=_new_tab_url(tool, session, state.target),
    )  # fmt: skip


def finish_launch(tool: LtiTool, pages: LtiPages, _request: Request, fields: Form) -> Response:
    """Open a launch that waited, for the browser that has its proof. It waits once."""
    stored = tool.service.lti.take_launch(first(fields, "launch"))
    if stored is None:
        raise LaunchRefused(Refusal.LAUNCH_USED)
    waiting = json.loads(stored)
    if not is_proof(first(fields, "proof"), waiting["proof"]):
        raise LaunchRefused(Refusal.OTHER_BROWSER)
    session = pages.sessions.read(waiting["token"])
    if session is None:
        raise LaunchRefused(Refusal.LAUNCH_USED)
    return _open(tool, pages, session)


def _verified(tool: LtiTool, fields: Form) -> tuple[LoginState, Claims]:
    """Return the login and the claims of a launch that passed every check. Raises: LaunchRefused."""
    now, expected = tool.service.clock.now(), tool.expected()
    try:
        claims = signed_claims(first(fields, "id_token"), tool.keys.key)
    except ServiceUnavailable:
        raise LaunchRefused(Refusal.KEYS_UNAVAILABLE) from None
    client_id = check_sender(claims, expected, now)
    state = tool.states.read(first(fields, "state"), now)
    if state is None:
        raise LaunchRefused(Refusal.UNKNOWN_STATE)
    # Stored for as long as the state could come back, and only for launches that Canvas signed.
    if not tool.service.lti.use(state.id, STATE_LIFETIME):
        raise LaunchRefused(Refusal.USED_STATE)
    check_state(claims, client_id, state)
    check_message(claims, expected)
    return state, claims


def _open(tool: LtiTool, pages: LtiPages, session: LtiSession) -> Response:
    tool.service.counter_buffer(CounterName.LTI_LAUNCHES, OPENED)
    acts_as = session.user_id if session.real_user_id else None
    log.info(
        LogEvent.LTI_LAUNCHED, course_id=session.course_id, placement=session.placement, role=session.role,
        actor=session.actor, acts_as=acts_as,
    )  # fmt: skip
    return landing_page(pages, session)


def _platform_error(tool: LtiTool, pages: LtiPages, fields: Form) -> Response:
    """Say in plain words why Canvas gave no launch; its own description is not shown, since anybody can post one."""
    refusal = PLATFORM_ERRORS.get(first(fields, "error"), Refusal.PLATFORM_ERROR)
    tool.count_refusal(refusal)
    state = tool.states.read(first(fields, "state"), tool.service.clock.now())
    if state is None or not state.login_hint or refusal is not Refusal.LOGIN_REQUIRED:
        return pages.refusal(refusal)
    return pages.refusal(refusal, again=state.again(state.login_hint, state.message_hint))


def _new_tab_url(tool: LtiTool, session: LtiSession, target: str) -> str:
    """Return where Canvas opens passback in a tab of its own; empty if the launch names no host of Canvas."""
    canvas_url = tool.service.settings.canvas_url
    host = origin(canvas_url)
    if session.api_domain and host.partition("://")[2] != session.api_domain:
        host = f"https://{session.api_domain}"
    if not host:
        return ""
    location = f"courses/{quote(session.course_id)}" if session.course_id else "accounts/self"
    return f"{host}/{location}/external_tools/retrieve?{urlencode({'display': 'borderless', 'url': target})}"
