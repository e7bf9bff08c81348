"""The sandbox Canvas as an LTI platform: what it launches, what it refuses, and what it lets go wrong."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from canvas_client import ALICE, ASSIGNMENT, COURSE, NOW, TEACHER, a_seed

from shared.sandbox.canvas.lti.claims import CLAIM, INSTRUCTOR, LIS
from shared.sandbox.canvas.lti.faults import LtiFault
from shared.sandbox.canvas.state import SERVICE_USER_ID
from tests.lti_kit import CANVAS_URL, CLIENT_ID, CUSTOM_FIELDS, TOOL_URL, Form, Platform, configuration
from tests.manual_clock import ManualClock

TA, DESIGNER, OBSERVER = 801, 802, 803
ADMIN = SERVICE_USER_ID


@pytest.fixture
def platform() -> Platform:
    found = Platform(a_seed(), ManualClock(NOW))
    for user, kind in ((TA, "TaEnrollment"), (DESIGNER, "DesignerEnrollment"), (OBSERVER, "ObserverEnrollment")):
        found.canvas.enroll(COURSE, user, 11, kind)
    return found


def launched(platform: Platform, user: int, course: int | None = COURSE, **query: Any) -> Form:
    login = platform.open(user, course, **query)
    return platform.authorize(platform.request(login))


def claims_of(platform: Platform, form: Form, **options: bool) -> dict[str, Any]:
    """Return the verified claims of a launch, without the prefix of LTI."""
    token = form.fields["id_token"]
    keys = {key["kid"]: jwt.PyJWK(key) for key in platform.browser.get("/api/lti/security/jwks").json()["keys"]}
    key = keys[jwt.get_unverified_header(token)["kid"]]
    times = {"verify_exp": False, "verify_iat": False}
    claims = jwt.decode(token, key, algorithms=["RS256"], audience=CLIENT_ID, options=times | options)
    return {name.removeprefix(CLAIM): value for name, value in claims.items()}


def custom_of(platform: Platform, user: int, course: int | None = COURSE, **query: Any) -> dict[str, Any]:
    fields: dict[str, Any] = claims_of(platform, launched(platform, user, course, **query))["custom"]
    return fields


def test_a_launch_in_a_course(platform: Platform) -> None:
    """It is bound to issuer, client, deployment, nonce and target; nothing personal is in it."""
    form = launched(platform, TEACHER)
    assert form.action == f"{TOOL_URL}/lti/launch"
    assert form.fields["state"] == "a-state"
    claims = claims_of(platform, form)
    assert {name: claims[name] for name in ("iss", "aud", "nonce", "version", "message_type", "target_link_uri")} == {
        "iss": "https://canvas.instructure.com",
        "aud": CLIENT_ID,
        "nonce": "a-nonce",
        "version": "1.3.0",
        "message_type": "LtiResourceLinkRequest",
        "target_link_uri": f"{TOOL_URL}/lti/course",
    }
    assert (claims["iat"], claims["exp"]) == (int(NOW.timestamp()), int(NOW.timestamp()) + 3600)
    assert claims["deployment_id"] == platform.tool.deployment_id
    assert claims["tool_platform"]["guid"] == f"{platform.seed.root_account_uuid}:canvas-lms"
    assert claims["https://www.instructure.com/placement"] == "course_navigation"
    assert claims["launch_presentation"]["return_url"].startswith(f"{CANVAS_URL}/courses/{COURSE}/external_content")
    assert "Teacher" not in json.dumps(claims).replace("TeacherEnrollment", "")


@pytest.mark.parametrize(
    ("user", "roles"),
    [
        (TEACHER, {INSTRUCTOR, f"{LIS}institution/person#Instructor"}),
        (
            TA,
            {INSTRUCTOR, f"{LIS}membership/Instructor#TeachingAssistant", f"{LIS}institution/person#Instructor"},
        ),
        (DESIGNER, {f"{LIS}membership#ContentDeveloper", f"{LIS}institution/person#Instructor"}),
        (ALICE, {f"{LIS}membership#Learner", f"{LIS}institution/person#Student"}),
        (OBSERVER, {f"{LIS}membership#Mentor"}),
        (ADMIN, {f"{LIS}institution/person#Administrator"}),
    ],
)
def test_roles_by_enrollment(platform: Platform, user: int, roles: set[str]) -> None:
    """Everybody is also a user of the system."""
    assert set(claims_of(platform, launched(platform, user))["roles"]) == roles | {f"{LIS}system/person#User"}


def test_an_ended_enrollment_gives_no_role(platform: Platform) -> None:
    """Nor does it let somebody see the course."""
    for enrollment in platform.canvas.course(COURSE).enrollments.values():
        enrollment.state = "completed" if enrollment.user_id == TA else enrollment.state
    assert platform.browser.get(f"/courses/{COURSE}?as={TA}").status_code == 401


def test_custom_fields_of_a_course(platform: Platform) -> None:
    """Ids are text; what does not apply stays a literal, what is empty is null."""
    custom = custom_of(platform, TEACHER)
    custom.pop("message_token")
    assert custom == {
        "course_id": str(COURSE),
        "course_sis_id": "4007",
        "user_id": str(TEACHER),
        "user_sis_id": f"T{TEACHER}",
        "membership_roles": "TeacherEnrollment",
        "enrollment_state": "active",
        "section_ids": "11,12",
        "section_sis_ids": "4011,4012",
        "account_id": "2",
        "root_account_id": "1",
        "root_account_uuid": platform.seed.root_account_uuid,
        "api_domain": "district.canvas.example",
        "is_root_admin": False,
        "masquerading_user_id": "$Canvas.masqueradingUser.id",
        "high_contrast": "false",
        "time_zone": "America/Los_Angeles",
        "locale": "en",
        "assignment_id": "$Canvas.assignment.id",
    }
    platform.canvas.course(COURSE).sis_course_id = None
    assert custom_of(platform, TEACHER)["course_sis_id"] is None


def test_a_section_s_teacher_and_a_custom_role(platform: Platform) -> None:
    """Sections are those in which this person is enrolled; the role has the account's own name."""
    platform.canvas.enroll(COURSE, 804, 12, "TeacherEnrollment").custom_role = "Substitute"
    custom = custom_of(platform, 804)
    assert (custom["section_ids"], custom["membership_roles"]) == ("12", "Substitute")


