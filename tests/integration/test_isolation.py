"""One odd value, refusal or page fails alone: both sandboxes over real sockets, and the real clients."""

from collections.abc import Iterator

import httpx
import pytest

from shared.sandbox.district import student_dcid_of
from shared.sandbox.ids import Ids
from tests.integration.test_refusals_are_explained import SCORE, Town, town

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
