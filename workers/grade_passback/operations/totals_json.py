"""Renders the explanation of totals as `passback totals --json`, the API and the pages show it."""

from collections.abc import Iterable
from decimal import Decimal

from shared.domain.passback.totals.causes import TotalCause
from shared.domain.passback.totals.formulas import ReportedGrade
from shared.domain.passback.totals.waterfall import Explanation, Step, totals_by_cause
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.totals import CourseTotals, StudentTotals


def totals_json(totals: CourseTotals) -> Json:
    """Return the course: its causes with how many students each concerns, and its students. Numbers are text.

    The largest difference comes first; a total on one side alone before all others.
    """
    students = sorted(totals.students, key=_size, reverse=True)
    return {
        "course_id": totals.course_id,
        "read_at": totals.read_at.isoformat(),
        "causes": _causes(totals.students),
        "students": [_student(student) for student in students],
    }


def _size(student: StudentTotals) -> tuple[bool, Decimal]:
    found = student.explanation
    if found is None:
        return False, Decimal(-1)
    return (found.canvas is None) is not (found.powerschool is None), abs(found.difference)


def _causes(students: Iterable[StudentTotals]) -> list[Json]:
    found = [set(totals_by_cause(each.explanation.steps)) for each in students if each.explanation]
    counts = {cause: sum(cause in causes for causes in found) for cause in TotalCause}
    return [
        {"cause": cause, "label": cause.label, "advice": cause.advice, "count": count}
        for cause, count in sorted(counts.items(), key=lambda item: -item[1])
        if count
    ]


def _student(student: StudentTotals) -> Json:
    who: Json = {
        "user_id": student.user_id,
        "student_sis_id": student.student_sis_id,
        "section_sis_id": student.section_sis_id,
        "message": student.absence,
    }
    return who if student.explanation is None else {**who, **_explanation(student.explanation)}


def _explanation(found: Explanation) -> Json:
    return {
        "canvas": _text(found.canvas),
        "powerschool": _text(found.powerschool),
        "difference": _text(found.difference),
        "unexplained": _text(found.unexplained),
        "steps": [_step(step) for step in found.steps],
        "changes": {cause: _text(change) for cause, change in totals_by_cause(found.steps).items()},
        "own_grade": _term_grade(found.reported),
        "notes": list(found.caveats),
        "canvas_formula": found.canvas_formula,
        "powerschool_formula": found.formula,
        "powerschool_formula_known": found.formula_known,
    }


def _step(step: Step) -> Json:
    return {
        "cause": step.cause,
        "label": step.cause.label,
        "advice": step.cause.advice,
        "assignment_id": step.assignment_id,
        "name": step.name,
        "sentence": step.sentence,
        "before": _text(step.before),
        "change": _text(step.change),
        "after": _text(step.after),
        "has_effect": step.has_effect,
    }


def _term_grade(reported: ReportedGrade) -> Json:
    grade = reported.grade
    return {
        "store_code": grade.store_code if grade else None,
        "percent": None if grade is None or grade.percent is None else str(grade.percent),
        "letter": grade.letter if grade else "",
        "sentence": reported.sentence,
        "unexplained": _text(reported.unexplained),
    }


def _text(number: Decimal | None) -> str | None:
    return None if number is None else f"{number:.2f}"
