"""Renders a takeover of a course for `passback takeover --json`, the API and the pages. Students have ids only."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import cast

from shared.domain.passback.planning.diff import has_value
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import ActualAssignment
from shared.domain.passback.rules.apart import Apart
from shared.domain.passback.takeover import TEACHER, Candidate, maker_of
from shared.domain.wording import counted
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.preview import ScoreAction, preview_assignments, unwritten_record
from workers.grade_passback.operations.takeover import TakeoverPlan, UndoResult


def plan_json(plan: TakeoverPlan, taken_over: UndoResult, now: datetime, *, is_done: bool = False) -> Json:
    """Return what is or would be linked, with what the next sync overwrites, and what stays apart and why."""
    sections = _sections(plan, now)
    candidates = [_candidate(candidate, plan, sections) for candidate in plan.candidates]
    return {
        "course_id": plan.data.course.id,
        "done": is_done,
        "summary": _summary(candidates, is_done=is_done),
        "makers": dict(Counter(maker_of(a) for c in plan.candidates for a in c.found)),
        "candidates": candidates,
        "taken_over": [
            *(taken_over_json(link, can_undo=True) for link in taken_over.undone),
            *(taken_over_json(link, can_undo=False) for link in taken_over.written),
        ],
    }


def taken_over_json(link: Link, *, can_undo: bool) -> Json:
    """Return one assignment that was taken over."""
    return {
        "assignment_id": link.assignment_id,
        "section_dcid": link.section_dcid,
        "name": link.name,
        "powerschool_assignment_id": link.powerschool_assignment_id,
        "powerschool_assignment_section_id": link.powerschool_assignment_section_id,
        "made_by": (link.taken_over.made_by if link.taken_over else "") or TEACHER,
        "can_undo": can_undo,
    }


def apart_json(reason: Apart) -> Json:
    """Return a reason in the shape of the contract's reasons."""
    return {"code": reason, "message": reason.message, "remedy": reason.remedy, "can_choose": reason.can_choose}


def undo_json(course_id: str, result: UndoResult) -> Json:
    """Return what an undo did."""
    return {
        "course_id": course_id,
        "undone": [taken_over_json(link, can_undo=True) for link in result.undone],
        "written": [taken_over_json(link, can_undo=False) for link in result.written],
    }


def overwritten(candidates: Iterable[Json]) -> tuple[int, int, int]:
    """Return how many fields, scores and new scores the next sync writes."""
    linked = [c for c in candidates if c["link"]]
    students = [s for c in linked for s in cast("list[Json]", c["students"]) if s["do"] == ScoreAction.SEND]
    replaced = sum(s["before"] is not None for s in students)
    return sum(len(cast("list[Json]", c["fields"])) for c in linked), replaced, len(students) - replaced


def _summary(candidates: list[Json], *, is_done: bool) -> str:
    linked = [c for c in candidates if c["link"]]
    fields, replaced, new = overwritten(candidates)
    head = f"{counted(len(linked), 'assignment')} {'linked' if is_done else 'would be linked'}"
    if apart := len(candidates) - len(linked):
        head += f", {apart} {'stay' if apart > 1 else 'stays'} apart"
    numbers = ((fields, "field"), (replaced, "score"))
    changes = [counted(number, noun) for number, noun in numbers if number]
    parts = [f"overwrites {' and '.join(changes)}"] if changes else []
    parts += [f"sends {counted(new, 'score')} that PowerSchool does not have"] if new else []
    effect = f"The next sync {' and '.join(parts)}." if parts else "The next sync overwrites nothing."
    return f"{head}. {effect}" if linked else f"{head}."


def _sections(plan: TakeoverPlan, now: datetime) -> dict[tuple[object, object], Json]:
    """Return what the next sync would do with what is linked, by Canvas assignment id and SECTIONS.DCID."""
    if not plan.links:
        return {}
    return {
        (assignment["assignment_id"], section["section_dcid"]): section
        for assignment in preview_assignments(plan.comparison, unwritten_record(plan.comparison, now))
        for section in cast("list[Json]", assignment["sections"])
        if (assignment["assignment_id"], section["section_dcid"]) in plan.links
    }


def _candidate(candidate: Candidate, plan: TakeoverPlan, sections: Mapping[tuple[object, object], Json]) -> Json:
    work, section = candidate.work, sections.get(candidate.work.key)
    rostered = plan.data.rosters[work.key.section_dcid]
    return {
        "assignment_id": work.key.assignment_id,
        "name": work.name,
        "section_sis_id": rostered.sis_section_id,
        "section_dcid": rostered.dcid,
        "due_date": work.due_date and work.due_date.isoformat(),
        "points": None if work.points is None else _plain(work.points),
        "link": section is not None,
        "powerschool": [_found(actual) for actual in candidate.found],
        "apart": [apart_json(reason) for reason in candidate.apart],
        "fields": section["fields"] if section else [],
        "students": section["students"] if section else [],
        "points_before": section["points_before"] if section else None,
        "scores_equal": section["scores_equal"] if section else 0,
        "scores_only_there": _only_there(candidate, plan) if section else 0,
        "held_back": section["reasons"] if section else [],
    }


def _only_there(candidate: Candidate, plan: TakeoverPlan) -> int:
    """Return how many scores PowerSchool has that Canvas does not: they stay as they are."""
    (actual,), desired = candidate.found, plan.comparison.desired_of(candidate.work.key)
    there = next((a for a in plan.actual if a.assignment_section_id == actual.assignment_section_id), actual)
    wanted = desired.scores if desired else {}
    return sum(has_value(score) for dcid, score in there.scores.items() if dcid not in wanted)


def _plain(points: Decimal) -> str:
    """Return points without an exponent and without zeros at their end."""
    return f"{points.normalize():f}"


def _found(actual: ActualAssignment) -> Json:
    return {
        "assignment_id": actual.assignment_id,
        "assignment_section_id": actual.assignment_section_id,
        "name": actual.name,
        "due_date": None if actual.unreadable else actual.due_date.isoformat(),
        "points": None if actual.unreadable else _plain(actual.points),
        "made_by": maker_of(actual),
    }
