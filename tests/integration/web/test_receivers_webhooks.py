"""The smaller receivers: signed webhooks, PowerSchool's hints, health."""

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from standardwebhooks import Webhook

from shared.config import ConfigurationError
from shared.domain.passback.changes import Change, ChangeCause, ChangeKind
from tests.integration.receivers_kit import Receivers, client, settings
from workers.web.receivers.assembly import build

PATH = "/webhooks/changes"
SECRET = "whsec_" + base64.b64encode(b"a secret of the test, 32 bytes..").decode()
BODY = {"type": "grade_change", "data": {"course_id": "61", "assignment_id": 41}}


def receivers() -> Receivers:
    return Receivers(webhook_secret=SECRET)


def headers(content: bytes, secret: str = SECRET, *, age: timedelta = timedelta(0)) -> dict[str, str]:
    sent_at = datetime.now(UTC) - age
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", sent_at, content.decode()),
    }


def send(to: Receivers, body: object, **changed: str) -> httpx.Response:
    content = json.dumps(body).encode()
    return asyncio.run(to.post(PATH, content, {**headers(content), **changed}))


def test_a_signed_webhook_is_stored() -> None:
    """202, and the change says that a webhook told it."""
    to = receivers()

    assert send(to, BODY).status_code == 202
    assert to.writer.changes == [Change(ChangeKind.GRADE, "61", ChangeCause.WEBHOOK, assignment_id="41")]


def test_a_course_alone_is_enough() -> None:
    """A webhook may name the course only."""
    to = receivers()

    assert send(to, {"type": "assignment_change", "data": {"course_id": 61}}).status_code == 202
    assert to.writer.changes == [Change(ChangeKind.ASSIGNMENT, "61", ChangeCause.WEBHOOK)]


def test_a_repeated_webhook_is_stored_once() -> None:
    """The same webhook again is accepted and changes nothing."""
    to = receivers()

    assert [send(to, BODY).status_code for _ in range(2)] == [202, 202]
    assert len(to.writer.changes) == 1


def test_a_webhook_that_was_not_stored_is_not_remembered() -> None:
    """503 while Redis is down, and the repetition is stored."""
    to = receivers()
    to.writer.broken = True
    assert send(to, BODY).status_code == 503

    to.writer.broken = False
    assert send(to, BODY).status_code == 202
    assert len(to.writer.changes) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "v1,no base64!"},
        {"webhook-signature": "v1"},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-signature": ""},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "soon"},
        {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e300"},
        {"webhook-timestamp": "0"},
    ],
)
def test_a_wrong_header_is_refused(changed: dict[str, str]) -> None:
    """401, and nothing is stored."""
    to = receivers()

    assert send(to, BODY, **changed).status_code == 401
    assert to.writer.changes == []


def test_a_webhook_without_headers_is_refused() -> None:
    """401."""
    assert asyncio.run(receivers().post(PATH, json.dumps(BODY).encode())).status_code == 401


@pytest.mark.parametrize("age", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_an_old_webhook_is_refused(age: timedelta) -> None:
    """401 for a well-signed webhook of another time: it is replayed."""
    content = json.dumps(BODY).encode()

    assert asyncio.run(receivers().post(PATH, content, headers(content, age=age))).status_code == 401


def test_another_secret_is_refused() -> None:
    """401 for a webhook signed with another secret."""
    content = json.dumps(BODY).encode()
    other = "whsec_" + base64.b64encode(b"another secret of another sender").decode()

    assert asyncio.run(receivers().post(PATH, content, headers(content, other))).status_code == 401


def test_without_a_secret_nobody_is_believed() -> None:
    """401 for every webhook while no secret is set."""
    assert send(Receivers(), BODY).status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"type": "grade_change"},
        {"type": "another", "data": {"course_id": "61"}},
        {"type": "grade_change", "data": {}},
        {"type": "grade_change", "data": {"course_id": None}},
        {"type": "grade_change", "data": {"course_id": "sixty"}},
        {"type": "grade_change", "data": {"course_id": "61", "assignment_id": -1}},
    ],
)
def test_a_signed_body_may_be_malformed(body: object) -> None:
    """400 for a well-signed body that tells no change."""
    to = receivers()

    assert send(to, body).status_code == 400
    assert to.writer.changes == []


def test_a_body_that_is_no_text_is_refused() -> None:
    """401 for bytes that cannot have been signed."""
    assert asyncio.run(receivers().post(PATH, b"\xff", headers(b""))).status_code == 401


def test_a_secret_must_be_one() -> None:
    """A secret that is not base64 is told at start, without repeating it."""
    with pytest.raises(ConfigurationError, match="PASSBACK_WEBHOOK_SECRET") as told:
        build(settings(webhook_secret="whsec_a"))

    assert "whsec_a" not in str(told.value)


def test_powerschool_is_heard() -> None:
    """202, and it is noted that rosters changed, whatever the body."""
    to = Receivers()

    assert asyncio.run(to.post("/events/powerschool", b"<any/>")).status_code == 202
    assert to.notifications.count == 1


def test_powerschool_is_asked_to_come_again() -> None:
    """503 while the hint cannot be noted."""
    to = Receivers()
    to.notifications.broken = True

    assert asyncio.run(to.post("/events/powerschool", b"")).status_code == 503


def test_powerschools_bodies_have_the_same_limit() -> None:
    """413 for a body larger than a receiver reads."""
    response = asyncio.run(Receivers(max_event_bytes=10_000).post("/events/powerschool", b" " * 10_001))

    assert response.status_code == 413


async def _redis_is_gone() -> None:
    raise RedisConnectionError


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("to", "path", "expected"),
    [
        (Receivers(), "/livez", 200),
        (Receivers(), "/readyz", 200),
        (Receivers(ping=_redis_is_gone), "/livez", 200),
        (Receivers(ping=_redis_is_gone), "/readyz", 503),
    ],
)
def test_health(to: Receivers, path: str, expected: int, method: str) -> None:
    """The process is alive whatever Redis does, and ready while Redis answers."""

    async def ask() -> int:
        async with client(to.app) as http:
            return (await http.request(method, path)).status_code

    assert asyncio.run(ask()) == expected
