"""One student's work as both gradebooks have it, and sheets: scores that count, with the formula of their total.

All sums are exact. What Canvas drops are the scores without which the group's percentage is best (lowest) or worst
(highest). A low score of much possible can cost less than a better one of little, so that the lowest percentages are
not always dropped. Canvas searches for the percentage at which the kept scores have nothing left over, by bisection
(Kane and Kane, "The Algebra of Dropping Lowest Scores"). This does the same in whole numbers: the bounds and the end of
the search are Canvas's, since they decide between selections that are equally good.

Source: canvas-lms lib/grade_calculator.rb, `drop_assignments`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from math import lcm

from shared.domain.passback.powerschool import Score
from shared.domain.passback.totals.grading import CanvasTotals, CourseGrading, GroupRules, TermFormula, TermGrade

HUNDRED = Fraction(100)
HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Row:
    """A score that counts, in a group of Canvas or a category of PowerSchool."""

    earned: Fraction
    possible: Fraction
    group: str


@dataclass(frozen=True, slots=True)
class Formula:
    """How rows make a total: by points, or with the groups' `weights` in percent.

    Rows of a group without a weight do not count. Groups without points possible are left out, and the others' weights
    are scaled up to 100; `normalizes` scales them down as well, as PowerSchool does and Canvas does not.
    """

    weights: Mapping[str, Fraction] | None = None
    normalizes: bool = False
    rounds_groups: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows by key, the formula, and the rules of the groups that drop scores."""

    rows: Mapping[str, Row]
    formula: Formula
    drops: Mapping[str, GroupRules] = field(default_factory=dict)

    def with_row(self, key: str, row: Row | None) -> "Sheet":
        """Return the sheet with this row; without one where it is None."""
        rows = {**self.rows, key: row} if row else {other: value for other, value in self.rows.items() if other != key}
        return replace(self, rows=rows)

    def dropped(self) -> Mapping[str, frozenset[str]]:
        """Return the keys of the dropped rows by group, of the groups that drop some."""
        found = {}
        for group, rules in self.drops.items():
            in_group = {key: row for key, row in self.rows.items() if row.group == group}
            if dropped := in_group.keys() - keys_after_drops(in_group, rules):
                found[group] = frozenset(dropped)
        return found

    def total(self) -> Fraction | None:
        """Return the total in percent, None where nothing counts. Source: canvas-lms lib/grade_calculator.rb."""
        dropped = {key for keys in self.dropped().values() for key in keys}
        sums: dict[str, list[Fraction]] = {}
        for key, row in self.rows.items():
            if key not in dropped:
                earned_possible = sums.setdefault(row.group, [Fraction(0), Fraction(0)])
                earned_possible[0] += row.earned
                earned_possible[1] += row.possible
        if self.formula.weights is None:
            possible = sum((possible for _, possible in sums.values()), Fraction(0))
            return sum((earned for earned, _ in sums.values()), Fraction(0)) / possible * HUNDRED if possible else None
        return _weighted(sums, self.formula, self.formula.weights)


def _weighted(sums: Mapping[str, list[Fraction]], formula: Formula, weights: Mapping[str, Fraction]) -> Fraction | None:
    counted = {group: sum_ for group, sum_ in sums.items() if sum_[1] and group in weights}
    full = sum((weights[group] for group in counted), Fraction(0))
    if not full:
        return None
    percents = {group: earned / possible * HUNDRED for group, (earned, possible) in counted.items()}
    if formula.rounds_groups:
        percents = {group: Fraction(rounded(percent, 0)) for group, percent in percents.items()}
    grade = sum((percents[group] * weights[group] for group in counted), Fraction(0)) / HUNDRED
    return grade * HUNDRED / full if full < HUNDRED or formula.normalizes else grade


def rounded(number: Fraction, decimal_places: int = 2) -> Decimal:
    """Return the number with so many decimals, rounded half away from zero."""
    scaled = abs(number) * 10**decimal_places
    integer = (scaled + Fraction(1, 2)).__floor__()
    return (Decimal(integer) if number >= 0 else -Decimal(integer)).scaleb(-decimal_places)


