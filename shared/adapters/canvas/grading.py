"""Reads how a Canvas course grades, and the totals that Canvas shows: for the explanation of totals, and nothing else.

Totals are private: nothing of this is cached, stored or logged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from shared.adapters.canvas.account import STUDENTS
from shared.adapters.canvas.pagination import PER_PAGE, PagedApi
from shared.adapters.http.wire import Id, Json, Points, TextIfUsable, Wire
from shared.domain.passback.totals.grading import CanvasTotals, CourseGrading, GradingPeriod, GroupRules
from shared.errors import RequestRejected

MAX_DROPS = 1000


def _number_if_usable(value: object) -> object:
    """Return the number, None for anything else: a total that cannot be read is one that Canvas does not show."""
    try:
        return _NUMBER.validate_python(value)
    except ValidationError:
        return None


_NUMBER: TypeAdapter[Decimal | None] = TypeAdapter(Points)
Total = Annotated[Points, BeforeValidator(_number_if_usable)]
Drops = Annotated[int, BeforeValidator(lambda value: value if type(value) is int and 0 < value < MAX_DROPS else 0)]


class GradingCourseWire(Wire):
    """`GET /api/v1/courses/:id`."""

    apply_assignment_group_weights: bool = False
    hide_final_grades: bool | None = None


class RulesWire(Wire):
    """The `rules` of an assignment group."""

    drop_lowest: Drops = 0
    drop_highest: Drops = 0
    never_drop: Annotated[tuple[Id, ...], BeforeValidator(lambda value: value or ())] = ()


class GradingGroupWire(Wire):
    """One of `GET /api/v1/courses/:course_id/assignment_groups`; `rules` may be null."""

    id: Id
    name: TextIfUsable = ""
    group_weight: Total = None
    rules: RulesWire | None = None

    def to_domain(self) -> GroupRules:
        """Return the rules."""
        rules = self.rules or RulesWire()
        never = frozenset(rules.never_drop)
        weight = self.group_weight or Decimal(0)
        return GroupRules(self.id, self.name, weight, rules.drop_lowest, rules.drop_highest, never)


class GradesWire(Wire):
    """The used part of an enrollment's `grades`."""

    current_score: Total = None
    override_score: Total = None


class EnrollmentTotalsWire(Wire):
    """One of `GET /api/v1/courses/:course_id/enrollments`.

    The documentation shows an override beside the grades, clients show one inside them: both are read.
    """

    user_id: Id
    grades: GradesWire | None = None
    override_score: Total = None

    def to_domain(self) -> CanvasTotals | None:
        """Return the totals, None where Canvas shows none."""
        if self.grades is None or "current_score" not in self.grades.model_fields_set:
            return None
        grades = self.grades
        override = self.override_score if grades.override_score is None else grades.override_score
        return CanvasTotals(grades.current_score, override)


class GradingPeriodWire(Wire):
    """One of `grading_periods` of `GET /api/v1/courses/:course_id/grading_periods`."""

    id: Id
    title: TextIfUsable = ""
    weight: Total = None


_COURSE = TypeAdapter(GradingCourseWire)
_GROUPS = TypeAdapter(list[GradingGroupWire])
_ENROLLMENTS = TypeAdapter(list[EnrollmentTotalsWire])
_PERIODS = TypeAdapter(list[GradingPeriodWire])


class CanvasGrading:
    """Thread-safe: one instance serves all threads of a process."""

    def __init__(self, canvas: PagedApi) -> None:
        self._canvas = canvas

    def course(self, course_id: str) -> CourseGrading:
        """Return how the course grades, with the totals of its students. Raises the errors of `shared.errors`.

        Source: Canvas REST API, Courses, Assignment Groups, Enrollments ("List enrollments"), Grading Periods.
        """
        ids = {"course_id": course_id}
        rules = self.rules(course_id)
        enrollments = [
            row
            for page in self._canvas.pages("/api/v1/courses/{course_id}/enrollments", ids, [*STUDENTS, PER_PAGE])
            for row in page.rows(_ENROLLMENTS)[0]
        ]
        return replace(rules, periods=self._periods(ids), totals=_totals(enrollments))

    def rules(self, course_id: str) -> CourseGrading:
        """Return whether and how the course weights its groups, without anybody's totals and without periods.

        Source: Canvas REST API, Courses, Assignment Groups. Raises the errors of `shared.errors`.
        """
        ids = {"course_id": course_id}
        course = self._canvas.get("/api/v1/courses/{course_id}", ids).parse(_COURSE)
        groups = [
            row.to_domain()
            for page in self._canvas.pages("/api/v1/courses/{course_id}/assignment_groups", ids, [PER_PAGE])
            for row in page.rows(_GROUPS)[0]
        ]
        return CourseGrading(
            weighted=course.apply_assignment_group_weights,
            groups={group.id: group for group in groups},
            hides_totals=bool(course.hide_final_grades),
        )

    def _periods(self, ids: Mapping[str, str]) -> tuple[GradingPeriod, ...]:
        """Return the grading periods; none where the course has none, or the token may not list them."""
        template, found = "/api/v1/courses/{course_id}/grading_periods", list[GradingPeriodWire]()
        try:
            for page in self._canvas.pages(template, ids, [PER_PAGE]):
                listed: Json = page.body.get("grading_periods") if isinstance(page.body, dict) else None
                found += page.rows(_PERIODS, listed)[0] if isinstance(listed, list) else []
        except RequestRejected:
            return ()
        return tuple(GradingPeriod(period.id, period.title, period.weight) for period in found)


def _totals(enrollments: Iterable[EnrollmentTotalsWire]) -> Mapping[str, CanvasTotals]:
    """Return the totals by user: all enrollments of a student in the course have the same."""
    found = {}
    for enrollment in enrollments:
        totals = enrollment.to_domain()
        if totals is not None and (enrollment.user_id not in found or totals.current is not None):
            found[enrollment.user_id] = totals
    return found
