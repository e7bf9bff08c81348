"""Random days in a school: changes to rosters such as people make, the same ones for the same seed and state."""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from shared.sandbox.powerschool.actions import RosterActions
from shared.sandbox.powerschool.rows import Section, SectionTeacher, Staff, Student
from shared.sandbox.powerschool.state import PowerSchool

T = TypeVar("T")
Action = Callable[[RosterActions], None]


class RandomRosterChanges:
    """What can happen now. Every method returns the actions of one change, none where it cannot happen."""

    def __init__(self, state: PowerSchool, rng: random.Random) -> None:
        self.state = state
        self.rng = rng

    def transfer(self) -> list[Action]:
        """A student moves to another section of the same school."""
        section = self._section()
        student = self._student_of(section)
        other = self._section(of_school=section.school_number if section else None)
        if section is None or student is None or other is None or student in self._present(other):
            return []
        return [
            partial(RosterActions.drop_student, section_dcid=section.dcid, student_dcid=student),
            partial(RosterActions.enroll_student, section_dcid=other.dcid, student_dcid=student),
        ]

    def drop(self) -> list[Action]:
        """A student leaves a section."""
        section = self._section()
        student = self._student_of(section)
        if section is None or student is None:
            return []
        return [partial(RosterActions.drop_student, section_dcid=section.dcid, student_dcid=student)]

    def enroll(self) -> list[Action]:
        """A student enters a section more."""
        section = self._section()
        student = self._picked(self._students_of_school(section.school_number)) if section else None
        if section is None or student is None or student.dcid in self._present(section):
            return []
        return [partial(RosterActions.enroll_student, section_dcid=section.dcid, student_dcid=student.dcid)]

    def new_student(self) -> list[Action]:
        """A student comes to a school, and into three of its sections."""
        section = self._section()
        if section is None:
            return []
        dcid = max(self.state.students, default=0) + 1
        row_id = max((each.id for each in self.state.students.values()), default=0) + 1
        numbers = (int(each.number) for each in self.state.students.values() if each.number.isdigit())
        number = max(numbers, default=0) + 1
        student = Student(dcid, row_id, str(number), section.school_number, email=self._address(f"new{number}"))
        others = [s for s in self._sections() if s.school_number == section.school_number and s is not section]
        entered = [section, *self.rng.sample(others, min(2, len(others)))]
        return [partial(RosterActions.add_student, student=student, section_dcids=[each.dcid for each in entered])]

    def student_leaves(self) -> list[Action]:
        """A student leaves the district, and every section."""
        student = self._picked([each for each in self._by_dcid(self.state.students) if each.enroll_status == 0])
        if student is None:
            return []
        left = [section for section in self._sections() if student.dcid in self._present(section)]
        return [
            *(partial(RosterActions.drop_student, section_dcid=s.dcid, student_dcid=student.dcid) for s in left),
            partial(RosterActions.change_student, student_dcid=student.dcid, enroll_status=2),
        ]

    def change_teacher(self) -> list[Action]:
        """A section gets another lead teacher."""
        section = self._section()
        user = self._other_teacher(section)
        if section is None or user is None:
            return []
        return [partial(RosterActions.change_teacher, section_dcid=section.dcid, users_dcid=user)]

    def add_co_teacher(self) -> list[Action]:
        """A section gets a co-teacher."""
        section = self._section()
        user = self._other_teacher(section)
        if section is None or user is None:
            return []
        return [partial(RosterActions.add_co_teacher, section_dcid=section.dcid, users_dcid=user)]

    def end_co_teaching(self) -> list[Action]:
        """A co-teacher stops."""
        pairs = [
            (section.dcid, teacher.users_dcid)
            for section in self._sections()
            for teacher in section.teachers
            if teacher.role == "co" and teacher.end_date is None
        ]
        pair = self._picked(pairs)
        return [partial(RosterActions.end_co_teaching, section_dcid=pair[0], users_dcid=pair[1])] if pair else []

    def open_section(self) -> list[Action]:
        """A full section is divided: half of its students move to a new one of the same course and teacher."""
        section = self._section()
        if section is None or section.lead is None:
            return []
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
        return [
            *(partial(RosterActions.drop_student, section_dcid=section.dcid, student_dcid=dcid) for dcid in moved),
            partial(RosterActions.open_section, section=new, student_dcids=moved),
        ]

    def close_section(self) -> list[Action]:
        """A section is deleted."""
        section = self._section()
        return [partial(RosterActions.close_section, section_dcid=section.dcid)] if section else []

    def rename_course(self) -> list[Action]:
        """A course gets another name."""
        course = self._picked(self._by_dcid(self.state.courses))
        if course is None:
            return []
        return [
            partial(RosterActions.rename_course, course_dcid=course.dcid, name=f"{course.name[:30]} {self._mark()}")
        ]

    def rename_student(self) -> list[Action]:
        """A student gets another name."""
        student = self._picked(self._by_dcid(self.state.students))
        if student is None:
            return []
        return [partial(RosterActions.change_student, student_dcid=student.dcid, last_name=f"Renamed {self._mark()}")]

    def student_email(self) -> list[Action]:
        """A student gets an e-mail address, another one, or loses it."""
        student = self._picked(self._by_dcid(self.state.students))
        if student is None:
            return []
        email = None if student.email and self.rng.random() < 0.2 else self._address(f"student{self._mark()}")
        return [partial(RosterActions.change_student, student_dcid=student.dcid, email=email)]

    def staff_email(self) -> list[Action]:
        """A user gets another e-mail address."""
        member = self._picked(self._by_dcid(self.state.staff))
        if member is None:
            return []
        return [
            partial(RosterActions.change_staff, users_dcid=member.dcid, email=self._address(f"staff{self._mark()}"))
        ]

    def renumber_student(self) -> list[Action]:
        """A student gets another number."""
        student = self._picked([each for each in self._by_dcid(self.state.students) if each.enroll_status == 0])
        if student is None:
            return []
        return [partial(RosterActions.change_student, student_dcid=student.dcid, number=f"9{self._mark()}")]

    def exchange_numbers(self) -> list[Action]:
        """Two students get each other's number: whoever entered them mixed them up."""
        one, other = (self._picked(self._by_dcid(self.state.students)) for _ in range(2))
        if one is None or other is None or one is other or one.enroll_status or other.enroll_status:
            return []
        return [
            partial(RosterActions.change_student, student_dcid=one.dcid, number=other.number),
            partial(RosterActions.change_student, student_dcid=other.dcid, number=one.number),
        ]

    def renumber_staff(self) -> list[Action]:
        """A user gets another teacher number."""
        member = self._picked(self._by_dcid(self.state.staff))
        if member is None:
            return []
        return [partial(RosterActions.change_staff, users_dcid=member.dcid, teacher_number=f"9{self._mark()}")]

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


