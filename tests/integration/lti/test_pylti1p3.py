"""The sandbox's platform against a foreign tool library: what PyLTI1p3 accepts and refuses is what was meant."""

from html import unescape
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from pylti1p3.contrib.flask import FlaskMessageLaunch, FlaskOIDCLogin, FlaskRequest
from pylti1p3.dynamic_registration import DynamicRegistration
from pylti1p3.exception import LtiException, ToolConfException
from pylti1p3.tool_config import ToolConfDict

from shared.clock import SystemClock
from shared.sandbox.canvas.lti.faults import LtiFault
from shared.sandbox.district.small import Ids, small_district, user_id_of
from tests.integration.sandbox_server import served
from tests.lti_kit import CANVAS_URL, CLIENT_ID, TOOL_URL, Form, Platform
from workers.dev.sandbox import sandbox_today

TEACHER, STUDENT = Ids.CANVAS_TEACHER, user_id_of(Ids.STUDENTS_A[0])
LAUNCH_URL = f"{TOOL_URL}/lti/launch"


@pytest.fixture
def platform() -> Platform:
    return Platform(small_district(*sandbox_today()).canvas, SystemClock())


class ForeignTool:
    """A tool made of PyLTI1p3, with the session and the cookies of one browser."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.session: dict[str, Any] = {}
        self.cookies: dict[str, str] = {}

    def open(self, user: int) -> FlaskMessageLaunch:
        """Open the tool as somebody, and return the launch, validated."""
        login = self.platform.open(user, Ids.COURSE)
        oidc = FlaskOIDCLogin(self._request(login), self._registrations())
        url = oidc.get_redirect_object(LAUNCH_URL).get_redirect_url()
        self.cookies |= {name: each["value"] for name, each in oidc._cookie_service._cookie_data_to_set.items()}
        browser = self.platform.browser
        return self.launched(Form.of(browser.get(browser.get(url).headers["location"])))

    def launched(self, form: Form) -> FlaskMessageLaunch:
        """Return the launch that Canvas posted, validated."""
        assert form.action == LAUNCH_URL
        launch = FlaskMessageLaunch(self._request(form), self._registrations())
        launch.validate()
        return launch

    def _request(self, form: Form) -> FlaskRequest:
        return FlaskRequest(self.cookies, self.session, form.fields, request_is_secure=True)

    def _registrations(self) -> ToolConfDict:
        one = {
            "default": True,
            "client_id": CLIENT_ID,
            "auth_login_url": f"{CANVAS_URL}/api/lti/authorize_redirect",
            "auth_token_url": f"{CANVAS_URL}/login/oauth2/token",
            "key_set": self.platform.browser.get("/api/lti/security/jwks").json(),
            "key_set_url": None,
            "deployment_ids": [self.platform.tool.deployment_id],
        }
        return ToolConfDict({"https://canvas.instructure.com": [one]})


def test_a_teacher_and_a_student_are_told_apart(platform: Platform) -> None:
    """By the library's own reading of the roles; the custom fields arrive."""
    teacher, student = (ForeignTool(platform).open(user) for user in (TEACHER, STUDENT))
    assert (teacher.check_teacher_access(), teacher.check_student_access()) == (True, False)
    assert (student.check_teacher_access(), student.check_student_access()) == (False, True)
    custom = teacher.get_launch_data()["https://purl.imsglobal.org/spec/lti/claim/custom"]
    assert custom["course_id"] == str(Ids.COURSE)
    assert teacher.is_resource_launch()
    assert not teacher.has_ags()
    assert not teacher.has_nrps()


@pytest.mark.parametrize(
    "fault",
    [
        LtiFault.WRONG_AUDIENCE,
        LtiFault.WRONG_ISSUER,
        LtiFault.EXPIRED,
        LtiFault.WRONG_NONCE,
        LtiFault.NO_NONCE,
        LtiFault.WRONG_VERSION,
        LtiFault.WRONG_MESSAGE_TYPE,
        LtiFault.OTHER_DEPLOYMENT,
        LtiFault.ALGORITHM_NONE,
        LtiFault.HS256_WITH_PUBLIC_KEY,
        LtiFault.UNKNOWN_KEY,
        LtiFault.WRONG_SIGNATURE,
        LtiFault.LOGIN_REQUIRED,
    ],
)
def test_a_faulty_launch_is_refused(platform: Platform, fault: LtiFault) -> None:
    """The library finds the fault, too."""
    tool = ForeignTool(platform)
    assert tool.open(TEACHER)
    platform.configure(fault=fault)
    with pytest.raises((LtiException, ToolConfException)):
        tool.open(TEACHER)


def test_a_launch_is_not_finished_in_another_browser(platform: Platform) -> None:
    """The library looks for the state in the browser's cookies."""
    mine, theirs = ForeignTool(platform), ForeignTool(platform)
    mine.open(TEACHER)
    posted = Form(LAUNCH_URL, platform.lti.log[-1].fields)
    with pytest.raises(LtiException, match="State not found"):
        theirs.launched(posted)


def test_keys_rotate_without_a_refused_launch(platform: Platform) -> None:
    """A launch signed with the next key is accepted, and so is the next one's next."""
    tool = ForeignTool(platform)
    for _ in range(3):
        assert tool.open(TEACHER)
        platform.browser.post("/_sandbox/lti/rotate")


class ForeignRegistration(DynamicRegistration):
    """PyLTI1p3's own registration of a tool that wants one page in the course menu."""

    client_name = "a foreign tool"

    def __init__(self, configuration_url: str, token: str) -> None:
        self.configuration_url, self.token = configuration_url, token

    def get_initiate_login_uri(self) -> str:
        return f"{TOOL_URL}/lti/login"

    def get_jwks_uri(self) -> str:
        return f"{TOOL_URL}/lti/jwks"

    def get_redirect_uris(self) -> list[str]:
        return [LAUNCH_URL]

    def get_domain(self) -> str:
        return "passback.example"

    def get_target_link_uri(self) -> str:
        return f"{TOOL_URL}/lti/course"

    def get_logo_uri(self) -> str:
        return f"{TOOL_URL}/static/logo.svg"

    def get_messages(self) -> list[dict[str, Any]]:
        target = {"target_link_uri": self.get_target_link_uri(), "placements": ["course_navigation"]}
        return [{"type": "LtiResourceLinkRequest", "label": "Sync", **target}]

    def get_openid_configuration_endpoint(self) -> str:
        return self.configuration_url

    def get_registration_token(self) -> str:
        return self.token

    def complete_registration(self, configuration: dict[str, Any], registration: dict[str, Any]) -> Any:
        return configuration["issuer"], registration["client_id"]


def test_a_foreign_tool_registers_itself(platform: Platform) -> None:
    """From the two parameters that its registration page gets; without its token it is refused."""
    with served(platform.app) as url:
        page = httpx.get(f"{url}/accounts/1/lti_registrations?as=9000&url={TOOL_URL}/lti/register").text
        query = parse_qs(unescape(page.split(f'src="{TOOL_URL}/lti/register?')[1].split('"')[0]))
        (configuration_url,), (token,) = query["openid_configuration"], query["registration_token"]
        issuer, client_id = ForeignRegistration(configuration_url, token).register()
        assert issuer == "https://canvas.instructure.com"
        tool = platform.lti.tool_of_client(client_id)
        assert tool is not None
        assert tool.title == "a foreign tool"
        with pytest.raises(LtiException):
            ForeignRegistration(configuration_url, "of somebody else").register()
