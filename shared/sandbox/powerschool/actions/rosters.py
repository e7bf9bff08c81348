"""What people do to rosters in PowerSchool: students move, teachers change, sections open and close, years end."""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from shared.sandbox.powerschool.errors import message
from shared.sandbox.powerschool.rows import ZERO_DATE, Enrollment, Section, SectionTeacher, Student, Term
from shared.sandbox.powerschool.state import PowerSchool

T = TypeVar("T")


class BaseAction(BaseModel):
    """An act; unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid")


def found(table: Mapping[int, T], key: int, kind: str) -> T:
    """Return a row. Raises: Refusal with 404."""
    if key not in table:
        raise message(404, f"no {kind} {key}")
    return table[key]


def enroll(state: PowerSchool, section: Section, student_dcid: int, entry: date) -> None:
    """Add a row of CC that ends with the section's term."""
    dcid = next(state.enrollment_dcids)
    end = state.term_of(section).last_day + timedelta(days=1)
    state.rosters[section.dcid].append(Enrollment(dcid, section.dcid, student_dcid, entry, end))
    state.touch("cc", dcid)


class DropStudent(BaseAction):
    """A student leaves a section; the rows of the past stay."""

    do: Literal["drop_student"]
    section_dcid: int
    student_dcid: int

    def apply(self, state: PowerSchool) -> None:
        """Do it."""
        found(state.sections, self.section_dcid, "section")
        for row in state.rosters[self.section_dcid]:
            if row.student_dcid == self.student_dcid and not row.dropped:
                row.dropped, row.exit_date = True, state.today()
                state.touch("cc", row.dcid)


class EnrollStudent(BaseAction):
    """A student enters a section, today unless told otherwise."""

    do: Literal["enroll_student"]
    section_dcid: int
    student_dcid: int
    entry_date: date | None = None

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404 for an unknown section or student."""
        section = found(state.sections, self.section_dcid, "section")
        found(state.students, self.student_dcid, "student")
        enroll(state, section, self.student_dcid, self.entry_date or state.today())


class EditEnrollment(BaseAction):
    """A registrar edits the newest row of CC that a student has in a section; null takes the exit date away."""

    do: Literal["edit_enrollment"]
    section_dcid: int
    student_dcid: int
    entry_date: date = ZERO_DATE
    exit_date: date | None = None
    dropped: bool = False

    def apply(self, state: PowerSchool) -> None:
        """Change what was given. Raises: Refusal with 404 for an unknown section or enrollment."""
        found(state.sections, self.section_dcid, "section")
        own = {row.student_dcid: row for row in state.rosters[self.section_dcid]}
        row = found(own, self.student_dcid, "enrollment of student")
        _change(row, self)
        state.touch("cc", row.dcid)


class ChangeTeacher(BaseAction):
    """A section gets another lead teacher; null leaves it without one. Co-teachers stay."""

    do: Literal["change_teacher"]
    section_dcid: int
    users_dcid: int | None

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404 for an unknown section or user."""
        section = found(state.sections, self.section_dcid, "section")
        lead = [] if self.users_dcid is None else [SectionTeacher(self.users_dcid)]
        if self.users_dcid is not None and all(staff.dcid != self.users_dcid for staff in state.staff.values()):
            raise message(404, f"no user {self.users_dcid}")
        section.teachers = lead + [teacher for teacher in section.teachers if teacher.role == "co"]
        state.touch("sections", section.dcid)


class DeactivateStaff(BaseAction):
    """A staff member (SCHOOLSTAFF.DCID) becomes inactive."""

    do: Literal["deactivate_staff"]
    staff_dcid: int

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404."""
        found(state.staff, self.staff_dcid, "staff").active = False
        state.touch("schoolstaff", self.staff_dcid)


class AddCoTeacher(BaseAction):
    """A section gets a co-teacher more, from a day on (which may be to come) and in a role."""

    do: Literal["add_co_teacher"]
    section_dcid: int
    users_dcid: int
    start_date: date | None = None
    end_date: date | None = None
    role_id: int | None = None

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404 for an unknown section or user."""
        section = found(state.sections, self.section_dcid, "section")
        found({staff.dcid: staff for staff in state.staff.values()}, self.users_dcid, "user")
        section.teachers.append(SectionTeacher(self.users_dcid, "co", self.end_date, self.start_date, self.role_id))
        state.touch("sectionteacher", section.dcid)


class EndCoTeaching(BaseAction):
    """A co-teacher stops; the row stays, with yesterday as its end."""

    do: Literal["end_co_teaching"]
    section_dcid: int
    users_dcid: int

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404 for an unknown section."""
        section = found(state.sections, self.section_dcid, "section")
        for teacher in section.teachers:
            if teacher.users_dcid == self.users_dcid and teacher.role == "co":
                teacher.end_date = min(state.today(), state.term_of(section).last_day) - timedelta(days=1)
        state.touch("sectionteacher", section.dcid)


class AddStudent(BaseAction):
    """A student comes to a school and enters sections today."""

    do: Literal["add_student"]
    student: Student
    section_dcids: list[int] = Field(default_factory=list)

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 409 for a DCID that is taken, with 404 for an unknown section."""
        if self.student.dcid in state.students:
            raise message(409, f"student {self.student.dcid} exists")
        sections = [found(state.sections, dcid, "section") for dcid in self.section_dcids]
        state.students[self.student.dcid] = self.student
        state.touch("students", self.student.dcid)
        for section in sections:
            enroll(state, section, self.student.dcid, state.today())


