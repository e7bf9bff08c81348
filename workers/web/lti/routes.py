"""The pages inside Canvas as one application. It has no paths where nobody has installed passback in Canvas."""

from collections.abc import Awaitable, Callable
from functools import partial

from redis.exceptions import RedisError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.config import Settings, origin
from workers.container import Container
from workers.web.errors import ApiError, redis_unavailable
from workers.web.lti.configuration import json_configuration
from workers.web.lti.launch import begin_login, finish_launch, receive_launch
from workers.web.lti.pages.handlers import page_routes
from workers.web.lti.pages.page_request import LtiPages
from workers.web.lti.refusals import LaunchRefused
from workers.web.lti.registration import public_key_set, register
from workers.web.lti.session import LtiSessions
from workers.web.lti.state import shows_cookie
from workers.web.lti.tool import LAUNCH_PATH, LtiTool
from workers.web.middleware import SecurityHeaders, framed_by
from workers.web.pages.page_handlers import Form, parse_form, with_retry_after

LTI_PREFIX = "/lti"
INSTRUCTURE = ("https://*.instructure.com", "https://*.canvaslms.com")
UNEXPECTED = "This page has a defect. Nothing else is touched by it; please report it to passback's operator."

Respond = Callable[[Request, Form], Response]


def create_lti(container: Container) -> ASGIApp:
    """Return everything below `/lti` as an ASGI application."""
    tool = LtiTool(container)
    pages = LtiPages(container, LtiSessions(tool.secret, container.clock))
    app = Starlette(
        routes=[*_tool_routes(tool, pages), *page_routes(pages)], exception_handlers=_exception_handlers(tool, pages)
    )
    app.router.redirect_slashes = False

    async def where_installed(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            is_installed = await run_in_threadpool(tool.is_installed)
        except (RedisError, OSError):
            await redis_unavailable().response()(scope, receive, send)
            return
        await (app if is_installed else _nothing)(scope, receive, send)

    return SecurityHeaders(where_installed, lti_headers(container.settings))


def lti_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of every response below `/lti`: Canvas may show it in a frame, nobody else may.

    The addresses are the settings', never the request's.
    """
    canvas = origin(settings.canvas_url), origin(settings.lti_platform_url)
    return framed_by([*INSTRUCTURE, *filter(None, dict.fromkeys(canvas)), *settings.lti_frame_ancestors])


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    error = {"code": "not_found", "message": "There is no page at this address."}
    await JSONResponse({"error": error}, 404)(scope, receive, send)


def _tool_routes(tool: LtiTool, pages: LtiPages) -> list[Route]:
    def configuration(_request: Request) -> Response:
        return JSONResponse(json_configuration(tool.service.settings.public_url))

    def key_set(_request: Request) -> Response:
        return Response(public_key_set(tool.service.lti), media_type="application/json")

    login, registration = partial(begin_login, tool, pages), partial(register, tool, pages)
    return [
        Route("/lti/login", _endpoint(login, reads_query=True), methods=["GET", "POST"]),
        Route("/lti/browser", shows_cookie, methods=["GET"]),
        Route(LAUNCH_PATH, _endpoint(partial(receive_launch, tool, pages)), methods=["POST"]),
        Route("/lti/finish", _endpoint(partial(finish_launch, tool, pages)), methods=["POST"]),
        Route("/lti/register/{link}", _endpoint(registration, reads_query=True), methods=["GET"]),
        Route("/lti/config.json", configuration, methods=["GET"]),
        Route("/lti/jwks", key_set, methods=["GET"]),
    ]


def _endpoint(respond: Respond, *, reads_query: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that answers, in a thread, a request with the fields of its form.

    Only a login initiation may have them in its address, where tokens must not be.
    """

    async def endpoint(request: Request) -> Response:
        query = parse_form(request.url.query.encode()) if reads_query else {}
        return await run_in_threadpool(respond, request, {**query, **parse_form(await request.body())})

    return endpoint


def _exception_handlers(tool: LtiTool, pages: LtiPages) -> dict[int | type[Exception], Callable[..., Response]]:
    def refused(_request: Request, error: LaunchRefused) -> Response:
        tool.count_refusal(error.refusal)
        response = pages.refusal(error.refusal)
        if response.status_code == 503:
            response.headers["Retry-After"] = "60"
        return response

    def not_found(_request: Request, error: HTTPException) -> Response:
        return pages.message(error.status_code, "Not found", "There is no page at this address.")

    def not_done(_request: Request, error: ApiError) -> Response:
        return with_retry_after(pages.message(error.status, "Not done", error.message), error)

    def no_redis(request: Request, _error: Exception) -> Response:
        return not_done(request, redis_unavailable())

    def unexpected_error(_request: Request, _error: Exception) -> Response:
        return pages.message(500, "Something is wrong here", UNEXPECTED)

    return {
        404: not_found, 405: not_found, LaunchRefused: refused, ApiError: not_done, RedisError: no_redis,
        Exception: unexpected_error,
    }  # fmt: skip
