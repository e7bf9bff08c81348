"""Housekeeping where Canvas does not play along: it goes on, and says so."""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from shared.adapters.canvas import canvas_client
from shared.config import load
from shared.queues import Task
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.grade_passback.scheduled import run_scheduled
from workers.notifications.reading import conditions_of
from workers.status import read_status, status_json

NOT_ENABLED = httpx.Response(400, json={"code": "not_enabled", "error": "A SIS integration is not configured"})
REFUSED = httpx.Response(401, json={"errors": [{"message": "Invalid access token."}]})
UNAVAILABLE = httpx.Response(502, text="bad gateway")
TWO_COURSES = httpx.Response(200, json=[{"course_id": 41}, {"course_id": "42"}, {"course_id": 41}])


@pytest.fixture
def service() -> Iterator[Container]:
    with EmbeddedRedis(durable=False) as redis:
        values = {
            "PASSBACK_REDIS_URL": redis.url,
            "PASSBACK_CANVAS_URL": "https://canvas.test",
            "PASSBACK_CANVAS_TOKEN": "secret",
            "PASSBACK_SYNC_SCHEDULE": "",
        }
        with closing(Container(load(values, Path("no.env")))) as one:
            yield one


def let_canvas_say(service: Container, answer: httpx.Response) -> None:
    """Let Canvas give this answer to everything."""
    transport = httpx.MockTransport(
        lambda _: httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
    )
    service.canvas = canvas_client(service.settings, service.redis, service.keys, service.clock, transport=transport)


def logged(tick: Callable[[], None], times: int = 1) -> list[tuple[Any, Any]]:
    """Return what `times` ticks log: events with their causes."""
    entries: list[MutableMapping[str, Any]]
    with capture_logs() as entries:
        for _ in range(times):
            tick()
    return [(entry["event"], entry.get("cause", entry.get("courses"))) for entry in entries]


def test_courses_are_discovered_once_per_interval(service: Container) -> None:
    """The first tick finds them and makes them due; the others of the interval have nothing to do."""
    let_canvas_say(service, TWO_COURSES)
    assert logged(partial(run_scheduled, service, Task.DISCOVER), times=3) == [("courses_discovered", 2)]
    assert service.changes.counts().due == service.records.count() == 2


def test_a_refusal_is_said_once_per_interval(service: Container) -> None:
    """A Canvas without SIS export, or a token without the right: a person is told, and nothing else stops."""
    let_canvas_say(service, NOT_ENABLED)
    assert logged(partial(run_scheduled, service, Task.DISCOVER), times=3) == [("scheduled_task_failed", "canvas_400")]


def test_a_refused_token_is_an_alert_until_it_is_accepted(service: Container) -> None:
    """Also while no course is connected: it is an error once, is tried again at each tick, and ends by itself."""
    let_canvas_say(service, REFUSED)
    failed, *again = logged(partial(run_scheduled, service, Task.DISCOVER), times=3)
    assert failed == ("scheduled_task_failed", "canvas_401")
    assert set(again) == {("scheduled_task_deferred", "canvas_401")}
    (refused,) = [each for each in conditions_of(read_status(service)) if each.code == "token_refused"]
    assert "Canvas has refused passback's access token" in refused.title
    assert status_json(read_status(service))["canvas_token"] == {
        "ends_at": None, "refused_since": service.token_end.refused_since().isoformat()  # type: ignore[union-attr]
    }  # fmt: skip
    let_canvas_say(service, TWO_COURSES)
    assert logged(partial(run_scheduled, service, Task.DISCOVER)) == [("courses_discovered", 2)]
    assert all(each.code != "token_refused" for each in conditions_of(read_status(service)))


def test_an_unwell_canvas_is_asked_again_at_the_next_tick(service: Container) -> None:
    """The interval's discovery is not lost with it."""
    let_canvas_say(service, UNAVAILABLE)
    told = [event for event, _ in logged(partial(run_scheduled, service, Task.DISCOVER), times=2)]
    assert told == ["circuit_opened", "scheduled_task_deferred", "scheduled_task_deferred"]
    let_canvas_say(service, TWO_COURSES)
    service.redis.delete(service.keys.pause("canvas"))
    assert logged(partial(run_scheduled, service, Task.DISCOVER)) == [("courses_discovered", 2)]


def test_ticks_with_nothing_to_do_say_nothing(service: Container) -> None:
    """Without courses and without a schedule, PowerSchool need not even be configured."""
    assert [
        logged(partial(run_scheduled, service, task)) for task in (Task.RECONCILE, Task.NIGHTLY_SYNC, Task.DUE_DATES)
    ] == [[]] * 3


def test_a_defect_does_not_skip_the_interval(service: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick that raised what nobody foresaw is made up for by the next one."""
    let_canvas_say(service, TWO_COURSES)
    with monkeypatch.context() as broken:
        broken.setattr(service.records, "register", None)
        with pytest.raises(TypeError):
            run_scheduled(service, Task.DISCOVER)
    assert logged(partial(run_scheduled, service, Task.DISCOVER)) == [("courses_discovered", 2)]
