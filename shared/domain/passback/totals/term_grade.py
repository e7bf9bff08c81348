"""Compares the total that passback computes of PowerSchool's gradebook with the grade that PowerSchool shows."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from shared.domain.passback.totals.grading import CATEGORY_WEIGHTING, TOTAL_POINTS, TermFormula, TermGrade
from shared.domain.passback.totals.sheet import Sheet, is_rounding_of, quantized, rounded, shown
from shared.domain.passback.totals.work import StudentWork

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
    return max(found, key=lambda grade: (grade.days, grade.percent is not None, grade.store_code), default=None)


def formula_of(formulas: Iterable[TermFormula], grade: TermGrade | None) -> TermFormula | None:
    """Return the formula of the grade's reporting term; without a grade that of the longest, None of none."""
    known = list(formulas)
    of_term = [formula for formula in known if grade is not None and formula.store_code == grade.store_code]
    return max(of_term or ([] if grade is not None else known), key=_days, default=None)


def _days(formula: TermFormula) -> int:
    return (formula.last_day - formula.first_day).days if formula.first_day and formula.last_day else 0
