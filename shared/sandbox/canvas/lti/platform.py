"""The platform: keys, tools, settings, and launches that wait to be handed out.

Source: canvas-lms lib/lti/redis_message_client.rb (a launch is prepared at the login, handed out once, and lives five
minutes), app/models/lti/lti_advantage_adapter.rb (login request and message hint),
app/controllers/lti/ims/dynamic_registration_controller.rb (registration token).
"""

import secrets
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, Literal

import jwt
from pydantic import BaseModel, ConfigDict

from shared.sandbox.canvas.live_events.delivery import KeyRing
from shared.sandbox.canvas.live_events.envelope import SHARD_SIZE
from shared.sandbox.canvas.lti.claims import Launch, opaque_id
from shared.sandbox.canvas.lti.faults import LtiFault, signed, spoiled
from shared.sandbox.canvas.lti.tools import Tool
from shared.sandbox.canvas.state import ROOT_ACCOUNT_ID, CanvasState

LAUNCH_LIFETIME: Final = timedelta(minutes=5)
REGISTRATION_TOKEN_LIFETIME: Final = timedelta(hours=1)
FIRST_CLIENT_ID: Final = 101
LOGGED_LAUNCHES: Final = 1_000

Storage = Literal["parent", "forward", "none"]
STORAGE_TARGETS: Final = {"parent": "_parent", "forward": "post_message_forwarding"}


class LtiSettings(BaseModel):
    """How the platform presents itself, and what is wrong with its launches.

    `issuer` is the same for every district of hosted Canvas. `platform_url` is where the authorization and key
    endpoints are, as `https://sso.canvaslms.com` is; empty for Canvas's own host. `storage` is what the page around a
    tool offers: nothing, its own window, or a sibling frame of the platform's origin.
    """

    model_config = ConfigDict(extra="forbid")

    issuer: str = "https://canvas.instructure.com"
    platform_url: str = ""
    storage: Storage = "forward"
    fault: LtiFault | None = None


@dataclass(frozen=True)
class LoggedLaunch:
    """What was posted to a tool's redirect URI: a launch or an error."""

    at: datetime
    redirect_uri: str
    fields: dict[str, str]


@dataclass
class LtiPlatform:
    """The platform side of LTI 1.3 of one sandbox Canvas."""

    canvas: CanvasState
    settings: LtiSettings = field(default_factory=LtiSettings)
    tools: dict[int, Tool] = field(default_factory=dict)
    log: deque[LoggedLaunch] = field(default_factory=lambda: deque(maxlen=LOGGED_LAUNCHES))

    def __post_init__(self) -> None:
        self.keys = KeyRing(self.canvas.clock)
        self._secret = secrets.token_hex(32)
        self._tool_ids, self._client_ids = count(1), count(FIRST_CLIENT_ID)
        self._prepared: dict[str, tuple[datetime, Launch]] = {}

    def install(self, tool: Tool, client_id: str = "") -> Tool:
        """Install a tool under a new client id, or the one that is given, and return it with its ids."""
        number = next(self._tool_ids)
        installed = tool.model_copy(
            update={
                "id": number,
                "client_id": client_id or str(self.canvas.seed.shard * SHARD_SIZE + next(self._client_ids)),
                "deployment_id": f"{number}:{opaque_id('deployment', number).replace('-', '')}",
            }
        )
        self.tools[number] = installed
        return installed

    def tool_of_client(self, client_id: str) -> Tool | None:
        """Return the tool that has this client id."""
        return next((tool for tool in self.tools.values() if tool.client_id == client_id), None)

    def login_request(self, launch: Launch, storage: Storage) -> dict[str, str]:
        """Prepare a launch and return the fields of the login initiation."""
        now = self.canvas.clock.now()
        self._prepared = {key: kept for key, kept in self._prepared.items() if kept[0] > now}
        verifier = secrets.token_hex(64)
        self._prepared[verifier] = (now + LAUNCH_LIFETIME, launch)
        hint = {"verifier": verifier, "canvas_url": launch.base_url, "storage": storage}
        request = {
            "iss": self.settings.issuer,
            "login_hint": opaque_id("legacy user", launch.user.id),
            "client_id": launch.tool.client_id,
            "deployment_id": launch.tool.deployment_id,
            "target_link_uri": launch.target_link_uri,
            "lti_message_hint": self._token(hint, LAUNCH_LIFETIME),
            "canvas_region": "us-east-1",
            "canvas_environment": "prod",
        }
        return request | self.storage_target(storage)

    def storage_target(self, storage: str) -> dict[str, str]:
        """Return the field that says where a tool finds the platform's storage; none where there is none."""
        return {"lti_storage_target": STORAGE_TARGETS[storage]} if storage in STORAGE_TARGETS else {}

    def take(self, verifier: str) -> Launch | None:
        """Hand a prepared launch out: once, and while it lives."""
        expires_at, launch = self._prepared.pop(verifier, (None, None))
        return launch if expires_at is not None and expires_at > self.canvas.clock.now() else None

    def id_token(self, launch: Launch, nonce: str) -> str:
        """Return the signed id token, with the fault that is set."""
        claims = launch.claims(self.settings.issuer) | {"nonce": nonce}
        fault = self.settings.fault
        return signed(spoiled(claims, launch.tool.custom_fields, fault), self.keys, fault)

    def replayed(self, fields: dict[str, str]) -> dict[str, str]:
        """Return the fields of a launch with what a replay takes from the launch before."""
        replays = {LtiFault.REPLAYED_STATE: "state", LtiFault.REPLAYED_ID_TOKEN: "id_token"}
        name = replays.get(self.settings.fault) if self.settings.fault else None
        before = next((each.fields for each in reversed(self.log) if "id_token" in each.fields), None)
        return fields | {name: before[name]} if name and before else fields

    def registration_token(self, user_id: int) -> str:
        """Return a token with which a tool registers itself."""
        now = self.canvas.clock.now()
        account = str(self.canvas.seed.shard * SHARD_SIZE + ROOT_ACCOUNT_ID)
        claims = {"uuid": secrets.token_hex(16), "initiated_at": now.isoformat(), "user_id": user_id}
        return self._token(claims | {"root_account_global_id": account}, REGISTRATION_TOKEN_LIFETIME)

    def accepts_registration(self, token: str) -> bool:
        """Say whether a tool may register with this token."""
        claims = self.claims(token)
        return claims is not None and claims.keys() == {
            "uuid", "initiated_at", "user_id", "root_account_global_id", "exp",
        }  # fmt: skip

    def parent_token(self, canvas_url: str) -> str:
        """Return the token that tells the forwarding frame which page it stands in."""
        return self._token({"parent": canvas_url}, REGISTRATION_TOKEN_LIFETIME)

    def parent_of(self, token: str) -> str | None:
        """Return the origin that a token of `parent_token` names."""
        claims = self.claims(token)
        return None if claims is None else claims.get("parent")

    def _token(self, claims: dict[str, Any], lifetime: timedelta) -> str:
        expires_at = int((self.canvas.clock.now() + lifetime).timestamp())
        return jwt.encode(claims | {"exp": expires_at}, self._secret, algorithm="HS256")

    def claims(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a token of ours; None for anything else. The sandbox's clock decides on its end."""
        try:
            claims: dict[str, Any] = jwt.decode(
                token, self._secret, algorithms=["HS256"], options={"verify_exp": False, "require": ["exp"]}
            )
        except jwt.InvalidTokenError:
            return None
        return claims if claims["exp"] > self.canvas.clock.now().timestamp() else None
