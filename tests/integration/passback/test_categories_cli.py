"""`passback categories` as a person types it, against both sandboxes."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from shared.clock import SystemClock
from shared.config import load
from shared.domain.actions import Verb
from shared.domain.passback.rules.categories import CategoryAssociation
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import Ids, small_district
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.integration.clients.test_clients_against_sandbox import served
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis, RedisKind
from workers.dev.process_group import without_settings
from workers.dev.sandbox import sandbox_settings

pytestmark = pytest.mark.slow

COURSE, GROUP = str(Ids.COURSE), str(Ids.GROUP_PROJECTS)
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    clock = SystemClock()
    district = small_district(clock.now().date())
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(kind=RedisKind.FAKE))
        canvas = stack.enter_context(served(canvas_app(district.canvas, clock)))
        powerschool = stack.enter_context(served(powerschool_app(district.powerschool, clock)))
        yield {"PASSBACK_REDIS_URL": redis.url, **sandbox_settings(canvas, powerschool)}


@pytest.fixture
def service(environ: dict[str, str]) -> Iterator[Container]:
    with closing(Container(load(environ))) as one:
        yield one


@pytest.fixture
def run(environ: dict[str, str]) -> Run:
    def categories(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "workers.cli", "categories", *arguments],
            env={**without_settings(), **environ},
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )

    return categories


def test_a_group_is_linked_shown_and_unlinked(run: Run, service: Container) -> None:
    """By names and by ids; each time the course is due for a person, and connected."""
    linked = run("link", COURSE, "Projects", "tests", "--actor", "rivera")
    assert linked.returncode == 0, linked.stderr
    assert service.associations.of_course(COURSE) == {GROUP: CategoryAssociation(frozenset({Ids.CATEGORY_TESTS}))}
    assert [waiting.course_id for waiting in service.changes.waiting(9)] == [COURSE]
    assert service.records.count() == 1
    (action,) = service.actions.newest(9)
    assert (action.actor, action.verb, action.target) == ("rivera", Verb.LINK, f"course:{COURSE}:group:{GROUP}")
    rows = json.loads(run("list", COURSE, "--json").stdout)
    found = {(row["group"], row["section_sis_id"]): (row["category_id"], row["found_by"]) for row in rows}
    assert found["Projects", str(Ids.SECTION_A_DCID)] == (Ids.CATEGORY_TESTS, "association")
    assert found["Homework", str(Ids.SECTION_B_DCID)] == (Ids.CATEGORY_HOMEWORK, "name")
    assert rows[0]["teacher_users_dcid"] == Ids.TEACHER
    inactive = {"id": Ids.CATEGORY_INACTIVE, "name": "Participation", "active": False, "excluded": False}
    assert inactive in rows[0]["categories"]
    assert run("unlink", COURSE, GROUP).returncode == 0
    assert [action.verb for action in service.actions.newest(1)] == [Verb.UNLINK]
    assert service.associations.of_course(COURSE) == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("link", COURSE, GROUP, str(Ids.CATEGORY_INACTIVE)), "is inactive: activate it in PowerSchool"),
        (("link", COURSE, GROUP, str(Ids.OTHER_CATEGORY_HOMEWORK)), "choose one of theirs, 4301 (Homework)"),
        (("unlink", COURSE, GROUP), "is not linked; `passback categories list`"),
        (("list", "999999"), "Canvas has no such course"),
    ],
)
def test_what_cannot_be_done_says_why(run: Run, service: Container, arguments: tuple[str, ...], sentence: str) -> None:
    """On standard error, with exit code 1 (2 for an unknown course), and nothing is changed."""
    tried = run(*arguments)
    assert (tried.returncode, tried.stdout) == (2 if "999999" in arguments else 1, "")
    assert sentence in tried.stderr
    assert service.associations.of_course(COURSE) == {}
