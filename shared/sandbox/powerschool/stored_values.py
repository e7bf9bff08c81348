"""What PowerSchool may make of values before it stores them. None of it is publicly documented: each is a fault.

Evidence: PowerTeacher Pro shows rounded values (10.5 as 10) and multiplies points by the assignment's weight in its own
sums (help page wsesu 1000023065); every public capture has weight 1, so whether SCOREPOINTS comes back weighted is
unknown. A database column in a character set without emoji stores `?` for each unit of such a character.
"""

import re
from decimal import ROUND_HALF_UP, Decimal

from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.rows import AssignmentSection, Score

_TAG = re.compile(r"<[^<>]*>")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")


def store_assignment(row: AssignmentSection, faults: PowerSchoolFaults) -> None:
    """Change a written assignment section as the faults say."""
    if faults.lossy_names:
        row.name = _BEYOND_BMP.sub("??", row.name)
    if faults.plain_descriptions and row.description is not None:
        row.description = _TAG.sub("", row.description)
    if faults.point_places is not None:
        row.points = _rounded(row.points, faults.point_places)


def store_score(score: Score, row: AssignmentSection, faults: PowerSchoolFaults) -> None:
    """Change a written score as the faults say; what was entered stays as it is."""
    if score.points is None:
        return
    if faults.weighted_scores:
        score.points *= row.weight
    if faults.score_places is not None:
        score.points = _rounded(score.points, faults.score_places)
    if faults.capped_scores:
        score.points = min(score.points, row.total)


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
