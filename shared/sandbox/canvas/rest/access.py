"""Who may ask: the bearer token, its scopes, and what scopes do to `include[]`.

Source: canvas-lms OAuth documentation and ucfopen/canvasapi's error classification: an invalid token is 401 with
`WWW-Authenticate`, a missing scope 401 without it.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.canvas.rest.pagination import PageTooHeavy
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

Endpoint = Callable[[Request], Awaitable[Response]]


class BadRequest(ValueError):
    """The request cannot be understood; `body` is Canvas's answer to it."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(str(body))
        self.body = body


def api_route(method: str, template: str, endpoint: Endpoint) -> Route:
    """Return a route for a path as Canvas writes it (`/api/v1/courses/:id`), which is also the path of its scope."""
    path = "/".join(f"{{{part[1:]}}}" if part.startswith(":") else part for part in template.split("/"))

    async def guarded(request: Request) -> Response:
        refusal = refused(request, f"url:{method}|{template}")
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


def refused(request: Request, scope: str) -> Response | None:
    """Return the 401 for a token that is wrong or lacks the scope; None if the request may go on."""
    seed = sandbox(request).seed
    given = request.headers.get("authorization")
    if seed.provisioning_token and given == f"Bearer {seed.provisioning_token}":
        return None if scope.startswith(PROVISIONING_SCOPES) else _lacks_scope()
    if given != f"Bearer {seed.token}":
        headers = {"WWW-Authenticate": 'Bearer realm="canvas-lms"'}
        return JSONResponse({"errors": [{"message": "Invalid access token."}]}, 401, headers)
    if seed.scopes is not None and scope not in seed.scopes:
        return _lacks_scope()
    return None


def _lacks_scope() -> Response:
    return JSONResponse({"errors": [{"message": "Insufficient scopes on access token."}]}, 401)


def includes(request: Request) -> frozenset[str]:
    """Return what `include[]` asks for: nothing where the scoped key does not allow include parameters."""
    seed = sandbox(request).seed
    if seed.scopes is not None and not seed.allow_include_parameters:
        return frozenset()
    return frozenset(many(request, "include"))


def sandbox(request: Request) -> CanvasSandbox:
    """Return the sandbox behind the app; SIS imports are as far as they were when the request came."""
    found: CanvasSandbox = request.app.state.sandbox
    if not getattr(request.state, "has_advanced", False):
        request.state.has_advanced = True
        found.sis.advance()
    return found


def has_import_right(request: Request) -> bool:
    """Say whether the token may import: the provisioning token alone, where there is one."""
    seed = sandbox(request).seed
    return request.headers.get("authorization") == f"Bearer {seed.provisioning_token or seed.token}"


def course_of(request: Request) -> Course:
    """Return the course that the path names, by id or as `sis_course_id:…`.

    Raises `UnknownObject`, also for a deleted one: Canvas answers 404, unless the course itself is asked for with
    `include[]=all_courses` (canvas-lms Courses API).
    """
    course = any_course_of(request)
    if course.workflow_state == "deleted":
        raise UnknownObject("the course was deleted")
    return course


def any_course_of(request: Request) -> Course:
    """Return the course that the path names, a deleted one as well. Raises `UnknownObject`."""
    key = str(request.path_params.get("course_id") or request.path_params["id"])
    canvas = sandbox(request)
    if key.startswith("sis_course_id:"):
        sis_id = key.removeprefix("sis_course_id:")
        found = [course for course in canvas.courses.values() if course.sis_course_id == sis_id]
        if not found:
            raise UnknownObject("no course with this SIS id")
        return found[0]
    return canvas.course(local_id(key))


def local_id(text: str) -> int:
    """Return the id in a path or parameter. Raises `UnknownObject` for text, which nothing has as its id."""
    if not text.isdigit():
        raise UnknownObject("no such id")
    return int(text)


def many(request: Request, name: str) -> list[str]:
    """Return the values of an array parameter, with or without its brackets."""
    return request.query_params.getlist(f"{name}[]") or request.query_params.getlist(name)


def is_true(text: str | None) -> bool | None:
    """Return a boolean parameter as Rails reads it; None if it was not sent."""
    return None if text is None else text.strip().lower() in ("true", "1", "t", "on", "yes")


def shown(request: Request, data: Any, status: int = 200, link: str | None = None) -> Response:
    """Return the answer as JSON, with string ids if the client accepts them."""
    body = string_ids(data) if STRING_IDS in request.headers.get("accept", "") else data
    return JSONResponse(body, status, {"Link": link} if link else None)


def string_ids(data: Any) -> Any:
    """Return the data with every `id`, `…_id` and `…_ids` as text."""
    if isinstance(data, list):
        return [string_ids(item) for item in data]
    if isinstance(data, dict):
        return {key: _text(value) if _names_ids(key) else string_ids(value) for key, value in data.items()}
    return data


def _names_ids(key: str) -> bool:
    return key in ("id", "ids") or key.endswith(("_id", "_ids"))


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(item) for item in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
