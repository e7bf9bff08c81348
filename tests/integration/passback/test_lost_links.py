"""Links that were lost are found again by the commands, with real processes."""

import json
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


def standings(running: Town) -> set[str]:
    """Return how the links of all connected courses stand."""
    (course,) = json.loads(running.passback("links", "check", "--json").stdout)
    return {standing for link in course["links"] for standing in link["standings"]}


def test_the_next_sync_finds_lost_links(running: Town) -> None:
    """Every link comes back as it was, and nothing is written to PowerSchool."""
    service = running.service
    lost = service.links.of_course(COURSE)
    assert lost
    assert standings(running) == {"ok"}
    service.redis.delete(service.keys.links(COURSE))
    assert standings(running) == {"orphan"}
    assert running.passback("links", "check").returncode == 1
    running.clear_requests()
    assert running.passback("sync", COURSE).returncode == 0
    running.settle()
    assert [r for r in running.powerschool_requests() if r["method"] in ("PUT", "POST") and "/xte/" in r["path"]] == []
    assert service.links.of_course(COURSE) == lost
    assert standings(running) == {"ok"}


def test_an_empty_redis_is_told_the_courses(running: Town) -> None:
    """Where no course is connected, the check asks for them; a dry run finds what there is and plans no write."""
    empty = {"PASSBACK_REDIS_PREFIX": "empty"}
    assert running.passback("links", "check", **empty).returncode == 2
    plan = json.loads(running.passback("sync", COURSE, "--dry-run", "--json", **empty).stdout)
    assert {step["step"] for step in plan["steps"]} <= {"adopt"}, plan["steps"]


def test_a_course_that_is_not_there_is_left_out(running: Town) -> None:
    """The report says what Canvas said; an id that is no number is a usage error."""
    tried = running.passback("links", "check", "999999", "--json")
    assert tried.returncode == 1
    assert json.loads(tried.stdout)[0]["trouble"]["code"] == "canvas_course_gone"
    assert running.passback("links", "check", "one").returncode == 2
