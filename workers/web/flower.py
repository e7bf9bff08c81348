"""Runs Flower, Celery's monitor: read-only, and behind the operator's password on every path.

Flower itself asks for no password at `/metrics` and `/healthcheck`, fails to compare some passwords, and supports no
hashed ones. So this module authenticates every request, and gives Flower a random password of its own, which is made
at start and never appears in an argument, a file or the environment.
"""

import logging
import os
import secrets
from base64 import b64encode
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any

from celery import Celery
from flower.app import Flower
from flower.options import default_options as options
from flower.urls import settings as flower_settings
from redis.exceptions import RedisError
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, HTTPServerRequest, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets
from tornado.web import RequestHandler

from shared.config import ConfigurationError, is_loopback_address
from workers.web.auth.passwords import CHALLENGE, Authenticator, name_and_password
from workers.web.errors import ApiError, redis_unavailable
from workers.web.server import require_free_address

READ_ONLY_METHODS = frozenset({"GET", "HEAD"})
# The page of tasks fetches its rows by POST, since the query is long. Its handler reads, as it does for GET.
READING_POST_PATH = "/tasks/datatable"
# tornado's defaults are an hour for a request's head, and 100 MB for its body.
CONNECTION_LIMITS = {
    "idle_connection_timeout": 10.0, "body_timeout": 10.0, "max_header_size": 65_536, "max_body_size": 10_000,
    "max_buffer_size": 200_000,
}  # fmt: skip
MAX_CONNECTIONS = 64
COLUMNS = "name,args,state,received,started,runtime,worker,uuid"


def flower(app: Celery, host: str, port: int, authenticator: Authenticator | None) -> Flower:
    """Return Flower for this Celery app, not started yet. Without an `authenticator` everybody on this machine gets in.

    Raises: ConfigurationError, if others than this machine could get in without a password, or the port is taken.
    """
    if authenticator is None and not is_loopback_address(host):
        raise ConfigurationError(
            f"Flower without a password is for this machine only, not for {host}: set PASSBACK_OPERATOR_PASSWORD"
        )
    require_free_address(host, port)
    inner = f"passback:{secrets.token_urlsafe(32)}"
    # Set here, so that neither arguments nor a flowerconfig.py override them.
    options.address, options.port = host, port
    options.basic_auth = [inner]
    options.read_only = True
    options.tasks_columns = COLUMNS
    options.conf = os.devnull
    guard = AuthGuard(authenticator, f"Basic {b64encode(inner.encode()).decode()}")
    return ProtectedFlower(guard, capp=app, options=options, **flower_settings)


def run(monitor: Flower) -> None:
    """Serve until the process is stopped."""
    access = logging.getLogger("tornado.access")
    access.addHandler(logging.NullHandler())
    access.propagate = False
    monitor.start_http_server()
    try:
        monitor.start()
    finally:
        monitor.stop()


class AuthGuard:
    """Authenticates each request before Flower handles it."""

    def __init__(self, authenticator: Authenticator | None, inner_authorization: str) -> None:
        self._authenticator = authenticator
        self._inner = inner_authorization

    async def check(self, request: HTTPServerRequest) -> ApiError | None:
        """Return why the request is rejected, or None and sign it in with Flower's own password."""
        try:
            await self._check(request)
        except ApiError as rejected:
            return rejected
        except (RedisError, OSError):
            return redis_unavailable()
        if not _only_reads(request):
            return ApiError(405, "method_not_allowed", "Flower is for reading.")
        request.headers["Authorization"] = self._inner
        return None

    async def _check(self, request: HTTPServerRequest) -> None:
        if self._authenticator is None:
            # Without a password, a foreign page in a local browser could reach Flower by DNS rebinding.
            if not _names_this_machine(request.host_name):
                raise ApiError(403, "not_this_machine", "The request names another machine.")
            return
        forwarded = request.headers.get_list("X-Forwarded-For")
        sender = self._authenticator.proxies.sender_of(request.remote_ip or "", forwarded)
        authorization = request.headers.get("Authorization", "")
        if not authorization:
            raise ApiError(401, "not_signed_in", "Sign in as operator.", CHALLENGE)
        await self._authenticator.operator(*name_and_password(authorization), sender, "flower")


class ProtectedFlower(Flower):  # type: ignore[misc]  # Flower has no types
    """Flower behind the guard."""

    def __init__(self, guard: AuthGuard, **parts: Any) -> None:
        self._guard = guard
        super().__init__(**parts)

    def start_http_server(self) -> int:
        """Listen, with limits on what a client may send before it is signed in; return the port."""
        sockets = bind_sockets(self.options.port, address=self.options.address)
        server = BoundedServer(self, **CONNECTION_LIMITS)
        server.add_sockets(sockets)
        return int(sockets[0].getsockname()[1])

    def find_handler(self, request: HTTPServerRequest, **parts: Any) -> HTTPMessageDelegate:
        """Return the handler that waits for the guard's decision."""
        return _AuthHandler(request, self._decide(request, parts))

    async def _decide(self, request: HTTPServerRequest, parts: Mapping[str, Any]) -> HTTPMessageDelegate:
        rejected = await self._guard.check(request)
        delegate: HTTPMessageDelegate = (
            super().find_handler(request, **parts)
            if rejected is None
            else self.get_handler_delegate(request, FlowerLoginPage, {"rejected": rejected})
        )
        return delegate


class BoundedServer(HTTPServer):
    """tornado's server with a limit on its connections: one more closes the oldest."""

    def initialize(self, *parts: Any, **named: Any) -> None:
        """Make the server."""
        super().initialize(*parts, **named)
        self._streams: list[IOStream] = []

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Take a new connection."""
        self._streams = [stream for stream in self._streams if not stream.closed()]
        if len(self._streams) >= MAX_CONNECTIONS:
            self._streams.pop(0).close()
        self._streams.append(stream)
        super().handle_stream(stream, address)


class _AuthHandler(HTTPMessageDelegate):
    """Delays a request's head until the guard has decided; tornado reads no body before."""

    def __init__(self, request: HTTPServerRequest, decision: Coroutine[Any, Any, HTTPMessageDelegate]) -> None:
        self._request = request
        self._decision = decision
        self._delegate: HTTPMessageDelegate | None = None

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        self._delegate = await self._decision
        handled = self._delegate.headers_received(start_line, headers)
        if handled is not None:
            await handled

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        assert self._delegate is not None, "tornado waits for headers_received"
        return self._delegate.data_received(chunk)

    def finish(self) -> None:
        assert self._delegate is not None, "tornado waits for headers_received"
        self._delegate.finish()

    def on_connection_close(self) -> None:
        if self._delegate is not None:
            self._delegate.on_connection_close()


class FlowerLoginPage(RequestHandler):
    """Responds with a status and no body."""

    def initialize(self, rejected: ApiError) -> None:
        """Take the error."""
        self._rejected = rejected

    def check_xsrf_cookie(self) -> None:
        """Skip the check: nothing is changed."""

    def prepare(self) -> None:
        """Respond to any method."""
        self.set_status(self._rejected.status)
        for name, value in (self._rejected.headers or {}).items():
            self.set_header(name, value)
        self.finish()


def _only_reads(request: HTTPServerRequest) -> bool:
    return request.method in READ_ONLY_METHODS or (request.method == "POST" and request.path == READING_POST_PATH)


def _names_this_machine(host: str) -> bool:
    return is_loopback_address(host.strip("[]"))
