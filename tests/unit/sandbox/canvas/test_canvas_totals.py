"""The sandbox Canvas calculates totals by itself; the numbers are by hand."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.sandbox.canvas.sandbox import CanvasSandbox
from shared.sandbox.canvas.seed import (
    Assignment,
    CanvasSeed,
    CourseSeed,
    GradingPeriod,
    Group,
    Section,
    Student,
    Submission,
)
from shared.sandbox.canvas.totals import grades_json
from tests.manual_clock import ManualClock

NOW = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)


Scores = Sequence[tuple[float | None, float, int]]
"""Score, points possible and the number of the group; no score is ungraded work."""


def totals(scores: Scores, *groups: dict[str, Any], due: Sequence[datetime] = (), **course: Any) -> dict[str, Any]:
    """Return the totals of a student with these scores; `due` are the due dates, all the same without."""
    days = due or [NOW] * len(scores)
    works = [
        Assignment(id=n, name=str(n), points_possible=points, assignment_group_id=group, due_at=days[n - 1])
        for n, (_, points, group) in enumerate(scores, 1)
    ]
    given = [
        Submission(assignment_id=n, user_id=5, score=score)
        for n, (score, _, _) in enumerate(scores, 1)
        if score is not None
    ]
    seed = CourseSeed(
        id=1,
        name="Course",
        sections=[Section(id=2, name="One")],
        groups=[Group(id=n, name=str(n), **rules) for n, rules in enumerate(groups or ({},), 1)],
        students=[Student(user_id=5, sis_user_id="S5", section_ids=[2])],
        assignments=works,
        submissions=given,
        **course,
    )
    sandbox = CanvasSandbox(CanvasSeed(courses=[seed]), ManualClock(NOW))
    return grades_json(sandbox.course(1), 5)


def test_ungraded_work_is_left_out_or_0() -> None:
    """9 of 10, and 9 of 20."""
    found = totals([(9, 10, 1), (None, 10, 1)])
    assert (found["current_score"], found["final_score"]) == (90.0, 45.0)


def test_weights_are_scaled_up_and_not_down() -> None:
    """90 by 40 percent alone is 90; 100 by 60 and 100 by 50 is 110."""
    weighted = {"apply_assignment_group_weights": True}
    assert totals([(9, 10, 1)], {"group_weight": 40}, {"group_weight": 60}, **weighted)["current_score"] == 90.0
    both = totals([(10, 10, 1), (10, 10, 2)], {"group_weight": 60}, {"group_weight": 50}, **weighted)
    assert both["current_score"] == 110.0


@pytest.mark.parametrize(
    ("rules", "current"),
    [
        ({}, 45.91),
        # Kane and Kane: without the 20 of 100, not without the 1 of 20.
        ({"drop_lowest": 1}, 67.5),
        ({"drop_highest": 1}, 17.5),
        ({"drop_lowest": 5}, 80.0),
        ({"drop_lowest": 1, "never_drop": [2]}, 50.0),
    ],
)
def test_drop_rules(rules: dict[str, Any], current: float) -> None:
    """Of 80 of 100, 20 of 100 and 1 of 20."""
    assert totals([(80, 100, 1), (20, 100, 1), (1, 20, 1)], rules)["current_score"] == current


def test_drops_that_leave_nothing_with_points_possible() -> None:
    """0 of 10 is dropped as the lowest. Of 2 of 0 and 3 of 0 the higher stays, without points possible: no total."""
    rules = {"drop_lowest": 1, "drop_highest": 1}
    assert totals([(0, 10, 1), (2, 0, 1), (3, 0, 1)], rules)["current_score"] is None
    both = totals([(0, 10, 1), (2, 0, 1), (3, 0, 1), (5, 10, 2)], rules, {})
    assert both["current_score"] == 80.0


def test_grading_periods_with_weights() -> None:
    """90 in the first by 75 and 50 in the second by 25 are 80; a period of weight 0 counts nothing."""
    ends = ((NOW - timedelta(days=40), NOW), (NOW, NOW + timedelta(days=40)))

    def of(*weights: float | None) -> Any:
        periods = [
            GradingPeriod(id=n, title=str(n), start_date=ends[n][0], end_date=ends[n][1], weight=weight)
            for n, weight in enumerate(weights)
        ]
        due = [NOW, NOW + timedelta(days=2)]
        return totals([(9, 10, 1), (5, 10, 1)], due=due, grading_periods=periods)["current_score"]

    assert of(75, 25) == 80.0
    assert of(None, None) == 70.0
    assert of(0, 25) == 50.0
