"""Rows of scores that the fast decoder does not take, each read by itself: an odd submission costs only itself."""

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from shared.adapters.canvas import wire
from shared.adapters.canvas.submission_rows import PartRow, SubmissionRow
from shared.adapters.http.decimal_json import Json
from shared.adapters.http.response import ApiResponse, UnreadableRow, fields_of
from shared.domain.passback.canvas import Submission


def read(page: ApiResponse, assignment_ids: Sequence[str]) -> Iterator[SubmissionRow]:
    """Yield the rows of a page; of an odd one what can be read, and which of these assignments cannot.

    Raises: UnexpectedResponse where all rows lack the same field.
    """
    good, odd = page.rows(wire.ROWS)
    yield from (row.to_fast() for row in good)
    yield from (_part(each, assignment_ids) for each in odd)


def _part(odd: UnreadableRow, assignment_ids: Sequence[str]) -> PartRow:
    row = odd.row if isinstance(odd.row, dict) else {}
    listed = row.get("submissions")
    try:
        own = wire.RowWire.model_validate({**row, "submissions": []})
    except ValidationError:
        own, listed = None, None
    submissions, unreadable = _submissions(listed if isinstance(listed, list) else [odd.row], assignment_ids)
    if own is not None:
        return PartRow(own.user_id, own.section_id, submissions, own.sis_user_id, unreadable)
    nothing = dict.fromkeys(assignment_ids, odd.fields)
    return PartRow(odd.id("user_id") or "", odd.id("section_id") or "", [], odd.id("sis_user_id"), nothing)


def _submissions(listed: Sequence[Json], assignment_ids: Sequence[str]) -> tuple[list[Submission], dict[str, str]]:
    """Return the submissions that can be read, and the fields of the others by assignment id.

    One that does not say whose it is may be any that is not among the readable ones.
    """
    submissions: list[Submission] = []
    unreadable: dict[str, str] = {}
    anybodys = ""
    for each in listed:
        try:
            submissions.append(wire.SubmissionWire.model_validate(each).to_domain())
        except ValidationError as error:
            fields = fields_of(error)
            assignment_id = UnreadableRow(each, fields).id("assignment_id")
            if assignment_id is None:
                anybodys = fields
            else:
                unreadable[assignment_id] = fields
    if anybodys:
        readable = {each.assignment_id for each in submissions}
        left = (id_ for id_ in assignment_ids if id_ not in readable)
        unreadable = {**dict.fromkeys(left, anybodys), **unreadable}
    return submissions, unreadable
