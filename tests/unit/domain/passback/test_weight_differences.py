"""When the weights of groups and categories differ, and when they only look as if they did."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

import pytest

from shared.domain.passback.totals.grading import (
    CATEGORY_WEIGHTING,
    TOTAL_POINTS,
    CourseGrading,
    GroupRules,
    TermFormula,
    weight_differences,
)

TODAY = date(2026, 9, 1)
CATEGORIES = {"31": (1, "Homework"), "32": (2, "Tests")}


def found(
    canvas: Mapping[str, str] | None,
    powerschool: Mapping[int, str] | None,
    categories: Mapping[str, tuple[int, str]] = CATEGORIES,
    last_day: date | None = None,
) -> list[tuple[str, str]]:
    """Return the differences; None stands for total points."""
    groups = {id_: GroupRules(id_, id_, Decimal(weight)) for id_, weight in (canvas or {}).items()}
    grading = CourseGrading(canvas is not None, groups)
    weights = {id_: Decimal(weight) for id_, weight in (powerschool or {}).items()}
    kind = TOTAL_POINTS if powerschool is None else CATEGORY_WEIGHTING
    formula = TermFormula("Q1", kind, weights, None, last_day)
    return list(weight_differences(grading, [formula], categories, TODAY))


@pytest.mark.parametrize(
    ("canvas", "powerschool"),
    [
        (None, None),
        ({"31": "40", "32": "60"}, {1: "40", 2: "60"}),
        # Shares are the same.
        ({"31": "20", "32": "30"}, {1: "40", 2: "60"}),
        ({"31": "33.33", "32": "66.67"}, {1: "1", 2: "2"}),
        # A category without work from Canvas, and a group without a category, which is a finding of its own.
        ({"31": "40", "32": "60"}, {1: "20", 2: "30", 3: "50"}),
        ({"31": "20", "32": "30", "33": "50"}, {1: "40", 2: "60"}),
    ],
)
def test_equal_shares_are_silent(canvas: Mapping[str, str] | None, powerschool: Mapping[int, str] | None) -> None:
    """Whatever they add up to."""
    assert found(canvas, powerschool) == []


def test_both_weights_are_named() -> None:
    """As they were entered."""
    assert found({"31": "40", "32": "60"}, {1: "50", 2: "50.5"}) == [
        ("31", "Homework: 40 in Canvas, 50 in PowerSchool, Q1"),
        ("32", "Tests: 60 in Canvas, 50.5 in PowerSchool, Q1"),
    ]


def test_groups_of_one_category_are_added_up() -> None:
    """Two groups of 20 and 20 weigh as much as the category of 40."""
    categories = {**CATEGORIES, "33": (1, "Homework")}
    assert found({"31": "20", "32": "60", "33": "20"}, {1: "40", 2: "60"}, categories) == []


def test_one_side_may_not_weight_at_all() -> None:
    """Then there is one finding for the section; none where all work is in one category."""
    assert [group for group, _ in found(None, {1: "40", 2: "60"})] == [""]
    assert [group for group, _ in found({"31": "40", "32": "60"}, None)] == [""]
    assert found({"31": "100"}, None, {"31": (1, "Homework")}) == []


def test_a_reporting_term_that_is_over_does_not_count() -> None:
    """Its last day does."""
    assert found(None, {1: "40", 2: "60"}, last_day=TODAY - timedelta(days=1)) == []
    assert len(found(None, {1: "40", 2: "60"}, last_day=TODAY)) == 1
