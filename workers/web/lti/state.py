"""What passback remembers of a login until its launch: nothing on its side, everything in the signed `state`.

Anybody can begin logins. So beginning one stores nothing; that a state was used is stored once a launch with Canvas's
signature brings it back.

A launch is bound to the browser that began its login, by a cookie, else by Canvas's own storage for tools: without
that, somebody could let another person's browser finish his own launch. Browsers partition or block the cookies of
pages inside a frame, so that the cookie alone does not do.
"""

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cached_property

from itsdangerous import BadData, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

STATE_LIFETIME = timedelta(minutes=10)
MAX_STATE_CHARS = 8_000
STORAGE_SLOTS = 50
# Canvas gets the state back in addresses, which servers limit.
MAX_HINTS_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class LoginState:
    """A login that was begun. With the hints it can be begun again in a new tab; they are empty if they are long."""

    id: str
    nonce: str
    issuer: str
    client_id: str
    target: str
    storage_target: str
    begun_at: int
    login_hint: str = ""
    message_hint: str = ""

    @property
    def cookie(self) -> str:
        """Return the name of the cookie with the proof."""
        return f"__Host-pb-state-{self.id[:16]}"

    @property
    def storage_key(self) -> str:
        """Return the name under which Canvas stores the proof.

        Canvas keeps 4,096 characters for a tool, for as long as the browser does: so there are few names, and what a
        login that was given up leaves there is overwritten.
        """
        return f"pb-state-{sum(self.id.encode()) % STORAGE_SLOTS}"

    def again(self, login_hint: str, message_hint: str) -> dict[str, str]:
        """Return the fields that begin the same login again."""
        return {
            "iss": self.issuer, "client_id": self.client_id, "target_link_uri": self.target,
            "login_hint": login_hint, "lti_message_hint": message_hint,
        }  # fmt: skip


def new_state(
    issuer: str, client_id: str, target: str, storage_target: str, hints: tuple[str, str], now: datetime
) -> LoginState:
    """Return a new state with its own nonce."""
    login_hint, message_hint = hints if sum(map(len, hints)) <= MAX_HINTS_CHARS else ("", "")
    return LoginState(
        secrets.token_urlsafe(32), secrets.token_urlsafe(32), issuer, client_id, target, storage_target,
        int(now.timestamp()), login_hint, message_hint,
    )  # fmt: skip


class LoginStates:
    """Signs states, reads them back, and makes the proof that the browser of a launch is the one that began it."""

    def __init__(self, secret: Callable[[], str]) -> None:
        self._secret = secret

    def sign(self, state: LoginState) -> str:
        """Return the state as text for an address."""
        return str(self._serializer.dumps(list(asdict(state).values())))

    def read(self, text: str, now: datetime) -> LoginState | None:
        """Return the state of a text that this installation signed within the lifetime of states, else None."""
        if len(text) > MAX_STATE_CHARS:
            return None
        try:
            state = LoginState(*self._serializer.loads(text))
        except (BadData, TypeError):
            return None
        is_current = now.timestamp() - state.begun_at <= STATE_LIFETIME.total_seconds()
        return state if is_current else None

    def proof(self, state: LoginState) -> str:
        """Return what only the browser has that began the login: the state alone does not show it."""
        return hmac.new(self._secret().encode(), f"lti browser {state.id}".encode(), hashlib.sha256).hexdigest()[:32]

    @cached_property
    def _serializer(self) -> URLSafeSerializer:
        return serializer(self._secret(), "passback lti state")


def serializer(secret: str, salt: str) -> URLSafeSerializer:
    """Return what signs JSON for one purpose, so that text for another one is no text for this."""
    return URLSafeSerializer(secret, salt=salt, serializer=json, signer_kwargs={"digest_method": hashlib.sha256})


def set_cookie(response: Response, state: LoginState, proof: str) -> None:
    """Give the browser the proof, or let it drop it if that is empty.

    Each login has a cookie of its own: several can be under way in one browser.
    """
    lifetime = int(STATE_LIFETIME.total_seconds()) if proof else 0
    # Starlette knows `Partitioned` only where the interpreter's own module does, from Python 3.14.
    response.headers.append(
        "set-cookie",
        f"{state.cookie}={proof}; Max-Age={lifetime}; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
    )


def has_cookie(request: Request, state: LoginState, proof: str) -> bool:
    """Say whether this browser began the login, as far as its cookies show."""
    return is_proof(request.cookies.get(state.cookie, ""), proof)


async def shows_cookie(request: Request) -> Response:
    """`GET /lti/browser`: say whether this browser sends the cookie of a login. Its value is not part of the answer."""
    return JSONResponse({"has_cookie": request.query_params.get("name", "") in request.cookies})


def is_proof(given: str, proof: str) -> bool:
    """Compare without showing how much is right."""
    return hmac.compare_digest(given.encode(), proof.encode())
