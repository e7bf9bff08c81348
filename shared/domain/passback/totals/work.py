"""One student's work as both gradebooks have it, and which of it each of them counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from shared.domain.passback.powerschool import Score
from shared.domain.passback.totals.grading import CanvasTotals, CourseGrading, TermFormula, TermGrade
from shared.domain.passback.totals.sheet import Row

POINTS = "POINTS"


@dataclass(frozen=True, slots=True)
class CanvasWork:
    """One assignment of a student in Canvas.

    `hidden`: the score is not posted to the student. `unfinished`: a person has yet to finish grading it. `deducted`
    are the points of the late policy, which the score is already without. `not_sent` says why PowerSchool does not
    have it, empty where nothing speaks against it.
    """

    id: str
    name: str
    group_id: str
    score: Decimal | None
    points: Decimal | None
    hidden: bool = False
    excused: bool = False
    missing: bool = False
    omitted: bool = False
    unfinished: bool = False
    deducted: Decimal | None = None
    period_id: str | None = None
    not_sent: str = ""

    @property
    def row(self) -> Row | None:
        """The row of a score that counts, posted or not; None for a score that does not.

        Source: canvas-lms lib/grade_calculator.rb, `create_group_sums` with `ignore_ungraded`.
        """
        if self.score is None or self.excused or self.omitted or self.unfinished:
            return None
        return Row(Fraction(self.score), Fraction(self.points or 0), self.group_id)


@dataclass(frozen=True, slots=True)
class PowerSchoolWork:
    """One assignment section with the student's score. `canvas_id` is None for what no Canvas assignment is linked to.

    `made_by_passback`: by this plugin. `stored_weighted`: PowerSchool returns points that the weight multiplied.
    """

    assignment_section_id: int
    name: str
    points: Decimal
    category_id: int | None
    score: Score | None
    weight: Decimal | None = None
    score_type: str | None = None
    counted: bool | None = None
    canvas_id: str | None = None
    made_by_passback: bool = False
    stored_weighted: bool = False

    @property
    def counts(self) -> bool:
        """Say whether the score counts: a score code counts with its points, an exempt score does not."""
        has_points = self.score is not None and self.score.points is not None and not self.score.exempt
        return has_points and self.counted is not False

    @property
    def factor(self) -> Fraction:
        """The assignment's weight: it multiplies points earned and possible. Source: PowerTeacher Pro help."""
        return Fraction(1 if self.weight is None else self.weight)

    @property
    def row(self) -> Row | None:
        """The row before it is weighted, None for a score that does not count.

        Points of a percentage and of a score code are weighted already (measured). Whether those of a points score are
        is not publicly known: `stores_weighted` finds out.
        """
        if not self.counts or self.score is None or self.score.points is None:
            return None
        points = Fraction(self.score.points)
        is_derived = self.score.is_code or self.score_type not in (None, POINTS)
        if self.factor and (is_derived or self.stored_weighted):
            points /= self.factor
        return Row(points, Fraction(self.points), str(self.category_id or ""))


def stores_weighted(scores: Iterable[tuple[Decimal, Decimal, Decimal]]) -> bool:
    """Say whether PowerSchool returns points scores times the assignment's weight.

    `scores` are Canvas's scores with PowerSchool's points and the assignment's weight. One that is as it was sent shows
    that it does not.
    """
    telling = [(canvas, points, weight) for canvas, points, weight in scores if canvas and weight != 1]
    is_as_sent = any(points == canvas for canvas, points, _ in telling)
    return not is_as_sent and any(points == canvas * weight for canvas, points, weight in telling)


@dataclass(frozen=True, slots=True)
class StudentWork:
    """Everything about one student in one section of PowerSchool that the explanation needs.

    `formula` is None where PowerSchool does not show how it calculates; `grades_readable` says whether it shows term
    grades. `category_names` are by id, `problems` are sentences about what could not be read.
    """

    canvas: Sequence[CanvasWork]
    powerschool: Sequence[PowerSchoolWork]
    grading: CourseGrading
    totals: CanvasTotals | None = None
    formula: TermFormula | None = None
    term_grade: TermGrade | None = None
    grades_readable: bool = True
    category_names: Mapping[int, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def linked(self) -> Mapping[str, PowerSchoolWork]:
        """PowerSchool's work by the id of its Canvas assignment."""
        return {work.canvas_id: work for work in self.powerschool if work.canvas_id is not None}
