"""The term grade of a student in a section, as PowerTeacher Pro calculates it from what was entered.

Source: PowerTeacher Pro help, "Traditional Grade Calculations" (total points, category weighting) and "Assignment
details" (an assignment's weight multiplies points earned and points possible).
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from shared.sandbox.powerschool.rows import AssignmentSection, Score, Section
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.xte.score_values import SCORE_CODES, letter_grade

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class FinalGrade:
    """A row of PGFINALGRADES."""

    student_dcid: int
    store_code: str
    percent: Decimal
    letter: str | None
    first_day: date
    last_day: date


def term_grade(state: PowerSchool, section: Section, student_dcid: int) -> FinalGrade | None:
    """Return the grade of the section's own term; None while no score of the student counts."""
    sums: dict[int | None, list[Decimal]] = defaultdict(lambda: [Decimal(0), Decimal(0)])
    for row in state.gradebooks[section.dcid].values():
        earned = _entered_points(row, row.scores.get(student_dcid))
        if row.counted and earned is not None:
            sums[row.category_id][0] += earned * row.weight
            sums[row.category_id][1] += row.total
    percent = _percent(sums, section.category_weights)
    if percent is None:
        return None
    percent = percent.quantize(Decimal(1).scaleb(-section.grade_places), ROUND_HALF_UP)
    term = state.term_of(section)
    letter = letter_grade(percent)
    return FinalGrade(student_dcid, term.abbreviation, percent, letter, term.first_day, term.last_day)


def _entered_points(row: AssignmentSection, score: Score | None) -> Decimal | None:
    """Return the points that were entered, before the assignment's weight; None for a score that does not count."""
    if score is None or score.exempt or score.entered is None:
        return None
    if score.kind == "SCORE_CODE":
        return row.points * SCORE_CODES[score.entered].percent / HUNDRED
    if row.score_type == "PERCENT":
        return row.points * Decimal(score.entered) / HUNDRED
    return Decimal(score.entered) if row.score_type == "POINTS" else None


def _percent(sums: dict[int | None, list[Decimal]], weights: dict[int, Decimal]) -> Decimal | None:
    if not weights:
        earned, possible = (sum((pair[n] for pair in sums.values()), Decimal(0)) for n in (0, 1))
        return earned / possible * HUNDRED if possible else None
    counted = [(sums[key][0] / sums[key][1], weight) for key, weight in weights.items() if key in sums and sums[key][1]]
    full = sum((weight for _, weight in counted), Decimal(0))
    return sum((part * weight for part, weight in counted), Decimal(0)) / full * HUNDRED if full else None
