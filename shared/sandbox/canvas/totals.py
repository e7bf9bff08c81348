"""A student's totals as Canvas calculates them: in floating point, and by trying where it drops scores.

Source: canvas-lms lib/grade_calculator.rb; Canvas Enrollments API, `grades`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from shared.sandbox.canvas.seed import Assignment, GradingPeriod, Group
from shared.sandbox.canvas.state import Course

CENT = Decimal("0.01")


@dataclass(frozen=True)
class _Score:
    assignment: Assignment
    points: float

    @property
    def possible(self) -> float:
        return self.assignment.points_possible or 0.0


def grades_json(course: Course, user_id: int) -> dict[str, Any]:
    """Return the totals of a student: posted or with what is not, ungraded work left out (current) or as 0 (final)."""
    totals = {
        f"{prefix}{kind}_score": _total(course, user_id, posted_only=not prefix, as_zero=kind == "final")
        for prefix in ("", "unposted_")
        for kind in ("current", "final")
    }
    shown = {name.replace("score", "grade"): None for name in totals}
    return {"html_url": f"/courses/{course.id}/grades/{user_id}", **totals, **shown} | (
        {"override_score": course.override_scores[user_id]} if user_id in course.override_scores else {}
    )


def _total(course: Course, user_id: int, *, posted_only: bool, as_zero: bool) -> float | None:
    """Return one total; by the weights of the grading periods where they have any."""

    def of_period(period: GradingPeriod | None) -> float | None:
        scores = _scores(course, user_id, period, posted_only=posted_only, as_zero=as_zero)
        return _of_groups(course, scores)

    periods = course.grading_periods
    if not periods or any(period.weight is None for period in periods):
        return of_period(None)
    parts = [(of_period(period), period.weight or 0.0) for period in periods]
    known = [(part, weight) for part, weight in parts if part is not None]
    weights = sum(weight for _, weight in (parts if as_zero else known))
    if not known or not weights:
        return None
    grade = sum(part * weight / 100 for part, weight in known)
    return _cents(grade * 100 / weights if weights < 100 else grade)


def _scores(
    course: Course, user_id: int, period: GradingPeriod | None, *, posted_only: bool, as_zero: bool
) -> list[_Score]:
    found = []
    for assignment in course.listed_assignments():
        if not assignment.published or assignment.omit_from_final_grade or not _is_gradable(assignment):
            continue
        if not course.is_assigned_to(assignment, user_id):
            continue
        if period is not None and course.grading_period_of(assignment, user_id) is not period:
            continue
        submission = course.submissions.get((assignment.id, user_id))
        if submission is not None and submission.excused:
            continue
        points = None if submission is None else submission.score
        if submission is not None and posted_only and submission.posted_at is None:
            points = None
        if submission is not None and not as_zero and submission.workflow_state == "pending_review":
            points = None
        if points is not None or as_zero:
            found.append(_Score(assignment, points or 0.0))
    return found


def _is_gradable(assignment: Assignment) -> bool:
    return assignment.grading_type != "not_graded" and not {"not_graded", "wiki_page"} & {*assignment.submission_types}


def _of_groups(course: Course, scores: list[_Score]) -> float | None:
    groups = {
        group.id: _kept([score for score in scores if score.assignment.assignment_group_id == group.id], group)
        for group in course.groups.values()
    }
    sums = {
        key: (sum(score.points for score in kept), sum(score.possible for score in kept))
        for key, kept in groups.items()
    }
    if not course.apply_assignment_group_weights:
        possible = sum(each for _, each in sums.values())
        return _cents(100 * sum(points for points, _ in sums.values()) / possible) if possible else None
    counted = {
        key: (points / possible, course.groups[key].group_weight)
        for key, (points, possible) in sums.items()
        if possible
    }
    full = sum(weight for _, weight in counted.values())
    if not full:
        return None
    grade = sum(part * weight for part, weight in counted.values())
    return _cents(grade * 100 / full if full < 100 else grade)


def _kept(scores: list[_Score], group: Group) -> list[_Score]:
    """Return the scores that the group does not drop."""
    fixed = [score for score in scores if score.assignment.id in group.never_drop]
    free = [score for score in scores if score.assignment.id not in group.never_drop]
    if not free:
        return fixed
    low = group.drop_lowest if group.drop_lowest < len(free) else len(free) - 1
    high = group.drop_highest if low + group.drop_highest < len(free) else 0
    if all(score.possible == 0 for score in scores):
        ordered = sorted(free, key=lambda score: score.points)
        return fixed + ordered[low : len(ordered) - high]
    free = _chosen(free, fixed, len(free) - low, sign=1)
    return fixed + _chosen(free, fixed, len(free) - high, sign=-1)


def _chosen(free: list[_Score], fixed: list[_Score], count: int, *, sign: int) -> list[_Score]:
    """Return the best (`sign` 1) or worst `count` scores: those at whose own percentage nothing is left over.

    The search ends where two different percentages of whole points cannot lie any more, as Canvas's does.
    """
    if count >= len(free):
        return free
    percents = [score.points / score.possible for score in (*free, *fixed) if score.possible]
    if not percents:
        # Only scores of 0 points are left by the drop of the lowest. Canvas keeps the highest of them, although it is
        # to drop the highest. Source: canvas-lms lib/grade_calculator.rb, which tells of such a course.
        return sorted(free, key=lambda score: score.points)[-count:]
    low, high = min(percents), _bound([*free, *fixed], max(percents))
    enough = 1 / (2 * count * max(score.possible for score in (*free, *fixed)) ** 2)
    while True:
        percent = (low + high) / 2
        chosen = sorted(free, key=lambda score: -sign * _surplus(score, percent))[:count]
        if high - low < enough or percent in (low, high):
            return chosen
        if sum(_surplus(score, percent) for score in (*chosen, *fixed)) < 0:
            high = percent
        else:
            low = percent


def _surplus(score: _Score, percent: float) -> float:
    return score.points - percent * score.possible


def _bound(scores: Iterable[_Score], highest: float) -> float:
    """Return the upper end of the search. Scores without points possible can lift the percentage above every one."""
    scores = list(scores)
    extra = [score.points for score in scores if not score.possible]
    if not extra:
        return highest
    points, possible = sum(s.points for s in scores if s.possible), sum(s.possible for s in scores)
    return (max(points, possible) + sum(extra)) / possible


def _cents(grade: float) -> float:
    return float(Decimal(repr(grade)).quantize(CENT, ROUND_HALF_UP))
