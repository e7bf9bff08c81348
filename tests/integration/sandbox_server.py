"""An application behind a real socket, in a thread of the test."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from tests.waiting import wait_until


@contextmanager
def served(app: ASGIApp, *, has_lifespan: bool = False, force_exit: bool = False, **options: Any) -> Iterator[str]:
    """Serve the app on a free port of this machine; give its URL. The sandbox Canvas sends events in its lifespan.

    `options` are uvicorn's. With `force_exit` the end waits for no open connection.
    """
    lifespan = "on" if has_lifespan else "off"
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, lifespan=lifespan, **{"log_level": "error", **options})
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started)
        scheme = "https" if "ssl_certfile" in options else "http"
        yield f"{scheme}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit, server.force_exit = True, force_exit
        thread.join(10)
