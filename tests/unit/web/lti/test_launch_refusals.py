"""Every check of a launch: what is changed in one that is fine, and the code with which it is refused."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shared.domain.metrics import CounterName
from tests.unit.web.lti.launch_kit import (
    ADMINISTRATOR,
    CLAIM,
    CLIENT,
    COURSE,
    DISTRICT,
    FOREIGN_KEY,
    INSTITUTION,
    INSTRUCTOR,
    KEY,
    KEYS_URL,
    MEMBERSHIP,
    PUBLIC_URL,
    TEACHER,
    USER,
    Canvas,
    account_launch,
    at,
    claims,
    custom,
)
from workers.web.lti.refusals import Refusal

IN_COURSE = {"return_url": f"https://district.instructure.com/courses/{COURSE}"}
IN_ROOT = {"custom": custom(account_id="1", root_account_id="1"), "roles": [ADMINISTRATOR, INSTRUCTOR, USER]}
OTHER_COURSE = {"launch_presentation": {"return_url": "https://district.instructure.com/courses/8/external_content/x"}}


@pytest.fixture
def canvas() -> Canvas:
    return Canvas()


def test_a_teacher_opens_the_page_of_the_course(canvas: Canvas) -> None:
    """Without a change, the launch opens the page, with a token in it and in no address."""
    response = canvas.launch()
    assert response.status_code == 200, response.text
    assert "PowerSchool sync" in response.text
    assert refused(canvas) == {"opened": 1}


CHANGED: list[tuple[Refusal, dict[str, Any]]] = [
    (Refusal.WRONG_ISSUER, {"iss": "https://canvas.beta.instructure.com"}),
    (Refusal.WRONG_AUDIENCE, {"aud": "10000000000043"}),
    (Refusal.WRONG_AUDIENCE, {"aud": []}),
    (Refusal.WRONG_AUDIENCE, {"azp": "10000000000043"}),
    (Refusal.WRONG_AUDIENCE, {"aud": [CLIENT, "10000000000043"], "azp": None}),
    (Refusal.WRONG_AUDIENCE, {"aud": [CLIENT, "10000000000043"], "azp": "10000000000043"}),
    (Refusal.MALFORMED_CLAIMS, {"aud": None}),
    (Refusal.MALFORMED_CLAIMS, {"exp": None}),
    (Refusal.MALFORMED_CLAIMS, {"iat": "yesterday"}),
    (Refusal.MALFORMED_CLAIMS, {"roles": "Instructor"}),
    (Refusal.MALFORMED_CLAIMS, {"custom": [COURSE]}),
    (Refusal.WRONG_NONCE, {"nonce": "of-another-login"}),
    (Refusal.MALFORMED_CLAIMS, {"nonce": None}),
    (Refusal.WRONG_VERSION, {"version": "1.1"}),
    (Refusal.WRONG_VERSION, {"version": None}),
    (Refusal.WRONG_MESSAGE, {"message_type": "LtiDeepLinkingRequest"}),
    (Refusal.WRONG_MESSAGE, {"message_type": ["LtiResourceLinkRequest"]}),
    (Refusal.DEPLOYMENT_MISSING, {"deployment_id": None}),
    (Refusal.DEPLOYMENT_MISSING, {"deployment_id": "x" * 256}),
    (Refusal.WRONG_TARGET, {"target_link_uri": f"{PUBLIC_URL}/courses"}),
    (Refusal.WRONG_TARGET, {"target_link_uri": "https://evil.example/lti/course"}),
    (Refusal.WRONG_TARGET, {"target_link_uri": f"{PUBLIC_URL}/lti/course?next=//evil.example"}),
    (Refusal.DISTRICT_MISSING, {"custom": custom(root_account_uuid="$vnd.Canvas.root_account.uuid")}),
    (Refusal.DISTRICT_MISSING, {"custom": custom(root_account_uuid="")}),
    (Refusal.DISTRICT_MISSING, {"custom": None}),
    (Refusal.FOREIGN_DISTRICT, {"custom": custom(root_account_uuid="uuid-of-another")}),
    (Refusal.FOREIGN_DISTRICT, {"custom": custom(root_account_uuid=DISTRICT.upper())}),
    (Refusal.FOREIGN_DISTRICT, {"tool_platform": {"guid": "uuid-of-another:canvas-lms"}}),
    (Refusal.CONTENT_LINK, {"resource_link": {"id": "a-link-in-an-assignment"}}),
    (Refusal.CONTENT_LINK, {"resource_link": None}),
    (Refusal.CONTENT_LINK, {"resource_link": None, "context": None}),
    (Refusal.CONTEXT_CONTRADICTED, OTHER_COURSE),
    (Refusal.CONTEXT_CONTRADICTED, {"custom": custom(course_id="8")}),
    (Refusal.COURSE_MISSING, {"custom": custom(course_id="$Canvas.course.id")}),
    (Refusal.COURSE_MISSING, {"custom": custom(course_id="7/../8")}),
    (Refusal.COURSE_MISSING, {"custom": custom(course_id="\uff17")}),
    (Refusal.USER_MISSING, {"custom": custom(user_id="$Canvas.user.id")}),
    (Refusal.USER_MISSING, {"custom": custom(masquerading_user_id="somebody")}),
    (Refusal.SECTIONS_MISSING, {"custom": custom(section_ids="$Canvas.course.sectionIds")}),
    (Refusal.SECTIONS_MISSING, {"custom": custom(section_ids="")}),
    (Refusal.ENROLLMENT_NOT_ACTIVE, {"custom": custom(enrollment_state="inactive")}),
    (Refusal.NOT_A_TEACHER, {"roles": []}),
    (Refusal.NOT_A_TEACHER, {"roles": None}),
    (Refusal.NOT_A_TEACHER, {"roles": [f"{MEMBERSHIP}Learner", f"{INSTITUTION}Student", USER]}),
    (Refusal.NOT_A_TEACHER, {"roles": [f"{MEMBERSHIP}Learner", "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"]}),
    (Refusal.NOT_A_TEACHER, {"roles": [f"{MEMBERSHIP}Mentor", f"{INSTITUTION}Observer", USER]}),
    (Refusal.NOT_A_TEACHER, {"roles": [f"{MEMBERSHIP}ContentDeveloper", USER]}),
    # A teacher somewhere in the district, here a student or nobody at all.
    (Refusal.NOT_A_TEACHER, {"roles": [f"{MEMBERSHIP}Learner", f"{INSTITUTION}Instructor", USER]}),
    (Refusal.NOT_A_TEACHER, {"roles": [f"{INSTITUTION}Instructor", USER]}),
    (Refusal.NOT_A_TEACHER, {"roles": ["http://purl.imsglobal.org/vocab/lis/v2/system/person#SysAdmin", USER]}),
    (Refusal.NOT_A_TEACHER, {"roles": ["Instructor", "membership#Instructor", f"{MEMBERSHIP}instructor"]}),
    (Refusal.NOT_A_TEACHER, {"roles": [f"{MEMBERSHIP.replace('#', '/')}Instructor#TeachingAssistant"]}),
    # An administrator of a school's account in a course, who is not enrolled in it.
    (Refusal.NOT_A_TEACHER, {"roles": [ADMINISTRATOR, USER]}),
    (Refusal.NOT_AN_ADMIN, account_launch(roles=[INSTRUCTOR, f"{INSTITUTION}Instructor", USER])),
    (Refusal.NOT_AN_ADMIN, account_launch(roles=[USER])),
    (Refusal.NOT_AN_ADMIN, account_launch(custom=custom(course_id="", account_id="3"))),
    (Refusal.NOT_AN_ADMIN, account_launch(custom=custom(course_id="", account_id="", root_account_id=""))),
    # The menu of the account, asked for with the page of a course.
    (Refusal.CONTEXT_CONTRADICTED, {"placement": "account_navigation"}),
    (Refusal.CONTEXT_CONTRADICTED, {"target_link_uri": f"{PUBLIC_URL}/lti/account", "placement": None}),
    # The same by an administrator of one school, in a course that belongs to the root account itself.
    (Refusal.CONTEXT_CONTRADICTED, {"placement": "account_navigation", **IN_ROOT}),
    (Refusal.CONTEXT_CONTRADICTED, {"target_link_uri": f"{PUBLIC_URL}/lti/account", "placement": None, **IN_ROOT}),
    (Refusal.CONTEXT_CONTRADICTED, account_launch(custom=custom(account_id="1"), roles=[ADMINISTRATOR, USER])),
    (Refusal.CONTEXT_CONTRADICTED, account_launch(launch_presentation=IN_COURSE)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("refusal", "changed"), CHANGED, ids=lambda each: each.code if isinstance(each, Refusal) else ""
)
def test_a_changed_launch_is_refused(canvas: Canvas, refusal: Refusal, changed: dict[str, Any]) -> None:
    """The page says why in words, with the code, opens nothing, and the refusal is counted by its code."""
    response = canvas.launch(**changed)
    assert_refused(canvas, response, refusal)


@pytest.mark.parametrize(
    ("refusal", "issued", "expires"),
    [
        (Refusal.EXPIRED, -700, -1),
        (Refusal.EXPIRED, 0, 0),
        (Refusal.NOT_YET_VALID, 62, 3600),
        (Refusal.TOO_OLD, -602, 3000),
        (None, 58, 3600),
        (None, -598, 60),
    ],
)
def test_a_launch_is_fresh(canvas: Canvas, refusal: Refusal | None, issued: int, expires: int) -> None:
    """It is not expired, at most ten minutes old and at most one minute ahead of passback's clock."""
    now = canvas.now()
    response = canvas.launch(iat=now + issued, exp=now + expires)
    if refusal is None:
        assert response.status_code == 200, response.text
    else:
        assert_refused(canvas, response, refusal)


