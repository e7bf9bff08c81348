"""The web process as one ASGI application: receivers, health, metrics, status pages, JSON API, pages in Canvas."""

from collections.abc import Mapping
from functools import partial

from prometheus_client import generate_latest
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.config import Settings
from workers.container import Container
from workers.web.api.app import PREFIX, create_api
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.lti.routes import LTI_PREFIX, create_lti
from workers.web.metrics.collector import MetricsCollector
from workers.web.metrics.endpoint import MetricsPage
from workers.web.middleware import SecurityHeaders
from workers.web.pages.routes import create_pages
from workers.web.receivers.assembly import build


def web_app(settings: Settings) -> ASGIApp:
    """Return everything that the web process serves."""
    container = Container(settings)
    sign_in = RequestAuthenticator(container)
    return build(
        settings,
        fallback=create_site(container, sign_in),
        count=container.counter_buffer,
        routes=[metrics_route(container, sign_in)],
        close=container.close,
    )


def metrics_route(container: Container, sign_in: RequestAuthenticator) -> Route:
    """Return the route of `/metrics`."""
    render = partial(generate_latest, MetricsCollector(container))
    page = MetricsPage(render, sign_in.authenticator)
    return Route("/metrics", page.get)


def create_site(container: Container, sign_in: RequestAuthenticator) -> ASGIApp:
    """Return the pages, the API and the pages inside Canvas."""
    api = SecurityHeaders(create_api(container, sign_in))
    pages = SecurityHeaders(create_pages(container, sign_in))
    lti = create_lti(container)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        # Not mounted: FastAPI would leave the prefix out of the paths in its OpenAPI document.
        await _first_match(scope["path"], {LTI_PREFIX: lti, PREFIX: api}, pages)(scope, receive, send)

    return route


def _first_match(path: str, apps: Mapping[str, ASGIApp], fallback: ASGIApp) -> ASGIApp:
    below = (app for prefix, app in apps.items() if path == prefix or path.startswith(f"{prefix}/"))
    return next(below, fallback)
