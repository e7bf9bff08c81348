"""One odd value, refusal or page fails alone: both sandboxes over real sockets, and the real clients."""

from collections.abc import Iterator

import httpx
import pytest

from shared.domain.causes import Cause
from shared.domain.passback.changes import ChangeCause
from shared.sandbox.district.small import student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from tests.integration.passback.test_refusals_are_explained import COURSE, FIRST, SCORE, Town, town

CLASS = list(Ids.STUDENTS_HEALTHY)


@pytest.fixture
def here() -> Iterator[Town]:
    with town() as one:
        yield one


def scores_there(here: Town) -> dict[int, str]:
    """Return what PowerSchool holds in the first assignment, by student number."""
    state = httpx.get(f"{here.powerschool_url}/_sandbox/state").json()
    held = next((row["scores"] for row in state if row["name"] == "Warm-up 1"), {})
    by_dcid = {str(student_dcid_of(number)): number for number in CLASS}
    return {by_dcid[dcid]: score["entered"] for dcid, score in held.items() if dcid in by_dcid}


def puts(here: Town) -> int:
    log = httpx.get(f"{here.powerschool_url}/_sandbox/requests").json()
    return sum(each["path"] == SCORE for each in log)


def test_a_refusal_that_names_nobody_costs_one_student(here: Town) -> None:
    """Of twelve scores, one -1, eleven arrive in a handful of requests."""
    here.faults(nameless_refusals=True, refuse_negative_scores=True)
    for number in CLASS:
        here.grade(number, -1 if number == CLASS[4] else 8)
    here.sync()
    assert set(scores_there(here)) == set(CLASS) - {CLASS[4]}
    assert puts(here) <= 10
    (student,) = here.section()["students"]
    assert (student["student_sis_id"], student["code"]) == (str(CLASS[4]), "student_refused")


def test_a_page_too_heavy_for_canvas_is_read_in_parts(here: Town) -> None:
    """Twelve scores arrive although no page of more than thirty submissions is answered."""
    here.canvas_faults(max_page_cells=30)
    for number in CLASS:
        here.grade(number, 8)
    here.sync()
    assert set(scores_there(here)) == set(CLASS)
    assert here.letters.all() == []


def test_an_assignment_that_no_page_is_small_enough_for_costs_itself(here: Town) -> None:
    """The other assignment's scores arrive in the same run; its own arrive once Canvas answers."""
    here.canvas_faults(slow_assignments=[FIRST])
    for number in CLASS:
        here.grade(number, 8)
        here.canvas("grade", assignment_id=FIRST + 1, user_id=user_id_of(number), score=7)
    here.sync(ChangeCause.PERSON)
    written = {row["name"]: row["scores"] for row in httpx.get(f"{here.powerschool_url}/_sandbox/state").json()}
    assert "Warm-up 1" not in written
    assert any(len(scores) == len(CLASS) for scores in written.values())
    assert [reason["code"] for reason in here.section()["reasons"]] == ["retrying"]
    assert here.letters.all() == []
    here.canvas_faults()
    here.sync(ChangeCause.PERSON)
    assert set(scores_there(here)) == set(CLASS)
    assert here.section()["state"] == "synced"


