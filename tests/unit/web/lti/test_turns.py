"""What one person can ask of both systems: one page that reads them at a time, and of those that wait the newest."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from shared.domain.passback.canvas import Course
from tests.unit.web.lti.canvas_site import CanvasSite, Frame
from workers.web.lti.pages.handlers import Turns

LIVE = ("/lti/course/preview", "/lti/course/totals", "/lti/course/student")
PATIENCE_S = 20


class SlowCanvas:
    """Canvas, which answers once it is let; counts who reads."""

    def __init__(self, canvas: CanvasSite) -> None:
        self.answers = threading.Event()
        self.reads = 0
        self._begun = threading.Semaphore(0)
        self._read = canvas.school.canvas.course
        canvas.school.canvas.course = self.course  # type: ignore[method-assign,assignment]

    def course(self, *given: object) -> Course:
        self.reads += 1
        self._begun.release()
        assert self.answers.wait(PATIENCE_S)
        return self._read(*given)  # type: ignore[arg-type]

    async def begins(self) -> None:
        """Wait until another read has begun."""
        assert await asyncio.to_thread(self._begun.acquire, timeout=PATIENCE_S)


@pytest.fixture
def canvas() -> CanvasSite:
    canvas = CanvasSite()
    canvas.sync()
    return canvas


@asynccontextmanager
async def opened(canvas: CanvasSite) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(canvas.site.app, client=("127.0.0.1", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://passback.test") as client:
        yield client


def asked(client: httpx.AsyncClient, path: str, frame: Frame) -> "asyncio.Task[httpx.Response]":
    return asyncio.create_task(client.post(path, data={"lti_token": frame.token, "student": "S1"}))


def test_whoever_asks_again_reads_once_more_and_no_oftener(canvas: CanvasSite) -> None:
    """Ten clicks while a page is being made: the newest is made after it, the others say why they are not."""
    slow, frame = SlowCanvas(canvas), canvas.frame()

    async def clicks() -> list[httpx.Response]:
        async with opened(canvas) as client:
            first = asked(client, LIVE[0], frame)
            await slow.begins()
            others = []
            for number in range(9):
                others.append(asked(client, LIVE[number % 3], frame))
                await asyncio.sleep(0.02)
            # Pages of what is stored do not wait.
            assert (await asked(client, "/lti/course", frame)).status_code == 200
            assert slow.reads == 1
            slow.answers.set()
            return list(await asyncio.gather(first, *others))

    responses = asyncio.run(clicks())
    assert [response.status_code for response in responses] == [200, *[429] * 8, 200]
    assert "You have opened another page meanwhile" in responses[1].text
    assert 'action="/lti/course/history"' in responses[1].text
    assert slow.reads == 2


def test_nobody_waits_for_another_person(canvas: CanvasSite) -> None:
    """And an administrator who acts as the teacher is the administrator."""
    slow = SlowCanvas(canvas)
    frames = [canvas.frame(), canvas.frame(user_id="901"), canvas.frame(real_user_id="5")]

    async def together() -> list[httpx.Response]:
        async with opened(canvas) as client:
            tasks = [asked(client, "/lti/course/totals", frame) for frame in frames]
            for _ in frames:
                await slow.begins()
            slow.answers.set()
            return list(await asyncio.gather(*tasks))

    assert [response.status_code for response in asyncio.run(together())] == [200, 200, 200]


def test_a_page_that_fails_ends_its_turn() -> None:
    """The next one is made; nobody is remembered once nobody waits."""
    turns = Turns()

    async def failing() -> None:
        async with turns.of("canvas-user:1"):
            raise ZeroDivisionError

    async def both() -> None:
        with pytest.raises(ZeroDivisionError):
            await failing()
        async with asyncio.timeout(PATIENCE_S), turns.of("canvas-user:1") as is_newest:
            assert is_newest

    asyncio.run(both())
    gc.collect()
    assert not turns._waiting
