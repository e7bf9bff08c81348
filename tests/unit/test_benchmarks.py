"""The benchmarks run, and their numbers add up. How fast anything is, no test says."""

import json
import shutil
from collections.abc import Iterable
from datetime import date
from typing import Any

import httpx
import pytest

from deploy.benchmarks import cost, engine, fold, growth, outcome, reconcile
from deploy.benchmarks.outcome import Mark, Result
from deploy.benchmarks.remote import CANVAS, Remote
from deploy.benchmarks.rig import rig
from deploy.benchmarks.windows import Graded, district_evening, expected_syncs
from shared.sandbox.canvas.app import create_app
from shared.sandbox.district import generated_district
from tests.unit.sandbox.canvas_client import Client

DAY = date(2026, 10, 5)
needs_redis = pytest.mark.skipif(shutil.which("redis-server") is None, reason="no redis-server on PATH")


def at(*times: float, course: int = 0) -> list[Graded]:
    return [Graded(time, course, 1, 0, "1") for time in times]


@pytest.mark.parametrize(
    ("times", "syncs"),
    [
        ((0.0,), 1),
        ((0.0, 1.9), 1),
        ((0.0, 2.0), 2),
        (tuple(float(n) for n in range(15)), 1),
        (tuple(float(n) for n in range(16)), 2),
    ],
    ids=["one", "within the quiet period", "after it", "to the longest wait", "beyond it"],
)
def test_the_windows_arithmetic(times: tuple[float, ...], syncs: int) -> None:
    """A course is synced when nothing changed for 2 s, and 15 s after its first change."""
    assert expected_syncs(at(*times), 2.0, 15.0) == syncs
    assert expected_syncs([*at(*times), *at(*times, course=1)], 2.0, 15.0) == 2 * syncs


def test_an_evening_is_as_large_as_it_says() -> None:
    """The same for the same seed, in order, with the same number of changes in every course."""
    trace = district_evening(20, 600)
    assert trace == district_evening(20, 600)
    assert [g.at for g in trace] == sorted(g.at for g in trace)
    assert {sum(g.course == course for g in trace) for course in range(20)} == {30}


def test_an_earlier_run_is_compared() -> None:
    """Figures of an earlier run stand beside their successors, with the ratio; marks say whether they are met."""
    results = [Result("one", {"ms": 3.0}, (Mark("ms", 3.0, 2.0, at_most=True),))]
    earlier = json.loads(outcome.as_json([Result("one", {"ms": 2.0})], {}))["results"]
    told = outcome.report(results, earlier)
    assert "was 2 (x 1.50)" in told
    assert "MISSED ms: 3 (at most 2)" in told


def keys_of(value: Any) -> Any:
    """Return the field names of an object and of the first of each list in it."""
    if isinstance(value, list):
        return [keys_of(value[0])] if value else []
    return (
        {key: keys_of(item) for key, item in value.items() if isinstance(item, list)} | {"": set(value)}
        if (isinstance(value, dict))
        else None
    )


@pytest.mark.parametrize("what", ["assignments?include[]=overrides", "sections", "students/submissions"])
def test_the_cheap_canvas_answers_like_the_sandbox(what: str) -> None:
    """Field by field, so that reading its answers costs what reading Canvas's costs."""
    district = generated_district(1, 1, 1, seed=1)
    query = "?student_ids[]=all&grouped=1&assignment_ids[]=1001001" if "submissions" in what else ""
    path = f"/api/v1/courses/1001/{what}{query}"
    theirs = Client(create_app(district.canvas), district.canvas.token).get(path).json()
    with httpx.Client(transport=Remote(1, 1, DAY)) as cheap:
        ours = cheap.get(CANVAS + path).json()
    assert keys_of(ours) == keys_of(theirs)


def missed(result: Result, *about: str) -> Iterable[Mark]:
    return [mark for mark in result.marks if not mark.is_met and mark.name.startswith(about)]


@needs_redis
def test_a_changed_grade_costs_two_requests_to_each_system() -> None:
    """Steady state, with the real adapters: assignments and submissions; the gradebook's state and the scores."""
    with rig(3, 10) as bench:
        bench.warm_up(2)
        figures = cost.evening(bench, district_evening(2, 6, 30))
    assert figures["Canvas requests a sync"] == figures["PowerSchool requests a sync"] == 2
    assert figures["syncs / arithmetic"] == figures["score requests / least"] == 1
    assert figures["rows written"] == 6


@needs_redis
def test_an_unchanged_course_costs_five_requests_and_no_write() -> None:
    """At reconciliation everything is read, and nothing written."""
    assert not missed(reconcile.run(courses=2, rounds=1), "writes", "requests")


@needs_redis
def test_a_windows_cost_is_flat_in_events_and_idle_courses() -> None:
    """As many requests for a hundred times the events, and beside idle courses."""
    result = growth.run(most=2)
    assert not missed(result, "requests")
    assert result.figures["changed courses 2: requests"] == 6
    assert growth.svg({"a": {1: 1.0, 10: 9.0}, "b": {1: 1.0}, "c": {10: 2.0}}).count("<circle") == 4


@needs_redis
def test_folding_and_planning_run() -> None:
    """Every message is folded, every task carried out, every row planned."""
    assert fold.run(messages=200, tasks=10, rounds=1).figures["folded / null tasks"] > 0
    assert engine.run(rows=2_000, rounds=1).figures["rows"] == 2_000
