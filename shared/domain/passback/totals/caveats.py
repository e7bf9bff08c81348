"""What is worth knowing about a student's totals although it changes nothing, as sentences."""

from collections.abc import Iterator

from shared.domain.passback.powerschool import Score
from shared.domain.passback.student_status import sentence_of
from shared.domain.passback.totals.work import CanvasWork, StudentWork
from shared.domain.wording import plain_number

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
