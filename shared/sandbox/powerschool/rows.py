"""The rows of PowerSchool's tables, as far as anything here needs them.

DCID and ID of a row are different numbers. Columns and their types are of a public schema dump.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

ZERO_DATE = date.min
"""Stands for a missing date: extracts show it as 0/0/0 or 00/00/0000 (TEAMSchools/teamster #4229)."""


def iso_day(day: date) -> str:
    """Return the date as PowerSchool prints it."""
    return "0000-00-00" if day == ZERO_DATE else day.isoformat()


@dataclass(slots=True)
class Plugin:
    """The installed plugin. `page_cap` is the administrator's maximum page size.

    `reuse_token` answers a repeated token request with the living token and its shrinking lifetime (inferred).
    `foreign_changes` is what it may change of assignments that a teacher or another plugin made: everything, scores
    only, or nothing. No public source says which of these PowerSchool permits, nor which status (`foreign_refusal`)
    refuses the rest.
    """

    id: int = 744
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-secret"
    queries_installed: bool = True
    v1_access: Literal["NONE", "READ", "FULL"] = "READ"
    token_lifetime_s: int = 3600
    reuse_token: bool = False
    page_cap: int = 100
    foreign_changes: Literal["all", "scores", "none"] = "all"
    foreign_refusal: Literal[403, 409] = 403


@dataclass(slots=True)
class School:
    """A school; `number` is what every SCHOOLID column holds."""

    dcid: int
    number: int
    name: str


@dataclass(slots=True)
class Term:
    """A term of one school. `id` (TERMS.ID) repeats per school; both days belong to the term."""

    dcid: int
    id: int
    school_number: int
    year_id: int
    first_day: date
    last_day: date
    name: str
    abbreviation: str
    portion: int = 1
    is_year: bool = False


@dataclass(slots=True)
class Course:
    """A course; school number 0 is a course of the district."""

    dcid: int
    number: str
    name: str
    school_number: int


@dataclass(slots=True)
class Staff:
    """A user's affiliation with one school: `dcid` is USERS.DCID, the staff ids are of SCHOOLSTAFF."""

    dcid: int
    staff_dcid: int
    staff_id: int
    teacher_number: str
    school_number: int
    first_name: str = "Teacher"
    last_name: str = ""
    email: str | None = None
    active: bool = True

    @property
    def shown_last_name(self) -> str:
        """Return the last name; a number stands for one that was not given."""
        return self.last_name or f"No. {self.dcid}"

    @property
    def status(self) -> int:
        """Return SCHOOLSTAFF.STATUS: 1 for current, 2 for no longer here."""
        return 1 if self.active else 2


@dataclass(slots=True)
class SectionTeacher:
    """Who teaches a section; both roles may edit its gradebook (inferred).

    `start_date` and `end_date` are those of SECTIONTEACHER: the first and the last day of teaching, None if
    unknown. `role_id` is SECTIONTEACHER.ROLEID, a district's own number.
    """

    users_dcid: int
    role: Literal["lead", "co"] = "lead"
    end_date: date | None = None
    start_date: date | None = None
    role_id: int | None = None


@dataclass(slots=True)
class Section:
    """A section of a course in a term.

    Its term grade is calculated by `category_weights`, by TEACHERCATEGORY id, or by total points where there are none,
    and shown with `grade_places` decimals.
    """

    dcid: int
    id: int
    school_number: int
    course_number: str
    section_number: str
    term_id: int
    teachers: list[SectionTeacher] = field(default_factory=list)
    expression: str = "1(A)"
    category_weights: dict[int, Decimal] = field(default_factory=dict)
    grade_places: int = 2

    @property
    def lead(self) -> int | None:
        """Return the lead teacher's USERS.DCID, None where the section has none."""
        return next((teacher.users_dcid for teacher in self.teachers if teacher.role == "lead"), None)

    def may_edit(self, users_dcid: int) -> bool:
        """Say whether the user teaches the section."""
        return any(teacher.users_dcid == users_dcid for teacher in self.teachers)


@dataclass(slots=True)
class Student:
    """A student; `number` is text, because leading zeros belong to it. Enroll status 0 is active.

    `email` is the person's primary address, `other_emails` the rest, by their priority.
    """

    dcid: int
    id: int
    number: str
    school_number: int
    enroll_status: int = 0
    first_name: str = "Student"
    last_name: str = ""
    email: str | None = None
    other_emails: list[str] = field(default_factory=list)

    @property
    def shown_last_name(self) -> str:
        """Return the last name; a number stands for one that was not given."""
        return self.last_name or f"No. {self.dcid}"

    @property
    def emails(self) -> list[str]:
        """Return every address, in the order of their priority."""
        return ([self.email] if self.email else []) + self.other_emails


@dataclass(slots=True)
class Enrollment:
    """A row of CC: one student in one section, for a while.

    A student may have several rows in one section. `dropped` is the sign of SECTIONID: negated when a class is dropped,
    and also when the student transfers out after the term (TEAMSchools/teamster #627). Equal dates are a no-show
    (#4229). Dates can be impossible: `ZERO_DATE`, 1/1/1900, 1926 for 2026.
    """

    dcid: int
    section_dcid: int
    student_dcid: int
    entry_date: date
    exit_date: date | None = None
    dropped: bool = False

    def covers(self, day: date) -> bool:
        """Say whether the student is enrolled on `day`.

        Source: measured on a production server: current is `DATELEFT IS NULL OR DATELEFT >= today`.
        """
        if self.dropped and self.exit_date == day:
            return False
        return self.stayed_until(day)

    def stayed_until(self, day: date) -> bool:
        """Say whether the student entered by `day` and left on it or later, whatever the sign says of afterwards."""
        if self.exit_date is None:
            return not self.dropped and self.entry_date <= day
        return self.entry_date <= day <= self.exit_date and self.entry_date < self.exit_date


@dataclass(slots=True)
class Category:
    """A teacher's category; `district_id` marks the teacher's copy of a district category.

    `in_final_grades` (ISINFINALGRADES) and `default_publish_scores` (ISDEFAULTPUBLISHSCORES) are what its assignments
    start with in PowerTeacher Pro; None leaves the key out, as xte does with null.
    """

    id: int
    users_dcid: int
    name: str
    active: bool = True
    district_id: int | None = None
    excluded_section_dcids: list[int] = field(default_factory=list)
    default_publish_option: str | None = None
    in_final_grades: bool | None = True
    default_publish_scores: bool | None = True
    description: str | None = None


@dataclass(slots=True)
class CategoryAssociation:
    """A row of ASSIGNMENTCATEGORYASSOC."""

    id: int
    category_id: int
    is_primary: bool


@dataclass(slots=True)
class Score:
    """A row of ASSIGNMENTSCORE with its comment. The score columns are nullable, the flags are not."""

    score_id: int
    entry_date: datetime
    entered: str | None = None
    kind: str | None = None
    points: Decimal | None = None
    percent: Decimal | None = None
    letter: str | None = None
    grade_scale_dcid: int | None = None
    late: bool = False
    collected: bool = False
    exempt: bool = False
    missing: bool = False
    absent: bool = False
    incomplete: bool = False
    comment: str | None = None


@dataclass(slots=True)
class AssignmentSection:
    """An assignment in one section. `student_dcids` limits it to these students; empty means everyone."""

    assignment_section_id: int
    assignment_id: int
    section_dcid: int
    name: str
    due_date: date
    points: Decimal
    weight: Decimal = Decimal(1)
    extra_points: Decimal = Decimal(0)
    score_type: str = "POINTS"
    description: str | None = None
    publish_option: str = "Immediately"
    counted: bool = True
    scoring_needed: bool = False
    scores_published: bool = True
    locked: bool = False
    categories: list[CategoryAssociation] = field(default_factory=list)
    student_dcids: list[int] = field(default_factory=list)
    scores: dict[int, Score] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        """Return TOTALPOINTVALUE: points times weight (measured)."""
        return self.points * self.weight

    @property
    def category_id(self) -> int | None:
        """Return the primary category."""
        return next((association.category_id for association in self.categories if association.is_primary), None)


@dataclass(slots=True)
class Assignment:
    """A row of ASSIGNMENT; its content is in the assignment sections."""

    assignment_id: int
    created_by_plugin: str | None
    sections: list[AssignmentSection] = field(default_factory=list)
