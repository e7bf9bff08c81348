"""Defines the audit log: one entry per write to PowerSchool, with what it replaced, how to select them, and texts.

Only PowerSchool and the audit log store scores. Nothing of it is written to logs, messages or dead letters.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.powerschool import AssignmentKey, Score, WrittenField

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


TRIGGER_LABELS = {
    ChangeCause.EVENT: "a change in Canvas",
    ChangeCause.WEBHOOK: "a webhook",
    ChangeCause.PERSON: "a person",
    ChangeCause.SCHEDULE: "the schedule",
    ChangeCause.DUE_DATE: "a due date that passed",
    ChangeCause.RECONCILE: "reconciliation",
    ChangeCause.DISCOVERY: "the first sync of a course found in Canvas",
    ChangeCause.ROSTER: "changed rosters",
    ChangeCause.UNKNOWN_COURSE: "an event of an unknown course",
    ChangeCause.RETRY: "a retry",
    ChangeCause.TAKEOVER: "a takeover of assignments",
    ChangeCause.BULK: "a sync of many courses",
    ChangeCause.VERIFICATION: "a difference that a verification found",
}
ARRIVAL_TEXTS = {
    None: "PowerSchool's answer was lost. The next sync that reads the assignment finds out whether it had arrived.",
    Arrival.ARRIVED: "PowerSchool's answer was lost. The next sync found that it had arrived.",
    Arrival.NOT_ARRIVED: "PowerSchool's answer was lost. The next sync found that it had not arrived and sent it.",
    Arrival.CHANGED_SINCE: "PowerSchool's answer was lost. The next sync found another value there.",
}


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Selects entries; what is None selects all. `since` and `until` are inclusive."""

    assignment_id: str | None = None
    student_sis_id: str | None = None
    field: WrittenField | None = None
    actor: str | None = None
    trigger: ChangeCause | None = None
    since: datetime | None = None
    until: datetime | None = None


def matching(entries: Iterable[AuditEntry], query: HistoryQuery) -> Iterator[AuditEntry]:
    """Yield the entries that match everything, without the scores of others and without other fields."""
    for entry in entries_about(entries, query.assignment_id, query.student_sis_id):
        if query.trigger not in (None, *entry.occasion.causes) or not _is_by(entry, query.actor):
            continue
        if (query.since and entry.at < query.since) or (query.until and entry.at > query.until):
            continue
        selected = entry if query.field is None else _with_field(entry, query.field)
        if selected is not None:
            yield selected


def _is_by(entry: AuditEntry, actor: str | None) -> bool:
    return actor is None or actor.casefold() in entry.occasion.actor.casefold().split(", ")


def _with_field(entry: AuditEntry, field: WrittenField) -> AuditEntry | None:
    fields = tuple(change for change in entry.fields if change.field == field)
    scores = tuple(change for change in entry.scores if field in changed_parts(change))
    return replace(entry, fields=fields, scores=scores) if fields or scores else None


def changed_parts(change: ScoreChange) -> tuple[WrittenField, ...]:
    """Return which parts of a score a write changed."""
    before, after = change.before, change.after
    parts = {
        WrittenField.SCORE: (before and before.points) != (after and after.points),
        WrittenField.MISSING: bool(before and before.missing) != bool(after and after.missing),
        WrittenField.EXCUSED: bool(before and before.exempt) != bool(after and after.exempt),
    }
    return tuple(part for part, is_changed in parts.items() if is_changed) or (WrittenField.SCORE,)


def triggers_text(entry: AuditEntry) -> str:
    """Return why the sync ran."""
    return " and ".join(TRIGGER_LABELS[cause] for cause in entry.occasion.causes)


def actor_text(entry: AuditEntry) -> str:
    """Return who asked for the sync; nobody did for one that passback ran by itself."""
    return "passback by itself" if entry.occasion.actor == PASSBACK else entry.occasion.actor


def grader_text(graded_by: str | None, names: dict[str, str]) -> str:
    """Return who graded, by name where it is known; empty where Canvas names nobody."""
    if graded_by is None:
        return ""
    if graded_by.startswith("-"):
        return "a quiz or a tool"
    return names.get(graded_by, f"Canvas user {graded_by}")
