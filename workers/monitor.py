"""Flower, Celery's monitor: read-only, and behind one door that also covers what Flower itself leaves open.

Flower asks for no password at `/metrics` and `/healthcheck`, compares passwords in a way that fails on some of them,
and knows no hashed ones. So every request passes the door here first, and Flower gets a password of its own that
nobody knows: one that is made at start, and never appears in an argument, a file or the environment.
"""

import logging
import os
import secrets
from base64 import b64encode
from typing import Any

from celery import Celery
from flower.app import Flower
from flower.options import default_options as options
from flower.urls import settings as flower_settings
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import RequestHandler

from shared.config import ConfigurationError, is_loopback_address
from workers.credentials import Judge, name_and_password

READING = frozenset({"GET", "HEAD"})
COLUMNS = "name,args,state,received,started,runtime,worker,uuid"


def flower(app: Celery, host: str, port: int, judge: Judge | None) -> Flower:
    """Return Flower for this Celery app, not started yet. Without a `judge` of passwords everybody gets in.

    Raises: ConfigurationError, if others than this machine could get in without a password.
    """
    if judge is None and not is_loopback_address(host):
        raise ConfigurationError(
            f"Flower without a password is for this machine only, not for {host}: set PASSBACK_OPERATOR_PASSWORD"
        )
    inner = f"passback:{secrets.token_urlsafe(32)}"
    # Set here, so that no argument list and no stray flowerconfig.py decides over them.
    options.address, options.port = host, port
    options.basic_auth = [inner]
    options.read_only = True
    options.tasks_columns = COLUMNS
    options.conf = os.devnull
    door = Door(judge, f"Basic {b64encode(inner.encode()).decode()}")
    return GuardedFlower(door, capp=app, options=options, **flower_settings)


def run(monitor: Flower) -> None:
    """Serve until told to stop."""
    access = logging.getLogger("tornado.access")
    access.addHandler(logging.NullHandler())
    access.propagate = False
    monitor.start_http_server()
    try:
        monitor.start()
    finally:
        monitor.stop()


class Door:
    """Decides over each request before Flower sees it."""

    def __init__(self, judge: Judge | None, inner_authorization: str) -> None:
        self._judge = judge
        self._inner = inner_authorization

    def refusal(self, request: HTTPServerRequest) -> int | None:
        """Return the status to refuse the request with; None lets it in, signed in as Flower knows it."""
        given = request.headers.get("Authorization", "")
        if self._judge is None:
            # Without a password, a page that a browser was led to may pretend that its name is this machine's.
            if not _names_this_machine(request.host_name):
                return 403
        elif not self._judge(*name_and_password(given)):
            return 401
        if request.method not in READING:
            return 405
        request.headers["Authorization"] = self._inner
        return None


class GuardedFlower(Flower):  # type: ignore[misc]  # Flower has no types
    """Flower behind the door."""

    def __init__(self, door: Door, **parts: Any) -> None:
        self._door = door
        super().__init__(**parts)

    def find_handler(self, request: HTTPServerRequest, **parts: Any) -> HTTPMessageDelegate:
        """Return what answers the request: Flower's handler, or the refusal."""
        status = self._door.refusal(request)
        delegate: HTTPMessageDelegate = (
            super().find_handler(request, **parts)
            if status is None
            else self.get_handler_delegate(request, Refused, {"status": status})
        )
        return delegate


class Refused(RequestHandler):
    """Answers with nothing but a status."""

    def initialize(self, status: int) -> None:
        """Take the status."""
        self._status = status

    def check_xsrf_cookie(self) -> None:
        """Need none: nothing is done."""

    def prepare(self) -> None:
        """Answer any method."""
        self.set_status(self._status)
        if self._status == 401:
            self.set_header("WWW-Authenticate", 'Basic realm="passback", charset="UTF-8"')
        self.finish()


def _names_this_machine(host: str) -> bool:
    return is_loopback_address(host.strip("[]"))
