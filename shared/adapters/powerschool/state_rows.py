"""Folds the rows of the gradebook's state, thousands for a course, into assignments with scores.

The query joins: every score comes with all columns of its assignment.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

import msgspec

from shared.adapters.powerschool.wire import SCORE_CODE, StateRow
from shared.domain.powerschool import NO_MARKS, ActualAssignment, ActualScore, Mark


class FastRow(msgspec.Struct, frozen=True, gc=False):
    """A `StateRow` in the form that PowerQueries are documented to have: text, nulls left out."""

    section_dcid: int
    assignment_id: int
    assignment_section_id: int
    name: str
    due_date: date
    points: Decimal
    description: str = ""
    category_id: int | None = None
    created_by_plugin: str | None = None
    student_dcid: int | None = None
    score_points: Decimal | None = None
    score_kind: str = ""
    is_missing: bool = False
    is_exempt: bool = False
    is_counted: bool | None = None
    scores_published: bool | None = None
    weight: Decimal | None = None
    score_type: str | None = None
    is_late: bool | None = None
    is_collected: bool | None = None
    is_absent: bool | None = None
    is_incomplete: bool | None = None


class FastRows(msgspec.Struct, frozen=True):
    """The query's whole answer."""

    record: list[FastRow] = []


DECODER = msgspec.json.Decoder(FastRows, strict=False)


def assignments_of(rows: Iterable[FastRow | StateRow]) -> tuple[ActualAssignment, ...]:
    """Return one value per assignment section, with the scores of its rows."""
    assignments: dict[int, ActualAssignment] = {}
    scores_of: dict[int, dict[int, ActualScore]] = {}
    for row in rows:
        key, student = row.assignment_section_id, row.student_dcid
        scores = scores_of.get(key)
        if scores is None:
            scores = scores_of[key] = {}
            assignments[key] = _assignment(row, scores)
        if student is not None:
            is_code = row.score_kind == SCORE_CODE
            scores[student] = ActualScore(row.score_points, row.is_missing, row.is_exempt, is_code, _marks(row))
    return tuple(assignments.values())


def _marks(row: FastRow | StateRow) -> frozenset[Mark] | None:
    """Return the teacher's flags: none of them, for nearly every row; None if the query does not return them."""
    late, collected, absent, incomplete = row.is_late, row.is_collected, row.is_absent, row.is_incomplete
    if late or collected or absent or incomplete:
        flags = ((Mark.LATE, late), (Mark.COLLECTED, collected), (Mark.ABSENT, absent), (Mark.INCOMPLETE, incomplete))
        return frozenset(mark for mark, is_set in flags if is_set)
    return None if late is None else NO_MARKS


def _assignment(row: FastRow | StateRow, scores: Mapping[int, ActualScore]) -> ActualAssignment:
    return ActualAssignment(
        assignment_id=row.assignment_id,
        assignment_section_id=row.assignment_section_id,
        section_dcid=row.section_dcid,
        name=row.name,
        due_date=row.due_date,
        points=row.points,
        category_id=row.category_id,
        description=row.description,
        created_by_plugin=row.created_by_plugin,
        counted=row.is_counted,
        scores_published=row.scores_published,
        weight=row.weight,
        score_type=row.score_type,
        scores=scores,
    )
