"""The status pages as one application: their paths, style and script."""

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from workers.container import Container
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.pages import (
    canvas_pages,
    course_pages,
    dead_letter_pages,
    history_pages,
    overview_pages,
    people_pages,
    provisioning_pages,
)
from workers.web.pages.district import readiness_pages, takeover_pages
from workers.web.pages.page_handlers import PageHandlers
from workers.web.pages.rendering import STATIC
from workers.web.pages.sign_in_pages import sign_in_routes

A_YEAR_S = 31_536_000


class _Assets(StaticFiles):
    """Style and script: their addresses change with their content, so that browsers may cache them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = f"public, max-age={A_YEAR_S}, immutable"
        return response


def create_pages(service: Container, sign_in: RequestAuthenticator) -> ASGIApp:
    """Return the pages as an ASGI application."""
    handlers = PageHandlers(service, sign_in)
    routes: list[Route | Mount] = [*sign_in_routes(handlers), Mount("/static", _Assets(directory=STATIC))]
    modules = (
        overview_pages, course_pages, dead_letter_pages, provisioning_pages, canvas_pages, readiness_pages,
        takeover_pages,
    )  # fmt: skip
    for module in modules:
        routes += [Route(path, handlers.get_view(view), methods=["GET"]) for path, view in module.GET.items()]
        routes += [Route(path, handlers.post_view(view), methods=["POST"]) for path, view in module.POST.items()]
    read_only = {**people_pages.GET, **history_pages.GET}
    routes += [Route(path, handlers.get_view(view), methods=["GET"]) for path, view in read_only.items()]
    routes += [
        Route(path, handlers.post_view(view, for_operators=False), methods=["POST"])
        for path, view in people_pages.POST.items()
    ]
    app = Starlette(routes=routes, exception_handlers=handlers.exception_handlers())
    # A redirect of the framework's leads to the host that the request names.
    app.router.redirect_slashes = False
    return app
