"""Raw requests to a server on this machine, requests to Flower's guard, and arguments of processes."""

import asyncio
import socket
from typing import cast
from urllib.parse import urlsplit

import psutil
from tornado.httputil import HTTPConnection, HTTPHeaders, HTTPServerRequest, RequestStartLine

from workers.web.flower import AuthGuard


def exchange(address: tuple[str, int], request: bytes, timeout_s: float = 5.0) -> bytes:
    """Return what the server answers to these bytes, nothing if it closes the connection."""
    with socket.create_connection(address, timeout=timeout_s) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except OSError:
            return b""


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def command_of(process: psutil.Process) -> list[str]:
    """Return its arguments; none of one that has just ended."""
    try:
        return process.cmdline()
    except (psutil.ZombieProcess, psutil.NoSuchProcess):
        return []


class _Connection:
    context = None


def rejection(guard: AuthGuard, host: str, authorization: str = "") -> int | None:
    """Return the status with which Flower's guard rejects a request for its first page, None if it admits it."""
    request = HTTPServerRequest(
        start_line=RequestStartLine("GET", "/", "HTTP/1.1"),
        headers=HTTPHeaders({"Host": host, **({"Authorization": authorization} if authorization else {})}),
        connection=cast("HTTPConnection", _Connection()),
    )
    rejected = asyncio.run(guard.check(request))
    return rejected and rejected.status
