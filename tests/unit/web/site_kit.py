"""The pages and the API of one passback over an in-memory Redis, and a browser without JavaScript."""

import asyncio
import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path

import fakeredis
import httpx
from starlette.types import ASGIApp

from shared.config import load
from shared.domain.passback.canvas import Person
from shared.errors import PassbackError, PersonUnknown
from workers.container import Container
from workers.web.app import create_site
from workers.web.auth.sign_in import RequestAuthenticator

PASSWORD = "a long enough password é"
VIEWER_PASSWORD = "another long password"
ADA, BO, NIA = Person("71", "Zimt, Ada", "S1"), Person("72", "Anis, Bo", "S2"), Person("79", "Neu, Nia", None)


@dataclass
class FakePeople:
    """Canvas as the pages ask it for people."""

    courses: dict[str, frozenset[str]] = field(default_factory=dict)
    found: tuple[Person, ...] = ()
    error: PassbackError | None = None
    asked: list[str] = field(default_factory=list)

    def students(self, course_id: str) -> tuple[Person, ...]:
        self._check(f"students {course_id}")
        return (BO, NIA, ADA)

    def find(self, name: str) -> tuple[Person, ...]:
        self._check(f"find {name}")
        return self.found

    def courses_of(self, user_id: str = "", *, sis_id: str = "") -> frozenset[str]:
        self._check(f"courses {user_id or sis_id}")
        if (user_id or sis_id) not in self.courses:
            raise PersonUnknown("GET /api/v1/users/{user_id}/enrollments: 404")
        return self.courses[user_id or sis_id]

    def close(self) -> None:
        return

    def _check(self, asked: str) -> None:
        self.asked.append(asked)
        if self.error is not None:
            raise self.error


class Site:
    """One installation. Its Redis is emptied between tests; `settings` are variables without their prefix."""

    def __init__(self, redis: fakeredis.FakeRedis | None = None, **settings: str) -> None:
        given = {"OPERATOR_PASSWORD": PASSWORD, "VIEWER_PASSWORD": VIEWER_PASSWORD, **settings}
        loaded = load({f"PASSBACK_{k}": v for k, v in given.items()}, env_file=Path("no.env"))
        redis = redis or fakeredis.FakeRedis(server=fakeredis.FakeServer())
        self.service = Container(loaded, redis=redis)
        self.app: ASGIApp = create_site(self.service, RequestAuthenticator(self.service))

    def browser(self, account: str | None = None) -> "Browser":
        """Return a browser; signed in, if an account is given."""
        browser = Browser(self.app)
        if account is not None:
            response = browser.sign_in(account, {"operator": PASSWORD, "viewer": VIEWER_PASSWORD}[account])
            assert response.status_code == 303, response.text
        return browser


@dataclass
class Browser:
    """Somebody's browser: keeps cookies, follows no redirect by itself."""

    app: ASGIApp
    scheme: str = "http"
    client: tuple[str, int] = ("127.0.0.1", 1)
    headers: httpx.Headers | dict[str, str] = field(default_factory=dict)
    cookies: httpx.Cookies = field(default_factory=httpx.Cookies)
    page: httpx.Response | None = None

    def get(self, path: str, **given: object) -> httpx.Response:
        """Load a page."""
        return self._send("GET", path, **given)

    def text(self, path: str) -> str:
        """Return what a page says: its text without its tags, and its spaces as one."""
        response = self.get(path)
        assert response.status_code == 200, response.text
        return text_of(response)

    def post(self, path: str, form: dict[str, str | list[str]], *, token: str | None = None) -> httpx.Response:
        """Send a form; with the token of the page that was loaded last, unless another is given."""
        return self._send("POST", path, data={**form, "token": self.token() if token is None else token})

    def sign_in(self, account: str, password: str, next_path: str = "/") -> httpx.Response:
        """Load the form and send it."""
        self.get("/sign-in")
        return self.post("/sign-in", {"account": account, "password": password, "next": next_path})

    def token(self) -> str:
        """Return the token of the page that was loaded last."""
        assert self.page is not None, "no page was loaded"
        found = re.search(r'name="token" value="([^"]+)"', self.page.text)
        assert found, self.page.text
        return found[1]

    def _send(self, method: str, path: str, **given: object) -> httpx.Response:
        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, client=self.client)
            base = f"{self.scheme}://passback.test"
            async with httpx.AsyncClient(transport=transport, base_url=base, cookies=self.cookies) as client:
                response = await client.request(method, path, headers=self.headers, **given)  # type: ignore[arg-type]
                self.cookies = httpx.Cookies(client.cookies)
                return response

        response = asyncio.run(one())
        if method == "GET":
            self.page = response
        return response


def text_of(response: httpx.Response) -> str:
    """Return a page's text."""
    main = response.text.partition("<main")[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", main)))
