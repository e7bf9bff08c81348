"""Random days in a school: changes to rosters such as people make, the same ones for the same seed and state."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar

from shared.sandbox.powerschool.actions import RosterActions
from shared.sandbox.powerschool.rows import Section, SectionTeacher, Staff, Student
from shared.sandbox.powerschool.state import PowerSchool

T = TypeVar("T")


class RandomRosterChanges:
    """The changes that can happen. Every method makes one; it returns False where the change cannot happen now."""

    def __init__(self, state: PowerSchool, rng: random.Random) -> None:
        self.state = state
        self.rng = rng
        self.actions = RosterActions(state)

    def transfer(self) -> bool:
        """A student moves to another section of the same school."""
        section = self._section()
        student = self._student_of(section)
        other = self._section(of_school=section.school_number if section else None)
        if section is None or student is None or other is None or student in self._present(other):
            return False
        self.actions.drop_student(section_dcid=section.dcid, student_dcid=student)
        self.actions.enroll_student(section_dcid=other.dcid, student_dcid=student)
        return True

    def drop(self) -> bool:
        """A student leaves a section."""
        section = self._section()
        student = self._student_of(section)
        if section is None or student is None:
            return False
        self.actions.drop_student(section_dcid=section.dcid, student_dcid=student)
        return True

    def enroll(self) -> bool:
        """A student enters a section more."""
        section = self._section()
        student = self._picked(self._students_of_school(section.school_number)) if section else None
        if section is None or student is None or student.dcid in self._present(section):
            return False
        self.actions.enroll_student(section_dcid=section.dcid, student_dcid=student.dcid)
        return True

    def new_student(self) -> bool:
        """A student comes to a school, and into three of its sections."""
        section = self._section()
        if section is None:
            return False
        dcid = max(self.state.students, default=0) + 1
        row_id = max((each.id for each in self.state.students.values()), default=0) + 1
        numbers = (int(each.number) for each in self.state.students.values() if each.number.isdigit())
        number = max(numbers, default=0) + 1
        student = Student(dcid, row_id, str(number), section.school_number, email=self._address(f"new{number}"))
        others = [s for s in self._sections() if s.school_number == section.school_number and s is not section]
        entered = [section, *self.rng.sample(others, min(2, len(others)))]
        self.actions.add_student(student=student, section_dcids=[each.dcid for each in entered])
        return True

    def student_leaves(self) -> bool:
        """A student leaves the district, and every section."""
        student = self._picked([each for each in self._by_dcid(self.state.students) if each.enroll_status == 0])
        if student is None:
            return False
        left = [section for section in self._sections() if student.dcid in self._present(section)]
        for section in left:
            self.actions.drop_student(section_dcid=section.dcid, student_dcid=student.dcid)
        self.actions.change_student(student_dcid=student.dcid, enroll_status=2)
        return True

    def change_teacher(self) -> bool:
        """A section gets another lead teacher."""
        section = self._section()
        user = self._other_teacher(section)
        if section is None or user is None:
            return False
        self.actions.change_teacher(section_dcid=section.dcid, users_dcid=user)
        return True

    def add_co_teacher(self) -> bool:
        """A section gets a co-teacher."""
        section = self._section()
        user = self._other_teacher(section)
        if section is None or user is None:
            return False
        self.actions.add_co_teacher(section_dcid=section.dcid, users_dcid=user)
        return True

    def end_co_teaching(self) -> bool:
        """A co-teacher stops."""
        pairs = [
            (section.dcid, teacher.users_dcid)
            for section in self._sections()
            for teacher in section.teachers
            if teacher.role == "co" and teacher.end_date is None
        ]
        pair = self._picked(pairs)
        if pair:
            self.actions.end_co_teaching(section_dcid=pair[0], users_dcid=pair[1])
        return bool(pair)

    def open_section(self) -> bool:
        """A full section is divided: half of its students move to a new one of the same course and teacher."""
        section = self._section()
        if section is None or section.lead is None:
            return False
        moved = sorted(self._present(section))[::2]
        new = Section(
            dcid=max(self.state.sections) + 1,
            id=max(each.id for each in self.state.sections.values()) + 1,
            school_number=section.school_number,
            course_number=section.course_number,
            section_number=f"{section.section_number}B",
            term_id=section.term_id,
            teachers=[SectionTeacher(section.lead)],
        )
        for dcid in moved:
            self.actions.drop_student(section_dcid=section.dcid, student_dcid=dcid)
        self.actions.open_section(section=new, student_dcids=moved)
        return True

    def close_section(self) -> bool:
        """A section is deleted."""
        section = self._section()
        if section:
            self.actions.close_section(section_dcid=section.dcid)
        return bool(section)

    def rename_course(self) -> bool:
        """A course gets another name."""
        course = self._picked(self._by_dcid(self.state.courses))
        if course is None:
            return False
        self.actions.rename_course(course_dcid=course.dcid, name=f"{course.name[:30]} {self._mark()}")
        return True

    def rename_student(self) -> bool:
        """A student gets another name."""
        student = self._picked(self._by_dcid(self.state.students))
        if student is None:
            return False
        self.actions.change_student(student_dcid=student.dcid, last_name=f"Renamed {self._mark()}")
        return True

    def student_email(self) -> bool:
        """A student gets an e-mail address, another one, or loses it."""
        student = self._picked(self._by_dcid(self.state.students))
        if student is None:
            return False
        email = None if student.email and self.rng.random() < 0.2 else self._address(f"student{self._mark()}")
        self.actions.change_student(student_dcid=student.dcid, email=email)
        return True

    def staff_email(self) -> bool:
        """A user gets another e-mail address."""
        member = self._picked(self._by_dcid(self.state.staff))
        if member is None:
            return False
        self.actions.change_staff(users_dcid=member.dcid, email=self._address(f"staff{self._mark()}"))
        return True

    def renumber_student(self) -> bool:
        """A student gets another number."""
        student = self._picked([each for each in self._by_dcid(self.state.students) if each.enroll_status == 0])
        if student is None:
            return False
        self.actions.change_student(student_dcid=student.dcid, number=f"9{self._mark()}")
        return True

    def exchange_numbers(self) -> bool:
        """Two students get each other's number: whoever entered them mixed them up."""
        one, other = (self._picked(self._by_dcid(self.state.students)) for _ in range(2))
        if one is None or other is None or one is other or one.enroll_status or other.enroll_status:
            return False
        numbers = one.number, other.number
        self.actions.change_student(student_dcid=one.dcid, number=numbers[1])
        self.actions.change_student(student_dcid=other.dcid, number=numbers[0])
        return True

    def renumber_staff(self) -> bool:
        """A user gets another teacher number."""
        member = self._picked(self._by_dcid(self.state.staff))
        if member is None:
            return False
        self.actions.change_staff(users_dcid=member.dcid, teacher_number=f"9{self._mark()}")
        return True

    def _sections(self) -> list[Section]:
        """Return the sections whose term is not over."""
        today, terms = self.state.today(), self.state.terms.values()
        current = {(term.id, term.school_number) for term in terms if term.first_day <= today <= term.last_day}
        return [each for each in self._by_dcid(self.state.sections) if (each.term_id, each.school_number) in current]

    def _section(self, of_school: int | None = None) -> Section | None:
        sections = self._sections()
        return self._picked([each for each in sections if of_school in (None, each.school_number)])

    def _present(self, section: Section) -> set[int]:
        """Return the students (STUDENTS.DCID) who are in the section."""
        today = self.state.today()
        return {row.student_dcid for row in self.state.rosters[section.dcid] if row.covers(today)}

    def _student_of(self, section: Section | None) -> int | None:
        return self._picked(sorted(self._present(section))) if section else None

    def _students_of_school(self, number: int) -> list[Student]:
        students = self._by_dcid(self.state.students)
        return [each for each in students if each.school_number == number and each.enroll_status == 0]

    def _other_teacher(self, section: Section | None) -> int | None:
        """Return somebody who works at the section's school and does not teach it."""
        if section is None:
            return None
        teaching = {teacher.users_dcid for teacher in section.teachers}
        members: list[Staff] = self._by_dcid(self.state.staff)
        free = [m.dcid for m in members if m.school_number == section.school_number and m.active]
        return self._picked([user for user in free if user not in teaching])

    def _by_dcid(self, table: Mapping[int, T]) -> list[T]:
        return [table[dcid] for dcid in sorted(table)]

    def _picked(self, choices: Iterable[T]) -> T | None:
        listed = list(choices)
        return self.rng.choice(listed) if listed else None

    def _mark(self) -> str:
        return f"{self.rng.randrange(16**6):06x}"

    def _address(self, name: str) -> str:
        return f"{name}@district.example"


WEIGHTS: Mapping[str, int] = {
    "transfer": 30,
    "drop": 12,
    "enroll": 12,
    "new_student": 10,
    "student_leaves": 4,
    "change_teacher": 6,
    "add_co_teacher": 4,
    "end_co_teaching": 3,
    "open_section": 2,
    "close_section": 1,
    "rename_course": 3,
    "rename_student": 5,
    "student_email": 6,
    "staff_email": 2,
    "renumber_student": 2,
    "exchange_numbers": 1,
    "renumber_staff": 1,
}


KINDS = tuple(WEIGHTS)


def make_changes(state: PowerSchool, seed: int, count: int, weights: Mapping[str, int] = WEIGHTS) -> Counter[str]:
    """Make `count` changes, of kinds as frequent as `weights` says; return how many of each.

    Raises: ValueError where the district is too empty for any.
    """
    days = RandomRosterChanges(state, random.Random(seed))
    made = Counter[str]()
    misses = 0
    while made.total() < count:
        kind = days.rng.choices(list(weights), list(weights.values()))[0]
        has_changed = getattr(days, kind)()
        made[kind] += has_changed
        misses = 0 if has_changed else misses + 1
        if misses > 1_000:
            raise ValueError("nothing can change in this district")
    return made
