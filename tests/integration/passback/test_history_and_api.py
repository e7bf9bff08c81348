"""What was written can be told afterwards: by the commands, and by the API of the running web process."""

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.sandbox.district.small import Ids, student_dcid_of, user_id_of
from tests.integration.town import Town, town

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("town")]

PASSWORD = "town-operator"
COURSE = str(Ids.HEALTHY_COURSE)
STUDENT = Ids.STUDENTS_HEALTHY[0]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    logs = tmp_path_factory.mktemp("logs")
    with town(logs, QUIET_PERIOD_S="0.3", MAX_WAIT_S="3", RETRY_WAITS_S="0.2", OPERATOR_PASSWORD=PASSWORD) as one:
        one.stage.grade("one", Ids.HEALTHY_COURSE, 1021, user_id_of(STUDENT), 6.25)
        one.settle()
        one.stage.grade("two", Ids.HEALTHY_COURSE, 1021, user_id_of(STUDENT), 7.75)
        one.settle()
        yield one


def sis_id(running: Town) -> str:
    """Return the student's SIS id, as the history has it."""
    for entry in json.loads(running.passback("history", COURSE, "--json").stdout)["entries"]:
        for student in entry["students"]:
            if student["student_dcid"] == student_dcid_of(STUDENT):
                return str(student["student_sis_id"])
    raise AssertionError("the student is not in the history")


def test_history_says_what_was_replaced(running: Town, tmp_path: Path) -> None:
    """The newest entry of the student comes first, with before and after; the CSV file has the same."""
    student = sis_id(running)
    asked = ("history", COURSE, "--assignment", "1021", "--student", student)
    newest = json.loads(running.passback(*asked, "--json").stdout)["entries"][0]
    (change,) = newest["students"]
    assert (change["before"]["points"], change["after"]["points"]) == ("6.25", "7.75")
    assert (newest["causes"], newest["actor"]) == (["event"], "passback")
    file = tmp_path / "history.csv"
    assert running.passback(*asked, "--export", str(file)).returncode == 0
    with file.open(newline="") as text:
        assert next(csv.DictReader(text))["after"] == "7.75"


def test_explain_tells_the_student_the_whole_chain(running: Town) -> None:
    """`explain --student` says what was sent, when it was written, and when the course was last heard of."""
    found = running.passback("explain", COURSE, "--assignment", "1021", "--student", sis_id(running), "--json")
    assert found.returncode == 0, found.stderr
    answer = json.loads(found.stdout)
    (assignment,) = answer["assignments"]
    assert assignment["student"]["standing"] == "sent"
    assert assignment["student"]["sentence"].startswith("Sent: 7.75 of ")
    assert assignment["student"]["last_write"]["after"]["points"] == "7.75"
    assert answer["last_event_at"] <= answer["synced_at"] <= answer["as_of"]


def test_every_student_and_assignment_has_a_sentence(running: Town) -> None:
    """In the course with one assignment per reason, too, from both sides and from memory."""
    assert running.passback("sync", str(Ids.COURSE), "--wait", "--actor", "rivera").returncode == 0
    for student in (Ids.STUDENTS_A[0], Ids.STUDENTS_B[0], Ids.STUDENT_WHO_LEFT, Ids.STUDENT_UNKNOWN):
        for live in ("true", "false"):
            found = api(running, "GET", f"/courses/{Ids.COURSE}", params={"student_sis_id": str(student), "live": live})
            assert found.status_code == 200, found.text
            told = [a["student"] for a in found.json()["assignments"]]
            assert len(told) > 10
            assert all(each["sentence"] for each in told)
            if student in (Ids.STUDENT_WHO_LEFT, Ids.STUDENT_UNKNOWN):
                assert {each["standing"] for each in told} <= {"held", "not_in_course"}
            else:
                assert {"sent", "held"} <= {each["standing"] for each in told}


def api(running: Town, method: str, path: str, **given: object) -> httpx.Response:
    url = f"{running.web}/api/v1{path}"
    return httpx.request(method, url, auth=("operator", PASSWORD), timeout=30, **given)  # type: ignore[arg-type]


def test_the_web_process_serves_the_api(running: Town) -> None:
    """Beside the receivers, with the operator's password and not without."""
    assert httpx.get(f"{running.web}/api/v1/status").status_code == 401
    assert api(running, "GET", "/status").json()["courses"]["connected"] >= 1
    entries = api(running, "GET", f"/courses/{COURSE}/history").json()["entries"]
    assert entries[0]["students"][0]["after"]["points"] == "7.75"


def test_a_requested_sync_is_the_operators(running: Town) -> None:
    """What a sync that the API asked for writes is in the history with the operator as its actor."""
    running.stage.act(do="mark_missing", course_id=Ids.HEALTHY_COURSE, assignment_id=1021, user_id=user_id_of(10611))
    assert api(running, "POST", f"/courses/{COURSE}/sync", json={}).status_code == 202
    running.settle()
    newest = api(running, "GET", f"/courses/{COURSE}/history").json()["entries"][0]
    assert "person" in newest["causes"]
    assert newest["actor"] == "operator"


def test_without_canvas_explain_answers_from_memory(running: Town) -> None:
    """The answer says as of when, and the exit code is 1."""
    environ = {**running.environ, "PASSBACK_CANVAS_TOKEN": "not-the-token"}
    asked = [sys.executable, "-m", "workers.cli", "explain", COURSE, "--json"]
    found = subprocess.run(asked, env=environ, capture_output=True, check=False, text=True, timeout=60)
    assert found.returncode == 1
    answer = json.loads(found.stdout)
    assert answer["live"] is False
    assert answer["as_of"] == answer["synced_at"]
    assert answer["trouble"]["code"] == "canvas_401"
    assert answer["assignments"]
