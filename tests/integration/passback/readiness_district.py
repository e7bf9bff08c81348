"""A generated district in which everything is ready, and the faults that can be planted in it."""

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from shared.sandbox.canvas.seed import Assignment, CanvasSeed, CourseSeed, Group, Override, Section, changed
from shared.sandbox.district.builder import enrolled, student_dcid_of, user_id_of
from shared.sandbox.powerschool.seed import PowerSchoolSeed

ZONE = ZoneInfo("America/Chicago")
# A Tuesday of the second week.
NOW = datetime(2026, 8, 25, 15, 0, tzinfo=UTC)
YEAR_ID = 36
SCHOOLS = (300, 400)
FULL_YEAR, FALL = 0, 1
TERMS = (
    (FULL_YEAR, "26-27", date(2026, 8, 17), date(2027, 6, 4)),
    (FALL, "S1", date(2026, 8, 17), date(2026, 12, 18)),
    (2, "S2", date(2027, 1, 5), date(2027, 6, 4)),
    (3, "Q1", date(2026, 8, 17), date(2026, 10, 16)),
    (4, "Q2", date(2026, 10, 19), date(2026, 12, 18)),
    (5, "Q3", date(2027, 1, 5), date(2027, 3, 19)),
    (6, "Q4", date(2027, 3, 30), date(2027, 6, 4)),
)

Row = dict[str, Any]
Key = tuple[str, str]
"""A finding: its code, and the id of the assignment, group, section, teacher, category or term that it is about."""


def due(day: date) -> datetime:
    """Return the end of a day in the district's zone."""
    return datetime.combine(day, time(23, 59, 59), ZONE)


