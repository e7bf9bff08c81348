"""The control plane of both sandboxes, below `/_sandbox`: actions by name, logs, and faults.

It has no authentication: a sandbox listens on the loopback interface only.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableSequence
from dataclasses import asdict
from http import HTTPMethod
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, TypeAdapter, validate_call
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.faults import CONTROL_PREFIX, F, Switchboard

T = TypeVar("T")

MESSAGE_PAGE = "<html>\r\n<head>\r\n<title>PowerSchool page unavailable</title>\r\n</head>\r\n<body></body>\r\n</html>"


class Action(BaseModel):
    """The body of `POST /_sandbox/act`: which action, and its arguments by name."""

    model_config = ConfigDict(extra="allow")

    do: str


def actions_of(*classes: type) -> frozenset[str]:
    """Return the names of the actions: the public methods that the classes define."""
    return frozenset(name for each in classes for name in vars(each) if not name.startswith("_"))


async def perform(request: Request, actor: object, actions: frozenset[str]) -> object:
    """Do the action that the body names with a method of `actor`, and return what the method returns.

    Raises: ValidationError for arguments of the wrong type, LookupError for an unknown action.
    """
    action = Action.model_validate_json(await request.body())
    if action.do not in actions:
        raise LookupError(f"no action {action.do}; known: {', '.join(sorted(actions))}")
    method: Callable[..., object] = validate_call(getattr(actor, action.do))
    return method(**(action.model_extra or {}))


def change_fields(record: object, fields: frozenset[str], changes: Mapping[str, Any]) -> None:
    """Set fields of a dataclass to values of their types.

    Raises: ValidationError for a value of the wrong type, LookupError for a field that is not among `fields`.
    """
    if unknown := set(changes) - fields:
        raise LookupError(f"no such field: {', '.join(sorted(unknown))}")
    types = get_type_hints(type(record))
    values = {name: TypeAdapter(types[name]).validate_python(value) for name, value in changes.items()}
    for name, value in values.items():
        setattr(record, name, value)


def control_route(path: str, endpoint: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
    """Return a route that answers 422, with the reason, to a request that cannot be understood."""

    async def checked(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (ValueError, LookupError) as error:
            return JSONResponse({"error": str(error)}, 422)

    return Route(f"{CONTROL_PREFIX}{path}", checked, methods=list(methods))


def entry_json(entry: Any) -> dict[str, Any]:
    """Return an entry of a log, its time `at` in ISO 8601."""
    return asdict(entry) | {"at": entry.at.isoformat()}


def log_route(
    path: str, log: Callable[[Request], MutableSequence[T]], to_json: Callable[[T], Any] = entry_json
) -> Route:
    """Return a route that shows a log, the oldest entry first, and clears it with DELETE."""

    async def show_or_clear(request: Request) -> Response:
        entries = log(request)
        if request.method == HTTPMethod.DELETE:
            entries.clear()
            return Response(status_code=204)
        return JSONResponse([to_json(entry) for entry in list(entries)])

    return control_route(path, show_or_clear, "GET", "DELETE")


def common_routes(board: Switchboard[F]) -> list[Route]:
    """Return the routes of the faults, of the request log and of the page that maintenance redirects to."""

    async def faults(request: Request) -> Response:
        if request.method == HTTPMethod.DELETE:
            board.set(board.kind())
        elif request.method == HTTPMethod.PUT:
            board.set(board.kind.model_validate_json(await request.body()))
        return JSONResponse(board.faults.model_dump(mode="json"))

    async def message(_request: Request) -> Response:
        return HTMLResponse(MESSAGE_PAGE)

    return [
        log_route("/requests", lambda _: board.requests),
        control_route("/faults", faults, "GET", "PUT", "DELETE"),
        control_route("/message", message, "GET"),
    ]
