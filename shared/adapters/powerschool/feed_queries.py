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
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool
from shared.domain.roster import Roster
from shared.errors import AccessDenied, NotFound

T = TypeVar("T", bound=BaseModel)

PREFIX = "org.passback.sync.provisioning."
# PowerSchool documents that any page size will do. Should it have a cap, the pages are found to be that long.
ROWS_PER_PAGE = 10_000

ROW_TYPES: dict[str, type[BaseModel]] = {
    f"{PREFIX}schools": SchoolRow,
    f"{PREFIX}terms": TermRow,
    f"{PREFIX}courses": CourseRow,
    f"{PREFIX}sections": SectionRow,
    f"{PREFIX}staff": StaffRow,
    f"{PREFIX}students": StudentRow,
    f"{PREFIX}enrollments": EnrollmentRow,
}


class QueriedFeed:
    """One way to read whole rosters."""

    def __init__(self, api: ReadOnlyPowerSchool, rows_per_page: int = ROWS_PER_PAGE) -> None:
        self._api = api
        self._rows_per_page = rows_per_page

    def read(self) -> Roster | None:
        """Return all rosters; None if a query is not installed or one of its fields is not granted.

        Raises: RosterTruncated. Source: PowerSchool "PowerQueries" (`page`, `pagesize`, `count`).
        """
        try:
            return self._read()
        except (NotFound, AccessDenied) as error:
            # A 401 is about the credentials, which no other way would do better with.
            if error.status == 401:
                raise
            return None

    def _read(self) -> Roster:
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
            return query_page(self._api.query(f"{PREFIX}{name}", [*paging, ("count", "true")]))

        def count() -> int:
            return counted(self._api.query(f"{PREFIX}{name}", count=True))

        return whole_list(page_of, self._rows_per_page, TypeAdapter(list[row_type]), count)  # type: ignore[valid-type]
