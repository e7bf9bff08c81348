"""Decodes pages of scores, thousands for a course, into one row per student.

The decoder makes no objects of the twenty fields that nobody needs. What Canvas writes in another form is read row by
row: an odd submission costs only itself.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Annotated

import msgspec
from pydantic import BeforeValidator, TypeAdapter, ValidationError

from shared.adapters.http.decimal_json import Json
from shared.adapters.http.response import ApiResponse, UnreadableRow, fields_of
from shared.adapters.http.wire import Id, Points, SisId, Wire
from shared.domain.passback.canvas import GradebookRow, Submission
from shared.domain.passback.rules.score import is_reckonable


class SubmissionRow(msgspec.Struct, frozen=True):
    """One enrollment of `GET /api/v1/courses/:id/students/submissions?grouped=1`.

    `unreadable` are the fields of submissions that could not be read, by assignment id. An empty `section_id` is one
    that could not be read, and so is an empty `user_id`.
    """

    user_id: str
    section_id: str
    submissions: list[Submission]
    sis_user_id: str | None = None
    unreadable: dict[str, str] | None = None


DECODER = msgspec.json.Decoder(list[SubmissionRow])
IdIfUsable = Annotated[str | int | None, BeforeValidator(lambda value: value if type(value) in (str, int) else None)]


def _finite(value: object) -> Decimal | None:
    """Return the number, None for anything else."""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool) and Decimal(value).is_finite()
    return Decimal(value) if is_number and isinstance(value, int | Decimal) else None


class SubmissionWire(Wire):
    """One student's submission of one assignment, with the fields of `Submission`."""

    assignment_id: Id
    score: Points
    excused: bool | None = None
    missing: bool | None = None
    # A state that is null is none that passback knows (canvas-lms #1543).
    workflow_state: Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
    assignment_visible: bool | None = None
    # These are told where they can be read; a score does not depend on them.
    grader_id: IdIfUsable = None
    posted_at: Annotated[str | None, BeforeValidator(lambda value: value if value is None else str(value))] = ""
    points_deducted: Annotated[Decimal | None, BeforeValidator(_finite)] = None
    grading_period_id: IdIfUsable = None

    def to_domain(self) -> Submission:
        """Return the submission."""
        return Submission(**dict(self))


class RowWire(Wire):
    """A `SubmissionRow` in any form that Canvas writes."""

    user_id: Id
    section_id: Id
    sis_user_id: SisId = None
    submissions: list[SubmissionWire]


_ROWS = TypeAdapter(list[RowWire])


def read_rows(page: ApiResponse, assignment_ids: Sequence[str]) -> Iterator[SubmissionRow]:
    """Yield the rows of a page; of an odd one what can be read, and which of these assignments cannot.

    Raises: UnexpectedResponse where all rows lack the same field.
    """
    fast: list[SubmissionRow] | None = page.decoded  # type: ignore[assignment]  # the type of `DECODER`
    if fast is not None:
        yield from fast
        return
    rows, odd = page.rows(_ROWS)
    for row in rows:
        submissions = [submission.to_domain() for submission in row.submissions]
        yield SubmissionRow(row.user_id, row.section_id, submissions, row.sis_user_id)
    yield from (_readable_part(row, assignment_ids) for row in odd)


def _readable_part(odd: UnreadableRow, assignment_ids: Sequence[str]) -> SubmissionRow:
    row = odd.row if isinstance(odd.row, dict) else {}
    try:
        student = RowWire.model_validate({**row, "submissions": []})
    except ValidationError:
        unreadable = dict.fromkeys(assignment_ids, odd.fields)
        return SubmissionRow(odd.id("user_id") or "", odd.id("section_id") or "", [], odd.id("sis_user_id"), unreadable)
    listed = row.get("submissions")
    submissions, unreadable = _submissions(listed if isinstance(listed, list) else [odd.row], assignment_ids)
    return SubmissionRow(student.user_id, student.section_id, submissions, student.sis_user_id, unreadable)


def _submissions(listed: Sequence[Json], assignment_ids: Sequence[str]) -> tuple[list[Submission], dict[str, str]]:
    """Return the submissions that can be read, and the fields of the others by assignment id.

    One that does not name its assignment may be of any that is not among the readable ones.
    """
    submissions: list[Submission] = []
    unreadable: dict[str, str] = {}
    of_unknown = ""
    for value in listed:
        try:
            submissions.append(SubmissionWire.model_validate(value).to_domain())
        except ValidationError as error:
            fields = fields_of(error)
            assignment_id = UnreadableRow(value, fields).id("assignment_id")
            if assignment_id is None:
                of_unknown = fields
            else:
                unreadable[assignment_id] = fields
    if of_unknown:
        readable = {submission.assignment_id for submission in submissions}
        others = (assignment_id for assignment_id in assignment_ids if assignment_id not in readable)
        unreadable = {**dict.fromkeys(others, of_unknown), **unreadable}
    return submissions, unreadable


def one_row_per_student(rows: Iterable[SubmissionRow]) -> tuple[GradebookRow, ...]:
    """Merge the rows of each student: Canvas lists one for each enrollment."""
    students: dict[str, GradebookRow] = {}
    for row in rows:
        submissions = {each.assignment_id: each for each in row.submissions if is_reckonable(each.score)}
        unreadable = row.unreadable or {}
        if len(submissions) < len(row.submissions):
            out_of_range = (each.assignment_id for each in row.submissions if not is_reckonable(each.score))
            unreadable = {**unreadable, **dict.fromkeys(out_of_range, "score")}
        earlier = students.get(row.user_id)
        if earlier is not None:
            submissions = {**earlier.submissions, **submissions}
            # A student's rows have the same submissions: what one of them shows is readable.
            both = {**earlier.unreadable, **unreadable}
            unreadable = {id_: fields for id_, fields in both.items() if id_ not in submissions}
        section_ids = frozenset({row.section_id}) if row.section_id else frozenset()
        students[row.user_id] = GradebookRow(
            user_id=row.user_id,
            # An empty SIS id is none.
            sis_user_id=row.sis_user_id or (earlier.sis_user_id if earlier else None),
            section_ids=section_ids | (earlier.section_ids if earlier else frozenset()),
            submissions=submissions,
            unreadable=unreadable,
        )
    return tuple(students.values())
