"""Which part of a course is remembered, and that eligibility and scores never are. Decision 15."""

from collections.abc import Callable, Mapping
from typing import Any

import fakeredis
import pytest
from scripted_remote import ScriptedRemote, answer

from shared.adapters.canvas import canvas_client
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.redis.keys import Keys
from shared.config import Settings
from shared.ports.passback import CachePolicy
from tests.manual_clock import ManualClock

BASE = "/api/v1/courses/41"
SECTION = {"id": "51", "name": "First period", "sis_section_id": "6100", "sis_course_id": "C-6100"}
ASSIGNMENT: Mapping[str, Any] = {
    "id": "71",
    "name": "Volcanoes",
    "due_at": "2031-10-08T05:59:59Z",
    "points_possible": 10,
    "grading_type": "points",
    "published": True,
    "post_to_sis": True,
    "visible_to_everyone": True,
    "assignment_group_id": "61",
    "overrides": [],
}
NOBODY = {"user_id": "90", "section_id": "51", "sis_user_id": None, "submissions": []}


@pytest.fixture
def school(remote: ScriptedRemote) -> ScriptedRemote:
    later = answer([{**ASSIGNMENT, "post_to_sis": False}])
    remote.on("GET", f"{BASE}/assignments", answer([ASSIGNMENT]), later)
    remote.on("GET", f"{BASE}/sections", answer([SECTION]), answer([{**SECTION, "id": "52"}]))
    remote.on("GET", f"{BASE}/assignment_groups", answer([{"id": "61", "name": "Homework"}]))
    remote.on("GET", BASE, answer({"id": "41", "name": "Geology"}))
    return remote


def asked(remote: ScriptedRemote) -> list[str]:
    """Return what was asked for since the last look."""
    paths = [request.url.path.removeprefix(f"{BASE}/") for request in remote.requests]
    remote.requests.clear()
    return paths


def test_a_second_reading_asks_for_the_assignments_alone(canvas: CanvasClient, school: ScriptedRemote) -> None:
    """Sections and groups are those of the first reading; whether work is synced is as it is now."""
    first = canvas.course("41", CachePolicy.USE)
    assert sorted(asked(school)) == [BASE, "assignment_groups", "assignments", "sections"]
    second = canvas.course("41", CachePolicy.USE)
    assert asked(school) == ["assignments"]
    assert (first.is_cached, second.is_cached) == (False, True)
    assert (second.sis_course_id, second.sections, second.groups) == (first.sis_course_id, first.sections, first.groups)
    assert (first.assignments[0].post_to_sis, second.assignments[0].post_to_sis) == (True, False)


def test_reading_anew_replaces_what_is_remembered(canvas: CanvasClient, school: ScriptedRemote) -> None:
    """What a person, the schedule or a changed assignment brings to light counts for the readings after it."""
    canvas.course("41", CachePolicy.USE)
    asked(school)
    assert canvas.course("41", CachePolicy.REFRESH).sections[0].id == "52"
    assert BASE not in asked(school), "a name is read once a day"
    assert canvas.course("41", CachePolicy.USE).sections[0].id == "52"


def test_a_live_look_leaves_the_memory_alone(canvas: CanvasClient, school: ScriptedRemote) -> None:
    """A look without a lease may be older than the sync that ends before it: it is not remembered."""
    canvas.course("41", CachePolicy.USE)
    assert canvas.course("41").sections[0].id == "52"
    assert canvas.course("41", CachePolicy.USE).sections[0].id == "51"


def test_all_workers_share_it(
    canvas: CanvasClient,
    school: ScriptedRemote,
    settings_of: Callable[..., Settings],
    redis_client: fakeredis.FakeRedis,
    keys: Keys,
    clock: ManualClock,
) -> None:
    """What one process read, another one need not read."""
    canvas.course("41", CachePolicy.USE)
    other = canvas_client(settings_of(), redis_client, keys, clock, transport=school.transport)
    assert other.course("41", CachePolicy.USE).is_cached


def test_it_ends_by_itself(canvas: CanvasClient, school: ScriptedRemote, redis_client: Any, keys: Keys) -> None:
    """It lives for ten minutes."""
    canvas.course("41", CachePolicy.REFRESH)
    assert 590 < redis_client.ttl(keys.cached("canvas-frame", "41")) <= 600


def test_moderated_work_is_never_judged_from_memory(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Whether its grades are released is said by the groups alone."""
    remote.on("GET", f"{BASE}/assignments", answer([{**ASSIGNMENT, "moderated_grading": True}]))
    remote.on("GET", f"{BASE}/sections", answer([SECTION])).on("GET", BASE, answer({"id": "41", "name": "Geology"}))
    held, released = (
        [{"id": "61", "name": "Homework", "assignments": [{"id": "71", "grades_published": done}]}]
        for done in (False, True)
    )
    remote.on("GET", f"{BASE}/assignment_groups", answer(held), answer(released))
    readings = [canvas.course("41", CachePolicy.USE).assignments[0].grades_published for _ in range(2)]
    assert readings == [False, True]


def test_who_is_a_test_student_is_asked_once(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """Until somebody else without a SIS id turns up."""
    stranger = {**NOBODY, "user_id": "91"}
    remote.on("GET", f"{BASE}/students/submissions", answer([NOBODY]), answer([NOBODY]), answer([NOBODY, stranger]))
    remote.on("GET", f"{BASE}/enrollments", answer([{"user_id": 90}]))
    left = [[row.user_id for row in canvas.gradebook("41", ["71"])] for _ in range(3)]
    assert left == [[], [], ["91"]]
    assert asked(remote).count("enrollments") == 2


def test_a_person_who_asks_for_a_sync_gets_the_time_zone_of_now(canvas: CanvasClient, school: ScriptedRemote) -> None:
    """It may be what was just changed; it is remembered for the readings after it."""
    canvas.course("41", CachePolicy.REFRESH)
    school.on("GET", BASE, answer({"id": "41", "name": "History", "time_zone": "Pacific/Honolulu"}))
    assert str(canvas.course("41", CachePolicy.REFRESH).time_zone) != "Pacific/Honolulu"
    for reading in (CachePolicy.REFRESH_ALL, CachePolicy.REFRESH, CachePolicy.USE):
        assert str(canvas.course("41", reading).time_zone) == "Pacific/Honolulu"
