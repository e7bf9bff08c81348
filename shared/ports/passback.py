"""Defines what the jobs need from Canvas and PowerSchool, as protocols. The contract tests check the adapters."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Protocol

from shared.domain.passback.canvas import Course, GradebookRow
from shared.domain.passback.powerschool import (
    ActualAssignment,
    DesiredAssignment,
    Mark,
    RosteredSection,
    Score,
    TeacherCategory,
)


class CachePolicy(Enum):
    """How a read of a course uses the cache of its sections, groups, name and time zone. The rest is always read.

    `USE` takes cached sections and groups, some minutes old at the most, and reads and caches them where there are
    none. `REFRESH` reads and caches them. `REFRESH_ALL` does the same for the course's name and time zone, which the
    other two take from a cache of an hour. `BYPASS` reads everything and caches nothing: for reads without a lease.
    """

    BYPASS = auto()
    REFRESH = auto()
    REFRESH_ALL = auto()
    USE = auto()


class CanvasReader(Protocol):
    """Reads courses from Canvas. Raises the errors of `shared.errors`."""

    def course(self, course_id: str, reading: CachePolicy = CachePolicy.BYPASS) -> Course:
        """Return the course with sections, assignments, overrides and groups, but without scores."""
        ...

    def gradebook(self, course_id: str, assignment_ids: Collection[str]) -> tuple[GradebookRow, ...]:
        """Return one row per student, with the submissions of these assignments; nobody twice.

        Raises `GradebookIncomplete`, with the others' rows, where single assignments cannot be read.
        """
        ...

    def courses_to_sync(self, ended_after: datetime) -> Iterator[str]:
        """Yield the ids of published courses with synced work that have not ended by then; some repeatedly."""
        ...


class RosterReader(Protocol):
    """Finds PowerSchool's sections and students by the SIS ids Canvas knows."""

    def sections(self, sis_section_ids: Collection[str], *, refresh: bool = False) -> Mapping[str, RosteredSection]:
        """Return the known ones of these sections by SIS id; `refresh` bypasses the cache."""
        ...


@dataclass(frozen=True, slots=True)
class CreatedAssignment:
    """The two ids of a new assignment; they come from separate sequences."""

    assignment_id: int
    assignment_section_id: int


@dataclass(frozen=True, slots=True)
class ScoreRow:
    """One row of a score batch; `score` is None to empty it.

    `marks` are the teacher's own flags, None where they are not known.
    """

    assignment_section_id: int
    student_dcid: int
    score: Score | None
    marks: frozenset[Mark] | None = None


class PowerSchoolGradebook(Protocol):
    """Reads and writes PowerTeacher Pro for a teacher (`users_dcid`). Raises the errors of `shared.errors`."""

    def plugin_ids(self) -> frozenset[str]:
        """Return the values of `createdbyplugin` that mean "made through this plugin"."""
        ...

    def categories(self, users_dcid: int, year_id: int, *, refresh: bool = False) -> tuple[TeacherCategory, ...]:
        """Return the teacher's categories, inactive ones included."""
        ...

    def assignments(
        self, sections: Sequence[RosteredSection], scores_of: Collection[int]
    ) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections; with scores for the assignment sections in `scores_of`."""
        ...

    def sections_of_assignments(self, users_dcid: int, section_dcids: Sequence[int]) -> Mapping[int, frozenset[int]]:
        """Return every section (SECTIONS.DCID) of each assignment that is in one of these sections."""
        ...

    def create(self, users_dcid: int, desired: DesiredAssignment) -> CreatedAssignment:
        """Create the assignment. Not safe to repeat: claim the link first."""
        ...

    def update(self, users_dcid: int, actual: ActualAssignment, desired: DesiredAssignment) -> None:
        """Make the assignment's own fields equal `desired`, keeping what passback does not own."""
        ...

    def write_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Write the rows, all or none. Safe to repeat. Raises `RequestRejected` whose `rows` name the rejected ones."""
        ...

    def clear_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Empty the scores, all or none. Safe to repeat. Raises `RequestRejected`: this way to clear is inferred."""
        ...


class Count(Protocol):
    """Increments counters; may lose those of a killed process, and never waits."""

    def __call__(self, name: str, *labels: str, amount: int = 1) -> None:
        """Add `amount` to the counter `name`, a `CounterName`, with these labels."""
        ...


def ignore_count(name: str, *labels: str, amount: int = 1) -> None:  # as `Count` has it
    """Count nothing."""
