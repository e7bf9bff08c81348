"""`POST /events/canvas` answers exactly what it says it does."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import PlainTextResponse
from structlog.testing import capture_logs

from shared.config import ConfigurationError
from shared.domain.passback.changes import Change, ChangeKind
from shared.log_events import LogEvent
from tests.architecture.project import ROOT
from tests.integration.receivers_kit import ISSUER, KEY, UUID, Receivers, client, event, plain, settings, signed
from workers.web.errors import ApiError
from workers.web.receivers.assembly import build
from workers.web.receivers.routing import BodyReader

PATH = "/events/canvas"
THE_CHANGE = Change(ChangeKind.GRADE, "61", assignment_id="41")


def send(receivers: Receivers, content: bytes, **headers: str) -> tuple[int, dict[str, dict[str, str]]]:
    response = asyncio.run(receivers.post(PATH, content, headers))
    return response.status_code, response.json() if response.content else {}


def test_the_runbooks_event_proves_the_address() -> None:
    """What the guide sends from outside is an event that is refused for its missing signature alone."""
    runbook = (ROOT / "deploy" / "guides" / "runbook.md").read_text()
    (example,) = re.findall(rf"^curl -i \S+{PATH} -d '(.+)'$", runbook, re.MULTILINE)
    status, body = send(Receivers(), example.encode())

    assert (status, body["error"]["code"]) == (401, "not_from_canvas")


def test_a_signed_event_is_accepted_and_stored() -> None:
    """202, and the change is with the writer."""
    receivers = Receivers()

    assert send(receivers, signed()) == (202, {})
    assert receivers.writer.changes == [THE_CHANGE]


@pytest.mark.parametrize("around", [b"%b\n", b'"%b"', b'  "%b"\r\n'])
@pytest.mark.parametrize("content_type", ["application/json", "application/jwt", "text/plain", ""])
def test_the_body_alone_tells_a_token(around: bytes, content_type: str) -> None:
    """Quotes, white space and any content type around a token are fine."""
    assert send(Receivers(), around % signed(), **{"content-type": content_type})[0] == 202


def test_an_event_of_no_interest_is_accepted_and_not_stored() -> None:
    """202 without a change, so that it never counts against the subscription."""
    receivers = Receivers()

    assert send(receivers, signed(name="quiz_submitted"))[0] == 202
    assert receivers.writer.changes == []


def test_an_unsigned_event_is_refused() -> None:
    """401 while unsigned events are not allowed."""
    receivers = Receivers()
    status, body = send(receivers, plain())

    assert (status, body["error"]["code"]) == (401, "not_from_canvas")
    assert receivers.writer.changes == []


def test_an_unsigned_event_is_accepted_where_allowed() -> None:
    """202 where the setting says so."""
    receivers = Receivers(live_events_allow_unsigned=True)

    assert send(receivers, plain())[0] == 202
    assert receivers.writer.changes == [THE_CHANGE]


def test_the_district_counts_for_unsigned_events_too() -> None:
    """401 for another root account, also where unsigned events are allowed."""
    assert send(Receivers(live_events_allow_unsigned=True), plain(root_account_uuid="another"))[0] == 401


STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(jwt.encode({**event(), "iss": ISSUER}, STRANGER, "RS256", {"kid": "current"}), id="stranger"),
        pytest.param(jwt.encode(event(), None, "none", {"kid": "current"}), id="none"),
        pytest.param(jwt.encode(event(), "k" * 32, "HS256", {"kid": "current"}), id="hmac"),
        pytest.param(jwt.encode({**event(), "iss": ISSUER}, KEY, "RS512", {"kid": "current"}), id="rs512"),
        pytest.param(jwt.encode({**event(), "iss": ISSUER}, KEY, "RS256"), id="no key id"),
        pytest.param(signed(kid="unknown").decode(), id="unknown key"),
        pytest.param(signed({"iss": "https://elsewhere.example"}).decode(), id="foreign issuer"),
        pytest.param(signed({"exp": 1_000_000_000}).decode(), id="expired"),
        pytest.param(signed({"nbf": 2_000_000_000}).decode(), id="not valid yet"),
        pytest.param(signed(root_account_uuid="another").decode(), id="another district"),
        pytest.param(signed(root_account_uuid=None).decode(), id="no district"),
        pytest.param(signed().decode()[:-8], id="cut"),
    ],
)
@pytest.mark.parametrize("allow_unsigned", [False, True])
def test_whoever_is_not_canvas_is_refused(forged: str, allow_unsigned: bool) -> None:
    """401, and nothing is stored: a bad signature is worse than none."""
    receivers = Receivers(live_events_allow_unsigned=allow_unsigned)

    assert send(receivers, forged.encode())[0] == 401
    assert receivers.writer.changes == []


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"   ",
        b'""',
        b"hello",
        b"null",
        b"[]",
        b"{}",
        b'{"metadata": {"event_name": "x"}}',
        b"{" * 50_000,
        b'{"metadata": {"event_name": "\\ud83d"}, "body": {}}',
    ],
)
@pytest.mark.parametrize("allow_unsigned", [False, True])
def test_what_is_no_event_is_malformed(malformed: bytes, allow_unsigned: bool) -> None:
    """400 with a JSON error."""
    status, body = send(Receivers(live_events_allow_unsigned=allow_unsigned), malformed)

    assert (status, body["error"]["code"]) == (400, "malformed")


def test_a_signed_token_may_hold_no_event() -> None:
    """400 for a token of Canvas's whose claims are no event."""
    made = jwt.encode({"iss": ISSUER}, KEY, "RS256", {"kid": "current"})

    assert send(Receivers(), made.encode())[0] == 400


