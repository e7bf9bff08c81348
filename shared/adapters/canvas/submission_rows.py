"""Rows of scores, thousands for a course, read without making objects of the twenty fields that nobody needs.

The forms of `wire.RowWire` as Canvas writes them; what is written otherwise is left to `wire.RowWire`.
"""

import msgspec

from shared.domain.passback.canvas import Submission


class SubmissionRow(msgspec.Struct, frozen=True):
    """A `wire.RowWire`."""

    user_id: str
    section_id: str
    submissions: list[Submission]
    sis_user_id: str | None = None


class PartRow(SubmissionRow, frozen=True):
    """A row of which something could not be read: the fields of each such submission, by assignment id.

    An empty `section_id` is one that could not be read, and so is an empty `user_id`.
    """

    unreadable: dict[str, str] = {}


DECODER = msgspec.json.Decoder(list[SubmissionRow])
