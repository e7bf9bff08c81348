"""Large answers are read by a fast decoder; whatever it does not take is read as before, with the same result."""

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest
from scripted_remote import ScriptedRemote, answer, text

from shared.adapters.canvas import wire
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.powerschool import PowerSchool
from shared.adapters.powerschool.gradebook import reader
from shared.domain.passback.canvas import GradebookRow, Submission
from shared.domain.passback.powerschool import ActualAssignment, RosteredSection, Score, Term
from shared.errors import TransientError, UnexpectedResponse

STATE = "/ws/schema/query/org.passback.sync.gradebook.state"
SECTION = RosteredSection("6100", 6100, 300, 2101, Term(date(2031, 8, 20), date(2031, 12, 20), 41), {})
STATE_ROW: Mapping[str, Any] = {
    "section_dcid": "6100",
    "assignment_id": "700",
    "assignment_section_id": "800",
    "name": "Volcanoes",
    "due_date": "2031-10-08",
    "points": "10",
    "category_id": "11",
    "created_by_plugin": "411",
    "student_dcid": "501",
    "score_points": "9.10",
    "score_kind": "REAL_SCORE",
    "is_missing": "0",
    "is_exempt": "1",
}
HELD = ActualAssignment(
    assignment_id=700,
    assignment_section_id=800,
    section_dcid=6100,
    name="Volcanoes",
    due_date=date(2031, 10, 8),
    points=Decimal(10),
    category_id=11,
    created_by_plugin="411",
    scores={501: Score(Decimal("9.1"), False, True)},
)
GRADES = "/api/v1/courses/41/students/submissions"
ROW: Mapping[str, Any] = {
    "user_id": "81",
    "section_id": "51",
    "sis_user_id": "3001",
    "submissions": [{"assignment_id": "71", "score": 9.10, "workflow_state": "graded", "excused": None}],
}
READ = GradebookRow("81", "3001", frozenset({"51"}), {"71": Submission("71", Decimal("9.1"), workflow_state="graded")})


@pytest.mark.parametrize(
    ("change", "fast"),
    [
        ({}, True),
        ({"assignment_id": 700, "points": 10}, True),
        ({"due_date": "2031-10-08 00:00:00"}, False),
        ({"created_by_plugin": 411}, False),
        ({"unheard_of": {"a": 1}}, True),
    ],
    ids=["documented", "numbers", "a time with the day", "a number for text", "more columns"],
)
def test_a_state_row_is_read_either_way(
    ps: PowerSchool, remote: ScriptedRemote, change: Mapping[str, Any], fast: bool
) -> None:
    """Both ways give the same assignment with the same score."""
    body = {"name": "state", "record": [{**STATE_ROW, **change}]}
    remote.on("POST", STATE, answer(body))
    assert _takes(reader.DECODER, body) is fast
    assert ps.gradebook.assignments([SECTION], {800}) == (HELD,)


@pytest.mark.parametrize("name", ["student_dcid", "category_id", "score_points"])
def test_blank_text_is_nothing(ps: PowerSchool, remote: ScriptedRemote, name: str) -> None:
    """A column that is left out and one that is empty mean the same."""
    without = {key: value for key, value in STATE_ROW.items() if key != name}
    remote.on("POST", STATE, answer({"record": [without]}), answer({"record": [{**without, name: ""}]}))
    first, second = (ps.gradebook.assignments([SECTION], {800}) for _ in range(2))
    assert first == second


def test_one_row_may_come_without_its_list(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """And no rows without `record`."""
    remote.on("POST", STATE, answer({"record": STATE_ROW}), answer({"name": "state"}))
    assert [len(ps.gradebook.assignments([SECTION], {800})) for _ in range(2)] == [1, 0]


def test_a_row_that_lacks_a_column_is_unexpected(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """The column is named, and no value."""
    remote.on("POST", STATE, answer({"record": [{k: v for k, v in STATE_ROW.items() if k != "points"}]}))
    with pytest.raises(UnexpectedResponse, match="points") as caught:
        ps.gradebook.assignments([SECTION], {800})
    assert "Volcanoes" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "fast"),
    [({}, True), ({"user_id": 81, "section_id": 51, "sis_user_id": 3001}, False)],
    ids=["text", "numbers"],
)
def test_a_row_of_scores_is_read_either_way(
    canvas: CanvasClient, remote: ScriptedRemote, change: Mapping[str, Any], fast: bool
) -> None:
    """Ids come as numbers from a Canvas that does not write them as text."""
    body = [{**ROW, **change}]
    remote.on("GET", GRADES, answer(body))
    assert _takes(wire.DECODER, body) is fast
    assert canvas.gradebook("41", ["71"]) == (READ,)


def test_digits_survive(canvas: CanvasClient, remote: ScriptedRemote) -> None:
    """No score passes through a binary float."""
    exact = json.dumps([ROW]).replace("9.1", "10.500000000000000001")
    response = text(exact, 200)
    response.headers["Content-Type"] = "application/json"
    remote.on("GET", GRADES, response)
    (row,) = canvas.gradebook("41", ["71"])
    assert row.submissions["71"].score == Decimal("10.500000000000000001")


def _json(content: bytes) -> httpx.Response:
    return httpx.Response(200, headers={"Content-Type": "application/json"}, content=content)


@pytest.mark.parametrize(
    "response",
    [
        text("<html>Maintenance</html>", 200),
        _json(b'[{"user_id": "81", '),
        _json(b'[{"user_id": "\x80"}]'),
        _json(b'[{"user_id": "81", "a": ' + b"[" * 5000 + b"]" * 5000 + b"}]"),
    ],
    ids=["a page", "cut off", "no UTF-8", "nested without end"],
)
def test_what_is_no_json_is_a_system_that_is_unwell(
    canvas: CanvasClient, remote: ScriptedRemote, response: httpx.Response
) -> None:
    """The decoder hides no sign of trouble."""
    remote.on("GET", GRADES, response)
    remote.on("GET", "/api/v1/users/self", answer({"id": 1}))
    with pytest.raises(TransientError):
        canvas.gradebook("41", ["71"])


def _takes(decoder: Any, body: Any) -> bool:
    try:
        decoder.decode(json.dumps(body).encode())
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("grader", "read"), [("12", "12"), (-78, -78), (None, None), (12.5, None), (True, None), ({"id": 12}, None)]
)
def test_an_odd_grader_keeps_no_score(
    canvas: CanvasClient, remote: ScriptedRemote, grader: object, read: str | int | None
) -> None:
    """Who graded is told where it can be read; the score counts in any case."""
    (submission,) = ROW["submissions"]
    remote.on("GET", GRADES, answer([{**ROW, "submissions": [{**submission, "grader_id": grader}]}]))
    (row,) = canvas.gradebook("41", ["71"])
    assert (row.submissions["71"].score, row.submissions["71"].grader_id) == (Decimal("9.1"), read)
