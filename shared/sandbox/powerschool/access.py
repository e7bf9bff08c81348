"""Access control: tokens, throttling and the access level of `/ws/v1`."""

import base64
import math
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.request import Refusal, current_faults, message, powerschool, refusal_response
from shared.sandbox.powerschool.state import PowerSchool

# Metadata answers unauthenticated callers (measured on a production server); `/time` needs no OAuth (documented).
OPEN_PATHS = frozenset({"/ws/v1/metadata", "/ws/v1/time"})
TOKEN_EXPIRED = 'Bearer error="invalid_token",realm="PowerSchool",error_description="The access token has expired"'


@dataclass
class AccessMiddleware:
    """ASGI middleware: throttle first, then the bearer token, then the access level of `/ws/v1`."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an allowed request on, answer any other."""
        if scope["type"] == "http" and str(scope["path"]).startswith(("/ws/", "/oauth/")):
            request = Request(scope)
            try:
                check_access(request)
            except Refusal as refusal:
                response = await refusal_response(request, refusal)
                await response(scope, receive, send)
                return
        await self.app(scope, receive, send)


def check_access(request: Request) -> None:
    """Let the request pass or raise its refusal."""
    state, faults, path = powerschool(request), current_faults(request), request.url.path
    if path in OPEN_PATHS:
        return
    check_pace(state, faults)
    if path.startswith("/ws/"):
        check_token(request, state, faults)
    if path.startswith("/ws/v1/") and state.plugin.v1_access == "NONE":
        # Measured on a production server, while the metadata still answered 200.
        text = "Plugin is missing required accessLevelV1Api READ permission"
        raise Refusal(401, {"errorMessage": {"message": text}})


def check_pace(state: PowerSchool, faults: PowerSchoolFaults) -> None:
    """Refuse a request that comes sooner than the interval after the last accepted one.

    Source: documented as an administrator setting per plugin, rejecting with a message to wait some seconds. The status
    is not public: 403 by a published error title, 429 at the token endpoint by client code. That a rejected request
    does not start the interval anew is inferred.
    """
    interval, now = timedelta(milliseconds=faults.throttle_interval_ms), state.clock.now()
    if interval and state.last_accepted and now - state.last_accepted < interval:
        wait = max(1, math.ceil((state.last_accepted + interval - now).total_seconds()))
        raise (
            too_many(wait)
            if faults.throttle_style == "429"
            else message(403, f"Too many requests. Wait {wait} seconds.")
        )
    state.last_accepted = now


def too_many(wait_s: int) -> Refusal:
    """Return the refusal in its 429 style."""
    return Refusal(429, headers={"Retry-After": str(wait_s)})


def check_token(request: Request, state: PowerSchool, faults: PowerSchoolFaults) -> None:
    """Refuse a missing, unknown or expired bearer token. Source: header from client code; empty body likewise."""
    if faults.expire_tokens:
        faults.expire_tokens = False
        state.expire_tokens()
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expires = state.tokens.get(token) if scheme.lower() == "bearer" else None
    if expires is None or expires <= state.clock.now():
        raise Refusal(401, headers={"WWW-Authenticate": TOKEN_EXPIRED})


async def give_token(request: Request) -> Response:
    """`POST /oauth/access_token`: a client-credentials token, its lifetime as a string of seconds.

    Source: client code; the refusals are inferred but for the 429.
    """
    state, faults = powerschool(request), current_faults(request)
    _check_client(request, state)
    _check_token_rate(state, faults)
    if parse_qs((await request.body()).decode()).get("grant_type") != ["client_credentials"]:
        raise Refusal(400, {"error": "unsupported_grant_type"})
    token, expires = _token(state)
    lifetime = int((expires - state.clock.now()).total_seconds())
    return JSONResponse({"access_token": token, "token_type": "Bearer", "expires_in": str(lifetime)})


def _check_client(request: Request, state: PowerSchool) -> None:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    expected = base64.b64encode(f"{state.plugin.client_id}:{state.plugin.client_secret}".encode()).decode()
    if scheme.lower() != "basic" or encoded != expected:
        raise Refusal(401, {"error": "invalid_client"})
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Refusal(400, {"error": "invalid_request"})


def _check_token_rate(state: PowerSchool, faults: PowerSchoolFaults) -> None:
    """Fetching tokens too often answers 429 (client code); the limit itself is not public."""
    now = state.clock.now()
    state.token_requests = [at for at in state.token_requests if now - at < timedelta(minutes=1)]
    if 0 < faults.max_token_requests_per_minute <= len(state.token_requests):
        raise too_many(60)
    state.token_requests.append(now)


def _token(state: PowerSchool) -> tuple[str, datetime]:
    now = state.clock.now()
    living = [(expires, token) for token, expires in state.tokens.items() if expires > now]
    if state.plugin.reuse_token and living:
        expires, token = max(living)
        return token, expires
    token, expires = str(uuid.uuid4()), now + timedelta(seconds=state.plugin.token_lifetime_s)
    state.tokens[token] = expires
    return token, expires


# Both spellings are in use by clients.
ROUTES = [Route(path, give_token, methods=["POST"]) for path in ("/oauth/access_token", "/oauth/access_token/")]
