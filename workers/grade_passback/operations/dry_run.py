"""What a sync that a person asks for would do, in the shape of `passback sync --dry-run --json`. Reads only."""

from datetime import datetime

from shared.domain.passback.planning.plan import CreateStep, Plan, UpdateStep, WriteScoresStep
from workers.grade_passback.compare import compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.explain.response import Json, reason_json, sections_json
from workers.grade_passback.operations.preview import preview_assignments, summary_of_preview, unwritten_record


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
