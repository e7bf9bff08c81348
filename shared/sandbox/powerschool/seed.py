"""The seed of a sandbox PowerSchool, from JSON. Unknown keys and broken references are errors."""

from collections.abc import Iterable
from copy import deepcopy
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.clock import Clock
from shared.sandbox.powerschool.request import plain
from shared.sandbox.powerschool.rows import (
    Assignment,
    AssignmentSection,
    Category,
    CategoryAssociation,
    Course,
    Enrollment,
    Plugin,
    School,
    Score,
    Section,
    Staff,
    Student,
    Term,
)
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.xte.score_values import derive


class SeedAssignment(BaseModel):
    """An assignment; made by a teacher unless `created_by_plugin` says otherwise.

    `also_in` are further sections of it (SECTIONS.DCID): a teacher may give one assignment to several classes. `scores`
    are the points of students in the first section, by STUDENTS.DCID.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    section_dcid: int
    name: str
    due_date: date
    points: Decimal
    category_id: int
    description: str | None = None
    created_by_plugin: str | None = None
    locked: bool = False
    also_in: list[int] = Field(default_factory=list)
    scores: dict[int, Decimal] = Field(default_factory=dict)


class PowerSchoolSeed(BaseModel):
    """A district: its plugin, schools, terms, courses, people, sections, enrollments, categories and assignments.

    `today` fixes the calendar date; without it the date is the clock's, in `zone`. A user of several schools has one
    entry in `users` per school.
    """

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    zone: str = "America/Los_Angeles"
    today: date | None = None
    plugin: Plugin = Field(default_factory=Plugin)
    schools: list[School] = Field(default_factory=list)
    terms: list[Term] = Field(default_factory=list)
    courses: list[Course] = Field(default_factory=list)
    users: list[Staff] = Field(default_factory=list)
    sections: list[Section] = Field(default_factory=list)
    students: list[Student] = Field(default_factory=list)
    enrollments: list[Enrollment] = Field(default_factory=list)
    categories: list[Category] = Field(default_factory=list)
    assignments: list[SeedAssignment] = Field(default_factory=list)

    @model_validator(mode="after")
    def _references_exist(self) -> "PowerSchoolSeed":
        schools = {school.number for school in self.schools}
        sections, students = {s.dcid for s in self.sections}, {s.dcid for s in self.students}
        users, categories = {u.dcid for u in self.users}, {c.id for c in self.categories}
        terms = {(term.id, term.school_number) for term in self.terms}
        _require("term of section", ((s.term_id, s.school_number) for s in self.sections), terms)
        _require("school of section", (s.school_number for s in self.sections), schools)
        _require("teacher", (t.users_dcid for s in self.sections for t in s.teachers), users)
        _require("section of enrollment", (e.section_dcid for e in self.enrollments), sections)
        _require("student of enrollment", (e.student_dcid for e in self.enrollments), students)
        _require("owner of category", (c.users_dcid for c in self.categories), users)
        _require("section of assignment", (s for a in self.assignments for s in (a.section_dcid, *a.also_in)), sections)
        _require("student of score", (dcid for a in self.assignments for dcid in a.scores), students)
        _require("category of assignment", (a.category_id for a in self.assignments), categories)
        return self

    def build(self, clock: Clock) -> PowerSchool:
        """Return a PowerSchool that holds all this; the seed may be used again."""
        seed = deepcopy(self)
        state = PowerSchool(clock, ZoneInfo(seed.zone), seed.today, seed.plugin)
        state.schools = {row.dcid: row for row in seed.schools}
        state.terms = {row.dcid: row for row in seed.terms}
        state.courses = {row.dcid: row for row in seed.courses}
        state.staff = {row.staff_dcid: row for row in seed.users}
        state.sections = {row.dcid: row for row in seed.sections}
        state.students = {row.dcid: row for row in seed.students}
        state.categories = {row.id: row for row in seed.categories}
        for enrollment in seed.enrollments:
            state.rosters[enrollment.section_dcid].append(enrollment)
        for assignment in seed.assignments:
            add_assignment(state, assignment)
        return state


def add_assignment(state: PowerSchool, seed: SeedAssignment) -> Assignment:
    """Store an assignment as PowerTeacher Pro would, and return it."""
    assignment = Assignment(next(state.assignment_ids), seed.created_by_plugin)
    for section_dcid in (seed.section_dcid, *seed.also_in):
        category = CategoryAssociation(next(state.association_ids), seed.category_id, is_primary=True)
        row = AssignmentSection(
            assignment_section_id=next(state.assignment_section_ids),
            assignment_id=assignment.assignment_id,
            section_dcid=section_dcid,
            scoring_needed=True,
            categories=[category],
            **seed.model_dump(include={"name", "due_date", "points", "description", "locked"}),
        )
        assignment.sections.append(row)
    for student_dcid, points in seed.scores.items():
        score = Score(next(state.score_ids), state.clock.now(), entered=plain(points), kind="REAL_SCORE")
        derive(score, assignment.sections[0])
        assignment.sections[0].scores[student_dcid] = score
    state.add(assignment)
    return assignment


def _require(what: str, used: Iterable[object], known: set[int] | set[tuple[int, int]]) -> None:
    if unknown := {key for key in used if key not in known}:
        raise ValueError(f"{what} unknown: {sorted(map(str, unknown))}")
