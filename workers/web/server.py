"""Serves an ASGI application with uvicorn, within the limits of `http_protocol`."""

import logging
import socket

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


def require_free_address(host: str, port: int) -> None:
    """Raise `ConfigurationError` if this process cannot bind the port on one of the host's addresses."""
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} of {host} cannot be bound: {error.strerror}; choose another with --port or --host"
        ) from None


def serve(application: object, host: str, port: int) -> None:
    """Serve an ASGI application until a signal stops it. Raises `ConfigurationError` for an address that is taken."""
    require_free_address(host, port)
    logging.getLogger("uvicorn.error").addFilter(ServerLines(SystemClock()))
    uvicorn.run(
        application,  # type: ignore[arg-type]  # uvicorn's own alias for ASGI applications is not exported
        host=host, port=port, access_log=False, log_config=None, http=bounded(), ws="none", server_header=False,
        timeout_graceful_shutdown=5,
        # The settings say whose headers about the sender are trusted.
        proxy_headers=False,
    )  # fmt: skip
