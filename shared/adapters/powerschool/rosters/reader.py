"""PowerSchool's sections and students by the SIS ids Canvas knows: the port `RosterReader`.

Two PowerQueries of the plugin read all sections of a course. Redis caches each section for all workers, and
provisioning fills the same cache from the rosters that it reads anyway.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import msgspec
from pydantic import TypeAdapter

from shared.adapters.http.wire import AnyText, Date, EnrollmentDate, Json, OptionalId, Wire
from shared.adapters.powerschool.pagination import QueryList
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.redis.cache import JsonCache
from shared.clock import Clock
from shared.domain.enrollment_periods import EnrollmentPeriod, EnrollmentStatus, enrollment_status
from shared.domain.passback.powerschool import RosteredSection, RosteredStudent, Term
from shared.domain.provisioning.policy import SisIdTemplate
from shared.domain.provisioning.roster import ClassEnrollment, ClassSection, Roster

ONLY_DCID = "{section_dcid}"
ENROLLED = 0
"""STUDENTS.ENROLL_STATUS of those who are in school."""
PRE_REGISTERED = -1
"""STUDENTS.ENROLL_STATUS of those who are registered and not in school yet; they may be scheduled already."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """One row of CC with its student.

    `in_school` says whether the student's classes count: being pre-registered does not keep anybody out of a class.
    """

    student_dcid: int
    student_number: str
    period: EnrollmentPeriod
    in_school: bool


def students_by_sis_id(
    enrollments: Iterable[Enrollment], term: Term, today: date, template: SisIdTemplate
) -> dict[str, RosteredStudent]:
    """Return the students of a section by SIS id, each once, active if `enrollment_status` says so.

    Of several students with one SIS id the active one counts.
    """
    by_student: dict[int, list[Enrollment]] = {}
    for row in enrollments:
        by_student.setdefault(row.student_dcid, []).append(row)
    roster: dict[str, RosteredStudent] = {}
    for dcid, rows in by_student.items():
        status = enrollment_status([row.period for row in rows], term, today, in_school=rows[0].in_school)
        student = RosteredStudent(dcid, active=status is EnrollmentStatus.CURRENT)
        sis_id = template.render({"student_number": rows[0].student_number, "student_dcid": str(dcid)})
        if student.active or sis_id not in roster:
            roster[sis_id] = student
    return roster


# How old a section's cached roster may be. A student who is not in it refreshes it sooner.
MAX_AGE = timedelta(hours=1)
_INDEX = TypeAdapter(dict[str, int])
# A cached section: SIS id, SECTIONS.DCID, school number, USERS.DCID of the lead teacher, first and last day and year of
# the term, STUDENTS.DCID by SIS id of those who are active and of the others.
_Cached = tuple[str, int, int, int | None, date, date, int, dict[str, int], dict[str, int]]


class IndexRow(Wire):
    """A row of `org.passback.sync.roster.section_index`: what a section's SIS id may be made of."""

    section_dcid: AnyText
    section_id: AnyText
    school_number: AnyText
    term_id: AnyText
    course_number: AnyText
    section_number: AnyText


class QuerySectionRow(Wire):
    """A row of `org.passback.sync.roster.sections`."""

    section_dcid: int
    school_number: int
    year_id: int
    first_day: Date
    last_day: Date
    teacher_users_dcid: OptionalId = None


class QueryStudentRow(Wire):
    """A row of `org.passback.sync.roster.students`: one enrollment, of which a student may have several."""

    enrollment_dcid: int
    section_dcid: int
    student_dcid: int
    student_number: AnyText
    entry_date: EnrollmentDate = None
    exit_date: EnrollmentDate = None
    is_dropped: bool = False
    enroll_status: int


INDEX = QueryList("org.passback.sync.roster.section_index", IndexRow, ("section_dcid",), "SECTIONS.DCID")
SECTIONS = QueryList("org.passback.sync.roster.sections", QuerySectionRow, ("section_dcid",), "SECTIONS.DCID")
STUDENTS = QueryList("org.passback.sync.roster.students", QueryStudentRow, ("enrollment_dcid",), "CC.DCID")


