"""All that people and programs look at over HTTP, as one application: the pages and the JSON API."""

from starlette.types import ASGIApp, Receive, Scope, Send

from workers.container import Container
from workers.web.api.app import PREFIX, create_api
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.pages.provisioning import ProvisioningPages
from workers.web.pages.provisioning_source import provisioning_of
from workers.web.pages.routes import create_pages
from workers.web.security_headers import SafeHeaders


def create_site(
    service: Container, provisioning: ProvisioningPages | None = None, sign_in: RequestAuthenticator | None = None
) -> ASGIApp:
    """Return the application."""
    sign_in = sign_in or RequestAuthenticator(service.settings, lambda: service.redis, service.keys)
    provisioning = provisioning or provisioning_of(service)
    api = create_api(service, sign_in, provisioning)
    pages = create_pages(service, sign_in, provisioning)

    async def by_path(scope: Scope, receive: Receive, send: Send) -> None:
        is_of_api = scope["path"].startswith(f"{PREFIX}/") or scope["path"] == PREFIX
        await (api if is_of_api else pages)(scope, receive, send)

    return SafeHeaders(by_path)
