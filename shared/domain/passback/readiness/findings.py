"""Defines what is not ready, and what a check found: of a course, of the district, and as a whole.

What no single assignment shows has one row each, with its sentence, its remedy and who can act. Findings hold ids,
codes and counts only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.passback.rules.reasons import Actor, Reason, sentence_with
from shared.domain.wording import CodeTable


class Concern(CodeTable):
    """What a whole district shows and a single assignment does not. The value is the code.

    `Reason` has what `explain` says of an assignment; these codes are no member of it.
    """

    message: str
    remedy: str
    who: Actor

    SCHOOL_WITHOUT_COURSES = (
        "school_without_courses",
        "None of the school's sections is in Canvas.",
        (
            "Have the school's sections provisioned into Canvas. If the school does not use Canvas, leave it out of "
            "provisioning's selection."
        ),
        Actor.CANVAS_ADMIN,
    )
    SECTION_WITHOUT_COURSE = (
        "section_without_course",
        "No running Canvas course has a section with the SIS id of this PowerSchool section.",
        (
            "Have the section provisioned into Canvas, or its SIS id entered at the Canvas section. If it is not "
            "taught in Canvas, leave it out of provisioning's selection."
        ),
        Actor.CANVAS_ADMIN,
    )
    TEACHER_ID_MISSING = (
        "teacher_id_missing",
        "The lead teacher lacks the number from which the SIS id is made, so Canvas cannot know who teaches.",
        "Enter the teacher number in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    CATEGORY_WITHOUT_GROUP = (
        "category_without_group",
        "No assignment group of the teacher's Canvas courses has this category, so no work from Canvas counts in it.",
        "Name an assignment group like the category, or make the category inactive, if that is not meant so.",
        Actor.TEACHER,
    )
    WEIGHTS_DIFFER = (
        "weights_differ",
        "The two gradebooks weight the work of the section differently, so their totals differ.",
        "Give PowerSchool's categories the weights of Canvas's assignment groups, or the other way round.",
        Actor.TEACHER,
    )
    RECORD_UNREADABLE = (
        "record_unreadable",
        "A column of the record holds what it cannot mean, such as a date that is none, so it is not checked.",
        "Enter the column again in PowerSchool; its name is in brackets.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_REVERSED = (
        "term_reversed",
        "The term ends before it begins.",
        "Correct the term's dates in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_OF_ANOTHER_YEAR = (
        "term_of_another_year",
        "The term's dates are not in its school year.",
        "Correct the term's dates in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_GAP = (
        "term_gap",
        "There are school days between two terms, and work that is due then is outside both.",
        "Correct the end of the one or the beginning of the other in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_OVERLAP = (
        "term_overlap",
        "Two terms of one kind overlap.",
        "Correct the end of the one or the beginning of the other in PowerSchool.",
        Actor.POWERSCHOOL_ADMIN,
    )
    TERM_ENDED = (
        "term_ended",
        "The section's term is over in PowerSchool, but its Canvas course has work that is still to come.",
        (
            "Have the Canvas section connected to the section of the running term, or the term's dates corrected in "
            "PowerSchool."
        ),
        Actor.CANVAS_ADMIN,
    )


ROWS: Mapping[str, Reason | Concern] = {row.value: row for table in (Reason, Concern) for row in table}
"""The rows of both tables by their codes."""


@dataclass(frozen=True, slots=True)
class ReadinessFinding:
    """One thing that is not ready, by the code of its row, with what it is about.

    `term` is its first and last day, `2026-08-17/2026-12-18`. `grades` counts what it would hold back: the students of
    the sections times the assignments that are to be sent. It is 0 where there is no such work yet.
    """

    code: str
    detail: str = ""
    school_number: int | None = None
    term: str = ""
    teacher_users_dcid: int | None = None
    course_id: str = ""
    section_sis_ids: tuple[str, ...] = ()
    assignment_ids: tuple[str, ...] = ()
    group_id: str = ""
    students: int = 0
    grades: int = 0

    @property
    def message(self) -> str:
        """The row's sentence, with the detail in brackets at its end."""
        return sentence_with(ROWS[self.code].message, self.detail)

    @property
    def remedy(self) -> str:
        """How it is mended."""
        return ROWS[self.code].remedy

    @property
    def who(self) -> Actor:
        """Who can mend it."""
        return ROWS[self.code].who


@dataclass(frozen=True, slots=True)
class CategoryUse:
    """An active category of a section's lead teacher, and whether a group of the course has it."""

    teacher_users_dcid: int
    category_id: int
    name: str
    is_used: bool
    school_number: int


@dataclass(frozen=True, slots=True)
class CourseFindings:
    """What was found in one Canvas course.

    `unread` is the cause why it could not be read; then nothing is known of it.
    """

    course_id: str
    read_at: datetime
    findings: tuple[ReadinessFinding, ...] = ()
    unread: str = ""


@dataclass(frozen=True, slots=True)
class CourseReadiness(CourseFindings):
    """The same, with what the district's findings are made of. `sections` are the SIS ids of the course's sections."""

    sections: tuple[str, ...] = ()
    categories: tuple[CategoryUse, ...] = ()


@dataclass(frozen=True, slots=True)
class SystemFinding:
    """A check of `doctor` that failed: what was found, and how it is mended."""

    check: str
    found: str
    fix: str
    who: Actor


@dataclass(frozen=True, slots=True)
class ReadinessRun:
    """A check of a whole district: how far it is, and what it could not ask.

    `courses` is how many there are to read, of which `done` are read. `attempts` counts failures in a row, `waits_for`
    is the cause of the newest. `systems` are as of `systems_at`. `without` names what a system did not let passback
    read; what depends on it is unknown.
    """

    started_at: datetime
    actor: str
    finished_at: datetime | None = None
    is_prepared: bool = False
    courses: int = 0
    done: int = 0
    attempts: int = 0
    waits_for: str = ""
    without: tuple[str, ...] = ()
    systems: tuple[SystemFinding, ...] = ()
    systems_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DistrictReadiness:
    """What a check found of the whole district, once every course was read.

    `teachers` are SIS ids by USERS.DCID. `schools` and `terms` are those of PowerSchool's sections, whether or not
    something was found: a term's school year and its days, as `Term.codes` has them.
    """

    read_at: datetime
    findings: tuple[ReadinessFinding, ...] = ()
    teachers: tuple[tuple[int, str], ...] = ()
    schools: tuple[int, ...] = ()
    terms: tuple[tuple[str, str], ...] = ()