class ChangeStudent(BaseAction):
    """A student is renamed or renumbered, gets another address or none, another school, or leaves (`enroll_status`)."""

    do: Literal["change_student"]
    student_dcid: int
    number: str = ""
    preferred_first_name: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str | None = None
    school_number: int = 0
    enroll_status: int = 0

    def apply(self, state: PowerSchool) -> None:
        """Change what was given. Raises: Refusal with 404."""
        _change(found(state.students, self.student_dcid, "student"), self)
        state.touch("person" if "email" in self.model_fields_set else "students", self.student_dcid)


class ChangeStaff(BaseAction):
    """A user is renamed or renumbered, or gets another e-mail address or none; at every school alike."""

    do: Literal["change_staff"]
    users_dcid: int
    teacher_number: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str | None = None

    def apply(self, state: PowerSchool) -> None:
        """Change what was given. Raises: Refusal with 404."""
        found({staff.dcid: staff for staff in state.staff.values()}, self.users_dcid, "user")
        for staff in state.staff.values():
            if staff.dcid == self.users_dcid:
                _change(staff, self)
        state.touch("users", self.users_dcid)


class RenameCourse(BaseAction):
    """A course gets another name."""

    do: Literal["rename_course"]
    course_dcid: int
    name: str

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404."""
        found(state.courses, self.course_dcid, "course").name = self.name
        state.touch("courses", self.course_dcid)


class OpenSection(BaseAction):
    """A section is added, with students who enter it today."""

    do: Literal["open_section"]
    section: Section
    student_dcids: list[int] = Field(default_factory=list)

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 409 for a DCID that is taken, with 404 for an unknown term or student."""
        if self.section.dcid in state.sections:
            raise message(409, f"section {self.section.dcid} exists")
        terms = {(term.id, term.school_number) for term in state.terms.values()}
        if (self.section.term_id, self.section.school_number) not in terms:
            raise message(404, f"no term {self.section.term_id}")
        students = [found(state.students, dcid, "student") for dcid in self.student_dcids]
        state.sections[self.section.dcid] = self.section
        state.touch("sections", self.section.dcid)
        for student in students:
            enroll(state, self.section, student.dcid, state.today())


class CloseSection(BaseAction):
    """A section is deleted, with its enrollments and gradebook."""

    do: Literal["close_section"]
    section_dcid: int

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 404."""
        found(state.sections, self.section_dcid, "section")
        for assignment_id in {row.assignment_id for row in state.gradebooks[self.section_dcid].values()}:
            state.remove(state.assignments[assignment_id])
        del state.sections[self.section_dcid]
        state.rosters.pop(self.section_dcid, None)
        state.touch("sections", self.section_dcid)


class RollOver(BaseAction):
    """The next school year is set up: every term of the newest one again, its sections with the same people.

    The new year begins on `first_day`, by default 30 days after today. The old one stays as it is.
    """

    do: Literal["roll_over"]
    first_day: date | None = None

    def apply(self, state: PowerSchool) -> None:
        """Do it. Raises: Refusal with 409 where there is no year to repeat."""
        if not state.terms:
            raise message(409, "no school year to repeat")
        year_id = max(term.year_id for term in state.terms.values())
        old = [term for term in state.terms.values() if term.year_id == year_id]
        first_day = self.first_day or state.today() + timedelta(days=30)
        shift = first_day - min(term.first_day for term in old)
        for term in sorted(old, key=lambda term: term.dcid):
            _repeat(state, term, _next_year(state, term, shift))


def _next_year(state: PowerSchool, term: Term, shift: timedelta) -> Term:
    new = Term(
        dcid=max(state.terms) + 1,
        id=term.id + 100,
        school_number=term.school_number,
        year_id=term.year_id + 1,
        first_day=term.first_day + shift,
        last_day=term.last_day + shift,
        name=term.name,
        abbreviation=term.abbreviation,
        portion=term.portion,
        is_year=term.is_year,
    )
    state.terms[new.dcid] = new
    state.touch("terms", new.dcid)
    return new


def _repeat(state: PowerSchool, old: Term, new: Term) -> None:
    """Give the new term the sections of the old one, with the students who have not left."""
    sections = [s for s in state.sections.values() if (s.term_id, s.school_number) == (old.id, old.school_number)]
    for section in sections:
        copied = Section(
            dcid=max(state.sections) + 1,
            id=max(each.id for each in state.sections.values()) + 1,
            school_number=section.school_number,
            course_number=section.course_number,
            section_number=section.section_number,
            term_id=new.id,
            teachers=[SectionTeacher(each.users_dcid, each.role) for each in section.teachers if not each.end_date],
        )
        state.sections[copied.dcid] = copied
        state.touch("sections", copied.dcid)
        for student_dcid in _staying(state, section):
            enroll(state, copied, student_dcid, new.first_day)


def _staying(state: PowerSchool, section: Section) -> Iterable[int]:
    stays = (row.student_dcid for row in state.rosters[section.dcid] if not row.dropped)
    return [dcid for dcid in dict.fromkeys(stays) if state.students[dcid].enroll_status == 0]


def _change(row: object, act: BaseAction) -> None:
    """Set the fields of the row that the act gives."""
    for name in act.model_fields_set - {"do", "student_dcid", "users_dcid", "section_dcid"}:
        setattr(row, name, getattr(act, name))


RosterAction = Annotated[
    DropStudent
    | EnrollStudent
    | EditEnrollment
    | AddStudent
    | ChangeStudent
    | ChangeTeacher
    | AddCoTeacher
    | EndCoTeaching
    | ChangeStaff
    | DeactivateStaff
    | RenameCourse
    | OpenSection
    | CloseSection
    | RollOver,
    Field(discriminator="do"),
]
