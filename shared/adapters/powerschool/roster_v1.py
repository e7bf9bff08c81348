"""Rosters by the v1 API, for a PowerSchool without the plugin's queries: several requests for every section."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Annotated, TypeVar

from pydantic import BeforeValidator, Field, TypeAdapter

from shared.adapters.http.api import Params
from shared.adapters.http.exact_json import Json
from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.cache import JsonCache
from shared.adapters.powerschool.enrollment import ENROLLED, Enrollment, merged
from shared.adapters.powerschool.metadata import MetadataReader
from shared.adapters.powerschool.pages import inside, rows_inside
from shared.adapters.powerschool.roster import SectionAddress
from shared.adapters.powerschool.wire import Day, MaybeDay, MaybeId, Text, Wire
from shared.domain.powerschool import RosteredSection, RosteredStudent, Term
from shared.domain.sis_templates import SisIdTemplate
from shared.errors import NotFound

T = TypeVar("T")

# TERMS.YEARID counts from here.
FIRST_YEAR = 1990
WITH_STATUS = ("expansions", "school_enrollment")


def _none_if_blank(value: object) -> object:
    """An element without content is an empty text."""
    return None if value == "" else value


class SectionWire(Wire):
    """`GET /ws/v1/section/{id}`; `staff_id` is SCHOOLSTAFF.DCID of the lead teacher, `term_id` TERMS.DCID."""

    id: int
    school_id: int
    staff_id: MaybeId = None
    term_id: int


class EnrollmentWire(Wire):
    """One of `GET /ws/v1/section/{id}/section_enrollment`."""

    student_id: int
    entry_date: MaybeDay = None
    exit_date: MaybeDay = None
    dropped: bool = False


class StaffWire(Wire):
    """`GET /ws/v1/staff/{id}`."""

    users_dcid: int


class TermWire(Wire):
    """`GET /ws/v1/term/{id}`."""

    start_year: int
    start_date: Day
    end_date: Day


class SchoolWire(Wire):
    """`GET /ws/v1/school/{id}`."""

    school_number: int


class SchoolEnrollment(Wire):
    """A student's enrollment in a school."""

    enroll_status_code: int


class StudentWire(Wire):
    """A student, with the expansion `school_enrollment`."""

    id: int
    local_id: Text
    school_enrollment: Annotated[SchoolEnrollment | None, BeforeValidator(_none_if_blank)] = Field(default=None)

    @property
    def in_school(self) -> bool:
        """Say whether the student is enrolled; where PowerSchool does not tell, the section's enrollment decides."""
        return self.school_enrollment is None or self.school_enrollment.enroll_status_code == ENROLLED


_SECTION = TypeAdapter(SectionWire)
_ENROLLMENTS = TypeAdapter(list[EnrollmentWire])
_STAFF = TypeAdapter(StaffWire)
_TERM = TypeAdapter(TermWire)
_SCHOOL = TypeAdapter(SchoolWire)
_STUDENT = TypeAdapter(StudentWire)
_STUDENTS = TypeAdapter(list[StudentWire])
_NUMBERS = TypeAdapter(dict[int, tuple[str, bool]])


class V1Roster:
    """A `RosterSource`. The students of a school are remembered, since sections share them."""

    def __init__(
        self,
        api: PowerSchoolApi,
        metadata: MetadataReader,
        cache: JsonCache,
        template: SisIdTemplate,
        max_age: timedelta,
    ) -> None:
        self._api = api
        self._metadata = metadata
        self._cache = cache
        self._template = template
        self._max_age = max_age

    def read(self, addresses: Sequence[SectionAddress], today: date) -> list[RosteredSection]:
        """Return the existing ones of these sections."""
        sections = (self._section(address, today) for address in addresses)
        return [section for section in sections if section is not None]

    def _section(self, address: SectionAddress, today: date) -> RosteredSection | None:
        try:
            found = self._one("section", address.dcid, _SECTION)
        except NotFound:
            return None
        term = self._one("term", found.term_id, _TERM)
        dates = Term(term.start_date, term.end_date, term.start_year - FIRST_YEAR)
        return RosteredSection(
            sis_section_id=address.sis_id,
            dcid=found.id,
            school_number=self._one("school", found.school_id, _SCHOOL).school_number,
            teacher_users_dcid=self._teacher(found.staff_id),
            term=dates,
            students=self._students(found, dates, today),
        )

    def _teacher(self, staff_id: int | None) -> int | None:
        return self._one("staff", staff_id, _STAFF).users_dcid if staff_id else None

    def _students(self, section: SectionWire, term: Term, today: date) -> dict[str, RosteredStudent]:
        size = self._metadata.read().section_enrollment_max_page_size
        template = "/ws/v1/section/{id}/section_enrollment"
        pages = self._pages(template, section.id, "section_enrollments", "section_enrollment", size, _ENROLLMENTS)
        stays = list(pages)
        numbers = self._numbers(section.school_id, {stay.student_id for stay in stays})
        enrollments = [_enrollment(stay, numbers[stay.student_id]) for stay in stays if stay.student_id in numbers]
        return merged(enrollments, term, today, self._template)

    def _numbers(self, school_id: int, student_dcids: set[int]) -> dict[int, tuple[str, bool]]:
        """Return student number and "is in school" by DCID: from the school's list, the missing ones singly."""
        numbers = self._numbers_of_school(school_id)
        missing = {dcid: self._student(dcid) for dcid in sorted(student_dcids - numbers.keys())}
        return numbers | {dcid: _number(student) for dcid, student in missing.items() if student is not None}

    def _numbers_of_school(self, school_id: int) -> dict[int, tuple[str, bool]]:
        kept = self._cache.get("students", str(school_id))
        if kept is not None:
            return _NUMBERS.validate_python(kept)
        size = self._metadata.read().student_max_page_size
        template = "/ws/v1/school/{id}/student"
        students = self._pages(template, school_id, "students", "student", size, _STUDENTS, [WITH_STATUS])
        numbers = {student.id: _number(student) for student in students}
        dumped: Json = {str(dcid): [number, in_school] for dcid, (number, in_school) in numbers.items()}
        self._cache.put("students", str(school_id), dumped, self._max_age)
        return numbers

    def _student(self, dcid: int) -> StudentWire | None:
        try:
            return self._one("student", dcid, _STUDENT, [WITH_STATUS])
        except NotFound:
            return None

    def _one(self, resource: str, dcid: int, wire: TypeAdapter[T], params: Params = ()) -> T:
        answer = self._api.send("GET", f"/ws/v1/{resource}/{{id}}", {"id": dcid}, params=params)
        return answer.parsed(wire, inside(answer, resource))

    def _pages(
        self,
        template: str,
        dcid: int,
        plural: str,
        single: str,
        page_size: int,
        wire: TypeAdapter[list[T]],
        params: Params = (),
    ) -> Iterator[T]:
        page, full = 1, True
        while full:
            paging = [("page", str(page)), ("pagesize", str(page_size))]
            answer = self._api.send("GET", template, {"id": dcid}, params=[*params, *paging])
            rows = rows_inside(inside(answer, plural), single)
            yield from answer.parsed(wire, rows)
            page, full = page + 1, len(rows) >= page_size


def _number(student: StudentWire) -> tuple[str, bool]:
    return student.local_id, student.in_school


def _enrollment(stay: EnrollmentWire, student: tuple[str, bool]) -> Enrollment:
    number, in_school = student
    return Enrollment(stay.student_id, number, stay.entry_date, stay.exit_date, in_school, stay.dropped)
