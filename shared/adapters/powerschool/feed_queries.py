"""Whole rosters by the plugin's provisioning queries: seven lists, in large pages that count themselves."""

from typing import TypeVar

from pydantic import BaseModel, TypeAdapter

from shared.adapters.http.api import Params
from shared.adapters.powerschool.feed_rows import (
    CourseRow,
    EnrollmentRow,
    SchoolRow,
    SectionRow,
    StaffRow,
    StudentRow,
    TermRow,
    sections_of,
    staff_of,
    students_of,
)
from shared.adapters.powerschool.pages import Page, counted, query_page, whole_list
from shared.adapters.powerschool.queries import QueryGate
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool
from shared.domain.plugin_queries import PROVISIONING_PREFIX, PROVISIONING_QUERIES
from shared.domain.roster import Roster

T = TypeVar("T", bound=BaseModel)

# PowerSchool documents that any page size will do. Should it have a cap, the pages are found to be that long.
ROWS_PER_PAGE = 10_000

ROW_TYPES: dict[str, type[BaseModel]] = {
    f"{PROVISIONING_PREFIX}schools": SchoolRow,
    f"{PROVISIONING_PREFIX}terms": TermRow,
    f"{PROVISIONING_PREFIX}courses": CourseRow,
    f"{PROVISIONING_PREFIX}sections": SectionRow,
    f"{PROVISIONING_PREFIX}staff": StaffRow,
    f"{PROVISIONING_PREFIX}students": StudentRow,
    f"{PROVISIONING_PREFIX}enrollments": EnrollmentRow,
}


class QueriedFeed:
    """Reads whole rosters."""

    def __init__(self, api: ReadOnlyPowerSchool, gate: QueryGate, rows_per_page: int = ROWS_PER_PAGE) -> None:
        self._api = api
        self._gate = gate
        self._rows_per_page = rows_per_page

    def read(self) -> Roster:
        """Return all rosters.

        Raises: RosterTruncated; QueryUnavailable, before any row is read. Source: PowerSchool "PowerQueries" (`page`,
        `pagesize`, `count`).
        """
        for name in PROVISIONING_QUERIES:
            self._count(name)
        return Roster(
            schools=tuple(row.school() for row in self._rows("schools", SchoolRow)),
            terms=tuple(row.term() for row in self._rows("terms", TermRow)),
            courses=tuple(row.course() for row in self._rows("courses", CourseRow)),
            sections=sections_of(self._rows("sections", SectionRow)),
            staff=staff_of(self._rows("staff", StaffRow)),
            students=students_of(self._rows("students", StudentRow)),
            enrollments=tuple(row.enrollment() for row in self._rows("enrollments", EnrollmentRow)),
        )

    def _rows(self, name: str, row_type: type[T]) -> list[T]:
        def page_of(paging: Params) -> Page:
            query, params = f"{PROVISIONING_PREFIX}{name}", [*paging, ("count", "true")]
            return query_page(self._gate.run(query, lambda: self._api.query(query, params)))

        def count() -> int:
            return self._count(f"{PROVISIONING_PREFIX}{name}")

        return whole_list(page_of, self._rows_per_page, TypeAdapter(list[row_type]), count)  # type: ignore[valid-type]

    def _count(self, query: str) -> int:
        return counted(self._gate.run(query, lambda: self._api.query(query, count=True)))