def test_custom_fields_of_the_account(platform: Platform) -> None:
    """Nothing of a course is substituted."""
    custom = custom_of(platform, ADMIN, None)
    assert custom["is_root_admin"] is True
    assert (custom["account_id"], custom["user_id"]) == ("1", str(ADMIN))
    for name in ("course_id", "course_sis_id", "membership_roles", "section_ids", "enrollment_state"):
        assert custom[name] == CUSTOM_FIELDS[name]


def test_an_assignment_and_a_preference(platform: Platform) -> None:
    """The assignment's id comes with its menu, high contrast with the person's preference."""
    platform.canvas.edit_user(TEACHER, {"prefers_high_contrast": True})
    custom = custom_of(platform, TEACHER, placement="assignment_menu", assignment_id=ASSIGNMENT)
    assert (custom["assignment_id"], custom["high_contrast"]) == (str(ASSIGNMENT), "true")


def test_masquerading(platform: Platform) -> None:
    """An administrator acts as a teacher: the launch is the teacher's and names the administrator; others cannot."""
    custom = custom_of(platform, ADMIN, become_user_id=TEACHER)
    assert (custom["user_id"], custom["masquerading_user_id"]) == (str(TEACHER), str(ADMIN))
    custom = custom_of(platform, ALICE, become_user_id=TEACHER)
    assert (custom["user_id"], custom["masquerading_user_id"]) == (str(ALICE), CUSTOM_FIELDS["masquerading_user_id"])


def test_names_come_with_a_privacy_level(platform: Platform) -> None:
    """Of a tool that asks for them."""
    platform.lti.tools[1] = platform.tool.model_copy(update={"privacy_level": "public"})
    claims = claims_of(platform, launched(platform, TEACHER))
    assert claims["name"] == f"Teacher {TEACHER}"
    assert claims["lis"] == {"person_sourcedid": f"T{TEACHER}", "course_offering_sourcedid": "4007"}