@dataclass
class GeneratedDistrict:
    """Rows of both systems that fit each other; a fault changes them. `expected` are the findings of planted faults."""

    seed: int = 1
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    courses: dict[int, CourseSeed] = field(default_factory=dict)
    expected: dict[Key, Callable[[], int]] = field(default_factory=dict)
    students: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self._number = 1000
        for index, school in enumerate(SCHOOLS):
            self.rows["schools"].append({"dcid": 11 + index, "number": school, "name": f"School {school}"})
            for year in (YEAR_ID - 1, YEAR_ID):
                for offset, abbreviation, first, last in TERMS:
                    self._add_term(school, year, offset, abbreviation, first, last)
            self.rows["courses"].append(
                {"dcid": 900 + index, "number": f"C{school}", "name": "Course", "school_number": school}
            )
        for teacher in range(4):
            self._add_teacher(501 + teacher, SCHOOLS[teacher % 2])
        for index in range(8):
            self._add_course(index)
        # A section of last year that nobody needs in Canvas any more.
        self._add_section(59_999, 300, 501, (YEAR_ID - 1) * 100, 3)

    def _add_term(self, school: int, year: int, offset: int, abbreviation: str, first: date, last: date) -> None:
        days = {"first_day": _in_year(first, year), "last_day": _in_year(last, year)}
        dcid = 3000 + len(self.rows["terms"])
        self.rows["terms"].append(
            {"dcid": dcid, "id": year * 100 + offset, "school_number": school, "year_id": year, **days,
             "name": abbreviation, "abbreviation": abbreviation, "portion": 1, "is_year": offset == FULL_YEAR}
        )  # fmt: skip

    def _add_teacher(self, dcid: int, school: int) -> None:
        self.rows["users"].append(
            {"dcid": dcid, "staff_dcid": dcid + 500, "staff_id": dcid + 900, "teacher_number": str(dcid + 7000),
             "school_number": school, "last_name": str(dcid)}
        )  # fmt: skip
        for offset, name in enumerate(("Homework", "Tests")):
            self.rows["categories"].append({"id": dcid * 10 + offset, "users_dcid": dcid, "name": name, "active": True})

    def _add_section(self, dcid: int, school: int, teacher: int, term_id: int, students: int) -> list[int]:
        self.rows["sections"].append(
            {"dcid": dcid, "id": dcid - 30_000, "school_number": school, "course_number": f"C{school}",
             "section_number": str(dcid % 10), "term_id": term_id,
             "teachers": [{"users_dcid": teacher, "role": "lead"}]}
        )  # fmt: skip
        numbers = list(range(self._number, self._number + students))
        self._number += students
        year = term_id // 100
        for number in numbers:
            self.rows["students"].append(
                {"dcid": student_dcid_of(number), "id": number + 30_000, "number": str(number), "school_number": school}
            )
            self.rows["enrollments"].append(
                {"dcid": 500_001 + len(self.rows["enrollments"]), "section_dcid": dcid,
                 "student_dcid": student_dcid_of(number), "entry_date": _in_year(date(2026, 8, 17), year),
                 "exit_date": None, "dropped": False}
            )  # fmt: skip
        self.students[str(dcid)] = numbers
        return numbers

    def _add_course(self, index: int) -> None:
        school, teacher = SCHOOLS[index % 2], 501 + index % 4
        offset = FULL_YEAR if school == 400 else self.rng.choice((FULL_YEAR, FALL))
        dcid, id_ = 60_001 + index, 201 + index
        students = self._add_section(dcid, school, teacher, YEAR_ID * 100 + offset, self.rng.randint(2, 5))
        section = Section(id=id_ * 10, name="Section", sis_section_id=str(dcid))
        names = enumerate(("Homework", "Tests", "Assignments"))
        homework, tests, default = (Group(id=id_ * 100 + number, name=name) for number, name in names)
        synced = [
            Assignment(
                id=id_ * 1000 + number,
                name=f"Work {number}",
                due_at=due(date(2026, 9, 1) + timedelta(days=self.rng.randint(0, 90))),
                assignment_group_id=self.rng.choice((homework.id, tests.id)),
                workflow_state=self.rng.choice(("published", "published", "unpublished")),
            )
            for number in range(self.rng.randint(2, 5))
        ]
        # None of these is a fault: not meant to be sent, or waiting for what a teacher does anyway.
        harmless = [
            Assignment(id=id_ * 1000 + 20, name="Own notes, which are longer than any name", post_to_sis=False),
            Assignment(id=id_ * 1000 + 21, name="Survey", grading_type="not_graded"),
            Assignment(
                id=id_ * 1000 + 22, name="Blind", due_at=due(date(2026, 9, 9)), anonymous_grading=True,
                assignment_group_id=tests.id,
            ),
            Assignment(
                id=id_ * 1000 + 23, name="Roll Call Attendance", submission_types=["external_tool"],
                grading_type="percent",
            ),
        ]  # fmt: skip
        if index == 5:
            # Equal shares in other numbers, and a category that no work from Canvas is in.
            homework.group_weight, tests.group_weight = 30, 70
            self.rows["sections"][-1]["category_weights"] = {teacher * 10: 15, teacher * 10 + 1: 35, 999: 50}
        self.courses[id_] = CourseSeed(
            apply_assignment_group_weights=index == 5,
            id=id_, name=f"Course {id_}", sis_course_id=str(dcid),
            # Canvas makes a section without SIS id where people add one; without students it holds nothing back.
            sections=[section, Section(id=id_ * 10 + 1, name="Empty")],
            groups=[homework, tests, default], students=enrolled(students, section.id),
            assignments=[*synced, *harmless],
        )  # fmt: skip

    def canvas(self) -> CanvasSeed:
        """Return the seed of the sandbox Canvas."""
        return CanvasSeed(zone=ZONE.key, courses=[course.model_copy(deep=True) for course in self.courses.values()])

    def powerschool(self) -> PowerSchoolSeed:
        """Return the seed of the sandbox PowerSchool."""
        return PowerSchoolSeed.model_validate(
            {"zone": ZONE.key} | {k: [dict(r) for r in v] for k, v in self.rows.items()}
        )

    def seeds(self) -> tuple[CanvasSeed, PowerSchoolSeed]:
        """Return both seeds."""
        return self.canvas(), self.powerschool()

    def plant(self, names: Iterable[str]) -> None:
        """Plant faults, each in a course, teacher or term of its own choice."""
        for name in names:
            FAULTS[name](self)

    def expect(self, code: str, about: object, grades: Callable[[], int] = lambda: 0) -> None:
        """Expect a finding; `grades` is asked when every fault is planted."""
        self.expected[code, str(about)] = grades

    # What faults need.

    def course(self) -> CourseSeed:
        """Return a course of the school in which courses have faults, with its connection as it should be."""
        return self.courses[self.rng.choice((201, 203))]

    def assignment(self, course: CourseSeed) -> Assignment:
        """Return one that is to be sent, and has no fault yet or several."""
        return self.rng.choice([a for a in course.assignments if a.id % 1000 < 20])

    def edit(self, course: CourseSeed, assignment: Assignment, **changes: Any) -> None:
        """Change an assignment."""
        course.assignments[[a.id for a in course.assignments].index(assignment.id)] = changed(assignment, **changes)

    def work_in(self, course: CourseSeed, group_id: int | None = None) -> int:
        """Return how many assignments are to be sent."""
        return sum(
            a.post_to_sis and a.grading_type != "not_graded" and a.name != "Roll Call Attendance"
            and group_id in (None, a.assignment_group_id)
            for a in course.assignments
        )  # fmt: skip

    def size(self, course: CourseSeed) -> int:
        """Return how many students the course's PowerSchool section has."""
        return len(self.students[str(self.section_of(course)["dcid"])])

    def section_of(self, course: CourseSeed) -> Row:
        """Return the course's PowerSchool section."""
        return next(row for row in self.rows["sections"] if row["dcid"] == course.id - 201 + 60_001)

    def term(self, school: int, abbreviation: str) -> Row:
        """Return a term of this school year."""
        return next(
            row for row in self.rows["terms"]
            if (row["school_number"], row["year_id"], row["abbreviation"]) == (school, YEAR_ID, abbreviation)
        )  # fmt: skip


