"""A course's assignments as its pages show them: what needs attention first, and similar sections in one row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.passback.course_state import INTENTIONAL, AssignmentStatus

Explanation = Mapping[str, Any]

_RANK = {status: number for number, status in enumerate(AssignmentStatus)}


@dataclass(frozen=True, slots=True)
class Row:
    """One section, or several that have the same status and reasons and no scores."""

    sections: tuple[str, ...]
    status: AssignmentStatus
    reasons: Sequence[Explanation]
    students: Sequence[Explanation]
    scores_there: int
    scores_wanted: int
    written_at: datetime | None

    @property
    def holds_everybody(self) -> bool:
        """Say whether the assignment is in PowerSchool without a score, since every one of them is held back."""
        return self.status is AssignmentStatus.SYNCED and bool(self.students) and not self.scores_there


def assignment_rows(assignments: Sequence[Explanation]) -> list[tuple[Explanation, list[Row]]]:
    """Return each explained assignment with its rows: what needs attention first, else in Canvas's order."""
    rows = [(assignment, _merged(assignment["sections"])) for assignment in assignments]
    return sorted(rows, key=lambda item: min((_RANK[row.status] for row in item[1]), default=len(_RANK)))


def preview_rows(assignments: Sequence[Explanation]) -> list[tuple[Explanation, list[dict[str, Any]]]]:
    """Return each assignment of a preview with its rows: what a sync would change first, else in Canvas's order.

    Sections in which the same is not done for the same reasons are one row.
    """
    rows = [(assignment, _merged_preview(assignment["sections"])) for assignment in assignments]
    return sorted(rows, key=lambda item: not any(row["actions"] for row in item[1]))


def _merged_preview(sections: Sequence[Explanation]) -> list[dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for number, section in enumerate(sections):
        is_single = section["actions"] or section["students"]
        row = rows.setdefault(
            str(number) if is_single else repr((section["would"], section["reasons"])),
            {**section, "sections": [], "scores_equal": 0, "status": _status(section)},
        )
        row["sections"].append(section["section_sis_id"] or "without SIS id")
        row["scores_equal"] += section["scores_equal"]
    return list(rows.values())


def _status(section: Explanation) -> AssignmentStatus:
    is_on_purpose = section["state"] == "blocked" and any(
        reason["code"] in INTENTIONAL for reason in section["reasons"]
    )
    return AssignmentStatus.NOT_SELECTED if is_on_purpose else AssignmentStatus(section["state"])


def _merged(sections: Sequence[Explanation]) -> list[Row]:
    rows: list[Row] = []
    for row in map(_row, sections):
        similar = next((n for n, other in enumerate(rows) if _same_reason(row, other)), None)
        if similar is None:
            rows.append(row)
        else:
            rows[similar] = Row((*rows[similar].sections, *row.sections), row.status, row.reasons, (), 0, 0, None)
    return rows


def _row(section: Explanation) -> Row:
    return Row(
        (section["section_sis_id"] or "without SIS id",),
        _status(section),
        section["reasons"],
        section["students"],
        section["powerschool"]["scores"] if section["powerschool"] else 0,
        section["scores_wanted"],
        datetime.fromisoformat(section["written_at"]) if section["written_at"] else None,
    )


def _same_reason(row: Row, other: Row) -> bool:
    return (row.status, row.reasons) == (other.status, other.reasons) and not any(
        each.students or each.scores_there or each.scores_wanted or each.written_at for each in (row, other)
    )
