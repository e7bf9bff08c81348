"""Previews a sync: what it would do with every assignment and why, and each student's score before and after.

Students have ids only. Who may see names gets them from a live read of Canvas (`CanvasAccount`).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest
from typing import cast

from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State
from shared.domain.passback.planning.plan import (
    ClearScoresStep,
    CreateStep,
    LinkExistingStep,
    Plan,
    Step,
    UnlinkStep,
    UpdateStep,
    WriteScoresStep,
)
from shared.domain.passback.powerschool import ActualAssignment, Score, WrittenField
from shared.domain.passback.student_status import sentence_of
from shared.domain.wording import counted
from workers.grade_passback.apply.context import ApplyResult
from workers.grade_passback.compare import AssignmentInSection, CourseComparison, audit_text, compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.course_state import course_record
from workers.grade_passback.explain.response import Json, reason_json, score_json, sections_json

_ACTIONS: Mapping[str, type[Step]] = {
    "link": LinkExistingStep,
    "create": CreateStep,
    "update": UpdateStep,
    "scores": WriteScoresStep,
    "clear": ClearScoresStep,
}


class ScoreAction(StrEnum):
    """What a sync would do with one student's score."""

    SEND = "send"
    EMPTY = "empty"
    HOLD = "hold"
    NOTHING = "nothing"


def preview_assignments(
    comparison: CourseComparison, record: CourseRecord, assignment_id: str | None = None
) -> list[Json]:
    """Return what a sync would do with every assignment, or with one.

    Scores that agree are counted; those of a single assignment are listed as well.
    """
    return [
        _assignment(assignment, comparison, lists_equal=assignment_id is not None)
        for assignment in record.assignments
        if assignment_id in (None, assignment.assignment_id)
    ]


def unwritten_record(comparison: CourseComparison, now: datetime) -> CourseRecord:
    """Return the course's state after a sync that wrote nothing."""
    return course_record(comparison, ApplyResult(links=dict(comparison.links_seen)), now)


def summary_of_preview(assignments: Iterable[Json]) -> str:
    """Return in one sentence what a sync would do."""
    sections = [section for each in assignments for section in cast("list[Json]", each["sections"])]
    actions = [action for section in sections for action in cast("list[str]", section["actions"])]
    scores = [student["do"] for section in sections for student in cast("list[Json]", section["students"])]
    counts = (
        (actions.count("link"), "link {} that it created before", "assignment"),
        (actions.count("create"), "create {}", "assignment"),
        (actions.count("update"), "update {}", "assignment"),
        (scores.count(ScoreAction.SEND), "send {}", "score"),
        (scores.count(ScoreAction.EMPTY), "empty {}", "score"),
    )
    parts = [text.format(counted(number, noun)) for number, text, noun in counts if number]
    if not parts:
        return "A sync would write nothing."
    *first, last = parts
    return f"A sync would {', '.join(first)} and {last}." if first else f"A sync would {last}."


def score_text(score: Json | None, points_possible: str | None) -> str:
    """Return a score of a preview in words: `8 of 10`, `excused`, `nothing`."""
    if score is None:
        return "nothing"
    points = cast("str | None", score["points"])
    value = Score(None if points is None else Decimal(points), bool(score["missing"]), bool(score["exempt"]))
    return sentence_of(value, None if points_possible is None else Decimal(points_possible))


def _assignment(assignment: AssignmentRecord, comparison: CourseComparison, *, lists_equal: bool) -> Json:
    placements = [p for p in comparison.placements if p.assignment.id == assignment.assignment_id]
    # An assignment that Canvas has no more, or that cannot be read, has records and no placements.
    paired = zip_longest(assignment.sections, placements)
    points = placements[0].assignment.points_possible if placements else None
    return {
        "assignment_id": assignment.assignment_id,
        "name": assignment.name,
        "points_possible": None if points is None else str(points),
        "sections": [_section(record, placement, comparison, lists_equal=lists_equal) for record, placement in paired],
    }


def _section(
    record: SectionRecord, placement: AssignmentInSection | None, comparison: CourseComparison, *, lists_equal: bool
) -> Json:
    key = placement.key if placement else None
    steps = comparison.plan.steps_of(key) if key else ()
    actual = comparison.actual_of(key) if key else None
    actions = [name for name, kind in _ACTIONS.items() if any(isinstance(step, kind) for step in steps)]
    students = _students(record, placement, comparison, actual, steps)
    return {
        "section_sis_id": record.section_sis_id,
        "section_dcid": key.section_dcid if key else None,
        "state": State.WAITING if actions and record.state is State.SYNCED else record.state,
        "actions": actions,
        "would": [sentence for step in steps if (sentence := _sentence(step, steps))] or [_nothing(record.state)],
        "fields": [change for step in steps if isinstance(step, UpdateStep) for change in _fields(step, comparison)],
        "reasons": [reason_json(finding) for finding in record.findings],
        "points_before": None if actual is None else str(actual.points),
        "students": [each for each in students if lists_equal or each["do"] is not ScoreAction.NOTHING],
        "scores_equal": sum(each["do"] is ScoreAction.NOTHING for each in students),
    }


