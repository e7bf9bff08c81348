"""The web process: the receivers, and beside them the pages, the API and the metrics."""

from functools import partial

from starlette.types import ASGIApp

from shared.config import Settings
from workers.bootstrap import Passback
from workers.credentials import judge_of
from workers.metrics.exposition import exposition
from workers.metrics.numbers import Numbers
from workers.metrics.page import MetricsAccess, MetricsPage
from workers.receivers.app import build
from workers.receivers.routing import Route, get
from workers.status_pages.site import create_site


def web_app(settings: Settings) -> ASGIApp:
    """Return all that the web process serves. Paths that are not the receivers' are the pages' and the API's."""
    service = Passback(settings)
    return build(
        settings,
        otherwise=create_site(service),
        count=service.tally,
        more_routes={"/metrics": metrics_route(service)},
        close=service.close,
    )


def metrics_route(service: Passback) -> Route:
    """Return the route of the metrics."""
    access = MetricsAccess(service.settings.metrics_token.get_secret_value(), judge_of(service.settings))
    return get(MetricsPage(partial(exposition, Numbers(service).samples), access))
