"""A mail server and a webhook receiver on loopback, and servers that do not do what they should."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


@dataclass
class MailBox:
    """What arrived, with its recipients; those of `refused` are not taken."""

    mails: list[tuple[list[str], Message]] = field(default_factory=list)
    refused: frozenset[str] = frozenset()

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802  # aiosmtpd's name
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append((list(envelope.rcpt_tos), message_from_bytes(envelope.content, policy=default)))
        return "250 OK"


@contextmanager
def mail_server(*refused: str, password: str | None = None) -> Iterator[tuple[MailBox, int]]:
    """Run a mail server; give what it took, and its port. With a password it wants one."""
    box = MailBox(refused=frozenset(refused))

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password == (password or "").encode(), handled=False)

    options = {} if password is None else {
        "authenticator": authenticate, "auth_required": True, "auth_require_tls": False,
    }  # fmt: skip
    controller = Controller(box, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield box, controller.port
    finally:
        controller.stop()


@dataclass
class Hook:
    """What a webhook receiver got; it answers with `status`."""

    status: int = 200
    bodies: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[Hook, int]]:
    """Run a receiver of webhooks; give what it got, and its port."""
    hook = Hook(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            hook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(hook.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook, server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def silent_server(*, drips: bool = False) -> Iterator[int]:
    """Run a server that takes connections and says nothing, or one byte of an endless greeting now and then."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped, taken = threading.Event(), []

    def run() -> None:
        listener.settimeout(0.1)
        while not stopped.is_set():
            with suppress(TimeoutError):
                taken.append(listener.accept()[0])
            for connection in taken if drips else []:
                with suppress(OSError):
                    connection.send(b"2")

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopped.set()
        thread.join()
        for connection in [listener, *taken]:
            connection.close()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
