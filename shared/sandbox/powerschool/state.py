"""PowerSchool's tables in memory. All of it is read and changed on one event loop, never across an await.

DCID and ID of a row are different numbers, as are `assignment_id` and `assignment_section_id`: two sequences without a
common value, so that a mix-up fails (measured against a test server: a wrong id is refused with 403).
"""

from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Literal, TypeVar
from zoneinfo import ZoneInfo

from shared.clock import Clock
from shared.sandbox.powerschool.rows import (
    Assignment,
    AssignmentSection,
    Category,
    Course,
    Enrollment,
    Plugin,
    School,
    Section,
    Staff,
    Student,
    Term,
)

FIRST_ASSIGNMENT_ID = 5_000_001
FIRST_ASSIGNMENT_SECTION_ID = 70_001
FIRST_ASSOCIATION_ID = 900_001
FIRST_SCORE_ID = 3_000_001
FIRST_DATA_VERSION = 16_300_001
FIRST_ENROLLMENT_DCID = 9_000_001


AtSchool = TypeVar("AtSchool", Term, Course, Staff, Section, Student)
ScoreValue = tuple[Decimal | None, bool, bool]
"""Points, missing, exempt."""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that a plugin made and PowerSchool accepted; of scores, whose, and what each was then."""

    at: datetime
    kind: Literal["create", "update", "scores"]
    assignment_section_id: int
    section_dcid: int
    student_dcids: tuple[int, ...] = ()
    values: tuple[ScoreValue, ...] = ()


@dataclass
class PowerSchool:
    """One district's PowerSchool: every table, the sequences, the tokens, and what was written."""

    clock: Clock
    zone: ZoneInfo
    fixed_today: date | None
    plugin: Plugin
    schools: dict[int, School] = field(default_factory=dict)
    terms: dict[int, Term] = field(default_factory=dict)
    courses: dict[int, Course] = field(default_factory=dict)
    staff: dict[int, Staff] = field(default_factory=dict)
    sections: dict[int, Section] = field(default_factory=dict)
    students: dict[int, Student] = field(default_factory=dict)
    rosters: dict[int, list[Enrollment]] = field(default_factory=lambda: defaultdict(list))
    categories: dict[int, Category] = field(default_factory=dict)
    assignments: dict[int, Assignment] = field(default_factory=dict)
    assignment_sections: dict[int, AssignmentSection] = field(default_factory=dict)
    gradebooks: dict[int, dict[int, AssignmentSection]] = field(default_factory=lambda: defaultdict(dict))
    deleted_assignment_sections: set[int] = field(default_factory=set)
    locked_terms: set[int] = field(default_factory=set)
    tokens: dict[str, datetime] = field(default_factory=dict)
    token_requests: list[datetime] = field(default_factory=list)
    last_accepted: datetime | None = None
    writes: list[Write] = field(default_factory=list)
    changes: list[tuple[int, str, int]] = field(default_factory=list)
    assignment_ids: Iterator[int] = field(default_factory=lambda: count(FIRST_ASSIGNMENT_ID))
    assignment_section_ids: Iterator[int] = field(default_factory=lambda: count(FIRST_ASSIGNMENT_SECTION_ID))
    association_ids: Iterator[int] = field(default_factory=lambda: count(FIRST_ASSOCIATION_ID))
    enrollment_dcids: Iterator[int] = field(default_factory=lambda: count(FIRST_ENROLLMENT_DCID))
    score_ids: Iterator[int] = field(default_factory=lambda: count(FIRST_SCORE_ID))

    def today(self) -> date:
        """Return the district's calendar date."""
        return self.fixed_today or self.clock.now().astimezone(self.zone).date()

    def only_schools(self, numbers: AbstractSet[int]) -> "PowerSchool":
        """Return a view in which there are only these schools and what is in them; of none, nothing at all."""
        shown = numbers | {0} if numbers else numbers

        def of(table: dict[int, AtSchool]) -> dict[int, AtSchool]:
            return {key: row for key, row in table.items() if row.school_number in shown}

        sections = of(self.sections)
        rosters = defaultdict[int, list[Enrollment]](list)
        rosters.update({key: rows for key, rows in self.rosters.items() if key in sections})
        return replace(
            self,
            schools={key: row for key, row in self.schools.items() if row.number in shown},
            terms=of(self.terms),
            courses=of(self.courses),
            staff=of(self.staff),
            sections=sections,
            students=of(self.students),
            rosters=rosters,
        )

    def term_of(self, section: Section) -> Term:
        """Return the section's term: TERMS joined by (ID, SCHOOLID), since a term id repeats per school."""
        return next(
            term
            for term in self.terms.values()
            if term.id == section.term_id and term.school_number == section.school_number
        )

    def is_enrolled(self, section_dcid: int, student_dcid: int, *, refuse_departed: bool = False) -> bool:
        """Say whether the student can be scored in the section: enrolled today, or when its term ended (inferred).

        With `refuse_departed`, who has left the school since, or has a negated row, cannot be scored any more.
        """
        last_day = self.term_of(self.sections[section_dcid]).last_day
        is_over = self.today() > last_day
        student = self.students.get(student_dcid)
        if student is None or (student.enroll_status != 0 and (refuse_departed or not is_over)):
            return False
        own = [row for row in self.rosters[section_dcid] if row.student_dcid == student_dcid]
        if not is_over:
            return any(row.covers(self.today()) for row in own)
        return any(row.stayed_until(last_day) and not (row.dropped and refuse_departed) for row in own)

    def add(self, assignment: Assignment) -> None:
        """Store an assignment with its sections."""
        self.assignments[assignment.assignment_id] = assignment
        for row in assignment.sections:
            self.assignment_sections[row.assignment_section_id] = row
            self.gradebooks[row.section_dcid][row.assignment_section_id] = row
            self.touch("assignmentsection", row.assignment_section_id)
        self.touch("assignment", assignment.assignment_id)

    def remove(self, assignment: Assignment) -> None:
        """Delete an assignment with its scores; its assignment section ids stay known as deleted."""
        del self.assignments[assignment.assignment_id]
        for row in assignment.sections:
            del self.assignment_sections[row.assignment_section_id]
            del self.gradebooks[row.section_dcid][row.assignment_section_id]
            self.deleted_assignment_sections.add(row.assignment_section_id)
            self.touch("assignmentsection", row.assignment_section_id)

    def record_write(
        self,
        kind: Literal["create", "update", "scores"],
        row: AssignmentSection,
        student_dcids: tuple[int, ...] = (),
    ) -> None:
        """Record an accepted write of the plugin, with its time and the scores as they are now."""
        scores = [row.scores[dcid] for dcid in student_dcids]
        values = tuple((score.points, score.missing, score.exempt) for score in scores)
        place = row.assignment_section_id, row.section_dcid
        self.writes.append(Write(self.clock.now(), kind, *place, student_dcids, values))

    def plugin_may_change(self, assignment: Assignment, what: Literal["assignment", "scores"]) -> bool:
        """Say whether the plugin may change the assignment itself, or its scores: always, if it made it."""
        if assignment.created_by_plugin == str(self.plugin.id):
            return True
        return self.plugin.foreign_changes in ("all", what)

    def touch(self, table: str, row_id: int) -> None:
        """Increase the data version for a row."""
        self.changes.append((self.data_version + 1, table, row_id))

    @property
    def data_version(self) -> int:
        """Return the newest data version."""
        return self.changes[-1][0] if self.changes else FIRST_DATA_VERSION

    def expire_tokens(self) -> None:
        """Make every token given so far invalid."""
        now = self.clock.now()
        self.tokens = {token: now - timedelta(seconds=1) for token in self.tokens}
