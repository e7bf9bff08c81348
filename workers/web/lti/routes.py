"""The pages inside Canvas as one application. It has no paths where nobody has installed passback in Canvas."""

from functools import lru_cache

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from shared.adapters.redis.operations.sign_in import session_secret
from workers.container import Container
from workers.web.errors import ApiError
from workers.web.lti.headers import lti_headers
from workers.web.lti.pages.handlers import LtiPages
from workers.web.lti.session import LtiSessions
from workers.web.security_headers import SecurityHeaders

LTI_PREFIX = "/lti"


def create_lti(container: Container) -> ASGIApp:
    """Return everything below `/lti` as an ASGI application."""
    settings = container.settings

    @lru_cache(maxsize=1)
    def secret() -> str:
        return settings.session_secret.get_secret_value() or session_secret(container.redis, container.keys)

    pages = LtiPages(container, LtiSessions(secret, container.clock))

    def not_found(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return pages.message(status, "Not found", "There is no page at this address.")

    def not_done(_request: Request, error: Exception) -> Response:
        assert isinstance(error, ApiError)
        return pages.message(error.status, "Not done", error.message)

    app = Starlette(
        routes=pages.routes() if settings.lti_client_id else [],
        exception_handlers={404: not_found, 405: not_found, ApiError: not_done},
    )
    app.router.redirect_slashes = False
    return SecurityHeaders(app, lti_headers(settings))