class SectionRosters:
    """Reads sections with their students, and caches them for an hour at most and while no rosters change. Thread-safe.

    `last_change` names the latest change of rosters that PowerSchool confirmed, empty if there was none. Cache keys
    contain it, so that a later change expires all of them. `stored_ids` are SIS ids of students by STUDENTS.DCID that
    Canvas has and the template does not make: of those whose number changed, until Canvas has changed it too.
    """

    def __init__(
        self,
        queries: PowerQueries,
        cache: JsonCache,
        section_template: SisIdTemplate,
        student_template: SisIdTemplate,
        clock: Clock,
        zone: Callable[[], ZoneInfo],
        last_change: Callable[[], str] = lambda: "",
        stored_ids: Callable[[], Mapping[int, str]] = dict,
    ) -> None:
        self._queries = queries
        self._cache = cache
        self._section_template = section_template
        self._student_template = student_template
        self._clock = clock
        self._zone = zone
        self.last_change = last_change
        self._stored_ids = stored_ids

    def sections(self, sis_section_ids: Collection[str], *, refresh: bool = False) -> Mapping[str, RosteredSection]:
        """Return the known ones of these sections by SIS id; `refresh` asks PowerSchool even if cached.

        A row that cannot be read is left out and logged. Raises: QueryUnavailable, IncompleteRead.
        """
        # Read before PowerSchool is: what is read while rosters change counts as read before they did.
        change = self.last_change()
        cached = {} if refresh else self._cached(sis_section_ids, change)
        sis_ids = self._sis_ids(sorted(set(sis_section_ids) - cached.keys()), change, refresh=refresh)
        read = self._read(sis_ids) if sis_ids else []
        self._save(read, change)
        stored_ids = self._stored_ids()
        every = (*cached.values(), *read)
        return {section.sis_section_id: _with_stored_ids(section, stored_ids) for section in every}

    def store(self, roster: Roster, change: str) -> int:
        """Cache every section of the roster, and the index of their SIS ids; return how many there are.

        Nothing is deleted by it: a section that the roster lacks is read from PowerSchool when it is needed.
        """
        dcids: dict[str, int] = {}

        def sections() -> Iterator[RosteredSection]:
            for section in self.sections_of(roster):
                dcids[section.sis_section_id] = section.dcid
                yield section

        self._save(sections(), change)
        self._cache.put(f"section-index{change}", "district", dict(dcids), MAX_AGE)
        return len(dcids)

    def sections_of(self, roster: Roster) -> Iterator[RosteredSection]:
        """Yield the sections whose term is known, with their students by SIS id, one after the other."""
        today = self._today()
        terms = {(term.id, term.school_number): term for term in roster.terms}
        students = {student.dcid: student for student in roster.students}
        rows = defaultdict[int, list[ClassEnrollment]](list)
        for row in roster.enrollments:
            if row.student_dcid in students:
                rows[row.section_dcid].append(row)
        for section in roster.sections:
            found = terms.get((section.term_id, section.school_number))
            if found is None:
                continue
            term = Term(found.first_day, found.last_day, found.year_id)
            enrollments = []
            for row in rows[section.dcid]:
                student = students[row.student_dcid]
                period = EnrollmentPeriod(row.entry_date, row.exit_date, row.is_dropped)
                in_school = student.is_active or student.is_pre_registered
                enrollments.append(Enrollment(row.student_dcid, student.number, period, in_school))
            yield RosteredSection(
                sis_section_id=self._section_template.render(template_values(section)),
                dcid=section.dcid,
                school_number=section.school_number,
                teacher_users_dcid=next((teacher.users_dcid for teacher in section.teachers if teacher.is_lead), None),
                term=term,
                students=students_by_sis_id(enrollments, term, today, self._student_template),
            )

    def _today(self) -> date:
        return self._clock.now().astimezone(self._zone()).date()

    def _sis_ids(self, sis_ids: Collection[str], change: str, *, refresh: bool) -> dict[int, str]:
        """Return the SIS ids of the sections by DCID: they are DCIDs by default, else an index has them."""
        if self._section_template.text == ONLY_DCID:
            return {int(sis_id): sis_id for sis_id in sis_ids if _is_dcid(sis_id)}
        index = self._index(change, refresh=refresh) if sis_ids else {}
        return {index[sis_id]: sis_id for sis_id in sis_ids if sis_id in index}

    def _index(self, change: str, *, refresh: bool) -> Mapping[str, int]:
        cached = None if refresh else self._cache.get(f"section-index{change}", "district")
        if cached is not None:
            return _INDEX.validate_python(cached)
        rows = self._queries.rows(INDEX)
        index = {self._section_template.render(row.model_dump()): int(row.section_dcid) for row in rows}
        self._cache.put(f"section-index{change}", "district", dict(index), MAX_AGE)
        return index

    def _read(self, sis_ids: Mapping[int, str]) -> list[RosteredSection]:
        """Return the existing ones of the sections with these SIS ids by DCID."""
        args = {"section_dcids": list(sis_ids)}
        sections = [row for row in self._queries.rows(SECTIONS, args) if row.section_dcid in sis_ids]
        enrollments = defaultdict[int, list[Enrollment]](list)
        for row in self._queries.rows(STUDENTS, args):
            period = EnrollmentPeriod(row.entry_date, row.exit_date, row.is_dropped)
            in_school = row.enroll_status in (ENROLLED, PRE_REGISTERED)
            enrollment = Enrollment(row.student_dcid, row.student_number, period, in_school)
            enrollments[row.section_dcid].append(enrollment)
        today = self._today()
        rosters = []
        for section in sections:
            dcid, term = section.section_dcid, Term(section.first_day, section.last_day, section.year_id)
            students = students_by_sis_id(enrollments[dcid], term, today, self._student_template)
            school, teacher = section.school_number, section.teacher_users_dcid
            rosters.append(RosteredSection(sis_ids[dcid], dcid, school, teacher, term, students))
        return rosters

    def _cached(self, sis_ids: Collection[str], change: str) -> dict[str, RosteredSection]:
        cached = self._cache.get_all(f"section-roster{change}", sis_ids)
        return {sis_id: _decode(value) for sis_id, value in cached.items()}

    def _save(self, sections: Iterable[RosteredSection], change: str) -> None:
        values = ((section.sis_section_id, _encode(section)) for section in sections)
        self._cache.put_all(f"section-roster{change}", values, MAX_AGE)