def _in_year(day: date, year_id: int) -> date:
    return day.replace(year=day.year + year_id - YEAR_ID)


FAULTS: dict[str, Callable[[GeneratedDistrict], None]] = {}


def fault(plant: Callable[[GeneratedDistrict], None]) -> Callable[[GeneratedDistrict], None]:
    """Register a fault by its function's name."""
    FAULTS[plant.__name__] = plant
    return plant


def _of_assignment(d: GeneratedDistrict, code: str, **changes: Any) -> None:
    course = d.course()
    assignment = d.assignment(course)
    d.edit(course, assignment, **changes)
    d.expect(code, assignment.id, lambda: d.size(course))


@fault
def name_too_long(d: GeneratedDistrict) -> None:
    """A name of 31 characters."""
    course = d.course()
    assignment = d.assignment(course)
    d.edit(course, assignment, name=f"{assignment.id} {'x' * 30}"[:31])
    d.expect("name_too_long", assignment.id, lambda: d.size(course))


@fault
def due_date_missing(d: GeneratedDistrict) -> None:
    """No due date, for anybody."""
    course = d.course()
    assignment = d.assignment(course)
    d.edit(course, assignment, due_at=None, overrides=[])
    d.expected.pop(("due_date_outside_term", str(assignment.id)), None)
    d.expect("due_date_missing", assignment.id, lambda: d.size(course))


@fault
def due_date_outside_term(d: GeneratedDistrict) -> None:
    """The day after the term's last one."""
    course = d.course()
    assignment = d.assignment(course)
    offset = d.section_of(course)["term_id"] % 100
    last_day = next(last for number, _, _, last in TERMS if number == offset)
    d.edit(course, assignment, due_at=due(last_day + timedelta(days=1)))
    d.expected.pop(("due_date_missing", str(assignment.id)), None)
    d.expect("due_date_outside_term", assignment.id, lambda: d.size(course))


@fault
def points_missing(d: GeneratedDistrict) -> None:
    """No points possible."""
    _of_assignment(d, "points_missing", points_possible=None)


@fault
def hidden_in_gradebook(d: GeneratedDistrict) -> None:
    """Canvas hides it from its gradebook."""
    _of_assignment(d, "hidden_in_gradebook", hide_in_gradebook=True)


@fault
def not_assigned_to_everyone(d: GeneratedDistrict) -> None:
    """Only for one student."""
    course = d.course()
    assignment = d.assignment(course)
    only = Override(id=assignment.id + 500, student_ids=[course.students[0].user_id])
    d.edit(course, assignment, only_visible_to_overrides=True, overrides=[only])
    d.expect("not_assigned_to_everyone", assignment.id, lambda: d.size(course))


@fault
def duplicate_name(d: GeneratedDistrict) -> None:
    """A later copy of an assignment that nobody has touched."""
    course = d.courses[205]
    original = course.assignments[0]
    copy = changed(original, id=original.id + 10 + len(course.assignments), name=f" {original.name.upper()}")
    course.assignments.append(copy)
    d.expect("name_taken", copy.id, lambda: d.size(course))


