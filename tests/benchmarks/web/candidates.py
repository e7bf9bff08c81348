"""The servers that the ingest benchmark compares, each in a process of its own."""

import argparse
import json

import uvicorn
from celery import Celery
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.config import load
from workers.web.http_protocol import bounded
from workers.web.receivers.assembly import build

ACCEPTED = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]}
NO_BODY = {"type": "http.response.body", "body": b""}


def bare() -> ASGIApp:
    """Return an application that parses the JSON and does nothing else: the ceiling of this server."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            json.loads(await body_of(receive))
            await send(ACCEPTED)
            await send(NO_BODY)

    return app


def celery_publisher(redis_url: str) -> ASGIApp:
    """Return an application that publishes one Celery message for each event."""
    celery = Celery("benchmark", broker=redis_url)
    celery.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            event = json.loads(await body_of(receive))
            ids = [event["metadata"]["context_id"], event["body"]["assignment_id"]]
            celery.send_task("grade_change", args=ids, queue="grade-changes")
            await send(ACCEPTED)
            await send(NO_BODY)

    return app


async def body_of(receive: Receive) -> bytes:
    """Return the whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def main() -> None:
    """Serve one candidate until the process ends. The receivers take their settings from the environment."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("candidate", choices=["receivers", "bare", "celery"])
    arguments.add_argument("--port", type=int, required=True)
    given = arguments.parse_args()
    settings = load()
    app = {"receivers": lambda: build(settings), "bare": bare, "celery": lambda: celery_publisher(settings.redis_url)}
    uvicorn.run(
        app[given.candidate](),
        port=given.port,
        loop="uvloop",
        http=bounded() if given.candidate == "receivers" else "httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
