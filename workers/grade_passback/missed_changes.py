"""Counts the changes of which no event told, as a pass over all courses finds them."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.passback.audit import Arrival, AuditEntry
from shared.domain.passback.course_state import CourseRecord, State
from shared.domain.passback.planning.diff import agrees
from shared.domain.passback.planning.plan import CreateStep, LinkExistingStep, UpdateStep, WriteScoresStep
from shared.domain.passback.powerschool import AssignmentKey, Score, WrittenField
from workers.grade_passback.compare import AssignmentInSection, CourseComparison, field_text

# Canvas sends an event when one of these changes. The others follow PowerSchool's categories as well.
OF_CANVAS = frozenset({WrittenField.NAME, WrittenField.DESCRIPTION, WrittenField.DUE_DATE, WrittenField.POINTS})
# The last sync left nothing undone in these.
SETTLED = frozenset({State.SYNCED, State.WAITING})

Sent = dict[tuple[AssignmentKey, int | str], Score | str | None]


@dataclass(frozen=True, slots=True)
class MissedChanges:
    """How many scores, and how many assignments (of a section), changed without an event."""

    assignments: int = 0
    scores: int = 0


NOTHING_MISSED = MissedChanges()


def missed_changes(comparison: CourseComparison, entries: Iterable[AuditEntry]) -> MissedChanges:
    """Return the changes in a plan that only a lost event explains. `entries` is the course's audit, newest first.

    Other writes of such a plan have no event and are not counted: those of a first sync or a new section; what the last
    sync left to a retry, a rule or a person; students who were held back or were not on the roster; missing work, which
    a due date makes; adopted assignments; and what was changed or deleted by hand in PowerSchool.
    """
    earlier = comparison.data.earlier
    settled = [] if earlier is None else [p for p in comparison.placements if _was_settled(p, earlier, comparison)]
    if earlier is None or not settled:
        return NOTHING_MISSED
    sent = _last_sent(entries)
    counts = [(_scores(p, earlier, comparison, sent), _has_other_change(p, comparison, sent)) for p in settled]
    return MissedChanges(sum(1 for scores, other in counts if scores or other), sum(scores for scores, _ in counts))


def _was_settled(placement: AssignmentInSection, earlier: CourseRecord, comparison: CourseComparison) -> bool:
    """Say whether the last sync left the assignment as it should be, or Canvas did not have it yet."""
    key, steps = placement.key, comparison.plan.steps_of(placement.key) if placement.key else ()
    if key is None or not steps or key.section_dcid not in {roster.section_dcid for roster in earlier.rosters}:
        return False
    section = earlier.section(key.assignment_id, placement.section.sis_section_id)
    was_there = section is not None and section.powerschool_assignment_section_id is not None
    if any(isinstance(s, LinkExistingStep) or (isinstance(s, CreateStep) and was_there) for s in steps):
        return False
    return section is None or section.state in SETTLED


def _scores(placement: AssignmentInSection, earlier: CourseRecord, comparison: CourseComparison, sent: Sent) -> int:
    key, desired = placement.key, placement.desired
    if key is None or desired is None:
        return 0
    section = earlier.section(key.assignment_id, placement.section.sis_section_id)
    held_back = {student.student_sis_id for student in section.students} if section else set()
    on_roster = {id_ for r in earlier.rosters if r.section_dcid == key.section_dcid for id_ in r.student_sis_ids}
    expected = on_roster - held_back
    return sum(
        1
        for step in comparison.plan.steps_of(key)
        if isinstance(step, WriteScoresStep)
        for dcid, score in step.scores.items()
        if dcid not in desired.flag_only
        and comparison.data.users[dcid].sis_user_id in expected
        and not _was_sent(score, sent.get((key, dcid)))
    )


def _was_sent(score: Score, last: Score | str | None) -> bool:
    """Say whether Canvas's score is the one sent last: then PowerSchool's was changed by hand."""
    return isinstance(last, Score) and agrees(score, last)


def _has_other_change(placement: AssignmentInSection, comparison: CourseComparison, sent: Sent) -> bool:
    """Say whether the assignment is new, or one of its fields changed in Canvas."""
    key = placement.key
    steps = comparison.plan.steps_of(key) if key else ()
    return any(
        isinstance(step, CreateStep)
        or (
            isinstance(step, UpdateStep)
            and any(
                sent.get((step.key, field)) not in (None, field_text(step.desired, field))
                for field in OF_CANVAS.intersection(step.changed_fields)
            )
        )
        for step in steps
    )


def _last_sent(entries: Iterable[AuditEntry]) -> Sent:
    """Return what was sent last for each field and student (STUDENTS.DCID)."""
    sent: Sent = {}
    for entry in entries:
        if entry.arrival is Arrival.NOT_ARRIVED:
            continue
        key = AssignmentKey(entry.assignment_id, entry.section_dcid)
        for change in entry.fields:
            sent.setdefault((key, change.field), change.after)
        for score in entry.scores:
            sent.setdefault((key, score.student_dcid), score.after)
    return sent
