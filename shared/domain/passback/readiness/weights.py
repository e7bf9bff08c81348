"""Compares the weights of a course's assignment groups with those of PowerSchool's categories, where it shows any."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from shared.domain.passback.totals.grading import CATEGORY_WEIGHTING, TOTAL_POINTS, CourseGrading, TermFormula
from shared.domain.wording import plain_number

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
