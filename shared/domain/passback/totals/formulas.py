"""How both sides calculate, as sheets use it and in words; PowerSchool's own grade beside it; and what else to know."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from shared.domain.passback.powerschool import Score
from shared.domain.passback.student_status import sentence_of
from shared.domain.passback.totals.grading import (
    CATEGORY_WEIGHTING,
    TOTAL_POINTS,
    CourseGrading,
    TermFormula,
    TermGrade,
)
from shared.domain.passback.totals.sheet import (
    CanvasWork,
    Formula,
    Sheet,
    StudentWork,
    is_rounding_of,
    quantized,
    rounded,
    shown,
)
from shared.domain.wording import plain_number


@dataclass(frozen=True, slots=True)
class PowerSchoolFormula:
    """PowerSchool's formula; not `known` where passback can only assume that it weights as Canvas does."""

    formula: Formula
    known: bool
    text: str


def canvas_formula(grading: CourseGrading) -> Formula:
    """Return Canvas's formula."""
    if not grading.weighted:
        return Formula()
    return Formula({group.id: Fraction(group.weight) for group in grading.groups.values()})


def canvas_formula_text(grading: CourseGrading) -> str:
    """Return Canvas's formula in words."""
    if not grading.weighted:
        return "total points"
    return _weights({group.name: group.weight for group in grading.groups.values()})


def powerschool_formula(work: StudentWork) -> PowerSchoolFormula:
    """Return PowerSchool's formula as it was read, else the one of Canvas, with its weights given to the categories.

    The weight of a group goes to the category that most of its work is in.
    """
    names = work.category_names
    kind = "" if work.formula is None else work.formula.kind
    if kind == TOTAL_POINTS:
        return PowerSchoolFormula(Formula(), known=True, text="total points")
    if work.formula is not None and kind == CATEGORY_WEIGHTING and work.formula.weights:
        weights = {str(id_): Fraction(weight) for id_, weight in work.formula.weights.items()}
        text = _weights({names.get(id_, f"category {id_}"): weight for id_, weight in work.formula.weights.items()})
        return PowerSchoolFormula(Formula(weights, normalizes=True), known=True, text=text)
    if not work.grading.weighted:
        return PowerSchoolFormula(Formula(), known=False, text="total points")
    assumed = _assumed(work)
    text = _weights({names.get(id_, f"category {id_}"): weight for id_, weight in assumed.items()})
    formula = Formula({str(id_): Fraction(weight) for id_, weight in assumed.items()})
    return PowerSchoolFormula(formula, known=False, text=text)


def _assumed(work: StudentWork) -> Mapping[int, Decimal]:
    linked, categories = work.linked, dict[str, Counter[int]]()
    for each in work.canvas:
        there = linked.get(each.id)
        if there is not None and there.category_id is not None:
            categories.setdefault(each.group_id, Counter())[there.category_id] += 1
    weights: dict[int, Decimal] = {}
    for group_id, counts in categories.items():
        most = min(counts, key=lambda id_: (-counts[id_], id_))
        rules = work.grading.groups.get(group_id)
        weights[most] = weights.get(most, Decimal(0)) + (rules.weight if rules else 0)
    return weights


def has_weight(formula: TermFormula | None, category_id: int | None) -> bool:
    """Say whether work of the category counts at all, as far as the formula was read."""
    if formula is None or formula.kind != CATEGORY_WEIGHTING or not formula.weights:
        return True
    return category_id in formula.weights


