"""A course's assignments as its page shows them: what needs attention first, and alike sections in one row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.passback.course_summary import ON_PURPOSE, AssignmentStatus

AssignmentExplanation = Mapping[str, Any]

_ORDER = {standing: number for number, standing in enumerate(AssignmentStatus)}


@dataclass(frozen=True, slots=True)
class Row:
    """One section, or several that stand alike and hold no scores."""

    sections: tuple[str, ...]
    standing: AssignmentStatus
    reasons: Sequence[AssignmentExplanation]
    students: Sequence[AssignmentExplanation]
    scores_there: int
    scores_wanted: int
    written_at: datetime | None


@dataclass(frozen=True, slots=True)
class AssignmentRow:
    """One assignment."""

    assignment_id: str
    name: str
    rows: tuple[Row, ...]

    @property
    def rank(self) -> int:
        """Return its place: what most needs attention comes first."""
        return min((_ORDER[row.standing] for row in self.rows), default=len(_ORDER))


def assignment_rows(assignments: Sequence[AssignmentExplanation]) -> list[AssignmentRow]:
    """Return the assignments of an answer of `explain`; alike ones stay in Canvas's order."""
    work = [AssignmentRow(a["assignment_id"], a["name"], tuple(_merged(a["sections"]))) for a in assignments]
    return sorted(work, key=lambda each: each.rank)


def _merged(sections: Sequence[AssignmentExplanation]) -> list[Row]:
    rows: list[Row] = []
    for row in map(_row, sections):
        alike = next((n for n, other in enumerate(rows) if _same_reason(row, other)), None)
        if alike is None:
            rows.append(row)
        else:
            rows[alike] = Row((*rows[alike].sections, *row.sections), row.standing, row.reasons, (), 0, 0, None)
    return rows


def _row(section: AssignmentExplanation) -> Row:
    codes = {reason["code"] for reason in section["reasons"]}
    is_on_purpose = section["state"] == "blocked" and bool(codes & ON_PURPOSE)
    there = section["powerschool"]["scores"] if section["powerschool"] else 0
    return Row(
        (section["section_sis_id"] or "without SIS id",),
        AssignmentStatus.KEPT_BACK if is_on_purpose else AssignmentStatus(section["state"]),
        section["reasons"],
        section["students"],
        there,
        section["scores_wanted"],
        datetime.fromisoformat(section["written_at"]) if section["written_at"] else None,
    )


def _same_reason(row: Row, other: Row) -> bool:
    def without_scores(each: Row) -> bool:
        return not (each.students or each.scores_there or each.scores_wanted or each.written_at)

    same = (row.standing, row.reasons) == (other.standing, other.reasons)
    return same and without_scores(row) and without_scores(other)