def test_a_launch_that_is_not_valid_yet_is_refused(canvas: Canvas) -> None:
    """`nbf` counts where Canvas sends it."""
    assert_refused(canvas, canvas.launch(nbf=canvas.now() + 100), Refusal.NOT_YET_VALID)


def _spliced(canvas: Canvas, token_claims: dict[str, Any]) -> str:
    header, _, signature = canvas.sign(token_claims).split(".")
    changed = {**token_claims, f"{CLAIM}custom": custom(course_id="8")}
    return ".".join((header, _base64(changed), signature))


def _base64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _unsigned(_canvas: Canvas, token_claims: dict[str, Any]) -> str:
    return f"{_base64({'alg': 'none', 'kid': 'current'})}.{_base64(token_claims)}."


def _with_public_key_as_secret(_canvas: Canvas, token_claims: dict[str, Any]) -> str:
    public = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, body = _base64({"alg": "HS256", "kid": "current"}), _base64(token_claims)
    signature = hmac.new(public, f"{head}.{body}".encode(), hashlib.sha256).digest()
    return f"{head}.{body}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


FORGED: list[tuple[Refusal, Callable[[Canvas, dict[str, Any]], str]]] = [
    (Refusal.WRONG_ALGORITHM, _unsigned),
    (Refusal.WRONG_ALGORITHM, _with_public_key_as_secret),
    (Refusal.WRONG_ALGORITHM, lambda canvas, found: canvas.sign(found, alg="RS512")),
    (Refusal.BAD_SIGNATURE, lambda canvas, found: canvas.sign(found, key=FOREIGN_KEY)),
    (Refusal.BAD_SIGNATURE, _spliced),
    (Refusal.MALFORMED_TOKEN, lambda _canvas, _found: "no token at all"),
    (Refusal.MALFORMED_TOKEN, lambda _canvas, _found: ""),
    (Refusal.MALFORMED_TOKEN, lambda canvas, found: canvas.sign(found) + ".x"),
    (Refusal.MALFORMED_TOKEN, lambda canvas, found: canvas.sign(found) + "ü"),
]


