"""Reads how a course and its sections calculate grades, where PowerSchool shows it to the plugin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from shared.clock import Clock
from shared.domain.passback.powerschool import TeacherCategory
from shared.domain.passback.totals.grading import CourseGrading, TermFormula
from workers.grade_passback.compare import CourseData

ReadFormulas = Callable[
    [Sequence[int], Mapping[int, Sequence[TeacherCategory]]], Mapping[int, tuple[TermFormula, ...]] | None
]
# The query is optional: a PowerSchool that does not run it is not asked for each course.
ASK_AGAIN_AFTER = timedelta(minutes=10)


class GroupWeights(Protocol):
    """Reads whether a Canvas course weights its groups, and how."""

    def rules(self, course_id: str) -> CourseGrading:
        """Return it, without anybody's totals."""
        ...


@dataclass(frozen=True, slots=True)
class CourseWeights:
    """How a course calculates, and its sections by SECTIONS.DCID."""

    grading: CourseGrading
    formulas: Mapping[int, tuple[TermFormula, ...]]


@dataclass
class WeightReader:
    """Reads weights of both sides."""

    canvas: GroupWeights
    formulas: ReadFormulas
    clock: Clock
    _ask_again_at: datetime | None = field(default=None, init=False)

    def read(self, data: CourseData) -> CourseWeights | None:
        """Return the weights; None where PowerSchool does not show any. Raises the errors of `shared.errors`."""
        now = self.clock.now()
        if not data.categories or (self._ask_again_at is not None and now < self._ask_again_at):
            return None
        formulas = self.formulas(sorted(data.categories), data.categories)
        if formulas is None:
            self._ask_again_at = now + ASK_AGAIN_AFTER
            return None
        # Canvas is asked only for a course that PowerSchool says something about.
        return CourseWeights(self.canvas.rules(data.course.id), formulas) if any(formulas.values()) else None
