"""Builds a Canvas and a PowerSchool that belong together.

A section's SIS id is its SECTIONS.DCID, a student's SIS id the student number.

Ids that passback must not mix up differ on purpose: a student's number, STUDENTS.DCID, STUDENTS.ID and Canvas user id
are four different numbers, as are SECTIONS.DCID and SECTIONS.ID, TERMS.DCID and TERMS.ID.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.sandbox.canvas.seed import CanvasSeed, CourseSeed, Student
from shared.sandbox.powerschool.seed import PowerSchoolSeed

SCHOOL_NUMBER: Final = 300
SCHOOL_DCID: Final = 11
FIRST_YEAR: Final = 1990


def user_id_of(number: int) -> int:
    """Return the Canvas user id of a student number."""
    return number + 10_000


def student_dcid_of(number: int) -> int:
    """Return STUDENTS.DCID of a student number."""
    return number + 70_000


@dataclass(frozen=True)
class District:
    """Two seeds that fit each other."""

    canvas: CanvasSeed
    powerschool: PowerSchoolSeed


@dataclass
class DistrictBuilder:
    """Collects rows of both systems around one day: a term under way and one that ended 40 days ago."""

    today: date
    zone: ZoneInfo
    courses: list[CourseSeed] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self._student_dcids: set[int] = set()
        self.year_id = (self.today - timedelta(days=60)).year - FIRST_YEAR
        self.current_term, self.past_term = self.year_id * 100 + 1, self.year_id * 100 + 2
        self._add("schools", dcid=SCHOOL_DCID, number=SCHOOL_NUMBER, name="Sandbox School")
        self._add_term(self.current_term, "Current term", "CT", -60, 60)
        self._add_term(self.past_term, "Past term", "PT", -160, -40)

    def end_of_day(self, days_from_today: int) -> datetime:
        """Return 23:59:59 of a day in the district's zone: the due time that Canvas gives by default."""
        return datetime.combine(self.today + timedelta(days=days_from_today), time(23, 59, 59), self.zone)

    def add_teacher(self, users_dcid: int, categories: Mapping[int, str], inactive: Mapping[int, str]) -> None:
        """Add a teacher with active and inactive categories, by id."""
        self._add(
            "users",
            dcid=users_dcid,
            staff_dcid=users_dcid + 500,
            staff_id=users_dcid + 900,
            teacher_number=str(users_dcid),
            school_number=SCHOOL_NUMBER,
            last_name=str(users_dcid),
        )
        for category_id, name in (*categories.items(), *inactive.items()):
            self._add("categories", id=category_id, users_dcid=users_dcid, name=name, active=category_id in categories)

    def add_section(
        self, dcid: int, teachers: Iterable[int], students: Iterable[int], *, course: str, past: bool = False
    ) -> None:
        """Add a PowerSchool section with its roster; the first teacher leads. Students are given by number."""
        roles = ["lead", *["co"] * 9]
        if not any(row["number"] == course for row in self.rows["courses"]):
            self._add("courses", dcid=dcid + 300_000, number=course, name=course, school_number=SCHOOL_NUMBER)
        self._add(
            "sections",
            dcid=dcid,
            id=dcid - 30_000,
            school_number=SCHOOL_NUMBER,
            course_number=course,
            section_number=str(dcid % 10),
            term_id=self.past_term if past else self.current_term,
            teachers=[{"users_dcid": user, "role": role} for user, role in zip(teachers, roles, strict=False)],
        )
        for number in students:
            self.add_student(dcid, number, entered=-160 if past else -60)

    def add_student(self, section_dcid: int, number: int, entered: int = -60, left: int | None = None) -> None:
        """Enroll a student in a section; `entered` and `left` are days from today. Left ones are marked dropped."""
        dcid = student_dcid_of(number)
        if dcid not in self._student_dcids:
            self._student_dcids.add(dcid)
            self._add("students", dcid=dcid, id=number + 30_000, number=str(number), school_number=SCHOOL_NUMBER)
        self._add(
            "enrollments",
            dcid=500_001 + len(self.rows["enrollments"]),
            section_dcid=section_dcid,
            student_dcid=dcid,
            entry_date=self.today + timedelta(days=entered),
            exit_date=None if left is None else self.today + timedelta(days=left),
            dropped=left is not None,
        )

    def add_assignment(self, section_dcid: int, name: str, category_id: int, points: float = 10) -> None:
        """Add an assignment that a teacher made by hand in PowerSchool."""
        due_date = self.today + timedelta(days=7)
        row = {"section_dcid": section_dcid, "name": name, "due_date": due_date, "points": points}
        self._add("assignments", **row, category_id=category_id)

    def build(self) -> District:
        """Return the two seeds, checked."""
        canvas = CanvasSeed(zone=self.zone.key, courses=self.courses)
        return District(canvas, PowerSchoolSeed.model_validate({"zone": self.zone.key} | self.rows))

    def _add_term(self, term_id: int, name: str, abbreviation: str, first: int, last: int) -> None:
        self._add(
            "terms",
            dcid=term_id + 5_000,
            id=term_id,
            school_number=SCHOOL_NUMBER,
            year_id=self.year_id,
            first_day=self.today + timedelta(days=first),
            last_day=self.today + timedelta(days=last),
            name=name,
            abbreviation=abbreviation,
            portion=2,
            is_year=False,
        )

    def _add(self, table: str, **row: Any) -> None:
        self.rows[table].append(row)


def enrolled(numbers: Iterable[int], section_id: int) -> list[Student]:
    """Return Canvas students by number, enrolled in one section by an SIS import."""
    return [Student(user_id=user_id_of(n), sis_user_id=str(n), section_ids=[section_id]) for n in numbers]
