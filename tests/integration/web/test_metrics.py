"""`/metrics` of the web process over a real Redis."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.config import load
from tests.integration.receivers_kit import UUID, client, event, serving
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.web.app import metrics_route
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.metrics.collector import MetricsCollector
from workers.web.metrics.definitions import METRICS
from workers.web.receivers.assembly import build

Series = dict[tuple[str, tuple[str, ...]], float]
SETTINGS = {
    "PASSBACK_CANVAS_ROOT_ACCOUNT_UUID": UUID,
    "PASSBACK_LIVE_EVENTS_ALLOW_UNSIGNED": "yes",
    "PASSBACK_DISTRICT_TIME_ZONE": "America/Chicago",
}


def series(text: str) -> Series:
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def visit(redis_url: str, act: Callable[[Container, httpx.AsyncClient], Awaitable[None]]) -> httpx.Response:
    """Let the web application do something, and return its metrics then."""
    settings = load({**SETTINGS, "PASSBACK_REDIS_URL": redis_url}, Path("no.env"))
    service = Container(settings)

    async def run() -> httpx.Response:
        routes = [metrics_route(service, RequestAuthenticator(service))]
        app = build(settings, count=service.counter_buffer, routes=routes, close=service.close)
        async with serving(app), client(app) as http:
            await act(service, http)
            return await http.get("/metrics")

    return asyncio.run(run())


@pytest.mark.redis
def test_what_receivers_got_is_counted() -> None:
    """Stored, ignored and refused events each count by kind, receiver and outcome, and wait to be folded."""

    async def send(service: Container, http: httpx.AsyncClient) -> None:
        for body in (event(), event(), event("logged_in"), {"no": "event"}):
            await http.post("/events/canvas", content=json.dumps(body))
        await http.post("/events/powerschool", content=b"")
        service.counter_buffer.flush()

    with EmbeddedRedis() as redis:
        found = series(visit(redis.url, send).text)
    events = {labels: value for (name, labels), value in found.items() if name == "passback_events_total"}
    assert events == {
        ("/events/canvas", "grade_change", "stored"): 2,
        ("/events/canvas", "ignored", "other"): 1,
        ("/events/canvas", "malformed", "unknown"): 1,
        ("/events/powerschool", "rosters", "stored"): 1,
    }
    assert found["passback_stream_lag_messages", ()] == 2
    assert found["passback_stream_oldest_unfolded_seconds", ("grade-changes",)] > 0
    assert found["passback_redis_up", ()] == 1


@pytest.mark.redis
def test_a_heartbeat_and_a_pause_are_seen() -> None:
    """Processes and paused systems are told as all processes know them."""

    async def ail(service: Container, _http: httpx.AsyncClient) -> None:
        service.heartbeats.record("worker@here:1")
        service.redis.set(service.keys.pause("powerschool"), "powerschool_unavailable", px=9000)
        service.redis.set(service.keys.half_open("powerschool"), "powerschool_unavailable", px=9000)
        service.redis.hset(service.keys.rate("powerschool"), "interval", "262.500")

    with EmbeddedRedis() as redis:
        found = series(visit(redis.url, ail).text)
    assert found["passback_processes", ("alive", "worker")] == 1
    assert found["passback_processes", ("alive", "beat")] == 0
    assert found["passback_heartbeat_age_seconds", ("worker",)] < 5
    assert found["passback_system_unwell", ("powerschool",)] == 1
    assert found["passback_system_unwell", ("canvas",)] == 0
    assert 0 < found["passback_system_paused_seconds", ("powerschool",)] <= 9
    assert found["passback_request_interval_seconds", ("powerschool",)] == pytest.approx(0.2625, abs=0.001)
    assert found["passback_request_interval_seconds", ("canvas",)] == 0
    assert found["passback_request_interval_configured_seconds", ("powerschool",)] == 0


def test_without_redis_the_page_says_so() -> None:
    """It answers, and tells nothing that it cannot know."""

    async def nothing(_service: Container, _http: httpx.AsyncClient) -> None: ...

    answer = visit("redis://127.0.0.1:1/0", nothing)
    found = series(answer.text)
    assert answer.status_code == 200
    assert found["passback_redis_up", ()] == 0
    assert {name for name, _ in found} == {"passback_redis_up", "passback_build_info", "passback_school_hours"}


@pytest.mark.redis
def test_samples_have_the_labels_of_their_metric() -> None:
    """No sample is told under a label that the catalogue does not have."""
    with EmbeddedRedis() as redis:
        service = Container(load({**SETTINGS, "PASSBACK_REDIS_URL": redis.url}, Path("no.env")))
        service.counter_buffer("syncs", "done", "")
        service.counter_buffer("syncs", "of another version")
        service.counter_buffer.flush()
        samples = MetricsCollector(service).samples()
        service.close()
    assert [metric.name for metric, labels, _ in samples if len(labels) != len(metric.labels)] == []
    assert {metric for metric, _, _ in samples} <= set(METRICS)
    assert sum(metric.name == "passback_syncs_total" for metric, _, _ in samples) == 1
