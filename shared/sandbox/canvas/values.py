"""Values of records as Canvas prints them, and how it reads a grade that was posted.

Source: canvas-lms Submissions API, `submission[posted_grade]`; Canvas's default grading scheme.
"""

import re
from datetime import UTC, datetime
from typing import Any, Final

from shared.sandbox.canvas.seed import Assignment

LETTERS: Final = (
    ("A", 94), ("A-", 90), ("B+", 87), ("B", 84), ("B-", 80), ("C+", 77), ("C", 74), ("C-", 70),
    ("D+", 67), ("D", 64), ("D-", 61), ("F", 0),
)  # fmt: skip


def rest_time(time: datetime | None) -> str | None:
    """Return a time as REST shows it: UTC, whole seconds."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def times_of(record: object, *names: str) -> dict[str, str | None]:
    """Return these fields of a record as REST shows times."""
    return {name: rest_time(getattr(record, name)) for name in names}


def fields_of(record: object, *names: str) -> dict[str, Any]:
    """Return these fields of a record as they are."""
    return {name: getattr(record, name) for name in names}


def score_of(assignment: Assignment, posted: str) -> float | None:
    """Return the score that a posted grade means; None clears it.

    Raises `ValueError` for text that is no grade.
    """
    points = assignment.points_possible or 0.0
    text = posted.strip()
    if not text:
        return None
    if text.lower() in ("pass", "complete"):
        return points
    if text.lower() in ("fail", "incomplete"):
        return 0.0
    if match := re.fullmatch(r"([+-]?\d+(?:\.\d+)?)%", text):
        return points * float(match[1]) / 100
    if text.upper() in dict(LETTERS):
        return points * dict(LETTERS)[text.upper()] / 100
    return float(text)


def grade_of(assignment: Assignment, score: float | None) -> str | None:
    """Return a score as Canvas displays it: letters, a percentage, `complete`, or the number."""
    if score is None:
        return None
    percent = round(100 * score / assignment.points_possible, 6) if assignment.points_possible else None
    match assignment.grading_type:
        case "pass_fail":
            return "complete" if score > 0 else "incomplete"
        case "percent" if percent is not None:
            return f"{percent:g}%"
        case "letter_grade" | "gpa_scale" if percent is not None:
            return next(letter for letter, least in LETTERS if percent >= least or least == 0)
        case _:
            return f"{score:g}"
