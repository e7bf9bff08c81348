"""What somebody can reach inside Canvas with what he has: nothing of another course, role or district."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.domain.actions import Verb
from shared.domain.passback.canvas import Person
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State
from tests.unit.web.lti.launch_kit import (
    COURSE,
    DISTRICT,
    INSTITUTION,
    MEMBERSHIP,
    PUBLIC_URL,
    SETTINGS,
    USER,
    Canvas,
    account_launch,
    claims,
    custom,
)
from tests.unit.web.site_kit import Site
from workers.web.lti.pages.handlers import VIEWS
from workers.web.lti.session import LtiRole, LtiSession

OTHER = "8"
SECRETS = ("Secret lab of course 8", "Chemistry of the neighbours", "S-of-course-8")
NOW = datetime.now(UTC)
COURSE_PATHS = [path for path in VIEWS if not path.startswith("/lti/account")]


class NoPeople:
    """Canvas as the pages ask it for people: it names a student of the course that is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def students(self, course_id: str, *_: object) -> tuple[Person, ...]:
        self.asked.append(course_id)
        return (Person("99", SECRETS[1], SECRETS[2]),) if course_id == OTHER else ()

    members = students

    def close(self) -> None:
        return


@pytest.fixture
def canvas() -> Canvas:
    made = Canvas()
    for course, name in ((COURSE, "Lab of course 7"), (OTHER, SECRETS[0])):
        section = SectionRecord(f"sis-{course}", State.BLOCKED, ())
        record = CourseRecord(course, NOW, (AssignmentRecord("5", name, (section,)),), name=f"Course {course}")
        made.site.service.records.save(record)
    made.site.service.__dict__["canvas_account"] = NoPeople()
    return made


def token_of(response: Any) -> str:
    found = re.search(r'name="lti_token" value="([^"]+)"', response.text)
    assert found, response.text
    return found[1]


def session(**changed: Any) -> LtiSession:
    fields: dict[str, Any] = {
        "role": LtiRole.TEACHER, "user_id": "31", "course_id": COURSE, "section_ids": ("71",),
        "placement": "course_navigation", "assignment_id": None, "real_user_id": None, "api_domain": "",
        "return_url": "", "message_token": "", "high_contrast": False, "may_sync": True,
        "expires_at": NOW + timedelta(hours=1),
    }  # fmt: skip
    return LtiSession(**{**fields, **changed})


def issued(canvas: Canvas, **changed: Any) -> str:
    return canvas.sessions.issue(session(**changed))


def assert_nothing_of_the_other(canvas: Canvas, text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text]
    assert canvas.site.service.canvas_account.asked.count(OTHER) == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", COURSE_PATHS)
def test_a_teacher_of_one_course_cannot_reach_another(canvas: Canvas, path: str) -> None:
    """With the page of his course, neither address nor form nor header leads to another one, on any page."""
    token = token_of(canvas.launch())
    browser = canvas.browser()
    attempts: list[tuple[str, dict[str, str]]] = [
        (path, {"course_id": OTHER}),
        (path, {"course": OTHER, "course_id": OTHER}),
        (f"{path}?course_id={OTHER}", {}),
        (f"{path}/{OTHER}", {}),
        (path, {"course_id": f"{COURSE}/../{OTHER}"}),
    ]
    for address, form in attempts:
        response = browser.post(address, {**form, "lti_token": token}, token="")
        assert response.status_code in (403, 404, 422), (address, form)
        assert_nothing_of_the_other(canvas, response.text)
    service = canvas.site.service
    assert service.actions.newest(9) == []
    assert not canvas.redis.exists(service.keys.pending(OTHER), service.keys.pending(COURSE))


