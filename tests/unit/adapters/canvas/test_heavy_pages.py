"""A page that Canvas cannot answer in time is asked for in smaller ones, and the size is remembered."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import redis
from scripted_remote import answer

from shared.adapters.canvas import canvas_client
from shared.adapters.canvas.client import CanvasClient
from shared.adapters.canvas.pagination import share
from shared.adapters.redis.keys import Keys
from shared.config import load
from shared.errors import GradebookIncomplete, TransientError
from tests.manual_clock import ManualClock

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
ASSIGNMENT: Mapping[str, Any] = {
    "name": "Volcanoes",
    "due_at": None,
    "points_possible": 10,
    "grading_type": "points",
    "published": True,
    "visible_to_everyone": True,
    "assignment_group_id": "61",
    "overrides": [],
}


class HeavyCanvas:
    """Students and assignments of one course, by pages; a page above a limit ends as `trouble` says."""

    def __init__(self, students: int, assignments: int) -> None:
        self.students = [str(number) for number in range(1, students + 1)]
        self.assignments = [str(number) for number in range(1001, 1001 + assignments)]
        self.most_cells = self.most_rows = 1_000_000
        self.slow: set[str] = set()
        self.trouble: httpx.Response | Exception = httpx.Response(504, html="<html>Gateway Time-out</html>")
        self.asked: list[str] = []
        self.heavy = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, params = request.url.path, request.url.params
        self.asked.append(path)
        if path == "/api/v1/users/self":
            return answer({"id": "1"})
        size, number = int(params.get("per_page", 10)), int(params.get("page", 1))
        listed = self.students if path.endswith("/submissions") else self.assignments
        page = listed[(number - 1) * size : number * size]
        wanted = params.get_list("assignment_ids[]")
        if len(page) > self.most_rows or len(page) * len(wanted) > self.most_cells or self.slow & set(wanted):
            self.heavy += 1
            if isinstance(self.trouble, Exception):
                raise self.trouble
            return self.trouble
        more = number * size < len(listed)
        query = urlencode([*((k, v) for k, v in params.multi_items() if k != "page"), ("page", str(number + 1))])
        link = {"Link": f'<https://canvas.test{path}?{query}>; rel="next"'} if more else {}
        return answer(self._bodies(path, page, wanted), **link)

    def _bodies(self, path: str, page: list[str], wanted: list[str]) -> list[dict[str, Any]]:
        if path.endswith("/submissions"):
            marks = [{"assignment_id": one, "score": 1, "workflow_state": "graded"} for one in wanted]
            return [{"user_id": id_, "section_id": "51", "sis_user_id": id_, "submissions": marks} for id_ in page]
        if path.endswith("/assignments") and path.startswith("/api/sis/"):
            return [{"id": id_, "course_id": id_} for id_ in page]
        return [{**ASSIGNMENT, "id": id_} for id_ in page]


@pytest.fixture
def heavy() -> HeavyCanvas:
    return HeavyCanvas(students=120, assignments=100)


@pytest.fixture
def client(heavy: HeavyCanvas, redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> CanvasClient:
    return client_of(heavy, redis_client, keys, clock)


def client_of(heavy: HeavyCanvas, redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> CanvasClient:
    settings = load({"PASSBACK_CANVAS_URL": "https://canvas.test", "PASSBACK_CANVAS_TOKEN": "secret"})
    return canvas_client(settings, redis_client, keys, clock, transport=httpx.MockTransport(heavy))


@pytest.mark.parametrize("most_cells", [5_000, 700])
@pytest.mark.parametrize(
    "trouble", [httpx.Response(504), httpx.Response(408), httpx.ReadTimeout("silence")], ids=["504", "408", "silence"]
)
def test_scores_are_read_in_smaller_pages(
    heavy: HeavyCanvas, client: CanvasClient, most_cells: int, trouble: httpx.Response | Exception
) -> None:
    """Every score of every student is there, whatever ends the heavy page."""
    heavy.most_cells, heavy.trouble = most_cells, trouble
    rows = client.gradebook("41", heavy.assignments)
    assert {row.user_id for row in rows} == set(heavy.students)
    assert all(set(row.submissions) == set(heavy.assignments) for row in rows)


def test_the_size_is_remembered_for_the_course(
    heavy: HeavyCanvas, client: CanvasClient, redis_client: redis.Redis, keys: Keys, clock: ManualClock
) -> None:
    """Also by another worker; another course is read in whole pages."""
    heavy.most_cells = 5_000
    client.gradebook("41", heavy.assignments)
    assert heavy.heavy == 1
    client_of(heavy, redis_client, keys, clock).gradebook("41", heavy.assignments)
    assert heavy.heavy == 1
    heavy.most_cells, heavy.asked = 1_000_000, []
    client.gradebook("42", heavy.assignments)
    assert len(heavy.asked) == 2


def test_a_page_that_fits_is_asked_for_once(heavy: HeavyCanvas, client: CanvasClient) -> None:
    """A hundred students and a hundred assignments a page, as long as Canvas answers."""
    client.gradebook("41", heavy.assignments)
    assert len(heavy.asked) == 2


@pytest.mark.parametrize("listing", ["assignments", "account"])
def test_other_lists_get_smaller_pages_too(heavy: HeavyCanvas, client: CanvasClient, listing: str) -> None:
    """A course's assignments with their overrides, and the account's work that is to be synced."""
    heavy.most_rows = 30
    if listing == "assignments":
        found = [each.id for each in client._assignments("41")[0]]
    else:
        found = list(dict.fromkeys(client.courses_to_sync(NOON)))
    assert found == heavy.assignments


def test_a_canvas_that_answers_no_page_is_no_endless_loop(heavy: HeavyCanvas, client: CanvasClient) -> None:
    """The sizes end; then it is a failure that may pass."""
    heavy.most_cells = 0
    with pytest.raises(TransientError):
        client.gradebook("41", heavy.assignments)
    assert heavy.heavy < 10


def test_scores_of_one_assignment_are_halved_at_once(heavy: HeavyCanvas, client: CanvasClient) -> None:
    """The size that failed is halved, not one that no page had."""
    heavy.most_cells = 60
    assert len(client.gradebook("41", heavy.assignments[:1])) == 120
    assert heavy.heavy == 1


@pytest.mark.parametrize(
    ("ids", "cells", "shared"),
    [(100, 10_000, (100, 100)), (1, 10_000, (1, 100)), (100, 5_000, (100, 50)), (100, 50, (5, 10)), (3, 50, (3, 16))],
)
def test_a_page_has_so_many_assignments_and_students(ids: int, cells: int, shared: tuple[int, int]) -> None:
    """Fewer students first, and fewer assignments where ten students would be too many."""
    some, students = share([str(number) for number in range(ids)], cells)
    assert (len(some), students) == shared


@pytest.mark.parametrize("places", [[0], [57], [99], [20, 80]])
def test_an_assignment_that_no_page_is_small_enough_for_costs_itself(
    heavy: HeavyCanvas, client: CanvasClient, places: list[int]
) -> None:
    """The others are read in a few dozen requests, and at the next time nearly as if there were nothing."""
    heavy.slow = {heavy.assignments[place] for place in places}
    for most in (120 * len(places), 30):
        heavy.asked = []
        with pytest.raises(GradebookIncomplete) as caught:
            client.gradebook("41", heavy.assignments)
        assert set(caught.value.unread) == heavy.slow
        assert {row.user_id for row in caught.value.rows} == set(heavy.students)
        others = set(heavy.assignments) - heavy.slow
        assert all(set(row.submissions) == others for row in caught.value.rows)
        assert len(heavy.asked) < most
    heavy.slow = set()
    assert all(set(row.submissions) == set(heavy.assignments) for row in client.gradebook("41", heavy.assignments))


def test_pages_grow_again_to_what_canvas_answers(heavy: HeavyCanvas, client: CanvasClient) -> None:
    """The search for the size goes down fast, so that it is no outage; the size that is remembered is a good one."""
    heavy.most_cells = 500
    client.gradebook("41", heavy.assignments)
    assert heavy.heavy < 5
    heavy.asked = []
    client.gradebook("41", heavy.assignments)
    assert len(heavy.asked) < 120 * 100 / 150
