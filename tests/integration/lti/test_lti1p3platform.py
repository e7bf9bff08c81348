"""passback as a tool against a foreign platform library: what lti1p3platform sends is understood, and checked."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import MessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request

from shared.adapters.redis.operations.lti import LtiStore
from tests.unit.web.lti.launch_kit import (
    CLIENT,
    COURSE,
    DEPLOYMENT,
    FOREIGN_KEY,
    INSTRUCTOR,
    ISSUER,
    KEY,
    KEYS_URL,
    MEMBERSHIP,
    PUBLIC_URL,
    SETTINGS,
    custom,
)
from tests.unit.web.site_kit import Browser, Site

PRIVATE_KEY = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC_KEY = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


class ForeignPlatform(LTI1P3PlatformConfAbstract):
    """A platform made of lti1p3platform, at which passback is registered."""

    def init_platform_config(self, **_: Any) -> None:
        """Nothing beyond the registration is needed."""

    def get_registration_by_params(self, **_: Any) -> Registration:
        found = Registration()
        found.set_iss(ISSUER).set_client_id(CLIENT).set_deployment_id(DEPLOYMENT)
        found.set_launch_url(f"{PUBLIC_URL}/lti/course").set_oidc_login_url(f"{PUBLIC_URL}/lti/login")
        return found.set_platform_private_key(PRIVATE_KEY).set_platform_public_key(PUBLIC_KEY)


class Query(Request):
    """The authorization request that passback made, as the platform's framework would pass it on."""

    def build_metadata(self, request: Any) -> Any:
        return {"method": "GET", "get_data": request, "form_data": {}, "headers": {}, "path": "/authorize"}


class Login(OIDCLoginAbstract):
    """The login initiation."""

    def set_lti_message_hint(self, **_: Any) -> None:
        self._lti_message_hint = "an opaque hint"

    def get_redirect(self, url: str) -> str:
        return url


class Launch(MessageLaunchAbstract):
    """A teacher's launch, or another person's."""

    roles = (INSTRUCTOR,)

    def prepare_launch(self, preflight_response: dict[str, Any]) -> None:
        self.set_user_data("a-user", list(self.roles), "Zimt, Ada", "ada@district.example")
        self.set_launch_context_claim("opaque-course", ["CourseSection"], "Biology", "BIO-1")
        self.set_resource_link_claim("opaque-course", title="passback")
        self.set_custom_parameters_claim(custom())
        self.set_launch_presentation_claim("iframe", f"https://district.instructure.com/courses/{COURSE}/x")

    def render_launch_form(self, launch_data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return launch_data


@pytest.fixture
def site() -> Site:
    made = Site(**SETTINGS)
    platform = ForeignPlatform()
    platform.get_registration()
    LtiStore(made.service.redis, made.service.keys).save_key_set(
        KEYS_URL, json.dumps(platform.get_jwks()), made.service.clock.now()
    )
    return made


def launched(site: Site, launch_type: type[Launch] = Launch) -> tuple[Browser, dict[str, Any]]:
    """Go from the platform's login initiation to its launch; return the browser and what it would post."""
    platform, browser = ForeignPlatform(), Browser(site.app, scheme="https")
    login = Login(None, platform)
    login.set_lti_message_hint()
    asked = browser.get(login.initiate_login("a-user").removeprefix(PUBLIC_URL))
    assert asked.status_code == 302, asked.text
    query = {name: values[0] for name, values in parse_qs(urlsplit(asked.headers["location"]).query).items()}
    return browser, launch_type(Query(query), platform).lti_launch()


def post(browser: Browser, launch: dict[str, Any]) -> httpx.Response:
    assert launch["launch_url"] == f"{PUBLIC_URL}/lti/launch"
    return browser.post("/lti/launch", {name: launch[name] for name in ("id_token", "state")}, token="")


def test_a_foreign_platform_opens_passback(site: Site) -> None:
    """Its login initiation, its reading of the authorization request and its signed launch fit."""
    response = post(*launched(site))
    assert response.status_code == 200, response.text
    assert 'name="lti_token"' in response.text
    (deployment,) = site.service.lti.deployments()
    assert (deployment.client_id, deployment.deployment_id) == (CLIENT, DEPLOYMENT)


def test_its_launch_opens_once(site: Site) -> None:
    """The same form posted again is refused."""
    browser, launch = launched(site)
    assert post(browser, launch).status_code == 200
    assert "used_state" in post(browser, launch).text


def test_its_student_is_refused(site: Site) -> None:
    """A learner gets the sentence."""

    class StudentLaunch(Launch):
        roles = (f"{MEMBERSHIP}Learner",)

    assert "not_a_teacher" in post(*launched(site, StudentLaunch)).text


def test_its_token_with_another_claim_is_refused(site: Site) -> None:
    """A token that somebody signed anew with a key of his own is refused."""
    browser, launch = launched(site)
    claims = jwt.decode(launch["id_token"], options={"verify_signature": False})
    kid = jwt.get_unverified_header(launch["id_token"])["kid"]
    forged = jwt.encode({**claims, "sub": "another"}, FOREIGN_KEY, algorithm="RS256", headers={"kid": kid})
    assert "bad_signature" in post(browser, {**launch, "id_token": forged}).text


def test_it_can_use_passbacks_key_set(site: Site) -> None:
    """The library reads the keys that passback publishes, as it would for a service."""
    key_set = Browser(site.app, scheme="https").get("/lti/jwks").json()
    platform = ForeignPlatform()
    platform.get_registration().set_tool_key_set(key_set)
    platform._jwt = {"header": {"kid": key_set["keys"][0]["kid"], "alg": "RS256"}}
    assert platform.get_tool_public_key().startswith(b"-----BEGIN PUBLIC KEY-----")