@pytest.mark.parametrize(
    ("storage", "target"), [("parent", "_parent"), ("forward", "post_message_forwarding"), ("none", None)]
)
def test_storage_is_announced_in_login_and_launch(platform: Platform, storage: str, target: str | None) -> None:
    """By the name of the frame that offers it."""
    login = platform.open(TEACHER, COURSE, storage=storage)
    launch = platform.authorize(platform.request(login))
    assert [form.fields.get("lti_storage_target") for form in (login, launch)] == [target, target]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"nonce": None}, "invalid_request_object"),
        ({"prompt": None}, "invalid_request_object"),
        ({"scope": "openid profile"}, "invalid_request_object"),
        ({"response_type": "code"}, "invalid_request_object"),
        ({"response_mode": "query"}, "invalid_request_object"),
        ({"prompt": "login"}, "invalid_request_object"),
        ({"login_hint": "somebody-else"}, "login_required"),
    ],
)
def test_a_wrong_authorization_request_is_answered_with_an_error(
    platform: Platform, changes: dict[str, str | None], error: str
) -> None:
    """Posted to the tool with its state; the launch can still be had."""
    login = platform.open(TEACHER, COURSE)
    form = platform.authorize(platform.request(login, **changes))
    assert form.action == f"{TOOL_URL}/lti/launch"
    assert form.fields.keys() == {"error", "error_description", "state"}
    assert (form.fields["error"], form.fields["state"]) == (error, "a-state")
    assert "id_token" in platform.authorize(platform.request(login)).fields


def test_without_a_session_login_is_required(platform: Platform) -> None:
    """As where the browser withholds Canvas's own cookie."""
    login = platform.open(TEACHER, COURSE)
    form = platform.authorize(platform.request(login), platform.new_browser())
    assert (form.fields["error"], form.fields["error_description"]) == (
        "login_required",
        "Must have an active user session",
    )


def test_a_launch_is_handed_out_once(platform: Platform) -> None:
    """The second request finds nothing."""
    request = platform.request(platform.open(TEACHER, COURSE))
    assert "id_token" in platform.authorize(request).fields
    assert platform.authorize(request).fields["error"] == "launch_no_longer_valid"


def test_a_launch_lives_five_minutes(platform: Platform) -> None:
    """With its hint, which says nothing afterwards."""
    request = platform.request(platform.open(TEACHER, COURSE))
    assert isinstance(platform.clock, ManualClock)
    platform.clock.advance(timedelta(minutes=5))
    response = platform.browser.get("/api/lti/authorize_redirect", params=request)
    assert (response.status_code, response.text) == (400, "Invalid lti_message_hint")


@pytest.mark.parametrize(
    "uri",
    [
        "https://attacker.example/lti/launch",
        f"{TOOL_URL}/lti/launch/",
        f"{TOOL_URL}/lti/Launch",
        f"{TOOL_URL}.attacker.example/lti/launch",
        "http://passback.example/lti/launch",
    ],
)
def test_a_foreign_redirect_uri_gets_nothing(platform: Platform, uri: str) -> None:
    """Neither a launch nor an error."""
    request = platform.request(platform.open(TEACHER, COURSE), redirect_uri=uri)
    redirect = platform.browser.get("/api/lti/authorize_redirect", params=request)
    response = platform.browser.get(redirect.headers["location"])
    assert (response.status_code, response.text) == (400, "Invalid redirect_uri")


def test_keys_rotate(platform: Platform) -> None:
    """The next key was published before it signs; the one before stays."""
    before = launched(platform, TEACHER)
    published = {key["kid"] for key in platform.browser.get("/api/lti/security/jwks").json()["keys"]}
    platform.browser.post("/_sandbox/lti/rotate")
    after = launched(platform, TEACHER)
    kids = [jwt.get_unverified_header(form.fields["id_token"])["kid"] for form in (before, after)]
    assert kids[0] != kids[1]
    assert kids[1] in published
    assert claims_of(platform, before)
    assert claims_of(platform, after)