@pytest.mark.parametrize(("refusal", "forge"), FORGED)
def test_what_canvas_did_not_sign_is_refused(
    canvas: Canvas, refusal: Refusal, forge: Callable[[Canvas, dict[str, Any]], str]
) -> None:
    """A token without a signature, with another algorithm, of another key, or with other claims opens nothing."""
    browser = canvas.browser()
    asked = canvas.begin(browser)
    token = forge(canvas, claims(canvas.now(), nonce=asked["nonce"]))
    assert_refused(canvas, canvas.post(browser, token, asked["state"]), refusal)


def test_a_launch_opens_once(canvas: Canvas) -> None:
    """Token and state sent again are refused, in the same browser as well."""
    browser = canvas.browser()
    asked = canvas.begin(browser)
    token = canvas.sign(claims(canvas.now(), nonce=asked["nonce"]))
    assert canvas.post(browser, token, asked["state"]).status_code == 200
    assert_refused(canvas, canvas.post(browser, token, asked["state"]), Refusal.USED_STATE)


def test_a_used_launch_does_not_fit_a_new_login(canvas: Canvas) -> None:
    """The token of one launch with the state of another login is refused by its nonce."""
    browser = canvas.browser()
    asked = canvas.begin(browser)
    token = canvas.sign(claims(canvas.now(), nonce=asked["nonce"]))
    assert_refused(canvas, canvas.post(browser, token, canvas.begin(browser)["state"]), Refusal.WRONG_NONCE)


