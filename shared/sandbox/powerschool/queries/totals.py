"""The optional queries of the plugin, for `passback totals`: term grades, and how they are calculated.

They answer as the SQL in `deploy/powerschool-plugin/optional` says.
"""

from collections.abc import Iterable
from types import SimpleNamespace

from shared.sandbox.powerschool.queries.gradebook import Arguments, Joined, PowerQuery
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.term_grades import term_grade


def _grade_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    for dcid in sorted(arguments["section_dcids"] & state.sections.keys()):
        section = state.sections[dcid]
        for student_dcid in sorted({row.student_dcid for row in state.rosters[dcid]}):
            grade = term_grade(state, section, student_dcid)
            if grade is not None:
                yield {"section": section, "grade": grade}


def _formula_rows(state: PowerSchool, arguments: Arguments) -> Iterable[Joined]:
    """Return a row per weighted category, and one for a section that calculates by total points."""
    for dcid in sorted(arguments["section_dcids"] & state.sections.keys()):
        section, term = state.sections[dcid], state.term_of(state.sections[dcid])
        kind = SimpleNamespace(type="Category_Weighting" if section.category_weights else "Total_Points")
        joined: Joined = {"section": section, "term": term, "kind": kind}
        if not section.category_weights:
            yield joined
        for category_id, weight in section.category_weights.items():
            category = state.categories.get(category_id)
            district_id = category.district_id if category else None
            yield {**joined, "weight": SimpleNamespace(weight=weight, category_id=category_id, district_id=district_id)}


TOTALS_QUERIES = {
    query.name: query
    for query in (
        PowerQuery(
            "org.passback.sync.totals.term_grades",
            "pgfinalgrades",
            {
                "section_dcid": ("sections.dcid", "section", "dcid"),
                "student_dcid": ("students.dcid", "grade", "student_dcid"),
                "store_code": ("pgfinalgrades.finalgradename", "grade", "store_code"),
                "letter": ("pgfinalgrades.grade", "grade", "letter"),
                "grade_percent": ("pgfinalgrades.percent", "grade", "percent"),
                "first_day": ("pgfinalgrades.startdate", "grade", "first_day"),
                "last_day": ("pgfinalgrades.enddate", "grade", "last_day"),
            },
            _grade_rows,
            arguments=("section_dcids",),
        ),
        PowerQuery(
            "org.passback.sync.totals.formulas",
            "gradecalculationtype",
            {
                "section_dcid": ("sections.dcid", "section", "dcid"),
                "store_code": ("termbins.storecode", "term", "abbreviation"),
                "first_day": ("termbins.date1", "term", "first_day"),
                "last_day": ("termbins.date2", "term", "last_day"),
                "calculation": ("gradecalculationtype.type", "kind", "type"),
                "category_id": ("gradecalcformulaweight.teachercategoryid", "weight", "category_id"),
                "district_category_id": ("gradecalcformulaweight.districtteachercategoryid", "weight", "district_id"),
                "category_weight": ("gradecalcformulaweight.weight", "weight", "weight"),
            },
            _formula_rows,
            arguments=("section_dcids",),
        ),
    )
}
