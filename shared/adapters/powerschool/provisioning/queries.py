"""Whole rosters by the plugin's provisioning queries: seven lists, in large pages that count themselves."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import TypeVar

from pydantic import BaseModel

from shared.adapters.powerschool.pagination import QueryList
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.powerschool.provisioning.rows import (
    COURSES,
    ENROLLMENTS,
    LISTS,
    SCHOOLS,
    SECTIONS,
    STAFF,
    STUDENTS,
    TERMS,
    member_of,
    section_of,
    student_of,
)
from shared.domain.provisioning.roster import ClassEnrollment, Roster, UnreadableRecord

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")

# PowerSchool documents that any page size will do. Should it have a cap, the pages are as long as that.
ROWS_PER_PAGE = 10_000


class QueriedFeed:
    """Reads whole rosters."""

    def __init__(self, queries: PowerQueries, rows_per_page: int = ROWS_PER_PAGE) -> None:
        self._queries = queries
        self._rows_per_page = rows_per_page

    def read(self) -> Roster:
        """Return all rosters.

        Raises: IncompleteRead; QueryUnavailable, before any row is read.
        """
        counts = {each.query: self._queries.count(each) for each in LISTS}
        odd_rows, unsettled = list[UnreadableRecord](), list[str]()

        def read(listed: QueryList[R], make: Callable[[list[R]], T]) -> tuple[T, ...]:
            found = self._queries.read(listed, make, rows_per_page=self._rows_per_page, before=counts[listed.query])
            odd_rows.extend(found.odd)
            if not found.is_settled:
                unsettled.append(listed.query.rpartition(".")[2])
            return found.values

        return Roster(
            schools=read(SCHOOLS, lambda rows: rows[0].school()),
            terms=read(TERMS, lambda rows: rows[0].term()),
            courses=read(COURSES, lambda rows: rows[0].course()),
            sections=read(SECTIONS, section_of),
            staff=read(STAFF, member_of),
            students=read(STUDENTS, student_of),
            enrollments=read(ENROLLMENTS, sharing(lambda rows: rows[0].enrollment())),
            odd_rows=tuple(odd_rows),
            unsettled=tuple(unsettled),
        )


def sharing(make: Callable[[list[R]], ClassEnrollment]) -> Callable[[list[R]], ClassEnrollment]:
    """Return `make` with every number and date once: of hundreds of thousands of rows few are different."""
    numbers: dict[int, int] = {}
    days: dict[date | None, date | None] = {}

    def made(rows: list[R]) -> ClassEnrollment:
        found = make(rows)
        return replace(
            found,
            section_dcid=numbers.setdefault(found.section_dcid, found.section_dcid),
            student_dcid=numbers.setdefault(found.student_dcid, found.student_dcid),
            entry_date=days.setdefault(found.entry_date, found.entry_date),
            exit_date=days.setdefault(found.exit_date, found.exit_date),
        )

    return made
