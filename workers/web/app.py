"""The web process as one ASGI application: receivers, health, metrics, status pages, JSON API, pages in Canvas."""

from collections.abc import Mapping
from functools import partial

from prometheus_client import generate_latest
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.config import Settings
from workers.container import Container
from workers.web.api.app import PREFIX, create_api
from workers.web.auth.passwords import Authenticator
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
    # One authenticator for pages, API and metrics: failed logins count together wherever they are made.
    authenticator = Authenticator(settings, container.redis, container.keys)
    sign_in = RequestAuthenticator(settings, container.redis, container.keys, authenticator)
    return build(
        settings,
        fallback=create_site(container, sign_in=sign_in),
        count=container.counter_buffer,
        routes=[metrics_route(container, authenticator)],
        close=container.close,
    )


def metrics_route(container: Container, authenticator: Authenticator | None = None) -> Route:
    """Return the route of `/metrics`."""
    settings = container.settings
    authenticator = authenticator or Authenticator(settings, container.redis, container.keys)
    page = MetricsPage(partial(generate_latest, MetricsCollector(container)), settings, authenticator)
    return Route("/metrics", page.get)


def create_site(container: Container, sign_in: RequestAuthenticator | None = None) -> ASGIApp:
    """Return the pages, the API and the pages inside Canvas."""
    sign_in = sign_in or RequestAuthenticator(container.settings, container.redis, container.keys)
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
