"""passback against the sandbox's LTI platform: installed by a link, opened by people, and every fault refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import httpx
import pytest

from shared.clock import SystemClock
from shared.domain.actions import Verb
from shared.domain.metrics import CounterName
from shared.sandbox.canvas.app import create_app
from shared.sandbox.canvas.lti.faults import LtiFault
from shared.sandbox.canvas.lti.platform import LtiPlatform, LtiSettings
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.state import SERVICE_USER_ID
from shared.sandbox.district.small import Ids, small_district
from tests.integration.sandbox_server import served
from tests.lti_kit import Form
from tests.unit.web.site_kit import Browser, Site
from workers.recorded_actions import RecordedActions
from workers.web.lti.refusals import Refusal
from workers.web.lti.registration import is_allowed

PUBLIC_URL = "https://passback.test"
COURSE = Ids.HEALTHY_COURSE


@dataclass
class District:
    """A sandbox Canvas that is served, and one passback."""

    canvas_url: str
    canvas: CanvasSandbox
    site: Site

    @property
    def platform(self) -> LtiPlatform:
        return self.canvas.lti

    def actions(self) -> RecordedActions:
        return RecordedActions(self.site.service, "engineer")

    def register(self, link: str | None = None, **changed: str) -> httpx.Response:
        """Open the registration link as Canvas does for an administrator."""
        secret = self.actions().make_registration_link() if link is None else link
        query = {
            "openid_configuration": f"{self.canvas_url}/api/lti/security/openid-configuration",
            "registration_token": self.platform.registration_token(SERVICE_USER_ID),
            **changed,
        }
        return self.browser().get(f"/lti/register/{secret}?{urlencode(query)}")

    def install(self) -> str:
        """Install passback and confirm it; return its client id."""
        response = self.register()
        assert response.status_code == 200, response.text
        (registration,) = self.site.service.lti.registrations()
        assert self.actions().confirm_registration(registration.client_id)
        return registration.client_id

    def browser(self) -> Browser:
        return Browser(self.site.app, scheme="https")

    def open(
        self, user: int, course: int | None = COURSE, browser: Browser | None = None, **query: str
    ) -> httpx.Response:
        """Open passback in Canvas as somebody, with everything that a browser does on the way."""
        browser = browser or self.browser()
        tool = next(iter(self.platform.tools.values()))
        place = f"courses/{course}" if course else "accounts/1"
        with httpx.Client(base_url=self.canvas_url) as own:
            asked = urlencode({"as": user, "storage": "none", **query})
            page = own.get(f"/{place}/external_tools/{tool.id}/launch?{asked}")
            if page.status_code != 200:
                return page
            login = browser.post("/lti/login", Form.of(page).fields, token="")
            if login.status_code != 302:
                return login
            launch = Form.of(own.get(login.headers["location"], follow_redirects=True))
        assert launch.action == f"{PUBLIC_URL}/lti/launch"
        return browser.post("/lti/launch", launch.fields, token="")

    def counted(self) -> dict[str, int]:
        self.site.service.counter_buffer.flush()
        return dict(self.site.service.counters.read(CounterName.LTI_LAUNCHES))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[tuple[str, CanvasSandbox]]:
    clock = SystemClock()
    app = create_app(small_district(clock.now().date()).canvas, clock)
    with served(app) as url:
        yield url, app.state.sandbox


@pytest.fixture
def district(sandbox: tuple[str, CanvasSandbox]) -> District:
    url, canvas = sandbox
    canvas.lti.tools.clear()
    canvas.lti.settings = LtiSettings(platform_url=url)
    site = Site(
        PUBLIC_URL=PUBLIC_URL, CANVAS_URL=url, LTI_PLATFORM_URL=url,
        CANVAS_ROOT_ACCOUNT_UUID=canvas.seed.root_account_uuid, SESSION_SECRET="a secret of thirty-two characters",
    )  # fmt: skip
    return District(url, canvas, site)


def people(district: District) -> dict[str, int]:
    """Return a person of each kind of the course, by the type of the enrollment."""
    enrollments = district.canvas.courses[COURSE].enrollments.values()
    return {each.type: each.user_id for each in enrollments if each.state == "active"}


def test_a_link_installs_passback_once_an_operator_confirms_it(district: District) -> None:
    """Canvas gets what it requires; before the confirmation every launch is refused; no setting is needed."""
    assert district.browser().get("/lti/config.json").status_code == 404
    response = district.register()
    assert response.status_code == 200, response.text
    (tool,) = district.platform.tools.values()
    assert {each.placement for each in tool.placements} == {
        "course_navigation", "account_navigation", "post_grades", "assignment_menu",
    }  # fmt: skip
    assert (tool.privacy_level, tool.redirect_uris) == ("anonymous", [f"{PUBLIC_URL}/lti/launch"])
    assert tool.client_id in response.text
    teacher = people(district)["TeacherEnrollment"]
    assert "unconfirmed_client" in district.open(teacher).text
    assert district.actions().confirm_registration(tool.client_id)
    assert "PowerSchool sync" in district.open(teacher).text
    (deployment,) = district.site.service.lti.deployments()
    assert (deployment.client_id, deployment.deployment_id) == (tool.client_id, tool.deployment_id)
    assert [action.verb for action in district.site.service.actions.newest(2)] == [Verb.CONFIRM, Verb.INVITE]


def test_a_registration_link_works_once(district: District) -> None:
    """The second Canvas that opens it, or anybody else, gets nothing, and nothing is sent to Canvas."""
    secret = district.actions().make_registration_link()
    assert district.register(secret).status_code == 200
    for link in (secret, "invented"):
        response = district.register(link)
        assert (response.status_code, "link_used" in response.text) == (403, True)
    assert len(district.platform.tools) == 1


FOREIGN_URLS = [
    "http://169.254.169.254/latest/meta-data",
    "https://evil.example/config",
    "https://instructure.com.evil.example/config",
    "https://evilinstructure.com/config",
    "https://district.instructure.com@evil.example/config",
    "https://evil.example#.instructure.com",
    "https://evil.example/.instructure.com",
    "https://district.instructure.com:6379/config",
    "http://district.instructure.com/config",
    "http://127.0.0.1:1/config",
    "https://[::1]/config",
    "file:///etc/passwd",
    "https://district.instructure.com:x/config",
    "https://evil.example\\.instructure.com/",
]


@pytest.mark.parametrize("url", FOREIGN_URLS)
def test_no_request_goes_to_an_address_of_a_stranger(district: District, url: str) -> None:
    """Hosts other than Instructure's and the settings' are refused before the link is used."""
    secret = district.actions().make_registration_link()
    response = district.register(secret, openid_configuration=url)
    assert (response.status_code, "foreign_platform" in response.text) == (403, True)
    assert district.register(secret).status_code == 200


@pytest.mark.parametrize(
    ("url", "is_known"),
    [
        ("https://d.instructure.com/api/lti/security/openid-configuration", True),
        ("https://sso.beta.canvaslms.com:443/c", True),
        ("https://canvas.district.example/c", True),
        ("https://learn.district.example/c", True),
        ("https://sub.other.example/c", False),
        ("http://canvas.district.example/c", False),
        ("https://canvas.district.example:444/c", False),
    ],
)
def test_the_addresses_of_the_settings_are_known(url: str, is_known: bool) -> None:
    """Those of Instructure, of the district's Canvas, and those under which people open it; no pattern names one."""
    settings = Site(
        CANVAS_URL="https://canvas.district.example",
        LTI_FRAME_ANCESTORS="https://learn.district.example,https://*.other.example",
    ).service.settings
    assert is_allowed(url, settings) is is_known


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"registration_token": "wrong"}, "platform_unavailable"),
        ({"registration_token": "a\nb"}, "malformed_registration"),
        ({"openid_configuration": ""}, "malformed_registration"),
    ],
)
def test_a_registration_that_canvas_refuses_says_so(district: District, changed: dict[str, str], code: str) -> None:
    """The page has the code, and nothing is registered."""
    response = district.register(**changed)
    assert f"<code>{code}</code>" in response.text
    assert district.site.service.lti.registrations() == []