def _sentence(step: Step, steps: Iterable[Step]) -> str:
    """Return what the step does, and why; empty for a step that only stores what was read."""
    sentence = ""
    match step:
        case LinkExistingStep():
            sentence = "Link the assignment in PowerSchool: passback created it, and has no link to it."
        case CreateStep():
            was_deleted = any(isinstance(other, UnlinkStep) for other in steps)
            because = "it was deleted in PowerSchool" if was_deleted else "PowerSchool does not have it"
            sentence = f"Create the assignment: {because}."
        case UpdateStep(is_temporary=True):
            sentence = "Rename the assignment for a moment: another one needs its name."
        case UpdateStep(changed_fields=fields):
            names = ", ".join(WrittenField(field).label for field in fields)
            sentence = f"Update the assignment: PowerSchool differs in {names}."
        case WriteScoresStep(scores=scores, replaces=replaces):
            numbers = ((len(scores) - len(replaces), "new score"), (len(replaces), "changed score"))
            sentence = f"Send {' and '.join(counted(number, noun) for number, noun in numbers if number)}."
        case ClearScoresStep(replaces=replaces):
            sentence = f"Empty {counted(len(replaces), 'score')}: Canvas has none any more."
    return sentence


def _nothing(state: State) -> str:
    if state is State.SYNCED:
        return "Nothing to write: PowerSchool agrees with Canvas."
    return "Nothing for now." if state in (State.WAITING, State.RETRYING) else "Nothing is sent."


def _fields(step: UpdateStep, comparison: CourseComparison) -> list[Json]:
    return [
        {
            "field": WrittenField(field).label,
            "before": audit_text(comparison.data, step.actual, field),
            "after": audit_text(comparison.data, step.desired, field),
        }
        for field in step.changed_fields
    ]


def _students(
    record: SectionRecord,
    placement: AssignmentInSection | None,
    comparison: CourseComparison,
    actual: ActualAssignment | None,
    steps: Iterable[Step],
) -> list[Json]:
    """Return every student whose score would be sent, emptied or held, or agrees, by SIS id."""
    before = actual.scores if actual else {}
    after: dict[int, tuple[ScoreAction, Score | None]] = {}
    # What PowerSchool does not have yet holds no score that agrees.
    if placement and placement.desired and actual:
        after = {dcid: (ScoreAction.NOTHING, before.get(dcid)) for dcid in placement.desired.scores}
    for step in steps:
        match step:
            case WriteScoresStep(scores=scores):
                after |= {dcid: (ScoreAction.SEND, score) for dcid, score in scores.items()}
            case ClearScoresStep(replaces=replaces):
                after |= dict.fromkeys(replaces, (ScoreAction.EMPTY, None))
    users, dcids = comparison.data.users, {row.user_id: dcid for dcid, row in comparison.data.users.items()}
    for held in record.students:
        # An assignment that is kept back keeps the score that is there.
        after.pop(dcids.get(held.user_id, -1), None)
    found: list[Json] = [
        {
            "user_id": users[dcid].user_id if dcid in users else None,
            "student_sis_id": users[dcid].sis_user_id if dcid in users else None,
            "do": action,
            "before": score_json(before.get(dcid)),
            "after": score_json(score),
        }
        for dcid, (action, score) in after.items()
    ]
    for held in record.students:
        score = score_json(before.get(dcids.get(held.user_id, -1)))
        student: Json = {"user_id": held.user_id, "student_sis_id": held.student_sis_id, "do": ScoreAction.HOLD}
        found.append({**student, "before": score, "after": score, **reason_json(held.finding)})
    return sorted(found, key=lambda student: (str(student["student_sis_id"] or ""), str(student["user_id"])))


def plan_preview(reader: CourseReader, course_id: str, now: datetime, assignment_id: str | None = None) -> Json:
    """Return what a sync would do with every assignment, the steps of its plan, and the reasons for what it skips."""
    comparison = compare(reader.read(course_id, asked_for_by_person=True))
    record = unwritten_record(comparison, now)
    plan, assignments = comparison.plan, preview_assignments(comparison, record, assignment_id)
    return {
        "course_id": course_id,
        "summary": summary_of_preview(assignments),
        "sections": sections_json(record),
        "assignments": assignments,
        "steps": _steps(plan, assignment_id),
        "findings": _findings(plan, assignment_id),
    }


def _steps(plan: Plan, assignment_id: str | None) -> list[Json]:
    return [_step(step) for step in plan.writes if assignment_id in (None, step.key.assignment_id)]


def _step(step: object) -> Json:
    match step:
        case CreateStep(desired=d):
            return {"do": "create", "assignment_id": d.assignment_id, "section_dcid": d.section_dcid, "name": d.name}
        case UpdateStep(desired=d, changed_fields=fields):
            return {
                "do": "update",
                "assignment_id": d.assignment_id,
                "section_dcid": d.section_dcid,
                "fields": [str(f) for f in fields],
            }
        case WriteScoresStep(key=key, scores=scores, replaces=replaces):
            return {
                "do": "scores",
                **key._asdict(),
                "new": len(scores) - len(replaces),
                "changed": len(replaces),
            }
        case _:
            return {"do": type(step).__name__.lower()}


def _findings(plan: Plan, assignment_id: str | None) -> list[Json]:
    return [
        {**f.key._asdict(), **reason_json(f.finding)}
        for f in plan.findings
        if assignment_id in (None, f.key.assignment_id)
    ]
