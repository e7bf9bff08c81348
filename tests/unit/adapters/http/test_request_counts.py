"""Requests are counted by template and status class, and signs of trouble by what they say."""

import contextlib
from collections import Counter
from datetime import timedelta

import httpx
import pytest
import redis

from shared.adapters.http.client import RemoteApi
from shared.adapters.http.exchange import RequestContext, http_client, use_context
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.errors import TransientError
from tests.manual_clock import ManualClock


def count(redis_client: redis.Redis, keys: Keys, clock: ManualClock, answer: httpx.Response | Exception) -> Counter:
    counts: Counter[tuple[str, ...]] = Counter()

    def add(name: str, *labels: str, amount: int = 1) -> None:
        counts[name, *labels] += amount

    def reply(_request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    http = http_client("https://canvas.test", 1, transport=httpx.MockTransport(reply))
    gate = RemoteLimiter(redis_client, keys, "canvas", clock, timedelta(0))
    api = RemoteApi("canvas", http, gate, clock, count=add)
    impatient = RequestContext(None, lambda: timedelta(0))
    with use_context(impatient), contextlib.suppress(TransientError):
        api.send("GET", "/api/v1/courses/{course_id}", {"course_id": 42})
    return counts


CALL = "GET /api/v1/courses/{course_id}"


def test_an_answer_is_counted(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """Once by template and class, once by its duration; without any trouble."""
    counts = count(redis_client, keys, clock, httpx.Response(200, json={}))
    assert counts["requests", "canvas", CALL, "2xx"] == 1
    assert counts["request-seconds", "canvas", "0.05"] == 1
    assert not any(name == "troubles" for name, *_ in counts)


@pytest.mark.parametrize(
    ("answer", "status", "trouble"),
    [
        (httpx.Response(429), "4xx", "throttled"),
        (httpx.Response(403, json={"errors": "403 Forbidden (Rate Limit Exceeded)"}), "4xx", "throttled"),
        (httpx.Response(503), "5xx", "unavailable"),
        (httpx.Response(500), "5xx", "error"),
        (httpx.ReadTimeout("late"), "timeout", "timeout"),
    ],
)
def test_a_trouble_is_counted(
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    answer: httpx.Response | Exception,
    status: str,
    trouble: str,
) -> None:
    """By what it means, which the status alone does not say."""
    counts = count(redis_client, keys, clock, answer)
    assert counts["requests", "canvas", CALL, status] == 1
    assert counts["troubles", "canvas", trouble] == 1