def shown(total: Fraction | None) -> Decimal | None:
    """Return a total as both systems show it, to the hundredth; None where there is none."""
    return None if total is None else rounded(total)


def is_rounding_of(value: Decimal, total: Fraction | None) -> bool:
    """Say whether `value` is the total rounded to the hundredth, a half in either direction (Canvas uses floats)."""
    if total is None:
        return False
    return abs(Fraction(value) - total) <= Fraction(1, 200) + Fraction(1, 10**9)


def quantized(value: Decimal) -> Decimal:
    """Return a total that a system shows, to the hundredth."""
    return value.quantize(HUNDREDTH, ROUND_HALF_UP)


def keys_after_drops(rows: Mapping[str, Row], rules: GroupRules) -> frozenset[str]:
    """Return the keys of the rows that count, which are ids of assignments. At least one that may be dropped stays."""
    fixed = [key for key in rows if key in rules.never_drop]
    free = sorted(rows.keys() - rules.never_drop, key=_order)
    if not free or not (rules.drop_lowest or rules.drop_highest):
        return frozenset(rows)
    lowest = min(rules.drop_lowest, len(free) - 1)
    highest = rules.drop_highest if lowest + rules.drop_highest < len(free) else 0
    if any(row.possible for row in rows.values()):
        selected = _select(rows, free, fixed, len(free) - lowest, best=True)
        selected = _select(rows, selected, fixed, len(free) - lowest - highest, best=False)
    else:
        selected = sorted(free, key=lambda key: rows[key].earned)[lowest : len(free) - highest]
    return frozenset((*selected, *fixed))


def _order(key: str) -> tuple[int, str]:
    return (int(key), "") if key.isdecimal() else (0, key)


def _select(rows: Mapping[str, Row], free: list[str], fixed: list[str], count: int, *, best: bool) -> list[str]:
    """Return the `count` of the `free` with which the percentage is highest, or lowest unless `best`."""
    if len(free) <= count:
        return free
    if not any(rows[key].possible for key in (*free, *fixed)):
        # Only rows of 0 points are left by the drop of the lowest. Canvas keeps the highest of them, although it is to
        # drop the highest. Source: canvas-lms lib/grade_calculator.rb, which tells of such a course.
        return sorted(free, key=lambda key: rows[key].earned)[-count:]
    scores = [rows[key] for key in (*free, *fixed)]
    scale = lcm(*(number.denominator for score in scores for number in (score.earned, score.possible)))
    numbers = {key: (int(rows[key].earned * scale), int(rows[key].possible * scale)) for key in (*free, *fixed)}

    def rated(at: Fraction, key: str) -> int:
        earned, possible = numbers[key]
        return earned * at.denominator - at.numerator * possible

    def selected_at(at: Fraction) -> tuple[int, list[str]]:
        selected = sorted(free, key=lambda key: rated(at, key), reverse=best)[:count]
        return sum(rated(at, key) for key in (*selected, *fixed)), selected

    pointed = [score for score in scores if score.possible]
    low = min(score.earned / score.possible for score in pointed)
    high = _highest(scores, pointed)
    end = Fraction(1, 2 * count) / max(score.possible for score in pointed) ** 2
    middle = (low + high) / 2
    surplus, selected = selected_at(middle)
    while high - low >= end:
        low, high = (low, middle) if surplus < 0 else (middle, high)
        middle = (low + high) / 2
        surplus, selected = selected_at(middle)
    return selected


def _highest(scores: Sequence[Row], pointed: Sequence[Row]) -> Fraction:
    """Return the upper bound of the search: with scores of 0 points, more than any single score's percentage."""
    if len(pointed) == len(scores):
        return max(score.earned / score.possible for score in pointed)
    possible = sum((score.possible for score in pointed), Fraction(0))
    earned = sum((score.earned for score in pointed), Fraction(0))
    extra = sum((score.earned for score in scores if not score.possible), Fraction(0))
    return (max(possible, earned) + extra) / possible


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