@pytest.mark.parametrize("state", ["", "nonsense", "x" * 9000])
def test_a_state_that_passback_did_not_make_is_refused(canvas: Canvas, state: str) -> None:
    """Without a login of passback's there is no launch."""
    browser = canvas.browser()
    token = canvas.sign(claims(canvas.now(), nonce=canvas.begin(browser)["nonce"]))
    assert_refused(canvas, canvas.post(browser, token, state), Refusal.UNKNOWN_STATE)


def test_a_state_ends_after_ten_minutes(canvas: Canvas) -> None:
    """A login that was begun earlier does not open any more."""
    states, now = canvas.tool().states, canvas.now()
    browser = canvas.browser()
    asked = canvas.begin(browser)
    assert states.read(asked["state"], at(now + 599)) is not None
    assert states.read(asked["state"], at(now + 602)) is None


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"roles": [INSTRUCTOR, f"{MEMBERSHIP.replace('#', '/')}Instructor#TeachingAssistant"]},
        {"aud": [CLIENT]},
        {"aud": [CLIENT, "another"], "azp": CLIENT},
        {"azp": None},
        {"tool_platform": None},
        {"tool_platform": {"guid": "7db438071375c02373713c12c73869ff2f470b68.canvas.instructure.com"}},
        {"launch_presentation": None},
        # What is no address leads nowhere, and hides nothing else of the launch.
        {"launch_presentation": {"return_url": "https://[::1"}},
        {"custom": custom(enrollment_state="$Canvas.enrollment.enrollmentState")},
        {"custom": custom(course_id=int(COURSE), user_id=int(TEACHER))},
        {"placement": None},
        {"placement": "assignment_view", "target_link_uri": f"{PUBLIC_URL}/lti/assignment"},
        {"roles": [ADMINISTRATOR, USER], "custom": custom(is_root_admin="true", section_ids="")},
        account_launch(),
        account_launch(custom=custom(account_id="1", root_account_id="1", course_id="$Canvas.course.id")),
    ],
)
def test_every_kind_of_entitled_person_gets_in(canvas: Canvas, changed: dict[str, Any]) -> None:
    """Teachers, assistants who teach, and root administrators; with every shape of claims that Canvas sends."""
    response = canvas.launch(**changed)
    assert response.status_code == 200, response.text


def assert_refused(canvas: Canvas, response: Any, refusal: Refusal) -> None:
    assert (response.status_code, refused(canvas)) == (refusal.status, {refusal.code: 1, **opened_of(canvas)})
    assert f"<code>{refusal.code}</code>" in response.text
    assert refusal.what.partition("'")[0] in response.text
    for secret in ("lti_token", "Zimt", "ada@district", "Biology", COURSE + "</"):
        assert secret not in response.text


def opened_of(canvas: Canvas) -> dict[str, int]:
    return {code: count for code, count in refused(canvas).items() if code == "opened"}


def refused(canvas: Canvas) -> dict[str, int]:
    """Return what was counted."""
    canvas.site.service.counter_buffer.flush()
    return dict(canvas.site.service.counters.read(CounterName.LTI_LAUNCHES))


def test_a_key_that_canvas_does_not_list_is_refused(canvas: Canvas) -> None:
    """A moment after the keys were read, an unknown id is one that Canvas does not have."""
    browser = canvas.browser()
    asked = canvas.begin(browser)
    token = canvas.sign(claims(canvas.now(), nonce=asked["nonce"]), key=FOREIGN_KEY, kid="another")
    canvas.store.may_fetch(KEYS_URL, timedelta(minutes=1))
    assert_refused(canvas, canvas.post(browser, token, asked["state"]), Refusal.UNKNOWN_KEY)


def test_without_keys_nobody_is_refused_for_good(canvas: Canvas) -> None:
    """While no keys can be read, the page says so with 503; the launch can be sent again afterwards."""
    browser = canvas.browser()
    asked = canvas.begin(browser)
    token = canvas.sign(claims(canvas.now(), nonce=asked["nonce"]))
    canvas.redis.delete(*canvas.redis.keys("*lti:key-set*"))
    canvas.store.may_fetch(KEYS_URL, timedelta(minutes=1))
    response = canvas.post(browser, token, asked["state"])
    assert_refused(canvas, response, Refusal.KEYS_UNAVAILABLE)
    assert response.headers["retry-after"] == "60"
    canvas.__post_init__()
    assert canvas.post(browser, token, asked["state"]).status_code == 200
