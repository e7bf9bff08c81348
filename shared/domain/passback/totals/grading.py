"""How both systems grade, as values: weights, drop rules, grading periods, totals; and how their weights differ."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from shared.domain.wording import plain_number


@dataclass(frozen=True, slots=True)
class GroupRules:
    """An assignment group's weight in percent, how many scores it drops, and the ids of work that is never dropped.

    Source: Canvas Assignment Groups API, `group_weight` and `rules`.
    """

    id: str
    name: str
    weight: Decimal = Decimal(0)
    drop_lowest: int = 0
    drop_highest: int = 0
    never_drop: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class GradingPeriod:
    """A grading period with its weight in percent, None where its set is not weighted."""

    id: str
    title: str
    weight: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CanvasTotals:
    """What Canvas shows of a student's total, in percent; None where it shows none.

    `current` leaves out ungraded work, and scores that are not posted to the student. `override` is the final grade
    that a teacher entered instead. Source: Canvas Enrollments API, `grades`.
    """

    current: Decimal | None = None
    override: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CourseGrading:
    """How a Canvas course grades, with the totals by Canvas user id. `hides_totals`: students do not see theirs."""

    weighted: bool
    groups: Mapping[str, GroupRules]
    periods: tuple[GradingPeriod, ...] = ()
    totals: Mapping[str, CanvasTotals] = field(default_factory=dict)
    hides_totals: bool = False


@dataclass(frozen=True, slots=True)
class TermGrade:
    """The grade of a student that PowerSchool shows for a reporting term. Source: PGFINALGRADES."""

    store_code: str
    percent: Decimal | None
    letter: str = ""
    first_day: date | None = None
    last_day: date | None = None


TOTAL_POINTS, CATEGORY_WEIGHTING = "total_points", "category_weighting"


@dataclass(frozen=True, slots=True)
class TermFormula:
    """How PowerSchool calculates the grade of a reporting term in a section: `kind` in PowerSchool's word, lower case.

    `weights` are those of categories, by TEACHERCATEGORY id.
    """

    store_code: str
    kind: str
    weights: Mapping[int, Decimal] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class SectionGrading:
    """What the plugin's optional queries return of a section; empty where PowerSchool does not run them.

    `term_grades` are by STUDENTS.DCID. `grades_readable` says whether PowerSchool runs the query of grades.
    """

    formulas: tuple[TermFormula, ...] = ()
    term_grades: Mapping[int, tuple[TermGrade, ...]] = field(default_factory=dict)
    grades_readable: bool = False


# Weights are entered with few decimals; a smaller difference is one of thirds.
MAX_DIFFERENCE = Fraction(1, 1000)


def weight_differences(
    grading: CourseGrading, formulas: Iterable[TermFormula], categories: Mapping[str, tuple[int, str]], today: date
) -> Iterator[tuple[str, str]]:
    """Yield what differs in a section, each once: the id of an assignment group, and both weights in words.

    The id is empty where one of the two systems does not weight at all. `categories` are ids and names by group id.

    Shares are compared, of the categories that a group of the course has: PowerSchool leaves a category without work
    out, and takes weights that do not add up to 100. Reporting terms that are over do not count.
    """
    seen = set[str]()
    current = (f for f in formulas if f.last_day is None or f.last_day >= today)
    for formula in sorted(current, key=lambda f: f.store_code):
        for group_id, detail in _differences(grading, formula, categories):
            if group_id not in seen:
                seen.add(group_id)
                yield group_id, detail


def _differences(
    grading: CourseGrading, formula: TermFormula, categories: Mapping[str, tuple[int, str]]
) -> Iterator[tuple[str, str]]:
    is_weighted, code = formula.kind == CATEGORY_WEIGHTING and len(formula.weights) > 1, formula.store_code
    if len({category_id for category_id, _ in categories.values()}) < 2:
        # The work of one category counts alike either way.
        return
    if grading.weighted and formula.kind == TOTAL_POINTS:
        yield "", f"Canvas weights groups, PowerSchool counts total points in {code}"
    if not grading.weighted and is_weighted:
        yield "", f"Canvas counts total points, PowerSchool weights categories in {code}"
    if not (grading.weighted and is_weighted):
        return
    in_canvas, groups = dict[int, Decimal](), dict[int, str]()
    for group_id, (category_id, _) in categories.items():
        rules = grading.groups.get(group_id)
        in_canvas[category_id] = in_canvas.get(category_id, Decimal(0)) + (rules.weight if rules else 0)
        groups.setdefault(category_id, group_id)
    names = dict(categories.values())
    there = {id_: formula.weights.get(id_, Decimal(0)) for id_ in in_canvas}
    shares, theirs = _shares(in_canvas), _shares(there)
    for category_id, group_id in groups.items():
        if abs(shares[category_id] - theirs[category_id]) > MAX_DIFFERENCE:
            canvas_weight, powerschool_weight = plain_number(in_canvas[category_id]), plain_number(there[category_id])
            detail = f"{names[category_id]}: {canvas_weight} in Canvas, {powerschool_weight} in PowerSchool, {code}"
            yield group_id, detail


def _shares(weights: Mapping[int, Decimal]) -> Mapping[int, Fraction]:
    total = sum(map(Fraction, weights.values()), Fraction(0))
    return {id_: Fraction(weight) / total if total else Fraction(0) for id_, weight in weights.items()}
