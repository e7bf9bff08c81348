"""All that people and programs look at over HTTP, as one application: the pages and the JSON API."""

from starlette.types import ASGIApp, Receive, Scope, Send

from workers.bootstrap import Passback
from workers.status_pages.api import PREFIX, create_api
from workers.status_pages.headers import SafeHeaders
from workers.status_pages.pages import create_pages
from workers.status_pages.provisioning import Provisioning
from workers.status_pages.provisioning_source import provisioning_of
from workers.status_pages.sign_in import SignIn


def create_site(service: Passback, provisioning: Provisioning | None = None, sign_in: SignIn | None = None) -> ASGIApp:
    """Return the application."""
    sign_in = sign_in or SignIn(service.settings, lambda: service.redis, service.keys)
    provisioning = provisioning or provisioning_of(service)
    api = create_api(service, sign_in, provisioning)
    pages = create_pages(service, sign_in, provisioning)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        is_of_api = scope["path"].startswith(f"{PREFIX}/") or scope["path"] == PREFIX
        await (api if is_of_api else pages)(scope, receive, send)

    return SafeHeaders(by_path)