@pytest.mark.parametrize(
    ("field", "value"), [("grading_type", "portfolio"), ("due_at", "20261-12-05T00:00:00Z"), ("points_possible", "ten")]
)
def test_an_odd_assignment_is_a_dead_letter_of_its_own(here: Town, field: str, value: str) -> None:
    """Its scores stay as they are, the other assignment's arrive, and it is over once Canvas's value is good again."""
    other = {"assignment_id": FIRST + 1, "user_id": user_id_of(CLASS[0]), "score": 7}
    here.grade(CLASS[0], 8)
    here.sync(ChangeCause.PERSON)
    odd = {"path_suffix": f"/courses/{COURSE}/assignments", "where": {"id": FIRST}, "put": {field: value}}
    here.canvas_faults(odd_values=[odd])
    here.canvas("grade", **other)
    here.sync(ChangeCause.PERSON)
    assert [(letter.assignment_id, letter.cause) for letter in here.letters.all()] == [
        (str(FIRST), Cause.CANVAS_UNEXPECTED)
    ]
    assert here.letters.all()[0].answer == f"assignment {FIRST}: no usable {field}"
    assert here.section()["state"] == "dead"
    assert [reason["code"] for reason in here.section()["reasons"]] == ["value_unreadable"]
    assert scores_there(here) == {CLASS[0]: "8"}
    written = [row["name"] for row in httpx.get(f"{here.powerschool_url}/_sandbox/state").json() if row["scores"]]
    assert len(written) > 1
    here.canvas_faults()
    here.sync(ChangeCause.PERSON)
    assert (here.letters.all(), here.section()["state"]) == ([], "synced")


def test_an_odd_submission_is_one_students_finding(here: Town) -> None:
    """Of twelve scores eleven arrive; the odd one is reported by the student, and cleared from nowhere."""
    for number in CLASS:
        here.grade(number, 8)
    here.sync()
    odd = {
        "path_suffix": "/students/submissions",
        "where": {"assignment_id": FIRST, "user_id": user_id_of(CLASS[3])},
        "put": {"score": "A-"},
    }
    here.canvas_faults(odd_values=[odd])
    for number in CLASS:
        here.grade(number, 9)
    here.sync()
    assert scores_there(here) == {number: "8" if number == CLASS[3] else "9" for number in CLASS}
    (student,) = here.section()["students"]
    assert (student["student_sis_id"], student["code"]) == (str(CLASS[3]), "value_unreadable")
    assert here.letters.all() == []
    said = here.explanation(CLASS[3])["assignments"][0]["student"]
    assert said["standing"] == "held"


def test_a_401_for_one_course_is_that_courses_own(here: Town) -> None:
    """The token is good elsewhere: a dead letter like a 403's, and nothing waits."""
    unauthorized = {"status": "unauthorized", "errors": [{"message": "user not authorized to perform that action"}]}
    failure = {"path_prefix": f"/api/v1/courses/{COURSE}/assignments", "status": 401, "body": unauthorized, "times": 9}
    here.canvas_faults(fail_next=[failure])
    here.grade(CLASS[0], 8)
    here.sync()
    assert [letter.cause for letter in here.letters.all()] == ["canvas_403"]
    assert here.changes.later == []


def test_a_401_for_everything_is_waited_for(here: Town) -> None:
    """Canvas refuses the call that every valid token may make as well: no dead letter, whatever the course."""
    bad_token = {"errors": [{"message": "Invalid access token."}]}
    here.canvas_faults(fail_next=[{"path_prefix": "/api/v1/", "status": 401, "body": bad_token, "times": 9}])
    here.sync()
    assert here.letters.all() == []
    assert [course for course, _, _ in here.changes.later] == [COURSE]


def test_a_deleted_course_is_over_and_a_restored_one_goes_on(here: Town) -> None:
    """One dead letter, on no schedule, its links kept; restored, it is synced again."""
    here.grade(CLASS[0], 8)
    here.sync()
    links = dict(here.links.of_course(COURSE))
    here.canvas("edit_course", changes={"workflow_state": "deleted"})
    for _ in range(2):
        here.sync()
    assert [(letter.assignment_id, letter.cause) for letter in here.letters.all()] == [(None, "canvas_course_gone")]
    assert not here.stores.records.is_connected(COURSE)
    assert here.links.of_course(COURSE) == links
    assert here.section()["reasons"][0]["code"] == "course_gone"
    here.canvas("edit_course", changes={"workflow_state": "available"})
    here.grade(CLASS[0], 9)
    here.sync()
    assert (scores_there(here), here.letters.all()) == ({CLASS[0]: "9"}, [])
    assert here.stores.records.is_connected(COURSE)