def test_a_canvas_of_another_issuer_or_district_does_not_register(district: District) -> None:
    """What would be refused at every launch is refused at the installation."""
    district.platform.settings = LtiSettings(
        platform_url=district.canvas_url, issuer="https://canvas.beta.instructure.com"
    )
    assert "foreign_platform" in district.register().text
    district.platform.settings = LtiSettings(platform_url="https://evil.example")
    assert "foreign_platform" in district.register().text
    other = Site(
        PUBLIC_URL=PUBLIC_URL, CANVAS_URL=district.canvas_url, LTI_PLATFORM_URL=district.canvas_url,
        CANVAS_ROOT_ACCOUNT_UUID="another",
    )  # fmt: skip
    district.platform.settings = LtiSettings(platform_url=district.canvas_url)
    assert "foreign_district" in District(district.canvas_url, district.canvas, other).register().text
    assert district.platform.tools == {}


def test_people_see_what_their_role_in_the_course_allows(district: District) -> None:
    """Teachers get in; students, observers, and teachers of another course are refused with a sentence."""
    district.install()
    known = people(district)
    teacher = known["TeacherEnrollment"]
    administrator = district.open(SERVICE_USER_ID, None, placement="account_navigation")
    for opened in (district.open(teacher), administrator, district.open(SERVICE_USER_ID, become_user_id=str(teacher))):
        assert (opened.status_code, "lti_token" in opened.text) == (200, True)
    for kind, user in known.items():
        if kind not in ("TeacherEnrollment", "TaEnrollment"):
            response = district.open(user)
            assert response.status_code == 403, kind
            assert "lti_token" not in response.text