# What is left of a launch with a fault when everything but that is checked.
CHANGED: dict[LtiFault, Callable[[dict[str, Any]], bool]] = {
    LtiFault.AUDIENCE_LIST: lambda c: CLIENT_ID in c["aud"] and len(c["aud"]) == 2 and c["azp"] == CLIENT_ID,
    LtiFault.AUDIENCE_LIST_OF_ANOTHER: lambda c: c["azp"] != CLIENT_ID,
    LtiFault.WRONG_ISSUER: lambda c: c["iss"] != "https://canvas.instructure.com",
    LtiFault.EXPIRED: lambda c: c["exp"] < NOW.timestamp() - 60,
    LtiFault.OLD: lambda c: c["iat"] < NOW.timestamp() - 600 and c["exp"] > NOW.timestamp(),
    LtiFault.ISSUED_IN_FUTURE: lambda c: c["iat"] > NOW.timestamp() + 60,
    LtiFault.NO_TIMES: lambda c: not c.keys() & {"iat", "exp"},
    LtiFault.WRONG_NONCE: lambda c: c["nonce"] != "a-nonce",
    LtiFault.NO_NONCE: lambda c: "nonce" not in c,
    LtiFault.WRONG_VERSION: lambda c: c["version"] != "1.3.0",
    LtiFault.WRONG_MESSAGE_TYPE: lambda c: c["message_type"] != "LtiResourceLinkRequest",
    LtiFault.OTHER_DEPLOYMENT: lambda c: c["deployment_id"] == "99:another",
    LtiFault.OTHER_ROOT_ACCOUNT: lambda c: c["custom"]["root_account_uuid"] == "another-district",
    LtiFault.OTHER_PLATFORM_GUID: lambda c: c["tool_platform"]["guid"] == "another-district:canvas-lms",
    LtiFault.FOREIGN_TARGET: lambda c: c["target_link_uri"].startswith("https://attacker.example"),
    LtiFault.UNSUBSTITUTED: lambda c: all(value.startswith("$") for value in c["custom"].values()),
    LtiFault.NO_CUSTOM_FIELDS: lambda c: "custom" not in c,
    LtiFault.NO_ROLES: lambda c: c["roles"] == [],
    LtiFault.ONLY_INSTITUTION_ROLES: lambda c: INSTRUCTOR not in c["roles"] and len(c["roles"]) == 2,
}
UNVERIFIABLE = {
    LtiFault.WRONG_AUDIENCE: jwt.InvalidAudienceError,
    LtiFault.ALGORITHM_NONE: jwt.InvalidAlgorithmError,
    LtiFault.HS256_WITH_PUBLIC_KEY: jwt.InvalidAlgorithmError,
    LtiFault.UNKNOWN_KEY: KeyError,
    LtiFault.WRONG_SIGNATURE: jwt.InvalidSignatureError,
}
ERROR_POSTS = (LtiFault.LOGIN_REQUIRED, LtiFault.UNAUTHORIZED_CLIENT, LtiFault.LAUNCH_NO_LONGER_VALID)
REPLAYS = {LtiFault.REPLAYED_STATE: "state", LtiFault.REPLAYED_ID_TOKEN: "id_token"}


@pytest.mark.parametrize("fault", LtiFault)
def test_every_fault_shows(platform: Platform, fault: LtiFault) -> None:
    """In the launch that follows, and in nothing else of it."""
    before = launched(platform, TEACHER)
    platform.browser.request("PUT", "/_sandbox/lti", json={"fault": fault})
    login = platform.open(TEACHER, COURSE)
    form = platform.authorize(platform.request(login, state="second-state"))
    if fault in ERROR_POSTS:
        assert form.fields["error"] == fault
    elif fault in REPLAYS:
        assert form.fields[REPLAYS[fault]] == before.fields[REPLAYS[fault]]
        assert form.fields["state"] != before.fields["state"] or fault is LtiFault.REPLAYED_STATE
    elif fault in UNVERIFIABLE:
        with pytest.raises(UNVERIFIABLE[fault]):
            claims_of(platform, form)
    else:
        assert CHANGED[fault](claims_of(platform, form))


