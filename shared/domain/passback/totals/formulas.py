"""The formulas of both sides, as sheets calculate with them, and in words."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from shared.domain.passback.totals.grading import CATEGORY_WEIGHTING, TOTAL_POINTS, CourseGrading, TermFormula
from shared.domain.passback.totals.sheet import Formula
from shared.domain.passback.totals.work import StudentWork
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
