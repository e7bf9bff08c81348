"""Selects audit entries, and says in words what they hold: fields, triggers, graders, lost answers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from shared.domain.passback.audit import PASSBACK, Arrival, AuditEntry, ScoreChange, entries_about
from shared.domain.passback.changes import ChangeCause


class HistoryField(StrEnum):
    """What a write changes: three of a score, the others of an assignment (`OwnedField`)."""

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
        label = {HistoryField.POINTS: "points possible", HistoryField.COUNTED: "counted in the final grade"}
        return label.get(self, self.value.replace("_", " "))


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
    field: HistoryField | None = None
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


def _with_field(entry: AuditEntry, field: HistoryField) -> AuditEntry | None:
    fields = tuple(change for change in entry.fields if change.field == field)
    scores = tuple(change for change in entry.scores if field in changed_parts(change))
    return replace(entry, fields=fields, scores=scores) if fields or scores else None


def changed_parts(change: ScoreChange) -> tuple[HistoryField, ...]:
    """Return which parts of a score a write changed."""
    before, after = change.before, change.after
    parts = {
        HistoryField.SCORE: (before and before.points) != (after and after.points),
        HistoryField.MISSING: bool(before and before.missing) != bool(after and after.missing),
        HistoryField.EXCUSED: bool(before and before.exempt) != bool(after and after.exempt),
    }
    return tuple(part for part, is_changed in parts.items() if is_changed) or (HistoryField.SCORE,)


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