def template_values(section: ClassSection) -> Mapping[str, str]:
    """Return what a section's SIS id may be made of."""
    return {
        "section_dcid": str(section.dcid),
        "section_id": str(section.id),
        "school_number": str(section.school_number),
        "term_id": str(section.term_id),
        "course_number": section.course_number,
        "section_number": section.section_number,
    }


def _encode(section: RosteredSection) -> Json:
    students, term = section.students.items(), section.term
    return [
        section.sis_section_id,
        section.dcid,
        section.school_number,
        section.teacher_users_dcid,
        term.first_day.isoformat(),
        term.last_day.isoformat(),
        term.year_id,
        {sis_id: student.dcid for sis_id, student in students if student.active},
        {sis_id: student.dcid for sis_id, student in students if not student.active},
    ]


def _decode(value: Json) -> RosteredSection:
    sis_id, dcid, school, teacher, first_day, last_day, year_id, active, others = msgspec.convert(value, _Cached)
    students = {sis_id: RosteredStudent(dcid, active=True) for sis_id, dcid in active.items()}
    students |= {sis_id: RosteredStudent(dcid, active=False) for sis_id, dcid in others.items()}
    return RosteredSection(sis_id, dcid, school, teacher, Term(first_day, last_day, year_id), students)


def _with_stored_ids(section: RosteredSection, stored_ids: Mapping[int, str]) -> RosteredSection:
    """Return the section with its students by the SIS ids that Canvas has."""
    students = section.students
    if not any(student.dcid in stored_ids for student in students.values() if stored_ids):
        return section
    by_canvas = {stored_ids.get(student.dcid, sis_id): student for sis_id, student in students.items()}
    return replace(section, students=by_canvas)


def _is_dcid(text: str) -> bool:
    """Say whether the text is a number as the template writes it, without leading zeros."""
    return text.isascii() and text.isdigit() and str(int(text)) == text
