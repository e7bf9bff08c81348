"""Serves an ASGI application with uvicorn, within the limits of `http_protocol`."""

import logging

import uvicorn

from shared.clock import SystemClock
from shared.config import ConfigurationError, Settings, is_loopback_address
from workers.runtime.log_limit import ServerLines
from workers.web.http_protocol import bounded


def require_auth_or_loopback(settings: Settings, address: str) -> None:
    """Raise `ConfigurationError` if other machines could connect and nobody could sign in."""
    if not settings.has_sign_in and not is_loopback_address(address):
        raise ConfigurationError(
            f"the web process would bind {address} and nobody could sign in: set PASSBACK_OPERATOR_PASSWORD (or "
            "PASSBACK_PROXY_HEADERS), or bind 127.0.0.1 with --host"
        )


def serve(application: object, host: str, port: int) -> None:
    """Serve an ASGI application until a signal stops it."""
    logging.getLogger("uvicorn.error").addFilter(ServerLines(SystemClock()))
    uvicorn.run(
        application,  # type: ignore[arg-type]  # uvicorn's own alias for ASGI applications is not exported
        host=host, port=port, access_log=False, log_config=None, http=bounded(), ws="none", server_header=False,
        timeout_graceful_shutdown=5,
        # The settings say whose headers about the sender are trusted.
        proxy_headers=False,
    )  # fmt: skip
