"""Binds a launch to the browser that began its login: by a cookie, else by Canvas's own storage for tools.

Without it, somebody could let another person's browser finish his own launch. Browsers partition or block the cookies
of pages inside a frame, so that the cookie alone does not do.
"""

import hmac

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workers.web.lti.state import STATE_LIFETIME, LoginState


def set_cookie(response: Response, state: LoginState, proof: str) -> None:
    """Give the browser the proof. Each login has a cookie of its own: several can be under way in one browser."""
    lifetime = int(STATE_LIFETIME.total_seconds())
    # Starlette knows `Partitioned` only where the interpreter's own module does, from Python 3.14.
    response.headers.append(
        "set-cookie",
        f"{state.cookie}={proof}; Max-Age={lifetime}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
    )


def has_cookie(request: Request, state: LoginState, proof: str) -> bool:
    """Say whether this browser began the login, as far as its cookies show."""
    return is_proof(request.cookies.get(state.cookie, ""), proof)


def end_cookie(response: Response, state: LoginState) -> None:
    """Let the browser drop the proof."""
    response.headers.append(
        "set-cookie", f"{state.cookie}=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=None; Partitioned"
    )


async def shows_cookie(request: Request) -> Response:
    """`GET /lti/browser`: say whether this browser sends the cookie of a login. Its value is not part of the answer."""
    return JSONResponse({"has_cookie": request.query_params.get("name", "") in request.cookies})


def is_proof(given: str, proof: str) -> bool:
    """Compare without showing how much is right."""
    return hmac.compare_digest(given.encode(), proof.encode())
