"""The receivers over a real Redis: stored means stored, and a Redis that is down or hangs is told as such."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import redis
from redis.asyncio import Redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.stream_writer import ChangeWriter, WebhookIds, mark_rosters_changed
from shared.adapters.redis.sync_queue.streams import decode
from shared.domain.passback.changes import Change, ChangeKind
from shared.errors import ServiceUnavailable
from shared.queues import Stream
from tests.integration.receivers_kit import client, plain, serving, settings
from workers.dev.embedded_redis import EmbeddedRedis, RedisKind
from workers.web.receivers.assembly import build
from workers.web.receivers.routing import ReceiverApp

pytestmark = [
    pytest.mark.redis,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on PATH"),
]
KEYS = Keys()
GRADES = KEYS.stream(Stream.GRADE_CHANGES)
PATH = "/events/canvas"


@pytest.fixture
def server() -> Iterator[EmbeddedRedis]:
    with EmbeddedRedis(durable=False, kind=RedisKind.SYSTEM) as embedded:
        yield embedded


def receivers(url: str, **changed: object) -> ReceiverApp:
    return build(settings(redis_url=url, live_events_allow_unsigned=True, **changed))


def stored(url: str) -> list[Change]:
    with redis.Redis.from_url(url) as connection:
        return [decode(Stream.GRADE_CHANGES, fields) for _, fields in connection.xrange(GRADES)]


def test_every_accepted_event_is_on_its_stream(server: EmbeddedRedis) -> None:
    """As many messages as 202 answers, each with the ids of its event, in few round trips."""

    async def scenario() -> None:
        app = receivers(server.url)
        async with serving(app), client(app) as http:
            answers = await asyncio.gather(
                *(http.post(PATH, content=plain(context_id=str(number))) for number in range(1, 101))
            )
            assert {answer.status_code for answer in answers} == {202}

    asyncio.run(scenario())
    assert sorted(int(change.course_id or 0) for change in stored(server.url)) == list(range(1, 101))


def test_a_stopped_redis_is_told_and_survived(server: EmbeddedRedis) -> None:
    """503 while no Redis is there; the process lives on and says that it is not ready."""

    async def scenario() -> None:
        app = receivers(server.url)
        async with serving(app), client(app) as http:
            assert (await http.post(PATH, content=plain())).status_code == 202
            assert (await http.get("/readyz")).status_code == 200
            server.__exit__(None, None, None)
            answer = await http.post(PATH, content=plain())
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/livez")).status_code == 200
            assert (await http.post("/events/powerschool", content=b"")).status_code == 503

    asyncio.run(scenario())


@asynccontextmanager
async def hanging(url: str) -> AsyncIterator[None]:
    """Stop the server's process without ending it: connections stay open and nothing answers."""
    with redis.Redis.from_url(url) as connection:
        process_id = connection.info("server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def test_a_hanging_redis_keeps_nobody_waiting(server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 once the timeout is over; too many that wait are told at once; afterwards all is well again."""
    monkeypatch.setattr("shared.adapters.redis.urls.TIMEOUT_S", 0.2)
    monkeypatch.setattr("workers.web.receivers.assembly.MAX_WAITING_EVENTS", 3)

    async def scenario() -> None:
        app = receivers(server.url)
        async with serving(app), client(app) as http:
            assert (await http.post(PATH, content=plain())).status_code == 202
            async with hanging(server.url), asyncio.timeout(5):
                answers = await asyncio.gather(*(http.post(PATH, content=plain()) for _ in range(5)))
                assert {answer.status_code for answer in answers} == {503}
            assert (await http.post(PATH, content=plain())).status_code == 202

    asyncio.run(scenario())


def test_a_restarted_redis_costs_no_event(server: EmbeddedRedis) -> None:
    """Connections that broke since the last event are replaced without the sender noticing."""

    async def scenario() -> None:
        app = receivers(server.url)
        async with serving(app), client(app) as http:
            assert (await http.post(PATH, content=plain())).status_code == 202
            with redis.Redis.from_url(server.url) as connection:
                connection.client_kill_filter(_type="normal", skipme=True)
            assert (await http.post(PATH, content=plain())).status_code == 202

    asyncio.run(scenario())


@asynccontextmanager
async def writing(url: str, max_waiting: int = 1000) -> AsyncIterator[ChangeWriter]:
    connection = Redis.from_url(url)
    writer = ChangeWriter(connection, KEYS, max_waiting)
    yield writer
    await writer.close()
    await connection.aclose()


CHANGE = Change(ChangeKind.GRADE, "61", assignment_id="41")


def test_changes_share_round_trips(server: EmbeddedRedis) -> None:
    """A thousand changes at once need two writes at the most: the first alone, then all the others together."""

    async def scenario() -> None:
        async with writing(server.url) as writer:
            await asyncio.gather(*(writer.add(CHANGE) for _ in range(1000)))

    with redis.Redis.from_url(server.url) as connection:
        before = connection.info("stats")["total_reads_processed"]
        asyncio.run(scenario())
        reads = connection.info("stats")["total_reads_processed"] - before

    assert len(stored(server.url)) == 1000
    assert reads < 30


def test_a_refused_change_fails_alone(server: EmbeddedRedis) -> None:
    """A stream that Redis refuses to write takes none of the batch's other changes with it."""

    async def scenario() -> None:
        async with writing(server.url) as writer:
            other = Change(ChangeKind.ASSIGNMENT, "61")
            refused, kept = await asyncio.gather(writer.add(other), writer.add(CHANGE), return_exceptions=True)
            assert isinstance(refused, ServiceUnavailable)
            assert kept is None

    with redis.Redis.from_url(server.url) as connection:
        connection.set(KEYS.stream(Stream.ASSIGNMENT_CHANGES), "no stream")
    asyncio.run(scenario())
    assert stored(server.url) == [CHANGE]


def test_too_many_waiting_are_refused_at_once(server: EmbeddedRedis) -> None:
    """Above the limit ServiceUnavailable is raised, those below it are stored, and room returns."""

    async def scenario() -> None:
        async with writing(server.url, max_waiting=2) as writer:
            ended = await asyncio.gather(*(writer.add(CHANGE) for _ in range(5)), return_exceptions=True)
            assert [isinstance(one, ServiceUnavailable) for one in ended] == [False, False, True, True, True]
            await writer.add(CHANGE)

    asyncio.run(scenario())
    assert len(stored(server.url)) == 3


def test_a_sender_that_hangs_up_disturbs_nobody(server: EmbeddedRedis) -> None:
    """A cancelled request leaves the batch to the others."""

    async def scenario() -> None:
        async with writing(server.url) as writer:
            tasks = [asyncio.create_task(writer.add(CHANGE)) for _ in range(3)]
            await asyncio.sleep(0)
            tasks[1].cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [one is None for one in ended] == [True, False, True]

    asyncio.run(scenario())


def test_closing_stores_what_waits(server: EmbeddedRedis) -> None:
    """Nothing that was taken in is dropped when the process stops."""

    async def scenario() -> None:
        async with writing(server.url) as writer:
            waiting = asyncio.create_task(writer.add(CHANGE))
            await asyncio.sleep(0)
            await writer.close()
            assert waiting.done() or await waiting is None

    asyncio.run(scenario())
    assert stored(server.url) == [CHANGE]


def test_a_seen_webhook_is_remembered_for_a_while(server: EmbeddedRedis) -> None:
    """A webhook's id is remembered under its digest, and not for ever."""

    async def scenario() -> None:
        async with Redis.from_url(server.url) as connection:
            seen = WebhookIds(connection, KEYS)
            assert not await seen.contain("msg_1")
            await seen.add("msg_1")
            assert await seen.contain("msg_1")
            (key,) = await connection.keys("*webhook*")
            assert b"msg_1" not in key
            assert 0 < await connection.ttl(key) <= 600

    asyncio.run(scenario())


def test_a_roster_hint_is_the_servers_time(server: EmbeddedRedis) -> None:
    """The hint holds Redis's time in milliseconds."""

    async def scenario() -> None:
        async with Redis.from_url(server.url) as connection:
            await mark_rosters_changed(connection, KEYS)
            seconds, _ = await connection.time()
            assert abs(int(await connection.get(KEYS.roster_changed_at)) / 1000 - seconds) < 5

    asyncio.run(scenario())