@pytest.mark.parametrize("path", VIEWS)
def test_no_page_opens_without_the_token_of_a_launch(canvas: Canvas, path: str) -> None:
    """Nothing, an invented, a spliced or an old token, a token in the address or in a cookie: refused."""
    good, other = issued(canvas), issued(canvas, course_id=OTHER)
    spliced = other.rpartition(".")[0] + "." + good.rpartition(".")[2]
    old = issued(canvas, expires_at=NOW - timedelta(seconds=1))
    for token in ("", "invented", spliced, old, good[:-2], good.swapcase()):
        response = canvas.browser().post(path, {"lti_token": token}, token="")
        assert response.status_code == 403
        assert_nothing_of_the_other(canvas, response.text)
    assert canvas.browser().post(f"{path}?lti_token={good}", {}, token="").status_code == 422
    browser = canvas.browser()
    browser.cookies.set("lti_token", good)
    assert browser.post(path, {}, token="").status_code == 403
    assert browser.get(path).status_code == 405


@pytest.mark.parametrize("path", ["/lti/account", "/lti/account/search"])
def test_the_account_is_for_its_administrators(canvas: Canvas, path: str) -> None:
    """A teacher's token, and an administrator's of one course, do not open the account."""
    for changed in ({}, {"role": LtiRole.ADMIN, "section_ids": ()}):
        response = canvas.browser().post(path, {"lti_token": issued(canvas, **changed)}, token="")
        assert (response.status_code, SECRETS[0] in response.text) == (403, False)
    response = canvas.launch(**account_launch())
    assert canvas.browser().post(path, {"lti_token": token_of(response)}, token="").status_code == 200


def test_the_operators_pages_do_not_know_the_token(canvas: Canvas) -> None:
    """What a launch opens is no sign-in: pages, API and metrics ask for one as before."""
    browser = canvas.browser()
    browser.headers = {"X-Passback-Lti": issued(canvas, role=LtiRole.ADMIN, course_id=None)}
    assert browser.get(f"/courses/{OTHER}").headers["location"].startswith("/sign-in")
    assert browser.get(f"/api/v1/courses/{OTHER}").status_code == 401
    assert browser.post(f"/courses/{OTHER}/sync", {}, token="x").status_code in (303, 403)


def test_two_districts_with_one_issuer_do_not_mix() -> None:
    """A launch of one, complete with its login, opens nothing in the other: client, state and district are its own."""
    first = Canvas()
    second = Canvas(Site(**{**SETTINGS, "CANVAS_ROOT_ACCOUNT_UUID": "uuid-of-another", "SESSION_SECRET": "x" * 32}))
    browser = first.browser()
    asked = first.begin(browser)
    token = first.sign(claims(first.now(), nonce=asked["nonce"]))
    response = second.post(second.browser(), token, asked["state"])
    assert (response.status_code, "unknown_state" in response.text) == (401, True)
    # Even where it asks for the launch itself, and the same client id is known in both.
    assert "foreign_district" in second.launch().text
    assert "lti_token" not in second.launch().text
    token = issued(first)
    assert second.browser().post("/lti/course", {"lti_token": token}, token="").status_code == 403
    theirs = second.launch(custom=custom(root_account_uuid="uuid-of-another"), tool_platform=None)
    assert theirs.status_code == 200


def test_roles_of_the_whole_institution_open_nothing(canvas: Canvas) -> None:
    """Somebody who teaches elsewhere in the district and learns here gets a sentence, and no data of the course."""
    for roles in ([f"{INSTITUTION}Instructor", USER], [f"{MEMBERSHIP}Learner", f"{INSTITUTION}Instructor", USER]):
        response = canvas.launch(roles=roles)
        assert response.status_code == 403
        assert "for the course's teachers" in response.text.replace("&#39;", "'")
        for text in ("Lab of course 7", "Course 7", "lti_token"):
            assert text not in response.text


def test_who_acts_as_a_teacher_looks_and_does_not_sync(canvas: Canvas) -> None:
    """The page opens; a sync is refused, whatever the form says; the log names the administrator."""
    with capture_logs() as logged:
        response = canvas.launch(custom=custom(masquerading_user_id="1"))
    (launched,) = [line for line in logged if line["event"] == "lti_launched"]
    assert (launched["actor"], launched["acts_as"]) == ("canvas-user:1", "31")
    refused = canvas.browser().post("/lti/course/sync", {"lti_token": token_of(response)}, token="")
    assert refused.status_code == 403
    assert canvas.site.service.actions.newest(5) == []


