"""Folds the rows of the gradebook's state, thousands for a course, into assignments with scores.

The query joins: every score comes with all columns of its assignment.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal

import msgspec
from pydantic import ValidationError

from shared.adapters.http.response import UnreadableRow
from shared.adapters.powerschool.wire import SCORE_CODE, StateRow
from shared.domain.passback.powerschool import NO_MARKS, ActualAssignment, Mark, Score
from shared.domain.passback.rules.score import is_reckonable


class GradebookRow(msgspec.Struct, frozen=True, gc=False):
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

    def __post_init__(self) -> None:
        """Leave an answer with a number such as `NaN`, which a `Decimal` takes, to `StateRow`."""
        if not (is_reckonable(self.points) and is_reckonable(self.score_points) and is_reckonable(self.weight)):
            raise ValueError("a number out of range")


class FastRows(msgspec.Struct, frozen=True):
    """The query's whole answer. `count` is how many rows there are, where PowerSchool says so."""

    record: list[GradebookRow] = []
    count: int | None = None


DECODER = msgspec.json.Decoder(FastRows, strict=False)


# What a row says of a score; every other column is its assignment's.
SCORE_COLUMNS = frozenset(
    {
        "student_dcid",
        "score_points",
        "score_kind",
        "is_missing",
        "is_exempt",
        "is_late",
        "is_collected",
        "is_absent",
        "is_incomplete",
    }
)


def assignments_of(
    rows: Iterable[GradebookRow | StateRow], odd: Sequence[UnreadableRow] = ()
) -> tuple[ActualAssignment, ...]:
    """Return one value per assignment section, with the scores of its rows.

    An odd row, which must be identified, costs its student's score, or the assignment where that cannot be read.
    """
    assignments = _assignments_of(rows)
    for row in odd:
        _add(row, assignments)
    return tuple(assignments.values())


def is_identified(odd: UnreadableRow) -> bool:
    """Say whether the row tells which assignment section it is of."""
    return all(_number(odd, name) is not None for name in ("section_dcid", "assignment_id", "assignment_section_id"))


def _add(odd: UnreadableRow, assignments: dict[int, ActualAssignment]) -> None:
    key, student = _number(odd, "assignment_section_id"), _number(odd, "student_dcid")
    section_dcid, assignment_id = _number(odd, "section_dcid"), _number(odd, "assignment_id")
    assert key is not None
    assert section_dcid is not None
    assert assignment_id is not None
    known = assignments.get(key) or _without_score(odd)
    if known is None:
        nothing = ActualAssignment(assignment_id, key, section_dcid, "", date.min, Decimal(0), None)
        assignments[key] = replace(nothing, unreadable=odd.fields)
    elif student is None:
        # Somebody's score, of nobody knows whom.
        assignments[key] = replace(known, unreadable=known.unreadable or odd.fields)
    else:
        assignments[key] = replace(known, unreadable_scores={**known.unreadable_scores, student: odd.fields})


def _without_score(odd: UnreadableRow) -> ActualAssignment | None:
    """Return the row's assignment without scores, None where that is what cannot be read."""
    row = odd.row if isinstance(odd.row, dict) else {}
    try:
        own = StateRow.model_validate({name: value for name, value in row.items() if name not in SCORE_COLUMNS})
    except ValidationError:
        return None
    return _assignment(own, {})


def _number(odd: UnreadableRow, name: str) -> int | None:
    found = odd.id(name)
    return int(found) if found is not None and found.isdigit() else None


def _assignments_of(rows: Iterable[GradebookRow | StateRow]) -> dict[int, ActualAssignment]:
    assignments: dict[int, ActualAssignment] = {}
    scores_of: dict[int, dict[int, Score]] = {}
    for row in rows:
        key, student = row.assignment_section_id, row.student_dcid
        scores = scores_of.get(key)
        if scores is None:
            scores = scores_of[key] = {}
            assignments[key] = _assignment(row, scores)
        if student is not None:
            is_code = row.score_kind == SCORE_CODE
            scores[student] = Score(row.score_points, row.is_missing, row.is_exempt, is_code, _marks(row))
    return assignments


def _marks(row: GradebookRow | StateRow) -> frozenset[Mark] | None:
    """Return the teacher's flags: none of them, for nearly every row; None if the query does not return them."""
    late, collected, absent, incomplete = row.is_late, row.is_collected, row.is_absent, row.is_incomplete
    if late or collected or absent or incomplete:
        flags = ((Mark.LATE, late), (Mark.COLLECTED, collected), (Mark.ABSENT, absent), (Mark.INCOMPLETE, incomplete))
        return frozenset(mark for mark, is_set in flags if is_set)
    return None if late is None else NO_MARKS


def _assignment(row: GradebookRow | StateRow, scores: Mapping[int, Score]) -> ActualAssignment:
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