KINDS: Mapping[str, Callable[[RandomRosterChanges], list[Action]]] = {
    "transfer": RandomRosterChanges.transfer,
    "drop": RandomRosterChanges.drop,
    "enroll": RandomRosterChanges.enroll,
    "new_student": RandomRosterChanges.new_student,
    "student_leaves": RandomRosterChanges.student_leaves,
    "change_teacher": RandomRosterChanges.change_teacher,
    "add_co_teacher": RandomRosterChanges.add_co_teacher,
    "end_co_teaching": RandomRosterChanges.end_co_teaching,
    "open_section": RandomRosterChanges.open_section,
    "close_section": RandomRosterChanges.close_section,
    "rename_course": RandomRosterChanges.rename_course,
    "rename_student": RandomRosterChanges.rename_student,
    "student_email": RandomRosterChanges.student_email,
    "staff_email": RandomRosterChanges.staff_email,
    "renumber_student": RandomRosterChanges.renumber_student,
    "exchange_numbers": RandomRosterChanges.exchange_numbers,
    "renumber_staff": RandomRosterChanges.renumber_staff,
}
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


def make_changes(state: PowerSchool, seed: int, count: int, weights: Mapping[str, int] = WEIGHTS) -> Counter[str]:
    """Make `count` changes, of kinds as frequent as `weights` says; return how many of each.

    Raises: ValueError where the district is too empty for any.
    """
    days = RandomRosterChanges(state, random.Random(seed))
    actions, made = RosterActions(state), Counter[str]()
    misses = 0
    while made.total() < count:
        kind = days.rng.choices(list(weights), list(weights.values()))[0]
        acts = KINDS[kind](days)
        for act in acts:
            act(actions)
        made[kind] += bool(acts)
        misses = 0 if acts else misses + 1
        if misses > 1_000:
            raise ValueError("nothing can change in this district")
    return made