@fault
def name_in_powerschool(d: GeneratedDistrict) -> None:
    """The teacher has an assignment of that name in PowerSchool."""
    course = d.courses[207]
    assignment = course.assignments[1]
    category = d.section_of(course)["teachers"][0]["users_dcid"] * 10
    d.rows["assignments"].append(
        {"section_dcid": d.section_of(course)["dcid"], "name": assignment.name, "due_date": date(2026, 9, 3),
         "points": 5, "category_id": category}
    )  # fmt: skip
    d.expect("name_taken", assignment.id, lambda: d.size(course))


@fault
def group_without_category(d: GeneratedDistrict) -> None:
    """A group with work that no category matches."""
    course = d.course()
    group = Group(id=course.id * 100 + 50 + len(course.groups), name="Projects")
    course.groups.append(group)
    d.edit(course, d.assignment(course), assignment_group_id=group.id)
    d.expect("category_missing", group.id, lambda: d.size(course) * d.work_in(course, group.id))


@fault
def empty_group_without_category(d: GeneratedDistrict) -> None:
    """A group that a teacher made, without work yet."""
    course = d.course()
    group = Group(id=course.id * 100 + 50 + len(course.groups), name="Portfolio")
    course.groups.append(group)
    d.expect("category_missing", group.id)


@fault
def category_inactive(d: GeneratedDistrict) -> None:
    """The category that a group matches is inactive."""
    course = d.course()
    teacher = d.section_of(course)["teachers"][0]["users_dcid"]
    number = len(d.rows["categories"])
    d.rows["categories"].append(
        {"id": 90_000 + number, "users_dcid": teacher, "name": f"Labs {number}", "active": False}
    )
    group = Group(id=course.id * 100 + 50 + len(course.groups), name=f"Labs {number}")
    course.groups.append(group)
    d.edit(course, d.assignment(course), assignment_group_id=group.id)
    d.expect("category_missing", group.id, lambda: d.size(course) * d.work_in(course, group.id))


@fault
def category_without_group(d: GeneratedDistrict) -> None:
    """An active category that no group of the teacher's courses has."""
    number = len(d.rows["categories"])
    d.rows["categories"].append({"id": 90_000 + number, "users_dcid": 503, "name": f"Effort {number}", "active": True})
    d.expect("category_without_group", f"Effort {number}")


@fault
def section_without_course(d: GeneratedDistrict) -> None:
    """A section that nobody provisioned."""
    dcid = 61_000 + len(d.rows["sections"])
    d._add_section(dcid, 300, 501, YEAR_ID * 100, 4)
    d.expect("section_without_course", dcid)


@fault
def school_without_courses(d: GeneratedDistrict) -> None:
    """A school of which nothing was provisioned."""
    if all(row["school_number"] != 500 for row in d.rows["terms"]):
        d.rows["schools"].append({"dcid": 13, "number": 500, "name": "School 500"})
        d._add_term(500, YEAR_ID, *TERMS[0])
        for dcid in (63_001, 63_002):
            d._add_section(dcid, 500, 501, YEAR_ID * 100, 2)
    d.expect("school_without_courses", 500)


@fault
def section_unknown(d: GeneratedDistrict) -> None:
    """The SIS id of a Canvas section is no section's of PowerSchool; the section is in no course then."""
    course = d.courses[205]
    dcid = d.section_of(course)["dcid"]
    course.sections[0] = changed(course.sections[0], sis_section_id="999999")
    if ("section_sis_id_missing", "2050") not in d.expected:
        d.expect("section_unknown", "999999", lambda: d.size(course) * d.work_in(course))
        d.expect("section_without_course", dcid)


@fault
def section_without_sis_id(d: GeneratedDistrict) -> None:
    """Somebody made a section by hand and moved students there."""
    course = d.courses[207]
    numbers = [5001, 5002]
    course.sections[1] = changed(course.sections[1], name="By hand")
    course.students = [s for s in course.students if user_id_of(5001) != s.user_id and user_id_of(5002) != s.user_id]
    course.students += enrolled(numbers, course.sections[1].id)
    d.expect("section_sis_id_missing", course.sections[1].id, lambda: 2 * d.work_in(course))


