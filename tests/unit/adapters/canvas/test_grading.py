"""How a course grades, and the totals, in every form that Canvas may write them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import redis
from scripted_remote import ScriptedRemote, answer

from shared.adapters.canvas import canvas_api
from shared.adapters.canvas.grading import CanvasGrading
from shared.adapters.redis.keys import Keys
from shared.config import Settings
from shared.domain.passback.totals.grading import CanvasTotals, CourseGrading, GradingPeriod, GroupRules
from shared.errors import PassbackError
from tests.manual_clock import ManualClock

COURSE = "/api/v1/courses/7"
PLAIN: dict[str, Any] = {"": {}, "assignment_groups": [], "enrollments": [], "grading_periods": {"grading_periods": []}}
Read = Callable[..., CourseGrading]


@pytest.fixture
def read(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
) -> Read:
    def read(course: Any = None, **answers: Any) -> CourseGrading:
        """Return what is read of a Canvas that answers so, by the last part of the path; a number is a status."""
        remote = ScriptedRemote()
        for part, given in {**PLAIN, "": course or {}, **answers}.items():
            response = answer({"errors": []}, status=given) if isinstance(given, int) else answer(given)
            remote.on("GET", f"{COURSE}/{part}".rstrip("/"), response)
        remote.on("GET", "/api/v1/users/self", answer({"id": 1}))
        api = canvas_api(settings_of(), redis_client, keys, clock, transport=remote.transport)
        return CanvasGrading(api).course("7")

    return read


def enrollment(user_id: object = 71, **grades: object) -> dict[str, object]:
    return {"user_id": user_id, "grades": {"html_url": "", **grades}}


def test_a_plain_course(read: Read) -> None:
    """Without weights, rules, periods and students."""
    assert read() == CourseGrading(weighted=False, groups={})


def test_weights_and_rules(read: Read) -> None:
    """Ids as numbers or text; rules that are null, empty or out of all bounds are none."""
    groups = [
        {"id": 1, "name": "A", "group_weight": 33.3, "rules": {"drop_lowest": 1, "never_drop": [5, "6"]}},
        {"id": "2", "name": None, "group_weight": None, "rules": None},
        {
            "id": 3,
            "name": "C",
            "group_weight": 10,
            "rules": {"drop_highest": 10**9, "drop_lowest": -1, "never_drop": None},
        },
    ]
    course = {"apply_assignment_group_weights": True, "hide_final_grades": True}
    found = read(course, assignment_groups=groups)
    assert (found.weighted, found.hides_totals) == (True, True)
    assert found.groups == {
        "1": GroupRules("1", "A", Decimal("33.3"), 1, 0, frozenset({"5", "6"})),
        "2": GroupRules("2", ""),
        "3": GroupRules("3", "C", Decimal(10)),
    }


def test_totals_of_students(read: Read) -> None:
    """Null is no total; a token that may not see them gets none; an override stands in either place."""
    found = read(
        enrollments=[
            enrollment(71, current_score=87.5, final_score=60, unposted_current_score=80, unposted_final_score=55.25),
            enrollment(72, current_score=None, final_score=0),
            {"user_id": 73, "grades": {"html_url": ""}},
            {"user_id": 74},
            enrollment(75, current_score="not a number"),
            {**enrollment(76, current_score=1), "override_score": 99},
            enrollment(77, current_score=1, override_score=98),
            # The second section of a student.
            enrollment(71, current_score=87.5, final_score=60),
        ]
    )
    assert found.totals["71"].current == Decimal("87.5")
    assert found.totals["72"] == CanvasTotals(None)
    assert "73" not in found.totals
    assert "74" not in found.totals
    assert found.totals["75"].current is None
    assert (found.totals["76"].override, found.totals["77"].override) == (99, 98)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_grading_periods_are_optional(read: Read, status: int) -> None:
    """A token without their scope, or a Canvas without them, costs nothing else; an outage does."""
    assert read(grading_periods=status).periods == ()
    listed = {"grading_periods": [{"id": 9, "title": "Q1", "weight": 25.0}, {"id": 10, "title": "Q2", "weight": None}]}
    assert read(grading_periods=listed).periods == (
        GradingPeriod("9", "Q1", Decimal(25)),
        GradingPeriod("10", "Q2", None),
    )
    assert read(grading_periods=[]).periods == ()
    with pytest.raises(PassbackError):
        read(enrollments=500)
