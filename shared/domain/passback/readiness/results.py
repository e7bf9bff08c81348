"""Defines what a check of readiness found: of a course, of the district, and as a whole. Ids, codes and counts only."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.passback.readiness.concerns import ROWS
from shared.domain.passback.rules.reasons import Actor, sentence_with


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
