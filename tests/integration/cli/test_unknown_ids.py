"""Ids that name nothing, or a thing of another course: refused by each command and API route that takes one."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from shared.clock import SystemClock
from shared.config import PREFIX, load
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import Ids, small_district
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.command_line import app
from tests.integration.sandbox_server import served
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.sandbox import sandbox_settings
from workers.web.api.app import create_api
from workers.web.auth.sign_in import RequestAuthenticator

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.xdist_group("broken")]

COURSE, OTHER = str(Ids.HEALTHY_COURSE), str(Ids.OUTAGE_COURSE)
OF_OTHER = f"{OTHER}1"
STUDENT_OF_OTHER = str(Ids.STUDENTS_A[0])
GONE = "987654321"
PASSWORD = "a password that is long"


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """The settings of an installation that knows one course, which was never synced."""
    clock = SystemClock()
    district = small_district(clock.now().date())
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        canvas = stack.enter_context(served(canvas_app(district.canvas, clock)))
        powerschool = stack.enter_context(served(powerschool_app(district.powerschool, clock)))
        password = {f"{PREFIX}OPERATOR_PASSWORD": PASSWORD, f"{PREFIX}REDIS_URL": redis.url}
        yield {**sandbox_settings(canvas, powerschool), **password}


@pytest.fixture
def service(environ: dict[str, str]) -> Iterator[Container]:
    """The services of that installation."""
    with closing(Container(load(environ, Path("no.env")))) as service:
        service.redis.flushall()
        service.records.register(COURSE)
        yield service


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"sync {COURSE} --assignment 99", f"course {COURSE} has no assignment 99"),
        (f"sync {COURSE} --assignment {OF_OTHER}", f"has no assignment {OF_OTHER}"),
        (f"sync {COURSE} --assignment homework", "is a Canvas assignment id, a number"),
        (f"sync {COURSE} --assignment 99 --dry-run", "no such assignment"),
        (f"sync {GONE}", f"course {GONE}"),
        (f"takeover {COURSE} --assignment 99 --dry-run", "has no assignment 99"),
        (f"takeover {COURSE} --assignment 99 --undo", "has no assignment 99"),
        (f"takeover {COURSE} --assignment {OF_OTHER} --undo", f"has no assignment {OF_OTHER}"),
        (f"takeover {GONE} --undo", f"course {GONE}"),
        (f"history {COURSE} --assignment 99", "has no assignment 99"),
        (f"history {COURSE} --student nobody", "nobody with this SIS id"),
        (f"history {COURSE} --student {STUDENT_OF_OTHER}", f"nobody with the SIS id {STUDENT_OF_OTHER}"),
        (f"explain {COURSE} --student {STUDENT_OF_OTHER}", f"Course {COURSE}"),
        (f"totals {COURSE} --student {STUDENT_OF_OTHER}", "no such student"),
        (f"pause course {GONE}", f"course {GONE}"),
        (f"resume course {GONE}", f"course {GONE}"),
        ("courses --school 999", "no course is of school 999"),
        ("courses --term 1999-00", "no course is of term 1999-00"),
        ("courses --person nobody", "nobody"),
        ("alive dispatcher", "dispatcher"),
        ("dlq retry course:1", "no such dead letter: course:1"),
        ("dlq list --cause full_moon", "full_moon is no cause"),
        ("provision show nothing", "no run nothing"),
        ("lti confirm 1", "client id 1"),
    ],
)
def test_a_command_refuses_it(
    environ: dict[str, str], service: Container, monkeypatch: pytest.MonkeyPatch, line: str, says: str
) -> None:
    """With a sentence that names it and exit code 2, and nothing is requested."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    done = CliRunner().invoke(app, line.split())
    assert done.exit_code == 2, done.output
    assert says in done.output
    assert (service.actions.newest(1), service.changes.waiting(1), service.pauses.all()) == ([], [], [])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"courses/{GONE}", None),
        ("GET", f"courses/{GONE}/history", None),
        ("GET", f"courses/{COURSE}/history?assignment_id=99", None),
        ("GET", f"courses/{COURSE}/history?student_sis_id=nobody", None),
        ("GET", f"courses/{COURSE}?live=true&assignment_id=99", None),
        ("GET", f"courses/{COURSE}?live=true&student_sis_id={STUDENT_OF_OTHER}", None),
        ("GET", f"courses/{COURSE}/plan?assignment_id={OF_OTHER}", None),
        ("GET", f"courses/{COURSE}/totals?student_sis_id=nobody", None),
        ("GET", f"courses/{GONE}/agreement", None),
        ("GET", f"courses/{COURSE}/takeover?assignment_id=99", None),
        ("POST", f"courses/{COURSE}/takeover", {"assignment_id": "99"}),
        ("POST", f"courses/{COURSE}/takeover/undo", {"assignment_id": "99"}),
        ("POST", f"courses/{GONE}/takeover/undo", {}),
        ("POST", f"courses/{COURSE}/sync", {"assignment_id": "99"}),
        ("POST", f"courses/{GONE}/sync", {}),
        ("POST", f"courses/{GONE}/verify", {}),
        ("POST", "pauses", {"target": f"course:{GONE}"}),
        ("POST", "pauses/resume", {"target": f"course:{GONE}"}),
        ("POST", "takeover", {"mode": "dry_run", "school": 999}),
        ("GET", "courses?school=999", None),
        ("GET", "courses?term=1999-00", None),
        ("GET", "courses?person=nobody", None),
        ("GET", "agreement?school=999", None),
        ("GET", "agreement.csv?term=1999-00", None),
        ("GET", "readiness?code=full_moon", None),
        ("GET", "readiness.csv?code=full_moon", None),
        ("GET", "dead-letters/course:1", None),
        ("GET", "dead-letters?cause=full_moon", None),
        ("POST", "dead-letters/retry", {"ids": ["course:1"]}),
        ("POST", "dead-letters/discard", {"cause": "full_moon"}),
        ("GET", "provisioning/nothing", None),
        ("POST", "provisioning/nothing/approve", {}),
        ("POST", "dead-letters/batches/0123456789abcdef/cancel", {}),
    ],
)
def test_the_api_refuses_it(service: Container, method: str, path: str, body: object) -> None:
    """With 404 and a sentence, and nothing is requested."""

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_api(service, RequestAuthenticator(service)))
        async with httpx.AsyncClient(transport=transport, base_url="http://passback.test/api/v1/") as client:
            return await client.request(method, path, json=body, auth=("operator", PASSWORD))

    answer = asyncio.run(ask())
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"]["message"]
    assert (service.actions.newest(1), service.changes.waiting(1), service.pauses.all()) == ([], [], [])
