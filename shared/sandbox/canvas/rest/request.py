"""Requests to Canvas's REST API: who may ask, what the path and the parameters mean, and answers in pages.

Source: canvas-lms OAuth documentation and ucfopen/canvasapi's error classification: an invalid token is 401 with
`WWW-Authenticate`, a missing scope 401 without it. doc/api/pagination.md: pages are named by opaque URLs in the `Link`
header; default 10, at the most 100, larger is clamped; `last` may be absent.
"""

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.state import Course, UnknownObject

STRING_IDS: Final = "application/json+canvas-string-ids"
PROVISIONING_SCOPES: Final = (
    "url:GET|/api/v1/users/:id",
    "url:GET|/api/v1/accounts/:id",
    "url:GET|/api/v1/accounts/:account_id/sis_import",
    "url:POST|/api/v1/accounts/:account_id/sis_import",
    "url:PUT|/api/v1/accounts/:account_id/sis_import",
)
DEFAULT_PER_PAGE: Final = 10
MAX_PER_PAGE: Final = 100
BOOKMARK: Final = "bookmark:"
_ID_KEY: Final = re.compile(r"(^|_)ids?$")

T = TypeVar("T")


class BadRequest(ValueError):
    """The request cannot be understood; `body` is Canvas's answer to it."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(str(body))
        self.body = body


class PageTooHeavy(Exception):
    """The page takes longer than the load balancer waits for it."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, with the header that leads to the others."""

    items: Sequence[T]
    link: str


