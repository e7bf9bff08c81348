"""`/lti/launch` and `/lti/finish`: from Canvas's signed launch to the first page.

Source: IMS LTI 1.3 Core; Canvas, "LTI launch overview"; IMS LTI Client Side postMessages.
"""

import secrets
from urllib.parse import quote, urlencode

import structlog
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from shared.config import origin
from shared.errors import ServiceUnavailable
from shared.log_events import LogEvent
from workers.web.lti.access import session_of
from workers.web.lti.binding import end_cookie, has_cookie, is_proof
from workers.web.lti.claims import Claims
from workers.web.lti.pages.handlers import LtiPages
from workers.web.lti.refusals import LaunchRefused, Refusal
from workers.web.lti.session import InvalidSession, LtiSession
from workers.web.lti.state import STATE_LIFETIME, LoginState
from workers.web.lti.tool import LtiTool
from workers.web.lti.validation import check_message, check_sender, check_state, signed_claims
from workers.web.pages.page_handlers import Form, first

log = structlog.get_logger()

PLATFORM_ERRORS = {
    "login_required": Refusal.LOGIN_REQUIRED,
    "launch_no_longer_valid": Refusal.LAUNCH_EXPIRED,
    "unauthorized_client": Refusal.TOOL_DISABLED,
}
"""What Canvas posts instead of a launch, and what it means for whoever sees the page."""


class _Waiting(BaseModel):
    """A verified launch that waits for the proof of its browser."""

    model_config = ConfigDict(frozen=True)

    token: str
    proof: str


def receive_launch(tool: LtiTool, pages: LtiPages, request: Request, fields: Form) -> Response:
    """Answer a launch: with its first page, or with a page that asks Canvas's storage for the proof."""
    now = tool.service.clock.now()
    if first(fields, "error"):
        return _platform_error(tool, pages, fields)
    state, claims = _verified(tool, fields)
    may_sync = tool.service.settings.lti_teachers_may_sync
    session, proof = session_of(claims, teachers_may_sync=may_sync, now=now), tool.states.proof(state)
    _learn(tool, state.client_id, claims)
    if has_cookie(request, state, proof):
        response = _open(tool, pages, session)
        end_cookie(response, state)
        return response
    launch_id = secrets.token_urlsafe(32)
    tool.store.save_launch(launch_id, _Waiting(token=tool.sessions.issue(session), proof=proof).model_dump_json())
    return pages.message(
        200, "Opening passback…", "", template="lti/launch/finish.html", launch_id=launch_id, state=state,
        storage_target=first(fields, "lti_storage_target")[:255] or state.storage_target,
        storage_origin=tool.platform.storage_origin, new_tab_url=_new_tab_url(tool, session, state.target),
    )  # fmt: skip


def finish_launch(tool: LtiTool, pages: LtiPages, fields: Form) -> Response:
    """Open a launch that waited, for the browser that has its proof. It waits once."""
    stored = tool.store.take_launch(first(fields, "launch"))
    if stored is None:
        raise LaunchRefused(Refusal.LAUNCH_USED)
    waiting = _Waiting.model_validate_json(stored)
    if not is_proof(first(fields, "proof"), waiting.proof):
        raise LaunchRefused(Refusal.OTHER_BROWSER)
    try:
        return _open(tool, pages, tool.sessions.read(waiting.token))
    except InvalidSession:
        raise LaunchRefused(Refusal.LAUNCH_USED) from None


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
    if not tool.store.use(state.id, STATE_LIFETIME):
        raise LaunchRefused(Refusal.USED_STATE)
    check_state(claims, client_id, state)
    check_message(claims, expected)
    return state, claims


def _open(tool: LtiTool, pages: LtiPages, session: LtiSession) -> Response:
    tool.count_opened()
    acts_as = session.user_id if session.real_user_id else None
    log.info(
        LogEvent.LTI_LAUNCHED, course_id=session.course_id, placement=session.placement, role=session.role,
        actor=session.actor, acts_as=acts_as,
    )  # fmt: skip
    return pages.landing_page(session)


def _learn(tool: LtiTool, client_id: str, claims: Claims) -> None:
    """Remember the deployment: no registration names it, and a client can have several."""
    at, deployment_id = tool.service.clock.now(), claims.deployment_id
    if tool.store.record_launch(client_id, deployment_id, at):
        log.info(LogEvent.LTI_DEPLOYMENT_LEARNED, client_id=client_id, deployment_id=deployment_id)


def _platform_error(tool: LtiTool, pages: LtiPages, fields: Form) -> Response:
    """Say in plain words why Canvas gave no launch; its own description is not shown, since anybody can post one."""
    refusal = PLATFORM_ERRORS.get(first(fields, "error"), Refusal.PLATFORM_ERROR)
    tool.count_refusal(refusal)
    state = tool.states.read(first(fields, "state"), tool.service.clock.now())
    again = {}
    if state is not None and state.login_hint and refusal is Refusal.LOGIN_REQUIRED:
        again = {
            "iss": state.issuer, "client_id": state.client_id, "target_link_uri": state.target,
            "login_hint": state.login_hint, "lti_message_hint": state.message_hint,
        }  # fmt: skip
    return pages.refusal(refusal, again=again)


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
