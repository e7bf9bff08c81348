"""Reads PowerSchool's rosters for provisioning: the port `RosterFeed`, which has no way to write.

Rosters come by the plugin's queries: seven lists, in large pages that count themselves. Every reading also fills the
cache of sections and students that passback uses.
"""

from collections.abc import Callable
from datetime import date
from typing import TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from shared.adapters.http.wire import AnyText, Wire
from shared.adapters.powerschool.pagination import QueryList, as_list
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
    EnrollmentRow,
    member_of,
    section_of,
    student_of,
)
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool
from shared.adapters.powerschool.rosters.reader import SectionRosters
from shared.domain.provisioning.roster import (
    CatalogCourse,
    ClassEnrollment,
    Roster,
    School,
    SchoolTerm,
    UnreadableRecord,
)
from shared.errors import RequestRejected, UnexpectedResponse
from shared.ports.provisioning import DataVersion

R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")

# PowerSchool documents that any page size will do. Should it have a cap, the pages are as long as that.
ROWS_PER_PAGE = 10_000
APPLICATION = "passback"
FIRST_VERSION = "0"
ROSTER_TABLES = frozenset(
    [
        "schools",
        "terms",
        "courses",
        "sections",
        "sectionteacher",
        "schoolstaff",
        "users",
        "students",
        "person",
        "personemailaddressassoc",
        "emailaddress",
        "cc",
    ]
)


class DataVersionWire(Wire):
    """`{"$dataversion": "16323283", "tables": {"users": [851]}}`, ids only."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    version: AnyText = Field(validation_alias="$dataversion", min_length=1)
    tables: dict[str, object]


_DATA_VERSION = TypeAdapter(DataVersionWire)


class PowerSchoolRosterFeed:
    """Reads whole rosters, and caches their sections for passback. Thread-safe."""

    def __init__(
        self,
        api: ReadOnlyPowerSchool,
        queries: PowerQueries,
        sections: SectionRosters,
        time_zone: Callable[[], ZoneInfo],
        rows_per_page: int = ROWS_PER_PAGE,
    ) -> None:
        self._api = api
        self._queries = queries
        self._sections = sections
        self._time_zone = time_zone
        self._rows_per_page = rows_per_page

    def read(self) -> Roster:
        """Return all rosters of the school years under way or near.

        Raises: IncompleteRead; QueryUnavailable, before any row is read.
        """
        # Read before PowerSchool is: what is read while rosters change counts as read before they did.
        change = self._sections.last_change()
        roster = self._read()
        self._sections.store(roster, change)
        return roster

    def changes_since(self, version: str | None) -> DataVersion | None:
        """Return the newest data version, and whether a roster table changed since `version`.

        How an application subscribes to tables is not public. So every response but the documented one means that this
        PowerSchool has no data version: None. And "nothing changed" is a hint: a PowerSchool that watches fewer tables
        than it should would say it as well. Scheduled runs read the rosters in any case.
        Source: PowerSchool "Data Version" (9.3), `GET /ws/dataversion/{application}/{version}`.
        """
        ids = {"application": APPLICATION, "version": version or FIRST_VERSION}
        try:
            newest = self._api.get("/ws/dataversion/{application}/{version}", ids).parse(_DATA_VERSION)
        except (RequestRejected, UnexpectedResponse) as error:
            # Wrong credentials say nothing about versions.
            if isinstance(error, RequestRejected) and error.status == 401:
                raise
            return None
        changed = {table.lower() for table, rows in newest.tables.items() if as_list(rows)}  # type: ignore[arg-type]
        return DataVersion(newest.version, has_changed=version is None or not changed.isdisjoint(ROSTER_TABLES))

    def time_zone(self) -> ZoneInfo:
        """Return the district's time zone."""
        return self._time_zone()

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _read(self) -> Roster:
        counts = {listed.query: self._queries.count(listed) for listed in LISTS}
        odd_rows, unsettled = list[UnreadableRecord](), list[str]()

        def read(listed: QueryList[R], make: Callable[[list[R]], T]) -> tuple[T, ...]:
            expected = counts[listed.query]
            reading = self._queries.read(listed, make, rows_per_page=self._rows_per_page, expected=expected)
            odd_rows.extend(reading.odd)
            if not reading.is_settled:
                unsettled.append(listed.query.rpartition(".")[2])
            return reading.values

        return Roster(
            schools=read(SCHOOLS, lambda rows: School(**dict(rows[0]))),
            terms=read(TERMS, lambda rows: SchoolTerm(**dict(rows[0]))),
            courses=read(COURSES, lambda rows: CatalogCourse(**dict(rows[0]))),
            sections=read(SECTIONS, section_of),
            staff=read(STAFF, member_of),
            students=read(STUDENTS, student_of),
            enrollments=read(ENROLLMENTS, enrollment_maker()),
            odd_rows=tuple(odd_rows),
            unsettled=tuple(unsettled),
        )


def enrollment_maker() -> Callable[[list[EnrollmentRow]], ClassEnrollment]:
    """Return what makes enrollments with every number and date once: of hundreds of thousands few are different."""
    numbers: dict[int, int] = {}
    days: dict[date | None, date | None] = {}

    def make(rows: list[EnrollmentRow]) -> ClassEnrollment:
        row = rows[0]
        return ClassEnrollment(
            section_dcid=numbers.setdefault(row.section_dcid, row.section_dcid),
            student_dcid=numbers.setdefault(row.student_dcid, row.student_dcid),
            entry_date=days.setdefault(row.entry_date, row.entry_date),
            exit_date=days.setdefault(row.exit_date, row.exit_date),
            is_dropped=row.is_dropped,
        )

    return make