def test_a_sync_is_of_the_teacher_who_asked(canvas: Canvas) -> None:
    """Actions name the person by the id in Canvas; where teachers may not sync, nobody's form does."""
    token = token_of(canvas.launch())
    assert canvas.browser().post("/lti/course/sync", {"lti_token": token}, token="").status_code == 200
    (action,) = canvas.site.service.actions.newest(5)
    assert (action.actor, action.verb, action.target) == ("canvas-user:31", Verb.SYNC, f"course:{COURSE}")
    strict = Canvas(Site(**{**SETTINGS, "LTI_TEACHERS_MAY_SYNC": "no"}))
    token = token_of(strict.launch())
    assert strict.browser().post("/lti/course/sync", {"lti_token": token}, token="").status_code == 403
    assert strict.site.service.actions.newest(5) == []


def test_no_name_token_or_state_is_in_a_log(canvas: Canvas) -> None:
    """Launches that open and launches that are refused are logged with codes and ids."""
    with capture_logs() as captured:
        browser = canvas.browser()
        asked = canvas.begin(browser)
        tokens = [canvas.sign(claims(canvas.now(), nonce=asked["nonce"], roles=roles)) for roles in ([], None)]
        for token in tokens:
            canvas.post(browser, token, asked["state"])
        canvas.launch()
        canvas.launch(custom=custom(root_account_uuid="uuid-of-another"))
        browser.get("/lti/login", params={"iss": "https://evil.example", "login_hint": "Zimt, Ada"})
    logged = str(captured)
    assert "lti_refused" in logged
    assert "lti_launched" in logged
    for secret in ("Zimt", "ada@district", "Biology", asked["state"][:30], asked["nonce"], tokens[0][:40], DISTRICT):
        assert secret not in logged


def test_every_page_is_framed_by_canvas_alone_and_kept_nowhere(canvas: Canvas) -> None:
    """Pages, refusals and the pages of a login have the same headers; none sets a cookie but those of a login."""
    browser, token = canvas.browser(), issued(canvas)
    responses = [
        canvas.launch(), canvas.launch(roles=[]), browser.get("/lti/login", params={"iss": "x"}), browser.get("/lti/x"),
        browser.post("/lti/course", {"lti_token": token}, token=""), browser.post("/lti/course", {}, token=""),
        browser.post("/lti/finish", {}, token=""), browser.get("/lti/jwks"),
    ]  # fmt: skip
    for response in responses:
        policy = response.headers["content-security-policy"]
        assert (
            "frame-ancestors https://*.instructure.com https://*.canvaslms.com https://district.instructure.com"
            in policy
        )
        assert "default-src 'none'; script-src 'self'" in policy
        assert "x-frame-options" not in response.headers
        assert response.headers["cache-control"] == "no-store"
        cookies = response.headers.get_list("set-cookie")
        assert all(cookie.startswith("__Host-pb-state-") for cookie in cookies)


def test_no_redirect_leads_elsewhere(canvas: Canvas) -> None:
    """Whatever a request names as host or address, the only redirect is to the endpoint of the settings."""
    browser = canvas.browser()
    browser.headers = {"host": "evil.example", "x-forwarded-host": "evil.example"}
    asked = browser.get("/lti/login", params={"target_link_uri": "https://evil.example", "iss": "x", "login_hint": "x"})
    assert "location" not in asked.headers
    begun = canvas.begin(browser)
    assert begun["redirect_uri"] == f"{PUBLIC_URL}/lti/launch"
    for path in ("/lti/course/", "/lti//evil.example", "/lti/login/", "//evil.example/lti"):
        assert "location" not in browser.get(path).headers


def test_a_form_does_not_widen_a_session(canvas: Canvas) -> None:
    """Fields that are named like those of the session change nothing of it, and its hour is not extended."""
    token = issued(canvas)
    form = {"lti_token": token, "role": "admin", "section_ids": "99", "user_id": "1", "expires_at": "9999999999"}
    response = canvas.browser().post("/lti/course", form, token="")
    read = canvas.sessions.read
    assert read(token_of(response)) == read(token)
