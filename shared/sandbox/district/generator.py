"""A district of any size that nobody has provisioned yet: PowerSchool is full, Canvas is empty.

The same for the same size, seed and day. It has what makes provisioning hard: term ids that repeat per school, ids and
DCIDs that differ, courses of the whole district and of another school, sections without a teacher, co-teachers who
stayed and who left, staff at two schools, staff who are gone and still lead, numbers with leading zeros, missing and
second e-mail addresses, dropped and ended enrollments, students who left, and a school year that is long over.
Nobody in it is real: people are called by their numbers.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.sandbox.canvas.seed import CanvasSeed
from shared.sandbox.district.builder import FIRST_YEAR, District
from shared.sandbox.powerschool.seed import PowerSchoolSeed

SECTIONS_PER_STUDENT: Final = 6
SECTIONS_PER_TEACHER: Final = 4
SECTIONS_PER_COURSE: Final = 4
SUBJECTS: Final = ("Algebra", "Biology", "Chemistry", "Drama", "English", "French", "Geography", "History", "Music")

# A school year of 300 days, of which 60 have passed: (TERMS.ID - YEARID * 100, name, abbreviation, portion, days).
TERMS: Final = (
    (0, "Full Year", "FY", 1, (0, 299)),
    (1, "Semester 1", "S1", 2, (0, 149)),
    (2, "Semester 2", "S2", 2, (150, 299)),
)
DAYS_SINCE_FIRST: Final = 60
YEAR_AND_SUMMER: Final = 365


@dataclass(frozen=True)
class DistrictSize:
    """How large a district is, and which of its kind."""

    schools: int = 3
    students: int = 2_000
    sections: int = 400
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.schools, self.students, self.sections) < 1:
            raise ValueError("a district has a school, a student and a section at least")


def unprovisioned_district(size: DistrictSize, today: date, zone: ZoneInfo) -> District:
    """Return a district around `today`, two months into its school year, with an empty Canvas."""
    rows = _Rows(size, today, random.Random(size.seed))
    rows.add_schools()
    rows.add_staff()
    rows.add_courses()
    rows.add_sections()
    rows.add_students()
    seed = PowerSchoolSeed.model_validate({"zone": zone.key} | rows.tables)
    return District(CanvasSeed(zone=zone.key), seed)


Row = dict[str, Any]


@dataclass
class _Rows:
    """The tables as they grow. Every sequence of ids begins elsewhere, so that a mix-up finds nothing."""

    size: DistrictSize
    today: date
    rng: random.Random
    tables: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.numbers = [100 * (index + 1) for index in range(self.size.schools)]
        self.first_day = self.today - timedelta(days=DAYS_SINCE_FIRST)
        self.year_id = self.first_day.year - FIRST_YEAR

    def add_schools(self) -> None:
        """Add the schools with the terms of this year and of the last one, which ended months ago."""
        for index, number in enumerate(self.numbers):
            self._add("schools", dcid=21 + index, number=number, name=f"School {number}")
        for number in self.numbers:
            for ago in (1, 0):
                self._add_year(number, self.year_id - ago, self.first_day - ago * timedelta(days=YEAR_AND_SUMMER))

    def _add_year(self, school_number: int, year_id: int, first_day: date) -> None:
        for offset, name, abbreviation, portion, (first, last) in TERMS:
            self._add(
                "terms",
                dcid=3_001 + len(self.tables["terms"]),
                id=year_id * 100 + offset,
                school_number=school_number,
                year_id=year_id,
                first_day=first_day + timedelta(days=first),
                last_day=first_day + timedelta(days=last),
                name=name,
                abbreviation=abbreviation,
                portion=portion,
                is_year=portion == 1,
            )

    def add_staff(self) -> None:
        """Add teachers: every 7th at two schools, every 9th without an e-mail address, every 12th no longer there."""
        for index in range(max(self.size.schools * 2, self.size.sections // SECTIONS_PER_TEACHER)):
            school = self.numbers[index % len(self.numbers)]
            others = [number for number in self.numbers if number != school]
            second = [self.rng.choice(others)] if others and index % 7 == 3 else []
            for place in (school, *second):
                self._add_staff(index, place)

    def _add_staff(self, index: int, school_number: int) -> None:
        number = f"{index + 1:05d}" if index % 3 == 0 else str(7_001 + index)
        place = len(self.tables["users"])
        self._add(
            "users",
            dcid=5_001 + index,
            staff_dcid=6_001 + place,
            staff_id=8_001 + place,
            teacher_number=number,
            school_number=school_number,
            first_name="Teacher",
            last_name=f"No. {index + 1}",
            email=None if index % 9 == 4 else f"teacher{index + 1}@district.example",
            active=index % 12 != 5,
        )

    def add_courses(self) -> None:
        """Add courses, every third the whole district's, some with numbers that begin with a zero."""
        for index in range(max(2, self.size.sections // SECTIONS_PER_COURSE)):
            subject = SUBJECTS[index % len(SUBJECTS)]
            number = f"{index:04d}" if index % 5 == 0 else f"{subject[:3].upper()}{100 + index}"
            owner = 0 if index % 3 == 0 else self.numbers[index % len(self.numbers)]
            name = f"{subject} {index + 1}"
            self._add("courses", dcid=400_001 + index, number=number, name=name, school_number=owner)

    def add_sections(self) -> None:
        """Add the sections of this year, and one of the last year for each school."""
        for index in range(self.size.sections):
            offset = self.rng.choice((0, 0, 0, 1, 2))
            self._add_section(index, self.numbers[index % len(self.numbers)], self.year_id * 100 + offset)
        for number in self.numbers:
            self._add_section(len(self.tables["sections"]), number, (self.year_id - 1) * 100)

    def _add_section(self, index: int, school_number: int, term_id: int) -> None:
        self._add(
            "sections",
            dcid=60_001 + index,
            id=30_001 + index,
            school_number=school_number,
            course_number=self._course_number(index, school_number),
            section_number=f"{index % 8 + 1:02d}" if index % 4 == 0 else str(index % 8 + 1),
            term_id=term_id,
            teachers=self._teachers(index, school_number),
        )

    def _course_number(self, index: int, school_number: int) -> str:
        """Return a course of the school or the district; once in a while it belongs to another school."""
        courses = self.tables["courses"]
        own = [row for row in courses if row["school_number"] in (0, school_number)]
        number: str = self.rng.choice(courses if index % 29 == 7 or not own else own)["number"]
        return number

    def _teachers(self, index: int, school_number: int) -> list[Row]:
        """Return a lead teacher and for every 6th section a co-teacher; every 40th section has no lead teacher."""
        staff = [row["dcid"] for row in self.tables["users"] if row["school_number"] == school_number]
        lead, other = self.rng.sample(staff, 2) if len(staff) > 1 else (staff[0], None)
        teachers = [] if index % 40 == 20 else [{"users_dcid": lead, "role": "lead"}]
        if other is not None and index % 6 == 2:
            left = self.today - timedelta(days=9) if index % 18 == 14 else None
            teachers.append({"users_dcid": other, "role": "co", "end_date": left})
        return teachers

    def add_students(self) -> None:
        """Add students with their enrollments: every 11th has a number with zeros, every 15th no e-mail address."""
        sections = {
            number: [row for row in self.tables["sections"] if row["school_number"] == number]
            for number in self.numbers
        }
        for index in range(self.size.students):
            school_number = self.numbers[index % len(self.numbers)]
            self._add_student(index, school_number)
            wanted = min(SECTIONS_PER_STUDENT, len(sections[school_number]))
            for section in self.rng.sample(sections[school_number], wanted):
                self._enroll(index, section)

    def _add_student(self, index: int, school_number: int) -> None:
        self._add(
            "students",
            dcid=_student_dcid(index),
            id=40_001 + index,
            number=f"{index + 1:06d}" if index % 11 == 0 else str(200_001 + index),
            school_number=school_number,
            enroll_status=2 if index % 97 == 41 else 0,
            first_name="Student",
            last_name=f"No. {index + 1}",
            email=None if index % 15 == 6 else f"student{index + 1}@district.example",
            other_emails=[f"family{index + 1}@mail.example"] if index % 20 == 3 else [],
        )

    def _enroll(self, index: int, section: Row) -> None:
        """Add an enrollment for the section's term: one in 30 was dropped, one in 40 ended, one in 50 began late."""
        term = self._term(section)
        first, last = term["first_day"], term["last_day"]
        chance = self.rng.random()
        has_left = self.tables["students"][index]["enroll_status"] != 0
        dropped = has_left or chance < 1 / 30
        entry = first + timedelta(days=20) if 0.9 < chance < 0.92 else first
        gone = self.today - timedelta(days=self.rng.randint(1, 30))
        ended = dropped or 0.5 < chance < 0.525
        self._add(
            "enrollments",
            dcid=1_000_001 + len(self.tables["enrollments"]),
            section_dcid=section["dcid"],
            student_dcid=_student_dcid(index),
            entry_date=entry,
            exit_date=max(entry, min(gone, last)) if ended else last + timedelta(days=1),
            dropped=dropped,
        )

    def _term(self, section: Row) -> Row:
        terms: Sequence[Row] = self.tables["terms"]
        key = section["term_id"], section["school_number"]
        return next(row for row in terms if (row["id"], row["school_number"]) == key)

    def _add(self, table: str, **row: Any) -> None:
        self.tables[table].append(row)


def _student_dcid(index: int) -> int:
    """Return STUDENTS.DCID of the student of that index."""
    return 80_001 + index
