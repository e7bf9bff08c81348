"""The sandbox's LTI platform without a browser: opens tools as people, and posts what a browser would post."""

import asyncio
from dataclasses import dataclass, field
from html import unescape
from re import findall
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.applications import Starlette

from shared.clock import Clock
from shared.sandbox.canvas.app import create_app
from shared.sandbox.canvas.lti.platform import LtiPlatform, LtiSettings
from shared.sandbox.canvas.lti.tools import Tool
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import CanvasSeed

CANVAS_URL = "https://district.canvas.example"
TOOL_URL = "https://passback.example"
CLIENT_ID = "100000000000042"
CUSTOM_FIELDS = {
    "course_id": "$Canvas.course.id",
    "course_sis_id": "$Canvas.course.sisSourceId",
    "user_id": "$Canvas.user.id",
    "user_sis_id": "$Canvas.user.sisSourceId",
    "membership_roles": "$Canvas.membership.roles",
    "enrollment_state": "$Canvas.enrollment.enrollmentState",
    "section_ids": "$Canvas.course.sectionIds",
    "section_sis_ids": "$Canvas.course.sectionSisSourceIds",
    "account_id": "$Canvas.account.id",
    "root_account_id": "$Canvas.rootAccount.id",
    "root_account_uuid": "$vnd.Canvas.root_account.uuid",
    "api_domain": "$Canvas.api.domain",
    "is_root_admin": "$Canvas.user.isRootAccountAdmin",
    "masquerading_user_id": "$Canvas.masqueradingUser.id",
    "message_token": "$com.instructure.PostMessageToken",
    "high_contrast": "$Canvas.user.prefersHighContrast",
    "time_zone": "$Person.address.timezone",
    "locale": "$Message.locale",
    "assignment_id": "$Canvas.assignment.id",
}


def configuration(tool_url: str = TOOL_URL, **changes: Any) -> dict[str, Any]:
    """Return a JSON configuration as an administrator pastes it."""
    pages = {"course_navigation": "course", "account_navigation": "account", "post_grades": "post-grades"}
    shown = {"text": "PowerSchool sync", "visibility": "admins"}
    placements = [
        shown | {"placement": name, "target_link_uri": f"{tool_url}/lti/{page}"}
        for name, page in (pages | {"assignment_menu": "assignment"}).items()
    ]
    given = {
        "title": "passback",
        "description": "Why a grade is or is not in PowerSchool.",
        "oidc_initiation_url": f"{tool_url}/lti/login",
        "target_link_uri": f"{tool_url}/lti/course",
        "scopes": [],
        "public_jwk_url": f"{tool_url}/lti/jwks",
        "custom_fields": CUSTOM_FIELDS,
        "extensions": [
            {
                "platform": "canvas.instructure.com",
                "privacy_level": "anonymous",
                "settings": {"text": "PowerSchool sync", "placements": placements},
            }
        ],
    }
    return given | changes


@dataclass
class Form:
    """A form that a page submits by itself."""

    action: str
    fields: dict[str, str]

    @classmethod
    def of(cls, response: Any) -> "Form":
        """Return the form of a page that submits itself."""
        assert response.status_code == 200, response.text
        (action,) = findall(r'<form method="post" action="([^"]*)"', response.text)
        fields = findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', response.text)
        return cls(unescape(action), {unescape(name): unescape(value) for name, value in fields})


@dataclass
class Browser:
    """Calls an application in this process, follows no redirect, and keeps cookies. One event loop per call."""

    app: Starlette
    base_url: str = CANVAS_URL
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)

    def request(self, method: str, url: str, **options: Any) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url=self.base_url, cookies=self.cookies, follow_redirects=False
            ) as client:
                response = await client.request(method, url, **options)
            self.cookies.update(client.cookies)
            return response

        return asyncio.run(call())

    def get(self, url: str, **options: Any) -> httpx.Response:
        return self.request("GET", url, **options)

    def post(self, url: str, **options: Any) -> httpx.Response:
        return self.request("POST", url, **options)


@dataclass
class Platform:
    """A sandbox Canvas with one tool, and a browser's cookies."""

    seed: CanvasSeed
    clock: Clock
    client_id: str = CLIENT_ID
    tool_url: str = TOOL_URL
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        self.app = create_app(self.seed, self.clock)
        self.browser = self.new_browser()
        asked = {"configuration": configuration(self.tool_url), "redirect_uris": [f"{self.tool_url}/lti/launch"]}
        installed = self.browser.post("/_sandbox/lti/tools", json=asked | {"client_id": self.client_id})
        assert installed.status_code == 201, installed.text

    @property
    def canvas(self) -> CanvasSandbox:
        canvas: CanvasSandbox = self.app.state.sandbox
        return canvas

    @property
    def lti(self) -> LtiPlatform:
        return self.canvas.lti

    @property
    def tool(self) -> Tool:
        return next(iter(self.lti.tools.values()))

    def new_browser(self) -> Browser:
        """Return another browser: nobody is signed in."""
        return Browser(self.app)

    def configure(self, **settings: Any) -> None:
        """Change how the platform behaves, such as `fault`."""
        self.lti.settings = LtiSettings.model_validate(self.lti.settings.model_dump() | settings)

    def open(self, user_id: int, course_id: int | None = 101, browser: Browser | None = None, **query: Any) -> Form:
        """Open the tool as somebody, and return the login initiation. `query` is the page's, such as `placement`."""
        context = f"/courses/{course_id}" if course_id else "/accounts/1"
        parameters = urlencode({"as": user_id} | query)
        path = f"{context}/external_tools/{self.tool.id}/launch?{parameters}"
        return Form.of((browser or self.browser).get(path))

    def authorize(self, parameters: dict[str, str], browser: Browser | None = None) -> Form:
        """Return what Canvas posts to the tool in answer to an authorization request."""
        own = browser or self.browser
        redirect = own.get(f"/api/lti/authorize_redirect?{urlencode(parameters)}")
        assert redirect.status_code == 302, redirect.text
        return Form.of(own.get(redirect.headers["location"]))

    def request(self, login: Form, **changes: str | None) -> dict[str, str]:
        """Return the authorization request of a well-behaved tool; None leaves a parameter out."""
        parameters: dict[str, str | None] = {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "client_id": login.fields["client_id"],
            "redirect_uri": f"{self.tool_url}/lti/launch",
            "login_hint": login.fields["login_hint"],
            "lti_message_hint": login.fields["lti_message_hint"],
            "state": "a-state",
            "nonce": "a-nonce",
        }
        return {name: value for name, value in (parameters | changes).items() if value is not None}