@fault
def course_without_sis_id(d: GeneratedDistrict) -> None:
    """The course has no SIS id; its section has."""
    course = d.courses[208]
    course.sis_course_id = None
    d.expect("course_sis_id_missing", course.id, lambda: d.size(course) * d.work_in(course))


@fault
def teacher_missing(d: GeneratedDistrict) -> None:
    """A section without lead teacher."""
    course = d.courses[206]
    d.section_of(course)["teachers"] = []
    d.expect("teacher_missing", course.id, lambda: d.size(course) * d.work_in(course))


@fault
def teacher_id_missing(d: GeneratedDistrict) -> None:
    """A lead teacher without a teacher number."""
    next(row for row in d.rows["users"] if row["dcid"] == 504)["teacher_number"] = ""
    d.expect("teacher_id_missing", "504")


@fault
def weights_differ(d: GeneratedDistrict) -> None:
    """A group of 40 % whose category is 50 %; a third category has no work from Canvas."""
    course = d.courses[203]
    teacher = d.section_of(course)["teachers"][0]["users_dcid"]
    course.apply_assignment_group_weights = True
    for group, weight in zip(course.groups, (40, 60), strict=False):
        group.group_weight = weight
    d.section_of(course)["category_weights"] = {teacher * 10: 50, teacher * 10 + 1: 50, 999: 25}
    d.expect("weights_differ", course.groups[0].id)
    d.expect("weights_differ", course.groups[1].id)


@fault
def weights_in_powerschool_alone(d: GeneratedDistrict) -> None:
    """PowerSchool weights categories, Canvas counts total points."""
    course = d.courses[204]
    teacher = d.section_of(course)["teachers"][0]["users_dcid"]
    d.section_of(course)["category_weights"] = {teacher * 10: 50, teacher * 10 + 1: 50}
    d.expect("weights_differ", "")


@fault
def switch_not_shown(d: GeneratedDistrict) -> None:
    """Canvas shows no "Sync to SIS" in the course: the feature is off there."""
    course = d.courses[204]
    course.sis_feature = False
    gradable = [a for a in course.assignments if a.grading_type != "not_graded" and a.name != "Roll Call Attendance"]
    d.expect("sis_sync_off", d.section_of(course)["dcid"], lambda: d.size(course) * len(gradable))


@fault
def term_reversed(d: GeneratedDistrict) -> None:
    """First and last day exchanged."""
    term = d.term(400, "Q3")
    term["first_day"], term["last_day"] = date(2027, 3, 19), date(2027, 1, 5)
    d.expect("term_reversed", "400 Q3")


@fault
def term_without_dates(d: GeneratedDistrict) -> None:
    """A last day that is none, in a school whose other terms are as they should be."""
    term = d.term(400, "Q4")
    term["last_day"] = date.min
    d.expect("record_unreadable", term["dcid"])


@fault
def term_of_another_year(d: GeneratedDistrict) -> None:
    """A semester with the dates of the year before."""
    term = d.term(400, "S2")
    term["first_day"], term["last_day"] = date(2026, 1, 5), date(2026, 6, 4)
    d.expect("term_of_another_year", "400 S2")


@fault
def term_gap(d: GeneratedDistrict) -> None:
    """Four weeks between two semesters that belong to neither."""
    d.term(300, "S2")["first_day"] = date(2027, 2, 1)
    d.expect("term_gap", "300 S2")


@fault
def term_overlap(d: GeneratedDistrict) -> None:
    """A quarter that begins before the last one has ended."""
    d.term(300, "Q2")["first_day"] = date(2026, 10, 12)
    d.expect("term_overlap", "300 Q2")


@fault
def term_ended(d: GeneratedDistrict) -> None:
    """A Canvas course that is still connected to last year's section."""
    course = d.courses[202]
    old = 62_000
    if all(row["dcid"] != old for row in d.rows["sections"]):
        d._add_section(old, 400, 502, (YEAR_ID - 1) * 100, 3)
    course.sections[0] = changed(course.sections[0], sis_section_id=str(old))
    published = [
        a for a in course.assignments if a.id % 1000 == 22 or (a.id % 1000 < 20 and a.workflow_state == "published")
    ]
    d.expect("term_ended", course.id, lambda: 3 * len(published))
    d.expect("section_without_course", d.section_of(course)["dcid"])
