"""Finds out what became of writes whose answer was lost: the next look at PowerSchool shows it."""

from collections.abc import Iterable
from dataclasses import replace

from shared.adapters.redis.course_data.audit import Audit
from shared.domain.passback.audit import Arrival, AuditEntry, ScoreChange, WriteKind
from shared.domain.passback.planning.description import same
from shared.domain.passback.planning.diff import OwnedField, agrees, has_value
from shared.domain.passback.powerschool import ActualAssignment, AssignmentKey, Score
from workers.grade_passback.compare import CourseComparison, audit_text


def resolve_lost_responses(audit: Audit, comparison: CourseComparison) -> None:
    """Store what became of the course's writes that have no answer; those whose assignment was not read stay.

    What remains of a write is stored before its settled part: if this process dies in between, an entry is there twice
    rather than not at all.
    """
    course_id = comparison.data.course.id
    for write, entries in audit.unanswered(course_id).items():
        judged = [_settled(entry, comparison) for entry in entries]
        settled = [entry for entry in judged if entry.arrival or not entry.answer_lost]
        if settled:
            if remaining := [entry for entry in judged if entry not in settled]:
                audit.begin(course_id, remaining)
            audit.end(course_id, write, settled)


def _settled(entry: AuditEntry, comparison: CourseComparison) -> AuditEntry:
    if not entry.answer_lost or not _was_read(entry, comparison):
        return entry
    target = entry.powerschool_assignment_section_id
    actual = next((a for a in comparison.data.actual if a.assignment_section_id == target), None)
    return replace(entry, arrival=Arrival.CHANGED_SINCE if actual is None else _arrival(entry, actual, comparison))


def _was_read(entry: AuditEntry, comparison: CourseComparison) -> bool:
    """Say whether this look shows what was written: scores are read only of assignments that no rule blocks."""
    key = AssignmentKey(entry.assignment_id, entry.section_dcid)
    placement = next((p for p in comparison.placements if p.key == key), None)
    if entry.kind is WriteKind.UPDATE:
        return key.section_dcid in comparison.data.rosters
    return placement is not None and placement.desired is not None and placement.scores_read


def _arrival(entry: AuditEntry, actual: ActualAssignment, comparison: CourseComparison) -> Arrival:
    """Compare what PowerSchool has with what was sent and with what was there. It takes a batch as a whole or not."""
    found = {*_fields(entry, actual, comparison), *(_score(change, actual) for change in entry.scores)}
    if Arrival.ARRIVED in found:
        return Arrival.ARRIVED
    return Arrival.NOT_ARRIVED if Arrival.NOT_ARRIVED in found else Arrival.CHANGED_SINCE


def _fields(entry: AuditEntry, actual: ActualAssignment, comparison: CourseComparison) -> Iterable[Arrival]:
    for change in entry.fields:
        there = audit_text(comparison.data, actual, OwnedField(change.field))
        if same(change.after or "", there):
            yield Arrival.ARRIVED
        else:
            yield Arrival.NOT_ARRIVED if same(change.before or "", there) else Arrival.CHANGED_SINCE


def _score(change: ScoreChange, actual: ActualAssignment) -> Arrival:
    there = actual.scores.get(change.student_dcid)
    if _is(change.after, there):
        return Arrival.ARRIVED
    return Arrival.NOT_ARRIVED if _is(change.before, there) else Arrival.CHANGED_SINCE


def _is(value: Score | None, there: Score | None) -> bool:
    if value is None:
        return there is None or not has_value(there)
    return agrees(value, there)
