"""Links that were lost are found again by the commands, with real processes."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town, town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("town")]

COURSE = str(Ids.HEALTHY_COURSE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("logs"), QUIET_PERIOD_S="0.3", MAX_WAIT_S="3", RETRY_WAITS_S="0.2") as one:
        one.stage.grade("one", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), 6.25)
        one.settle()
        yield one


def passback(running: Town, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers.cli", *arguments],
        env={**running.environ, **settings},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


def standings(running: Town) -> set[str]:
    """Return how the links of all connected courses stand."""
    (course,) = json.loads(passback(running, "links", "check", "--json").stdout)
    return {standing for link in course["links"] for standing in link["standings"]}


def test_lost_links_are_rebuilt_and_the_next_sync_writes_nothing(running: Town) -> None:
    """Every link comes back as it was; the sync that follows finds nothing to do in PowerSchool."""
    service = running.service
    lost = service.links.of_course(COURSE)
    assert lost
    assert standings(running) == {"ok"}
    service.redis.delete(service.keys.links(COURSE))
    assert standings(running) == {"orphan"}
    assert passback(running, "links", "check").returncode == 1
    running.forget_requests()
    rebuilt = passback(running, "links", "rebuild", COURSE, "--json")
    assert rebuilt.returncode == 0, rebuilt.stdout + rebuilt.stderr
    (answer,) = json.loads(rebuilt.stdout)
    assert {found["rebuilding"] for found in answer["found"]} == {"restored"}
    assert service.links.of_course(COURSE) == lost
    running.settle()
    assert [r for r in running.powerschool_requests() if r["method"] in ("PUT", "POST") and "/xte/" in r["path"]] == []
    assert service.links.of_course(COURSE) == lost
    assert standings(running) == {"ok"}


def test_an_empty_redis_is_told_the_courses(running: Town) -> None:
    """Where no course is connected, both verbs ask for them; with --dry-run it says what it would restore."""
    empty = {"PASSBACK_REDIS_PREFIX": "empty"}
    assert passback(running, "links", "check", **empty).returncode == 2
    tried = passback(running, "links", "rebuild", COURSE, "--dry-run", **empty)
    assert tried.returncode == 0
    assert "0 restored" not in tried.stdout
    assert "restored, 0 left as they are" in tried.stdout
    assert passback(running, "links", "rebuild", **empty).returncode == 2
    assert passback(running, "links", "rebuild", COURSE, **empty).returncode == 0
    assert passback(running, "links", "check", **empty).returncode == 0
    plan = json.loads(passback(running, "sync", COURSE, "--dry-run", "--json", **empty).stdout)
    assert plan["steps"] == []


def test_a_course_that_is_not_there_is_left_out(running: Town) -> None:
    """The answer says what Canvas said; an id that is no number is a usage error."""
    tried = passback(running, "links", "rebuild", "999999", "--json")
    assert tried.returncode == 1
    assert json.loads(tried.stdout)[0]["trouble"]["code"] == "canvas_course_gone"
    assert passback(running, "links", "check", "one").returncode == 2
