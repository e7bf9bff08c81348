"""A Canvas that signs launches, and a browser that carries them to passback: for tests."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import fakeredis
import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from shared.adapters.redis.operations.lti import LtiStore
from tests.unit.web.site_kit import Browser, Site
from workers.web.lti.session import LtiSessions
from workers.web.lti.tool import LtiTool

ISSUER = "https://canvas.instructure.com"
KEYS_URL = "https://sso.canvaslms.com/api/lti/security/jwks"
PUBLIC_URL = "https://passback.test"
CLIENT, DEPLOYMENT, DISTRICT = "10000000000042", "12:abcdef", "uuid-of-the-district"
COURSE, TEACHER, SECTION, ASSIGNMENT = "7", "31", "71", "9"
SETTINGS = {
    "LTI_CLIENT_ID": CLIENT, "PUBLIC_URL": PUBLIC_URL, "CANVAS_ROOT_ACCOUNT_UUID": DISTRICT,
    "CANVAS_URL": "https://district.instructure.com", "SESSION_SECRET": "a secret of more than thirty-two characters",
}  # fmt: skip

CLAIM = "https://purl.imsglobal.org/spec/lti/claim/"
MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
USER = "http://purl.imsglobal.org/vocab/lis/v2/system/person#User"
INSTRUCTOR, ADMINISTRATOR = f"{MEMBERSHIP}Instructor", f"{INSTITUTION}Administrator"

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def key_set(**keys: rsa.RSAPrivateKey) -> str:
    """Return a key set that lists these keys by their ids."""
    listed = [{**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid} for kid, key in keys.items()]
    return json.dumps({"keys": listed})


def claims(now: float, **changed: Any) -> dict[str, Any]:
    """Return the claims of a teacher's launch from the course menu. `changed` is by short name; None removes one."""
    short = {
        "version": "1.3.0",
        "message_type": "LtiResourceLinkRequest",
        "deployment_id": DEPLOYMENT,
        "target_link_uri": f"{PUBLIC_URL}/lti/course",
        "resource_link": {"id": "opaque-course", "title": "passback"},
        "context": {"id": "opaque-course", "label": "BIO-1", "title": "Biology 1"},
        "tool_platform": {"guid": f"{DISTRICT}:canvas-lms", "name": "District"},
        "launch_presentation": {"return_url": f"https://district.instructure.com/courses/{COURSE}/external_content/x"},
        "roles": [INSTRUCTOR, f"{INSTITUTION}Instructor", USER],
        "custom": custom(),
    }
    plain: dict[str, Any] = {
        "iss": ISSUER, "aud": CLIENT, "azp": CLIENT, "sub": "user-uuid", "iat": now, "exp": now + 3600,
        "name": "Zimt, Ada", "email": "ada@district.example",
        "https://www.instructure.com/placement": "course_navigation",
    }  # fmt: skip
    for name, value in changed.items():
        if name in short:
            short[name] = value
        else:
            plain["https://www.instructure.com/placement" if name == "placement" else name] = value
    found = {**plain, **{f"{CLAIM}{name}": value for name, value in short.items()}}
    return {name: value for name, value in found.items() if value is not None}


def custom(**changed: object) -> dict[str, object]:
    """Return the custom fields of a teacher's launch; what Canvas has no value for is the variable's name."""
    fields: dict[str, object] = {
        "course_id": COURSE, "user_id": TEACHER, "enrollment_state": "active", "section_ids": SECTION,
        "account_id": "3", "root_account_id": "1", "root_account_uuid": DISTRICT,
        "api_domain": "district.instructure.com", "is_root_admin": "false",
        "masquerading_user_id": "$Canvas.masqueradingUser.id", "assignment_id": "$Canvas.assignment.id",
        "message_token": "a token", "high_contrast": "false",
    }  # fmt: skip
    return {**fields, **changed}


def account_launch(**changed: Any) -> dict[str, Any]:
    """Return what a launch of the root account's administrator from the account's menu changes."""
    variables = {"course_id": "$Canvas.course.id", "section_ids": "$Canvas.course.sectionIds", "account_id": "1"}
    return {
        "placement": "account_navigation",
        "target_link_uri": f"{PUBLIC_URL}/lti/account",
        "roles": [ADMINISTRATOR, USER],
        "custom": custom(**variables, enrollment_state="$Canvas.enrollment.enrollmentState", is_root_admin="true"),
        "launch_presentation": {"return_url": "https://district.instructure.com/accounts/1/external_content/x"},
        **changed,
    }


@dataclass
class Canvas:
    """A Canvas and the passback that it opens. Every login and launch goes through HTTP."""

    site: Site = field(default_factory=lambda: Site(**SETTINGS))

    def __post_init__(self) -> None:
        self.store = LtiStore(self.site.service.redis, self.site.service.keys)
        self.store.save_key_set(KEYS_URL, key_set(current=KEY), self.site.service.clock.now())

    @property
    def redis(self) -> fakeredis.FakeRedis:
        return self.site.service.redis  # type: ignore[return-value]

    def tool(self) -> LtiTool:
        """Return the tool as each request sees it."""
        return LtiTool(self.site.service)

    @property
    def sessions(self) -> LtiSessions:
        """Return the tokens of launches."""
        return LtiSessions(self.tool().secret, self.site.service.clock)

    def now(self) -> float:
        """Return passback's time."""
        return self.site.service.clock.now().timestamp()

    def browser(self) -> Browser:
        """Return a browser of its own."""
        return Browser(self.site.app, scheme="https")

    def begin(self, browser: Browser, **changed: str) -> dict[str, str]:
        """Begin a login; return what passback asks Canvas for."""
        response = browser.get("/lti/login", params=login_fields(**changed))
        assert response.status_code == 302, response.text
        query = parse_qs(urlsplit(response.headers["location"]).query)
        return {name: values[0] for name, values in query.items()}

    def sign(self, token_claims: dict[str, Any], key: Any = KEY, kid: str = "current", alg: str = "RS256") -> str:
        """Return a launch's token."""
        return jwt.encode(token_claims, key, algorithm=alg, headers={"kid": kid})

    def launch(self, browser: Browser | None = None, **changed: Any) -> httpx.Response:
        """Go the whole way: login, authorization, launch with these claims changed."""
        browser = browser or self.browser()
        asked = self.begin(browser)
        token = self.sign(claims(self.now(), nonce=changed.pop("nonce", asked["nonce"]), **changed))
        return self.post(browser, token, asked["state"])

    def post(self, browser: Browser, token: str, state: str, **fields: str) -> httpx.Response:
        """Post a launch as Canvas's page does."""
        return browser.post("/lti/launch", {"id_token": token, "state": state, **fields}, token="")


def login_fields(**changed: str) -> dict[str, str]:
    """Return the fields of a login initiation."""
    fields = {
        "iss": ISSUER, "login_hint": "user-uuid", "client_id": CLIENT, "deployment_id": DEPLOYMENT,
        "target_link_uri": f"{PUBLIC_URL}/lti/course", "lti_message_hint": "canvas.own.jwt",
        "canvas_region": "us-east-1", "canvas_environment": "prod",
    }  # fmt: skip
    return {**fields, **changed}


def at(timestamp: float) -> datetime:
    """Return a time."""
    return datetime.fromtimestamp(timestamp, UTC)
