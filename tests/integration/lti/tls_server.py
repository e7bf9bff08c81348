"""Serves passback's web process, or the sandbox Canvas, over TLS: `python -m … web|canvas PORT FOLDER`.

The folder holds key, certificate and the certificate of the authority. Both have a proxy in front of them elsewhere.
"""

import ssl
import sys
from pathlib import Path

import httpx
import uvicorn
from starlette.types import ASGIApp

from shared.config import load
from shared.sandbox.canvas.app import create_app
from workers.dev.sandbox import starting_district
from workers.web.app import web_app

AUTHORITY, CERTIFICATE, KEY = "authority.pem", "certificate.pem", "key.pem"


def main(name: str, port: str, folder: Path) -> None:
    """Serve until a signal ends it."""
    uvicorn.run(
        application(name, folder), host="127.0.0.1", port=int(port), log_level="error",
        ssl_keyfile=folder / KEY, ssl_certfile=folder / CERTIFICATE, timeout_graceful_shutdown=1,
    )  # fmt: skip


def application(name: str, folder: Path) -> ASGIApp:
    """Return what to serve."""
    if name == "web":
        return web_app(load(env_file=folder / "no.env"))
    trusted = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=folder / AUTHORITY))
    return create_app(starting_district(0, 0, 0, 1).canvas, event_transport=trusted)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