@given(
    st.binary(max_size=200)
    | st.sampled_from([signed(), plain()]).flatmap(
        lambda whole: st.builds(
            lambda at, piece: whole[:at] + piece + whole[at + 1 :], st.integers(0, len(whole)), st.binary(max_size=3)
        )
    )
)
def test_no_bytes_make_the_receiver_fail(arbitrary: bytes) -> None:
    """Whatever is sent, the answer is one of those promised, and never a server error."""
    assert send(Receivers(live_events_allow_unsigned=True), arbitrary)[0] in {202, 400, 401}


def test_the_largest_body_is_read() -> None:
    """A body of exactly the limit is not too large."""
    receivers = Receivers(max_event_bytes=10_000)

    assert send(receivers, signed().ljust(10_000))[0] == 202


def test_a_body_announced_as_too_large_is_not_read() -> None:
    """413 by the announced length, and the connection ends."""
    response = asyncio.run(Receivers(max_event_bytes=10_000).post(PATH, signed().ljust(10_001)))

    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert response.json()["error"]["code"] == "too_large"


def test_a_body_that_grows_too_large_is_refused() -> None:
    """413 as soon as more than the limit has come, whatever was announced."""
    pieces = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal pieces
        for _ in range(1000):
            pieces += 1
            yield b" " * 1000

    response = asyncio.run(Receivers(max_event_bytes=10_000).post(PATH, endless()))

    assert response.status_code == 413
    assert pieces < 20


def test_a_body_in_pieces_is_put_together() -> None:
    """202 for an event that arrives byte by byte."""

    async def bytewise() -> AsyncIterator[bytes]:
        for byte in signed():
            yield bytes([byte])

    assert asyncio.run(Receivers().post(PATH, bytewise())).status_code == 202


async def _never() -> dict[str, object]:
    await asyncio.Event().wait()
    return {}


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """408 once the time for a body is over, and the connection ends."""

    async def read() -> None:
        await BodyReader(10_000, timeout_s=0.01).read({"headers": []}, _never)

    with pytest.raises(ApiError) as refused:
        asyncio.run(read())

    assert refused.value.status == 408
    assert refused.value.headers["Connection"] == "close"


def test_unfinished_bodies_cannot_fill_the_memory() -> None:
    """503 for a body in pieces when all unfinished ones together hold the limit; room returns as they end."""
    reader = BodyReader(1000, max_buffered_bytes=1500)

    def sender(*messages: dict[str, object]) -> AsyncIterator[dict[str, object]]:
        async def receive() -> AsyncIterator[dict[str, object]]:
            for message in messages:
                yield message
            await asyncio.Event().wait()

        return receive()

    piece = {"type": "http.request", "body": b" " * 900, "more_body": True}
    end = {"type": "http.request", "body": b"", "more_body": False}

    async def scenario() -> None:
        slow = asyncio.create_task(reader.read({"headers": []}, sender(piece).__anext__))
        await asyncio.sleep(0)
        with pytest.raises(ApiError, match="too_busy"):
            await reader.read({"headers": []}, sender(piece, end).__anext__)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        assert await reader.read({"headers": []}, sender(piece, end).__anext__) == b" " * 900

    asyncio.run(scenario())


