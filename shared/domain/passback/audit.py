"""Defines the audit log: one entry per write to PowerSchool, with what it replaced.

Only PowerSchool and the audit log store scores. Nothing of it is written to logs, messages or dead letters.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.powerschool import AssignmentKey, Score

PASSBACK = "passback"


class WriteKind(StrEnum):
    """What was written."""

    CREATE = "create"
    UPDATE = "update"
    SCORES = "scores"
    CLEAR = "clear"


class Arrival(StrEnum):
    """What the next look at PowerSchool showed of a write whose answer was lost."""

    ARRIVED = "arrived"
    NOT_ARRIVED = "not_arrived"
    CHANGED_SINCE = "changed_since"
    """PowerSchool has neither the value from before nor the one that was sent."""


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """One student's score: None before the first, None after it was cleared. `student_dcid` is STUDENTS.DCID.

    `graded_by` is the Canvas id of the user who graded, negative for a quiz or a tool, None where Canvas names nobody.
    """

    student_dcid: int
    student_sis_id: str | None
    before: Score | None
    after: Score | None
    graded_by: str | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of an assignment, as text; None before the assignment was made. A category has its name and id."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class WriteContext:
    """Why a sync ran, for whom, and under which fencing token."""

    causes: tuple[ChangeCause, ...]
    actor: str
    token: int

    @classmethod
    def of(cls, changes: PendingChanges, token: int) -> "WriteContext":
        """Return the context of these changes. The actors are the people who asked for it, else passback."""
        return cls(tuple(sorted(changes.triggers)), ", ".join(sorted(changes.actors)) or PASSBACK, token)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One write to one assignment section. `points_possible` is what the scores were out of.

    With `answer_lost` no response came. The next look at PowerSchool says what became of the write: `arrival`, None
    until then. What did not arrive is written again, with an entry of its own.
    """

    at: datetime
    course_id: str
    assignment_id: str
    section_dcid: int
    powerschool_assignment_id: int | None
    powerschool_assignment_section_id: int | None
    kind: WriteKind
    occasion: WriteContext
    points_possible: Decimal | None = None
    fields: tuple[FieldChange, ...] = ()
    scores: tuple[ScoreChange, ...] = ()
    answer_lost: bool = False
    arrival: Arrival | None = None


def entries_about(
    entries: Iterable[AuditEntry], assignment_id: str | None = None, student_sis_id: str | None = None
) -> Iterator[AuditEntry]:
    """Yield the entries about this assignment and this student; None selects all. Scores of others are removed."""
    for entry in entries:
        if assignment_id not in (None, entry.assignment_id):
            continue
        if student_sis_id is None:
            yield entry
        elif scores := tuple(score for score in entry.scores if score.student_sis_id == student_sis_id):
            yield replace(entry, fields=(), scores=scores)


def latest_scores(entries: Iterable[AuditEntry], student_sis_id: str) -> dict[AssignmentKey, AuditEntry]:
    """Return the last entry about the student by assignment and section; `entries` are newest first."""
    found: dict[AssignmentKey, AuditEntry] = {}
    for entry in entries_about(entries, student_sis_id=student_sis_id):
        if entry.arrival is Arrival.NOT_ARRIVED:
            continue
        found.setdefault(AssignmentKey(entry.assignment_id, entry.section_dcid), entry)
    return found