EXPECTED: dict[LtiFault, Refusal | None] = {
    LtiFault.WRONG_AUDIENCE: Refusal.WRONG_AUDIENCE,
    LtiFault.AUDIENCE_LIST: None,
    LtiFault.AUDIENCE_LIST_OF_ANOTHER: Refusal.WRONG_AUDIENCE,
    LtiFault.WRONG_ISSUER: Refusal.WRONG_ISSUER,
    LtiFault.EXPIRED: Refusal.EXPIRED,
    LtiFault.OLD: Refusal.TOO_OLD,
    LtiFault.ISSUED_IN_FUTURE: Refusal.NOT_YET_VALID,
    LtiFault.NO_TIMES: Refusal.MALFORMED_CLAIMS,
    LtiFault.WRONG_NONCE: Refusal.WRONG_NONCE,
    LtiFault.NO_NONCE: Refusal.MALFORMED_CLAIMS,
    LtiFault.WRONG_VERSION: Refusal.WRONG_VERSION,
    LtiFault.WRONG_MESSAGE_TYPE: Refusal.WRONG_MESSAGE,
    LtiFault.OTHER_DEPLOYMENT: None,  # Learned: no registration names its deployments.
    LtiFault.OTHER_ROOT_ACCOUNT: Refusal.FOREIGN_DISTRICT,
    LtiFault.OTHER_PLATFORM_GUID: Refusal.FOREIGN_DISTRICT,
    LtiFault.FOREIGN_TARGET: Refusal.WRONG_TARGET,
    LtiFault.UNSUBSTITUTED: Refusal.DISTRICT_MISSING,
    LtiFault.NO_CUSTOM_FIELDS: Refusal.DISTRICT_MISSING,
    LtiFault.NO_ROLES: Refusal.NOT_A_TEACHER,
    LtiFault.ONLY_INSTITUTION_ROLES: Refusal.NOT_A_TEACHER,
    LtiFault.ALGORITHM_NONE: Refusal.WRONG_ALGORITHM,
    LtiFault.HS256_WITH_PUBLIC_KEY: Refusal.WRONG_ALGORITHM,
    LtiFault.UNKNOWN_KEY: Refusal.UNKNOWN_KEY,
    LtiFault.WRONG_SIGNATURE: Refusal.BAD_SIGNATURE,
    LtiFault.REPLAYED_STATE: Refusal.USED_STATE,
    LtiFault.REPLAYED_ID_TOKEN: Refusal.WRONG_NONCE,
    LtiFault.LOGIN_REQUIRED: Refusal.LOGIN_REQUIRED,
    LtiFault.UNAUTHORIZED_CLIENT: Refusal.TOOL_DISABLED,
    LtiFault.LAUNCH_NO_LONGER_VALID: Refusal.LAUNCH_EXPIRED,
}


def test_every_fault_of_the_platform_is_known() -> None:
    """A new fault of the sandbox needs a row here."""
    assert set(EXPECTED) == set(LtiFault)


@pytest.mark.parametrize("fault", LtiFault)
def test_a_faulty_launch_is_refused(district: District, fault: LtiFault) -> None:
    """Each fault of the platform ends in its refusal; what is no fault opens the page."""
    client_id = district.install()
    teacher = people(district)["TeacherEnrollment"]
    assert district.open(teacher).status_code == 200
    district.platform.settings = LtiSettings(platform_url=district.canvas_url, fault=fault)
    response, refusal = district.open(teacher), EXPECTED[fault]
    if refusal is None:
        assert "PowerSchool sync" in response.text
        assert {each.client_id for each in district.site.service.lti.deployments()} == {client_id}
    else:
        assert (response.status_code, district.counted()) == (refusal.status, {"opened": 1, refusal.code: 1})
        assert "lti_token" not in response.text


@pytest.mark.parametrize("placement", ["course_navigation", "post_grades", "assignment_menu"])
def test_a_launch_asks_canvas_for_nothing(district: District, placement: str) -> None:
    """Beyond its keys, once: the first page shows what is stored, and no request of the API is made for it."""
    district.install()
    teacher = people(district)["TeacherEnrollment"]
    assert district.open(teacher).status_code == 200
    first = [request["path"] for request in requests_of(district)]
    assert first.count("/api/lti/security/jwks") >= 1
    assert district.open(teacher, placement=placement).status_code == 200
    made = [request["path"] for request in requests_of(district)[len(first) :]]
    assert made
    assert not [path for path in made if path.startswith("/api/v1/") or path.endswith("/jwks")], made


def requests_of(district: District) -> list[dict[str, str]]:
    found: list[dict[str, str]] = httpx.get(f"{district.canvas_url}/_sandbox/requests").json()
    return found


def test_keys_rotate_without_a_refused_launch(district: District) -> None:
    """Canvas publishes its next key before it signs with it."""
    district.install()
    teacher = people(district)["TeacherEnrollment"]
    for _ in range(2):
        assert district.open(teacher).status_code == 200
        district.platform.keys.rotate()
    assert district.counted() == {"opened": 2}
