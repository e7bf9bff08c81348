"""How the sandbox Canvas delivers Live Events."""

import asyncio
import json
from typing import Any

import httpx
import jwt
from canvas_client import ALICE, ASSIGNMENT, COURSE, NOW, a_seed
from jwt.algorithms import RSAAlgorithm

from shared.sandbox.canvas.live_events.delivery import EventSettings
from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.control import entry_json
from tests.manual_clock import ManualClock

TARGET = "http://receiver.example/events/canvas"


class Receiver:
    """Answers with the given statuses, then 202, and stores what it got."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.received: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.received.append(request)
        return httpx.Response(self.statuses.pop(0) if self.statuses else 202)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(request.content) for request in self.received]


def deliver(receiver: Receiver, scores: list[float], **settings: Any) -> CanvasSandbox:
    """Grade with these scores and let the queue run dry."""
    clock = ManualClock(NOW)
    canvas = CanvasSandbox(a_seed(), clock, httpx.MockTransport(receiver))
    settings = {"target": TARGET, "retry_waits_s": [0, 0, 0]} | settings
    canvas.configure_events(EventSettings.model_validate(settings))

    async def run() -> None:
        task = asyncio.create_task(canvas.deliveries.run())
        for score in scores:
            canvas.grade(COURSE, ASSIGNMENT, ALICE, score)
        await canvas.deliveries.drained()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    return canvas


def test_events_are_posted_one_by_one_as_json() -> None:
    """Each event is one POST of `{metadata, body}`, recorded in the delivery log."""
    receiver = Receiver()
    canvas = deliver(receiver, [8])
    assert sorted(event["metadata"]["event_name"] for event in receiver.events()) == [
        "grade_change",
        "submission_updated",
    ]
    assert [(d.course_id, d.status, d.tries) for d in canvas.deliveries.log] == [(COURSE, 202, 1)] * 2
    assert set(entry_json(canvas.deliveries.log[0])) == {"at", "event_name", "course_id", "status", "tries"}


def test_without_a_target_nothing_is_sent() -> None:
    """Nobody subscribed: events are dropped."""
    receiver = Receiver()
    deliver(receiver, [8], target=None)
    assert receiver.received == []


def test_a_refused_event_is_tried_four_times_in_all() -> None:
    """Up to three retries; then the event is gone."""
    receiver = Receiver(*[503] * 8)
    canvas = deliver(receiver, [8])
    assert [(d.status, d.tries) for d in canvas.deliveries.log] == [(503, 4)] * 2


def test_a_retry_that_succeeds_ends_it() -> None:
    """The first 2xx is the last try."""
    canvas = deliver(Receiver(503, 503), [8])
    assert sum(d.tries for d in canvas.deliveries.log) == 4
    assert {d.status for d in canvas.deliveries.log} == {202}


def test_signed_events_are_the_jwt_itself() -> None:
    """Signed: the body is a compact RS256 JWT by the middle key of three, its claims the event."""
    receiver = Receiver()
    canvas = deliver(receiver, [8], signed=True)
    token = receiver.received[0].content
    keys = canvas.keys.jwks()["keys"]
    assert len(keys) == 3
    assert jwt.get_unverified_header(token)["kid"] == keys[1]["kid"]
    key = RSAAlgorithm.from_jwk(keys[1])
    claims = jwt.decode(token, key, algorithms=["RS256"], options={"verify_iat": False})
    assert claims["metadata"]["producer"] == "canvas"
    assert claims["iss"] == "https://live-events.canvas.instructure.com"


def test_rotation_signs_with_the_next_key() -> None:
    """Rotating retires the oldest key, and the next one becomes the current one."""
    keys = CanvasSandbox(a_seed(), ManualClock(NOW)).keys
    before = [key["kid"] for key in keys.jwks()["keys"]]
    after = [key["kid"] for key in keys.rotate()["keys"]]
    assert after[:2] == before[1:]
    assert jwt.get_unverified_header(keys.sign({}))["kid"] == before[2]


def test_events_can_be_lost_and_repeated() -> None:
    """Drop and duplicate rates of 1 lose or repeat everything; lost ones are logged with no tries."""
    lost = Receiver()
    canvas = deliver(lost, [8], drop=1)
    assert lost.received == []
    assert {(d.status, d.tries) for d in canvas.deliveries.log} == {(None, 0)}
    repeated = Receiver()
    deliver(repeated, [8], duplicate=1)
    assert len(repeated.received) == 4


def test_events_can_overtake_each_other_repeatably() -> None:
    """With a reorder window scores arrive out of order, the same for the same seed."""

    def arrival(seed: int) -> list[float]:
        receiver = Receiver()
        deliver(receiver, [float(n) for n in range(10)], reorder=20, seed=seed)
        return [e["body"]["score"] for e in receiver.events() if e["metadata"]["event_name"] == "grade_change"]

    assert arrival(3) != sorted(arrival(3))
    assert arrival(3) == arrival(3)