class ApiRequest(Request):
    """A request to the REST API, with what Canvas reads in it and the answers it gives."""

    @property
    def canvas(self) -> CanvasSandbox:
        """The sandbox behind the app."""
        canvas: CanvasSandbox = self.app.state.sandbox
        return canvas

    @property
    def includes(self) -> frozenset[str]:
        """What `include[]` asks for: nothing where the scoped key does not allow include parameters."""
        seed = self.canvas.seed
        if seed.scopes is not None and not seed.allow_include_parameters:
            return frozenset()
        return frozenset(self.many("include"))

    @property
    def has_import_right(self) -> bool:
        """Say whether the token may import: the provisioning token alone, where there is one."""
        seed = self.canvas.seed
        return self.headers.get("authorization") == f"Bearer {seed.provisioning_token or seed.token}"

    @property
    def course(self) -> Course:
        """The course that the path names, by id or as `sis_course_id:…`.

        Raises `UnknownObject`, also for a deleted one: Canvas answers 404, unless the course itself is asked for with
        `include[]=all_courses` (canvas-lms Courses API).
        """
        course = self.any_course
        if course.workflow_state == "deleted":
            raise UnknownObject("the course was deleted")
        return course

    @property
    def any_course(self) -> Course:
        """The course that the path names, a deleted one as well. Raises `UnknownObject`."""
        key = str(self.path_params.get("course_id") or self.path_params["id"])
        if not key.startswith("sis_course_id:"):
            return self.canvas.course(_local_id(key))
        sis_id = key.removeprefix("sis_course_id:")
        found = next((each for each in self.canvas.courses.values() if each.sis_course_id == sis_id), None)
        if found is None:
            raise UnknownObject("no course with this SIS id")
        return found

    def path_id(self, name: str) -> int:
        """Return the id of that name in the path. Raises `UnknownObject` for text, which nothing has as its id."""
        return _local_id(str(self.path_params[name]))

    def many(self, name: str) -> list[str]:
        """Return the values of an array parameter, with or without its brackets."""
        return self.query_params.getlist(f"{name}[]") or self.query_params.getlist(name)

    def flag(self, name: str) -> bool | None:
        """Return a boolean parameter; None if it was not sent."""
        return is_true(self.query_params.get(name))

    def answer(self, data: Any, status: int = 200, link: str | None = None) -> Response:
        """Return data as JSON, with string ids if the client accepts them."""
        body = string_ids(data) if STRING_IDS in self.headers.get("accept", "") else data
        return JSONResponse(body, status, {"Link": link} if link else None)

    def listed(self, items: Sequence[T], to_json: Callable[[T], Any], *, has_last: bool = True) -> Response:
        """Return the page that is asked for as JSON."""
        page = self.page(items, has_last=has_last)
        return self.answer([to_json(item) for item in page.items], link=page.link)

    def page(self, items: Sequence[T], *, has_last: bool = True) -> Page[T]:
        """Return the page that is asked for."""
        asked = self.query_params.get("per_page", "")
        per_page = min(MAX_PER_PAGE, int(asked)) if asked.isdigit() and int(asked) else DEFAULT_PER_PAGE
        number, faults = _number(self.query_params.get("page", "")), self.canvas.switchboard.faults
        found = items[(number - 1) * per_page : number * per_page]
        if 0 < faults.max_page_rows < len(found):
            raise PageTooHeavy
        last = max(1, -(-len(items) // per_page))
        numbers = {"current": number, "next": number + 1, "prev": number - 1, "first": 1, "last": last}
        if not has_last:
            del numbers["last"]
        address = self.url
        if faults.link_origin:
            scheme, _, netloc = faults.link_origin.partition("://")
            address = address.replace(scheme=scheme, netloc=netloc)
        links = [
            f'<{address.include_query_params(page=_token(target), per_page=per_page)}>; rel="{relation}"'
            for relation, target in numbers.items()
            if 1 <= target <= last
        ]
        return Page(found, ",".join(links))


Endpoint = Callable[[ApiRequest], Awaitable[Response]]


def api_route(method: str, template: str, endpoint: Endpoint) -> Route:
    """Return a route for a path as Canvas writes it (`/api/v1/courses/:id`), which is also the path of its scope.

    SIS imports are as far as they were when the request came.
    """
    path = "/".join(f"{{{part[1:]}}}" if part.startswith(":") else part for part in template.split("/"))

    async def guarded(plain: Request) -> Response:
        request = ApiRequest(plain.scope, plain.receive)
        request.canvas.sis.advance()
        refusal = _refusal(request, f"url:{method}|{template}")
        if refusal is not None:
            return refusal
        try:
            return await endpoint(request)
        except UnknownObject:
            return JSONResponse({"errors": [{"message": "The specified resource does not exist."}]}, 404)
        except BadRequest as error:
            return JSONResponse(error.body, 400)
        except PageTooHeavy:
            return HTMLResponse("<html><head><title>504 Gateway Time-out</title></head></html>", 504)

    return Route(path, guarded, methods=[method])


def _refusal(request: ApiRequest, scope: str) -> Response | None:
    """Return the 401 for a token that is wrong or lacks the scope; None if the request may go on."""
    seed, given = request.canvas.seed, request.headers.get("authorization")
    if seed.provisioning_token and given == f"Bearer {seed.provisioning_token}":
        has_scope = scope.startswith(PROVISIONING_SCOPES)
    elif given == f"Bearer {seed.token}":
        has_scope = seed.scopes is None or scope in seed.scopes
    else:
        headers = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}
        return JSONResponse({"errors": [{"message": "Invalid access token."}]}, 401, headers)
    return None if has_scope else JSONResponse({"errors": [{"message": "Insufficient scopes on access token."}]}, 401)


def is_true(text: str | None) -> bool | None:
    """Return a boolean parameter as Rails reads it; None if it was not sent."""
    return None if text is None else text.strip().lower() in ("true", "1", "t", "on", "yes")


def string_ids(data: Any, *, is_id: bool = False) -> Any:
    """Return the data with every `id`, `…_id` and `…_ids` as text."""
    if isinstance(data, list):
        return [string_ids(item, is_id=is_id) for item in data]
    if isinstance(data, dict):
        return {key: string_ids(value, is_id=_ID_KEY.search(key) is not None) for key, value in data.items()}
    return str(data) if is_id and isinstance(data, int) and not isinstance(data, bool) else data


def _local_id(text: str) -> int:
    if not text.isdigit():
        raise UnknownObject("no such id")
    return int(text)


def _token(number: int) -> str:
    return BOOKMARK + base64.urlsafe_b64encode(f"page {number}".encode()).decode().rstrip("=")


def _number(token: str) -> int:
    """Return the page's number; anything unreadable is the first page."""
    if token.startswith(BOOKMARK):
        coded = token.removeprefix(BOOKMARK)
        try:
            token = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode().removeprefix("page ")
        except (binascii.Error, UnicodeDecodeError):
            return 1
    return max(1, int(token)) if token.isdigit() else 1
