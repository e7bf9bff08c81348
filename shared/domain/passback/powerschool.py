"""Defines PowerSchool's data as values: sections with rosters, categories, and assignments as they are and should be.

Ids are PowerSchool's DCIDs, as integers. `SECTIONS.DCID` and `SECTIONS.ID`, and `assignmentid` and
`assignmentsectionid`, are different sequences: a name says which one it is.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

import msgspec


class AssignmentKey(NamedTuple):
    """One Canvas assignment in one section: its Canvas id and SECTIONS.DCID."""

    assignment_id: str
    section_dcid: int


@dataclass(frozen=True, slots=True)
class Term:
    """A section's term; both days belong to it. `year_id` is TERMS.YEARID (start year - 1990)."""

    first_day: date
    last_day: date
    year_id: int

    def contains(self, day: date) -> bool:
        """Say whether `day` lies in the term."""
        return self.first_day <= day <= self.last_day

    @property
    def codes(self) -> tuple[str, str]:
        """What the term is found by: its school year, `2026-27`, and its days, `2026-08-17/2026-12-18`."""
        year = self.year_id + 1990
        return f"{year}-{(year + 1) % 100:02}", f"{self.first_day}/{self.last_day}"


@dataclass(frozen=True, slots=True)
class RosteredStudent:
    """A student in a section's roster; not `active` once dropped, transferred or not yet entered."""

    dcid: int
    active: bool


@dataclass(frozen=True, slots=True)
class RosteredSection:
    """A PowerSchool section with its students.

    `teacher_users_dcid` is the lead teacher's USERS.DCID, None where the section has none. `students` is keyed
    by the SIS id that the district's template gives a student in Canvas.
    """

    sis_section_id: str
    dcid: int
    school_number: int
    teacher_users_dcid: int | None
    term: Term
    students: Mapping[str, RosteredStudent]


@dataclass(frozen=True, slots=True)
class TeacherCategory:
    """A category of one teacher. District categories are copied per teacher and carry the district's id.

    `counted` and `scores_published` are the defaults of its assignments, None where PowerSchool does not show them.
    """

    id: int
    name: str
    active: bool
    district_category_id: int | None = None
    excluded_section_dcids: frozenset[int] = frozenset()
    default_publish_option: str | None = None
    counted: bool | None = None
    scores_published: bool | None = None


class WrittenField(StrEnum):
    """What a write changes: three of a score, the others of an assignment."""

    SCORE = "score"
    MISSING = "missing"
    EXCUSED = "excused"
    NAME = "name"
    DESCRIPTION = "description"
    DUE_DATE = "due_date"
    POINTS = "points"
    CATEGORY = "category"
    COUNTED = "counted"
    SCORES_PUBLISHED = "scores_published"

    @property
    def label(self) -> str:
        """The field's name for people."""
        label = {WrittenField.POINTS: "points possible", WrittenField.COUNTED: "counted in the final grade"}
        return label.get(self, self.value.replace("_", " "))


OWNED_FIELDS = tuple(WrittenField)[3:]
"""The fields of a PowerSchool assignment that follow Canvas. Every other belongs to the teacher."""


class Mark(StrEnum):
    """A flag of a score row that belongs to the teacher: passback sends back what it read."""

    LATE = "late"
    COLLECTED = "collected"
    ABSENT = "absent"
    INCOMPLETE = "incomplete"


NO_MARKS: frozenset[Mark] = frozenset()


class Score(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A student's score with its flags, as PowerSchool has it, should have it, or had it before a write.

    `points` is None only in a row of PowerSchool. A desired score has all of Canvas's decimals, and 0 where Canvas has
    a flag and no score (product rule "missing, excused"). Only a score that was read from PowerSchool has the last two
    fields: `is_code` marks a score code that a teacher entered; `marks` are the flags that a teacher set, None where
    the read does not show them.
    """

    points: Decimal | None
    missing: bool = False
    exempt: bool = False
    is_code: bool = False
    marks: frozenset[Mark] | None = None


@dataclass(frozen=True, slots=True)
class ActualAssignment:
    """One assignment section as PowerSchool has it, with its scores by STUDENTS.DCID.

    `created_by_plugin` is ASSIGNMENT.createdbyplugin, None for what a person made. `locked`, `counted` (in the final
    grade), `scores_published`, `weight` and `score_type` (`POINTS`, `PERCENT` …) are None where the read does not show
    them.

    `unreadable` names the fields that passback cannot read: then only the ids are valid. `unreadable_scores` has the
    fields of single scores, by STUDENTS.DCID; they are not among the `scores`.
    """

    assignment_id: int
    assignment_section_id: int
    section_dcid: int
    name: str
    due_date: date
    points: Decimal
    category_id: int | None
    description: str = ""
    created_by_plugin: str | None = None
    locked: bool | None = None
    counted: bool | None = None
    scores_published: bool | None = None
    weight: Decimal | None = None
    score_type: str | None = None
    scores: Mapping[int, Score] = field(default_factory=dict)
    unreadable: str = ""
    unreadable_scores: Mapping[int, str] = field(default_factory=dict)

    @property
    def target(self) -> tuple[int, int | None]:
        """Where links of it lead: SECTIONS.DCID and the assignment section id."""
        return self.section_dcid, self.assignment_section_id


@dataclass(frozen=True, slots=True)
class DesiredAssignment:
    """One Canvas assignment in one PowerSchool section, with its scores by STUDENTS.DCID.

    `description` is None where Canvas does not show it: PowerSchool's stays. `counted` (in the final grade) and
    `scores_published` are None where neither system says; `publish_option` is the category's default, None where it has
    none. `flag_only` holds the students whose 0 in `scores` comes with a flag and from no score. `unscored` holds the
    students whom Canvas lists without a score or a flag: what PowerSchool has for them was cleared. `unfinished` holds
    those whose score waits for a person to finish grading, and who have no flag.
    """

    assignment_id: str
    section_dcid: int
    name: str
    description: str | None
    due_date: date
    points: Decimal
    category_id: int
    publish_option: str | None = None
    counted: bool | None = None
    scores_published: bool | None = None
    flag_only: frozenset[int] = frozenset()
    scores: Mapping[int, Score] = field(default_factory=dict)
    unscored: frozenset[int] = frozenset()
    unfinished: frozenset[int] = frozenset()

    @property
    def key(self) -> AssignmentKey:
        """The key of its link."""
        return AssignmentKey(self.assignment_id, self.section_dcid)

    @property
    def has_scores(self) -> bool:
        """Say whether there is a score or an excuse, and not only missing work."""
        return any(score.exempt or dcid not in self.flag_only for dcid, score in self.scores.items())


def without_students(desired: DesiredAssignment, student_dcids: Collection[int]) -> DesiredAssignment:
    """Return the assignment without these students: nothing of theirs is sent, cleared or taken as cleared."""
    if not student_dcids:
        return desired
    return replace(
        desired,
        scores={dcid: score for dcid, score in desired.scores.items() if dcid not in student_dcids},
        unscored=desired.unscored - set(student_dcids),
        unfinished=desired.unfinished - set(student_dcids),
    )
