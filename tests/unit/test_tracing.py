"""Spans: none unless asked for, and of ids, codes and path templates alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import fakeredis
import httpx
import pytest
from celery import Celery
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from shared.adapters.http.client import RemoteApi
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.adapters.telemetry import tracing
from shared.adapters.telemetry.tracing import span, start_tracing, stop_tracing
from shared.errors import TransientError
from tests.manual_clock import ManualClock
from workers.celery.worker import trace_tasks


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    start_tracing("test", exporter)
    yield exporter
    stop_tracing()


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    [one] = spans.get_finished_spans()
    return one


def api(transport: httpx.MockTransport) -> RemoteApi:
    clock = ManualClock(datetime(2031, 10, 6, tzinfo=UTC))
    http = httpx.Client(base_url="https://canvas.test", transport=transport)
    return RemoteApi("canvas", http, RemoteLimiter(fakeredis.FakeRedis(), Keys(), "canvas", clock, timedelta(0)), clock)


def test_nothing_is_traced_unless_asked_for() -> None:
    """Without an endpoint, starting does nothing, and a span costs nothing and notes nothing."""
    start_tracing("test")
    assert tracing._tracer is None
    with span("sync", {"course_id": "42"}) as set_attribute:
        set_attribute("outcome", "done")


def test_a_request_is_traced_by_its_template(spans: InMemorySpanExporter) -> None:
    """System, path template and status; neither the ids in the path nor the query nor the body."""
    canvas = api(httpx.MockTransport(lambda _: httpx.Response(200, json={"name": "canary"})))
    canvas.send("GET", "/api/v1/courses/{course_id}", {"course_id": "canary"}, params=[("search", "canary")])
    one = only(spans)
    assert one.name == "GET /api/v1/courses/{course_id}"
    assert dict(one.attributes or {}) == {"system": "canvas", "http.response.status_code": 200}
    assert "canary" not in one.to_json()


def test_an_error_is_traced_by_its_type(spans: InMemorySpanExporter) -> None:
    """Its text, which may quote what was sent, is not."""

    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("canary")

    with pytest.raises(TransientError):
        api(httpx.MockTransport(fail)).send("GET", "/api/v1/users/self")
    one = only(spans)
    assert one.status.status_code is StatusCode.ERROR
    assert dict(one.attributes or {}) == {"system": "canvas", "error.type": "ReadTimeout"}
    assert not one.events
    assert "canary" not in one.to_json()


def test_a_task_is_a_span_around_its_requests(spans: InMemorySpanExporter) -> None:
    """What a task does happens inside its span, which has the task's name, id and end."""
    trace_tasks()
    app = Celery("test", set_as_current=False)

    @app.task(name="passback.sync_course")  # type: ignore[untyped-decorator]  # Celery has no types
    def sync(_course_id: str) -> None:
        with span("sync", {"course_id": "42"}):
            pass

    sync.apply(args=["canary"], task_id="7")
    inner, outer = spans.get_finished_spans()
    assert (outer.name, inner.name) == ("passback.sync_course", "sync")
    assert inner.parent is not None
    assert outer.context is not None
    assert inner.parent.span_id == outer.context.span_id
    assert dict(outer.attributes or {}) == {"celery.task_id": "7", "celery.state": "SUCCESS"}
    assert "canary" not in outer.to_json()


def test_spans_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an endpoint they are sent there by OTLP over HTTP."""
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        start_tracing("worker")
        with span("sync", {"course_id": "42"}):
            pass
        stop_tracing()
        server.shutdown()
    [(path, body)] = received
    assert path == "/v1/traces"
    assert b"sync" in body
    assert b"passback-worker" in body
