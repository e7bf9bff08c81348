"""Totals of the small school: what Canvas says of them, without an HTTP client."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast

from shared.adapters.canvas.grading import CanvasGrading
from shared.domain.passback.totals.grading import CanvasTotals, CourseGrading, GroupRules, SectionGrading
from tests.unit.workers.grade_passback.school import School
from workers.grade_passback.operations.totals import TotalsReader

TOTALS = {"71": CanvasTotals(Decimal("65.00")), "72": CanvasTotals(Decimal("77.50"))}
GRADING = CourseGrading(weighted=False, groups={"31": GroupRules("31", "Homework")}, totals=TOTALS)


@dataclass
class FakeGrading:
    """The `CanvasGrading`."""

    grading: CourseGrading = field(default_factory=lambda: GRADING)

    def course(self, _course_id: str) -> CourseGrading:
        return self.grading


def totals_reader(
    school: School, grading: CourseGrading = GRADING, sections: Mapping[int, SectionGrading] | None = None
) -> TotalsReader:
    """Return the reader of the school's totals; `sections` is what PowerSchool shows of its own grades."""
    return TotalsReader(
        lambda: school.reader,
        cast("CanvasGrading", FakeGrading(grading)),
        school.powerschool,
        lambda _dcids, _categories: sections,
        school.dead_letters,
        school.clock,
    )
