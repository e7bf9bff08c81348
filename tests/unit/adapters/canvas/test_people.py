"""People are read from Canvas for a page, and stored nowhere."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import redis
from scripted_remote import ScriptedRemote, answer

from shared.adapters.canvas import canvas_api
from shared.adapters.canvas.account import CanvasAccount
from shared.adapters.redis.keys import Keys
from shared.config import Settings
from shared.domain.passback.canvas import Person
from shared.errors import AccessDenied, PersonUnknown
from tests.manual_clock import ManualClock

STUDENTS = "/api/v1/courses/41/enrollments"
USERS = "/api/v1/accounts/self/users"


@pytest.fixture
def people(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    remote: ScriptedRemote,
) -> CanvasAccount:
    settings = settings_of()
    api = canvas_api(settings, redis_client, keys, clock, transport=remote.transport)
    return CanvasAccount(api, settings.canvas_account)


def enrollment(user_id: int, name: str, sis_id: str | None, **changes: object) -> Mapping[str, Any]:
    return {"user_id": user_id, "sis_user_id": sis_id, "user": {"id": user_id, "sortable_name": name}, **changes}


def test_students_come_by_name_and_each_once(people: CanvasAccount, remote: ScriptedRemote) -> None:
    """From every page, those who left too; a student of two sections is one, and an odd row costs nobody else."""
    more = {"Link": f'<https://canvas.test{STUDENTS}?page=2>; rel="next"'}
    first = [enrollment(82, "Zimt, Ada", "S2"), enrollment(81, "Anis, Bo", None)]
    second = [enrollment(82, "Zimt, Ada", "S2"), enrollment(83, "Odd", "S3", user=None)]
    remote.on("GET", STUDENTS, answer(first, **more), answer(second))
    assert people.students("41") == (Person("81", "Anis, Bo", None), Person("82", "Zimt, Ada", "S2"))
    asked = remote.asked("GET", STUDENTS)[0].url.params
    assert asked.get_list("type[]") == ["StudentEnrollment"]
    assert asked.get_list("state[]") == ["active", "invited", "completed", "inactive"]


def test_names_are_stored_nowhere(
    people: CanvasAccount, remote: ScriptedRemote, redis_client: redis.Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither Redis nor the log has any."""
    remote.on("GET", STUDENTS, answer([enrollment(81, "Zephyrine", "S1"), {"user": {"name": "Zephyrine"}}]))
    remote.on("GET", USERS, answer([{"id": 81, "name": "Zephyrine"}]))
    assert people.students("41")
    assert people.find("Zephyrine")
    stored = [(key, redis_client.dump(key)) for key in redis_client.scan_iter()]
    assert "Zephyrine" not in repr(stored) + "".join(capsys.readouterr())


def test_people_are_found_by_name(people: CanvasAccount, remote: ScriptedRemote) -> None:
    """Canvas searches; one page is enough."""
    remote.on("GET", USERS, answer([{"id": 81, "name": "Bo Anis", "sis_user_id": "T1"}]))
    assert people.find("anis") == (Person("81", "Bo Anis", "T1"),)
    assert dict(remote.asked("GET", USERS)[0].url.params) == {"search_term": "anis", "per_page": "50"}


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"user_id": "81"}, "/api/v1/users/81/enrollments"),
        ({"sis_id": "T/1"}, "/api/v1/users/sis_user_id:T/1/enrollments"),
    ],
)
def test_the_courses_of_a_person(
    people: CanvasAccount, remote: ScriptedRemote, given: dict[str, str], path: str
) -> None:
    """Each course once, by either id; observers do not take part."""
    remote.on("GET", path, answer([{"course_id": 41}, {"course_id": 41}, {"course_id": "42"}]))
    assert people.courses_of(**given) == {"41", "42"}
    assert "ObserverEnrollment" not in remote.asked("GET", path)[0].url.params.get_list("type[]")


def test_nobody_and_no_right_are_told_apart(people: CanvasAccount, remote: ScriptedRemote) -> None:
    """An unknown id, and a token without the scope."""
    remote.on("GET", "/api/v1/users/9/enrollments", answer({"errors": [{"message": "not there"}]}, 404))
    remote.on("GET", USERS, answer({"errors": [{"message": "Insufficient scopes on access token."}]}, 401))
    with pytest.raises(PersonUnknown):
        people.courses_of("9")
    with pytest.raises(AccessDenied):
        people.find("anis")