def test_a_key_as_secret_fools_who_lets_the_token_choose(platform: Platform) -> None:
    """The signature is right for a tool that takes the algorithm from the header: the fault is a real one."""
    platform.configure(fault=LtiFault.HS256_WITH_PUBLIC_KEY)
    token = launched(platform, TEACHER).fields["id_token"]
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    assert jwt.decode(token, options={"verify_signature": False})["nonce"] == "a-nonce"


def test_a_configuration_is_checked(platform: Platform) -> None:
    """Unknown scopes are refused, unknown placements dropped, and a key set is required."""
    uris = [f"{TOOL_URL}/lti/launch"]

    def install(**changes: Any) -> Any:
        asked = {"configuration": configuration(**changes), "redirect_uris": uris}
        return platform.browser.post("/_sandbox/lti/tools", json=asked)

    assert install(scopes=["https://example.org/scope"]).status_code == 422
    assert install(public_jwk_url=None).status_code == 422
    placements = [{"placement": "course_navigation"}, {"placement": "moon_navigation"}]
    extensions = [{"platform": "canvas.instructure.com", "settings": {"placements": placements}}]
    installed = install(extensions=extensions).json()
    assert [each["placement"] for each in installed["placements"]] == ["course_navigation"]
    assert installed["client_id"] != CLIENT_ID


def registration(**changes: Any) -> dict[str, Any]:
    """Return the body of a dynamic registration."""
    tool = {
        "domain": "passback.example",
        "target_link_uri": f"{TOOL_URL}/lti/course",
        "claims": ["sub", "iss"],
        "custom_parameters": CUSTOM_FIELDS,
        "messages": [
            {
                "type": "LtiResourceLinkRequest",
                "target_link_uri": f"{TOOL_URL}/lti/course",
                "label": "PowerSchool sync",
                "placements": ["https://canvas.instructure.com/lti/course_navigation", "moon_navigation"],
                "https://canvas.instructure.com/lti/visibility": "admins",
            }
        ],
    }
    given = {
        "application_type": "web",
        "grant_types": ["client_credentials", "implicit"],
        "response_types": ["id_token"],
        "initiate_login_uri": f"{TOOL_URL}/lti/login",
        "redirect_uris": [f"{TOOL_URL}/lti/launch"],
        "client_name": "passback",
        "jwks_uri": f"{TOOL_URL}/lti/jwks",
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": "",
        "https://purl.imsglobal.org/spec/lti-tool-configuration": tool,
    }
    return {name: value for name, value in (given | changes).items() if value is not None}


def registration_token(platform: Platform) -> str:
    """Return the token that the platform hands to a tool's registration page."""
    page = platform.browser.get(f"/accounts/1/lti_registrations?as={ADMIN}&url={TOOL_URL}/lti/register").text
    return page.split("&amp;registration_token=")[1].split('"')[0]


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_tool_registers_itself(platform: Platform) -> None:
    """With the token of its registration page; then it can be launched under its new client id."""
    headers = bearer(registration_token(platform))
    found = platform.browser.get("/api/lti/security/openid-configuration", headers=headers).json()
    assert found["issuer"] == "https://canvas.instructure.com"
    answer = platform.browser.post(found["registration_endpoint"], headers=headers, json=registration()).json()
    tool = platform.lti.tool_of_client(answer["client_id"])
    assert tool is not None
    assert [(each.placement, each.visibility) for each in tool.placements] == [("course_navigation", "admins")]
    assert tool.custom_fields == CUSTOM_FIELDS


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": "https://example.org/scope"},
        {"jwks_uri": None},
        {"grant_types": ["implicit"]},
        {"response_types": []},
        {"application_type": "native"},
        {"token_endpoint_auth_method": "client_secret_post"},
        {"initiate_login_uri": "javascript:alert(1)"},
        {"redirect_uris": []},
    ],
)
def test_a_registration_is_checked(platform: Platform, changes: dict[str, Any]) -> None:
    """Nothing is installed."""
    headers = bearer(registration_token(platform))
    response = platform.browser.post("/api/lti/registrations", headers=headers, json=registration(**changes))
    assert response.status_code == 422
    assert len(platform.lti.tools) == 1