def _weights(weights: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{name} {plain_number(weight)} %" for name, weight in weights.items()) or "no weights"


NOT_READABLE = (
    "PowerSchool does not let passback read its term grades. What PowerSchool's gradebook holds is computed instead."
)
NO_GRADE = "PowerSchool shows no grade of this student yet."
NO_DECIMALS = "PowerSchool shows its grade in whole numbers."
TENTHS = "PowerSchool shows its grade with one decimal."
ROUNDED_CATEGORIES = "PowerTeacher Pro rounds the percentage of each category before it weights them."
AGREES = "PowerSchool shows the same."
MAY_BE = (
    "PowerTeacher Pro may drop low scores, the grade may be entered by hand or not be calculated yet, or passback may "
    "not see all that counts."
)


@dataclass(frozen=True, slots=True)
class ReportedGrade:
    """The grade that PowerSchool shows, None where passback reads none, with what it says about the computed total.

    `unexplained` is how far it is from the computed total for no reason that passback knows.
    """

    grade: TermGrade | None
    sentence: str
    unexplained: Decimal = Decimal(0)


def reported_grade(work: StudentWork, sheet: Sheet) -> ReportedGrade:
    """Return PowerSchool's own grade beside `sheet`, what passback sees of its gradebook."""
    grade = work.term_grade
    if grade is None:
        return ReportedGrade(None, NO_GRADE if work.grades_readable else NOT_READABLE)
    if grade.percent is None:
        return ReportedGrade(grade, f"PowerSchool shows {grade.letter or 'a grade'} without a percentage.")
    total = sheet.total()
    percent = quantized(grade.percent)
    if total is not None:
        in_categories = replace(sheet, formula=replace(sheet.formula, rounds_groups=True)).total()
        variants = (
            (is_rounding_of(percent, total), AGREES),
            (grade.percent == rounded(total, 0), NO_DECIMALS),
            (grade.percent == rounded(total, 1), TENTHS),
            (sheet.formula.weights is not None and is_rounding_of(percent, in_categories), ROUNDED_CATEGORIES),
        )
        known = next((sentence for fits, sentence in variants if fits), None)
        if known is not None:
            return ReportedGrade(grade, known)
    unexplained = percent - (shown(total) or Decimal(0))
    return ReportedGrade(grade, f"{unexplained} is not explained: {_why(work.formula)}{MAY_BE}", unexplained)


def _why(formula: TermFormula | None) -> str:
    if formula is None:
        return "PowerSchool does not let passback read how it calculates. "
    if formula.kind not in (TOTAL_POINTS, CATEGORY_WEIGHTING):
        return (
            f"PowerSchool calculates this grade by {formula.kind.replace('_', ' ')}, which passback does not compute. "
        )
    return ""


def widest(found: Iterable[TermGrade]) -> TermGrade | None:
    """Return the grade of the longest reporting term, which covers the section's work best; None of none."""
    return max(found, key=lambda grade: (_days(grade), grade.percent is not None, grade.store_code), default=None)


def formula_of(formulas: Iterable[TermFormula], grade: TermGrade | None) -> TermFormula | None:
    """Return the formula of the grade's reporting term; without a grade that of the longest, None of none."""
    known = list(formulas)
    of_term = [formula for formula in known if grade is not None and formula.store_code == grade.store_code]
    return max(of_term or ([] if grade is not None else known), key=_days, default=None)


def _days(term: TermFormula | TermGrade) -> int:
    return (term.last_day - term.first_day).days if term.first_day and term.last_day else 0


FORMULA_UNKNOWN = (
    "PowerSchool does not let passback read how it weights categories. The sums assume that it weights as Canvas does."
)
TOTALS_HIDDEN = "Canvas hides the course's totals from students."
NO_TOTAL = "Canvas shows passback no total of this student. The sums begin with what its scores and rules give."


def caveats_of(work: StudentWork, *, is_formula_known: bool) -> Iterator[str]:
    """Yield the sentences."""
    if not is_formula_known and work.grading.weighted:
        yield FORMULA_UNKNOWN
        yield from _without_weight(work)
    if work.totals is None:
        yield NO_TOTAL
    if work.grading.hides_totals:
        yield TOTALS_HIDDEN
    for each in work.canvas:
        if each.deducted:
            yield (
                f"{each.name}: {plain_number(each.deducted)} points were deducted because it was late. Both gradebooks "
                "have the score without them."
            )
        if _is_extra_credit(each):
            yield f"{each.name}: {sentence_of(Score(each.score), each.points)} is extra credit and counts in full."
    yield from work.problems


def _is_extra_credit(work: CanvasWork) -> bool:
    return work.row is not None and work.row.earned > work.row.possible


def _without_weight(work: StudentWork) -> Iterator[str]:
    """Yield the work that no sum can hold: in a category that has no work of Canvas, so that no weight is known."""
    weighted = {there.category_id for there in work.powerschool if there.canvas_id is not None}
    for there in work.powerschool:
        if there.canvas_id is None and there.row is not None and there.category_id not in weighted:
            score = sentence_of(there.score, there.points)
            category = work.category_names.get(there.category_id or 0, "of unknown name")
            yield f"{there.name} ({score}) is in no sum: the weight of its category {category} is not known."
