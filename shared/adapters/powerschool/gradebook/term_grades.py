"""Reads PowerSchool's own term grades and how it calculates them, where a district lets the plugin read them.

Two queries of the plugin that are optional: a refused one is no fault of the installation, and is asked again with the
next explanation. Which tables hold the formulas is not documented by PowerSchool. The query joins them as a public
data warehouse does (TEAMSchools/teamster, int_powerschool__section_grade_config).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, TypeAdapter, model_validator

from shared.adapters.http.wire import AnyText, EnrollmentDate, OptionalId, OptionalNumber, Wire, without_nulls
from shared.adapters.powerschool.client import PowerSchoolApi
from shared.adapters.powerschool.pagination import page_of
from shared.adapters.powerschool.powerqueries import MAX_IDS_PER_CALL, query_path
from shared.domain.passback.powerschool import TeacherCategory
from shared.domain.passback.totals.grading import SectionGrading, TermFormula, TermGrade
from shared.domain.plugin import FORMULAS_QUERY, QUERY_FAULTS, TERM_GRADES_QUERY
from shared.errors import RequestRejected

R = TypeVar("R", bound=Wire)
# PERCENT is a number in every public query; what else a column may hold counts as no percentage.
Percent = Annotated[OptionalNumber, BeforeValidator(lambda value: None if value in ("--", "-", "null") else value)]


class TermGradeRow(Wire):
    """A row of `org.passback.sync.totals.term_grades`."""

    section_dcid: int
    student_dcid: int
    store_code: AnyText
    letter: AnyText = ""
    grade_percent: Percent = None
    first_day: EnrollmentDate = None
    last_day: EnrollmentDate = None

    _drop_nulls = model_validator(mode="before")(without_nulls)

    def to_domain(self) -> TermGrade:
        """Return the grade."""
        return TermGrade(self.store_code, self.grade_percent, self.letter, self.first_day, self.last_day)


class FormulaRow(Wire):
    """A row of `org.passback.sync.totals.formulas`: a reporting term of a section, with one of its weights if any."""

    section_dcid: int
    store_code: AnyText
    first_day: EnrollmentDate = None
    last_day: EnrollmentDate = None
    calculation: AnyText
    category_id: OptionalId = None
    district_category_id: OptionalId = None
    category_weight: OptionalNumber = None

    _drop_nulls = model_validator(mode="before")(without_nulls)


_GRADES = TypeAdapter(list[TermGradeRow])
_FORMULAS = TypeAdapter(list[FormulaRow])


def read_section_grading(
    api: PowerSchoolApi, section_dcids: Collection[int], categories: Mapping[int, Sequence[TeacherCategory]]
) -> Mapping[int, SectionGrading] | None:
    """Return what PowerSchool shows of its grades by SECTIONS.DCID; None where it does not show grades to the plugin.

    `categories` are those of the sections' teachers. Raises the errors of `shared.errors`.
    """
    grades = _rows(api, TERM_GRADES_QUERY, section_dcids, _GRADES)
    formulas = _rows(api, FORMULAS_QUERY, section_dcids, _FORMULAS)
    if grades is None and formulas is None:
        return None
    return {
        dcid: SectionGrading(
            formulas=_formulas([row for row in formulas or () if row.section_dcid == dcid], categories.get(dcid, ())),
            term_grades=_by_student(row for row in grades or () if row.section_dcid == dcid),
            grades_readable=grades is not None,
        )
        for dcid in section_dcids
    }


def read_formulas(
    api: PowerSchoolApi, section_dcids: Collection[int], categories: Mapping[int, Sequence[TeacherCategory]]
) -> Mapping[int, tuple[TermFormula, ...]] | None:
    """Return how PowerSchool calculates in these sections, by SECTIONS.DCID; None where it does not run the query.

    It asks for nobody's grades. `categories` are those of the sections' teachers.
    """
    rows = _rows(api, FORMULAS_QUERY, section_dcids, _FORMULAS)
    if rows is None:
        return None
    return {
        dcid: _formulas([row for row in rows if row.section_dcid == dcid], categories.get(dcid, ()))
        for dcid in section_dcids
    }


def _rows(
    api: PowerSchoolApi, query: str, section_dcids: Collection[int], wire: TypeAdapter[list[R]]
) -> list[R] | None:
    """Return the rows that can be read, None where PowerSchool does not run the query for this plugin."""
    dcids, found = sorted(section_dcids), list[R]()
    for start in range(0, len(dcids), MAX_IDS_PER_CALL):
        batch = list(dcids[start : start + MAX_IDS_PER_CALL])
        params = [("pagesize", "0"), ("count", "true")]
        try:
            response = api.query(query_path(query), params, {"section_dcids": [*batch]})
        except RequestRejected as error:
            if error.status in QUERY_FAULTS:
                return None
            raise
        rows, _ = page_of(response)
        found += response.rows(wire, rows)[0] if rows else []
    return found


def _by_student(rows: Iterable[TermGradeRow]) -> Mapping[int, tuple[TermGrade, ...]]:
    found: dict[int, tuple[TermGrade, ...]] = {}
    for row in rows:
        found[row.student_dcid] = (*found.get(row.student_dcid, ()), row.to_domain())
    return found


def _formulas(rows: Iterable[FormulaRow], categories: Sequence[TeacherCategory]) -> tuple[TermFormula, ...]:
    """Return one formula per reporting term; a weight of a district category is that of the teacher's copy."""
    copies = {each.district_category_id: each.id for each in categories}
    weights: dict[str, dict[int, Decimal]] = {}
    terms: dict[str, tuple[str, date | None, date | None]] = {}
    for row in rows:
        kind = row.calculation.strip().lower().replace(" ", "_")
        terms[row.store_code] = (kind, row.first_day, row.last_day)
        category_id = row.category_id or copies.get(row.district_category_id)
        of_term = weights.setdefault(row.store_code, {})
        if category_id is not None and row.category_weight is not None:
            of_term[category_id] = row.category_weight
    return tuple(
        TermFormula(code, kind, weights[code], first_day, last_day)
        for code, (kind, first_day, last_day) in terms.items()
    )