def test_a_stranger_does_not_register(platform: Platform) -> None:
    """Without a token, with another token of the platform's, or with one that has expired."""
    hint = platform.open(TEACHER, COURSE).fields["lti_message_hint"]
    old = registration_token(platform)
    assert isinstance(platform.clock, ManualClock)
    platform.clock.advance(timedelta(hours=1))
    for token in ("", "nonsense", hint, old):
        for method, path in (("GET", "security/openid-configuration"), ("POST", "registrations")):
            response = platform.browser.request(method, f"/api/lti/{path}", headers=bearer(token), json=registration())
            assert response.status_code == 401


@pytest.mark.parametrize("context", [f"/courses/{COURSE}", "/accounts/self"])
def test_an_address_of_the_tool_is_launched_without_a_placement(platform: Platform, context: str) -> None:
    """In a window of its own, where nothing offers storage; an address of nobody is not launched."""
    path = f"{context}/external_tools/retrieve?as={ADMIN}&display=borderless&url="
    login = Form.of(platform.browser.get(f"{path}{TOOL_URL}/lti/account"))
    assert "lti_storage_target" not in login.fields
    claims = claims_of(platform, platform.authorize(platform.request(login)))
    assert claims["target_link_uri"] == f"{TOOL_URL}/lti/account"
    assert "https://www.instructure.com/placement" not in claims
    assert platform.browser.get(f"{path}https://attacker.example/lti/account").status_code == 404


def test_links_are_shown_to_those_who_may_follow_them(platform: Platform) -> None:
    """The menu of a student has no link for teachers, and no Gradebook."""
    teacher = platform.browser.get(f"/courses/{COURSE}?as={TEACHER}").text
    student = platform.browser.get(f"/courses/{COURSE}?as={ALICE}").text
    assert "PowerSchool sync" in teacher
    assert "PowerSchool sync" not in student
    assert platform.browser.get(f"/courses/{COURSE}/gradebook").status_code == 401


def test_a_required_permission_hides_a_link(platform: Platform) -> None:
    """From those who may not grade: a designer sees none, a teaching assistant and an administrator do."""
    placements = [
        each.model_copy(update={"required_permissions": "manage_grades"}) for each in platform.tool.placements
    ]
    platform.lti.tools[1] = platform.tool.model_copy(update={"placements": placements})
    pages = {user: platform.browser.get(f"/courses/{COURSE}?as={user}").text for user in (TA, ADMIN, DESIGNER)}
    assert ["PowerSchool sync" in pages[user] for user in pages] == [True, True, False]


def test_a_teacher_mends_an_assignment(platform: Platform) -> None:
    """What the page's form says is saved through the actions, with their events."""
    platform.browser.get(f"/courses/{COURSE}?as={TEACHER}")
    path = f"/courses/{COURSE}/assignments/{ASSIGNMENT}"
    fields = {"name": "Log", "due_at": "2026-10-09T23:59", "points_possible": "12", "assignment_group_id": "31"}
    assert platform.browser.post(path, data=fields | {"do": "save", "published": "on"}).status_code == 303
    saved = platform.canvas.course(COURSE).assignment(ASSIGNMENT)
    assert (saved.name, saved.points_possible, saved.post_to_sis) == ("Log", 12.0, False)
    assert saved.due_at is not None
    assert saved.due_at.isoformat() == "2026-10-09T23:59:00-07:00"
    platform.browser.post(path, data={"do": "hide"})
    assert platform.canvas.course(COURSE).assignment(ASSIGNMENT).muted


def test_a_teacher_enters_a_score(platform: Platform) -> None:
    """In the Gradebook; a student cannot."""
    path = f"/courses/{COURSE}/gradebook?assignment_id={ASSIGNMENT}"
    platform.browser.get(f"/courses/{COURSE}?as={ALICE}")
    assert platform.browser.post(path, data={str(ALICE): "10"}).status_code == 401
    platform.browser.get(f"/courses/{COURSE}?as={TEACHER}")
    assert platform.browser.post(path, data={str(ALICE): "8.5"}).status_code == 303
    course = platform.canvas.course(COURSE)
    assert platform.canvas.submission(course, ASSIGNMENT, ALICE).score == 8.5
    assert 'value="8.5"' in platform.browser.get(path).text
