"""The web process: the receivers, and beside them the pages, the API and the metrics."""

from functools import partial

from starlette.types import ASGIApp

from shared.clock import SystemClock
from shared.config import Settings
from workers.container import Container
from workers.web.auth.credentials import Authenticator
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.metrics.collector import MetricsCollector
from workers.web.metrics.endpoint import MetricsAccess, MetricsPage
from workers.web.metrics.exposition import exposition
from workers.web.receivers.assembly import build
from workers.web.receivers.routing import Route, get
from workers.web.site import create_site


def web_app(settings: Settings) -> ASGIApp:
    """Return all that the web process serves. Paths that are not the receivers' are the pages' and the API's."""
    service = Container(settings)
    # One for all doors: guesses count together wherever they are made.
    authenticator = Authenticator(settings, lambda: service.redis, service.keys, SystemClock())
    sign_in = RequestAuthenticator(settings, lambda: service.redis, service.keys, authenticator)
    return build(
        settings,
        otherwise=create_site(service, sign_in=sign_in),
        count=service.tally,
        more_routes={"/metrics": metrics_route(service, authenticator)},
        close=service.close,
    )


def metrics_route(service: Container, authenticator: Authenticator | None = None) -> Route:
    """Return the route of the metrics."""
    authenticator = authenticator or Authenticator(service.settings, lambda: service.redis, service.keys, SystemClock())
    access = MetricsAccess(service.settings, authenticator)
    return get(MetricsPage(partial(exposition, MetricsCollector(service).samples), access))
