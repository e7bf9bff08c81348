"""PowerSchool's rosters as values: what provisioning reads, and nothing it could write.

DCID and ID of a row are different numbers: a name says which one it is. School numbers are SCHOOLS.SCHOOL_NUMBER, which
every SCHOOLID column holds. Names and e-mail addresses are here because Canvas needs them: they go into the CSV files
of an SIS import and into what is kept to roll it back, never into messages, logs or error texts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

DISTRICT_SCHOOL_NUMBER = 0


@dataclass(frozen=True, slots=True)
class School:
    """A row of SCHOOLS."""

    number: int
    dcid: int
    name: str


@dataclass(frozen=True, slots=True)
class SchoolTerm:
    """A term of one school; `id` is TERMS.ID, which repeats per school. Both days belong to the term."""

    id: int
    dcid: int
    school_number: int
    year_id: int
    name: str
    abbreviation: str
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True)
class CatalogCourse:
    """A row of COURSES; school number 0 is a course of the whole district."""

    number: str
    name: str
    school_number: int


@dataclass(frozen=True, slots=True)
class TeachingAssignment:
    """Who teaches a section; a section has one lead teacher at the most, and any number of co-teachers.

    A co-teacher teaches from `first_day` to `last_day`, both included, in the role SECTIONTEACHER.ROLEID. None is
    unknown.
    """

    users_dcid: int
    is_lead: bool
    role_id: int | None = None
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class ClassSection:
    """A row of SECTIONS with its teachers, the lead teacher first."""

    dcid: int
    id: int
    school_number: int
    term_id: int
    course_number: str
    section_number: str
    teachers: tuple[TeachingAssignment, ...] = ()


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A person of the staff, once however many schools they work at. `email` is None where there is none."""

    users_dcid: int
    teacher_number: str
    first_name: str
    last_name: str
    email: str | None
    school_numbers: tuple[int, ...]
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Student:
    """A student. `is_active` says whether STUDENTS.ENROLL_STATUS is 0, `is_pre_registered` whether it is -1.

    The preferred names are empty unless the district's own query has columns for them.
    """

    dcid: int
    number: str
    first_name: str
    last_name: str
    email: str | None
    school_number: int
    is_active: bool = True
    is_pre_registered: bool = False
    preferred_first_name: str = ""
    preferred_last_name: str = ""


@dataclass(frozen=True, slots=True)
class ClassEnrollment:
    """A row of CC: a student in a section for a while. `exit_date` is the first day on which the student is gone.

    A dropped row has a negative section id in PowerSchool. Dates are None where PowerSchool has none that could be.
    """

    section_dcid: int
    student_dcid: int
    entry_date: date | None
    exit_date: date | None = None
    is_dropped: bool = False


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A row that cannot be read. `record` names its table's DCID (`CC.DCID`), `fields` the columns that are odd.

    `ids` are the numbers of the row that can be read, by column of its query.
    """

    record: str
    dcid: int
    fields: tuple[str, ...] = ()
    ids: Mapping[str, int] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """How the record is named to a person."""
        return f"{self.record} {self.dcid}"


@dataclass(frozen=True, slots=True)
class Roster:
    """Everything that provisioning read from PowerSchool at one time. Rows that join to nothing may occur.

    `odd_rows` were left out since they cannot be read. `unsettled` names the lists that changed during each of several
    readings.
    """

    schools: tuple[School, ...]
    terms: tuple[SchoolTerm, ...]
    courses: tuple[CatalogCourse, ...]
    sections: tuple[ClassSection, ...]
    staff: tuple[StaffMember, ...]
    students: tuple[Student, ...]
    enrollments: tuple[ClassEnrollment, ...]
    odd_rows: tuple[UnreadableRecord, ...] = ()
    unsettled: tuple[str, ...] = ()