def test_a_sender_that_hangs_up_is_not_waited_for() -> None:
    """A body whose sender is gone ends the request."""

    async def gone() -> dict[str, object]:
        return {"type": "http.disconnect"}

    with pytest.raises(ApiError, match="incomplete"):
        asyncio.run(BodyReader(10_000).read({"headers": []}, gone))


def test_redis_down_asks_for_another_try() -> None:
    """503 with Retry-After when the change cannot be stored, so that Canvas sends it again."""
    receivers = Receivers()
    receivers.writer.broken = True
    response = asyncio.run(receivers.post(PATH, signed()))

    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert response.json()["error"]["code"] == "unavailable"


def test_redis_down_does_not_matter_to_events_of_no_interest() -> None:
    """202 for what is not stored anyway."""
    receivers = Receivers()
    receivers.writer.broken = True

    assert send(receivers, signed(name="quiz_submitted"))[0] == 202


def test_keys_that_cannot_be_had_ask_for_another_try() -> None:
    """503 rather than 401 while nobody can tell whether Canvas signed it."""
    receivers = Receivers()
    receivers.keys.broken = True

    assert send(receivers, signed())[0] == 503


@pytest.mark.parametrize("path", ["/", "/events", "/events/canvas/", "/events/canvas/x", "/EVENTS/CANVAS", "/%00"])
def test_an_unknown_path_is_not_found(path: str) -> None:
    """404 with a JSON error."""
    response = asyncio.run(Receivers().post(path, b""))

    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_a_wrong_method_is_not_allowed(method: str) -> None:
    """405, naming the right one."""

    async def ask() -> tuple[int, str]:
        async with client(Receivers().app) as http:
            response = await http.request(method, PATH)
            return response.status_code, response.headers["allow"]

    assert asyncio.run(ask()) == (405, "POST")


def test_the_log_says_why_and_not_what() -> None:
    """A refusal writes one line with receiver, status and cause, and nothing of what was sent."""
    with capture_logs() as lines:
        send(Receivers(), signed(root_account_uuid="a-private-text"))

    assert lines == [
        {
            "event": LogEvent.EVENT_REJECTED,
            "log_level": "warning",
            "receiver": PATH,
            "status": 401,
            "cause": "foreign_district",
            "unlogged": 0,
        }
    ]


def test_refusals_cannot_fill_the_log() -> None:
    """Alike refusals within ten seconds write one line; the next line counts those between."""
    receivers = Receivers()
    with capture_logs() as lines:
        for _ in range(5):
            send(receivers, b"hello")
        receivers.clock.advance(receivers.clock.current - receivers.clock.current.replace(minute=0))
        send(receivers, b"hello")

    assert [line["unlogged"] for line in lines] == [0, 4]


def test_a_district_must_be_named() -> None:
    """Without a root account the receivers do not start: a signature proves Instructure, not this district."""
    with pytest.raises(ConfigurationError, match="PASSBACK_CANVAS_ROOT_ACCOUNT_UUID"):
        build(settings(canvas_root_account_uuid=""))


def test_another_application_may_answer_the_other_paths() -> None:
    """Paths that are no receiver's go to the application beside them."""
    receivers = Receivers(fallback=PlainTextResponse("the pages"))

    assert asyncio.run(receivers.post("/courses", b"")).text == "the pages"
    assert send(receivers, signed())[0] == 202


def test_the_error_is_json() -> None:
    """A refusal is `{"error": {"code", "message"}}` as application/json."""
    response = asyncio.run(Receivers().post(PATH, b"hello"))

    assert response.headers["content-type"] == "application/json"
    assert set(json.loads(response.content)["error"]) == {"code", "message"}
    assert UUID not in response.text
