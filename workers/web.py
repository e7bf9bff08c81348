"""The web process: the receivers, and beside them the pages and the API."""

from starlette.types import ASGIApp

from shared.config import Settings
from workers.bootstrap import Passback
from workers.receivers.app import build
from workers.status_pages.site import create_site


def web_app(settings: Settings) -> ASGIApp:
    """Return all that the web process serves. Paths that are not the receivers' are the pages' and the API's."""
    return build(settings, otherwise=create_site(Passback(settings)))
