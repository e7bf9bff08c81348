"""Rows of scores, thousands for a course, read without making objects of the twenty fields that nobody needs.

The forms of `wire.RowWire` as Canvas writes them; what is written otherwise is left to `wire.RowWire`.
"""

import msgspec

from shared.domain.gradebook import Submission


class FastRow(msgspec.Struct, frozen=True):
    """A `wire.RowWire`."""

    user_id: str
    section_id: str
    submissions: list[Submission]
    sis_user_id: str | None = None


DECODER = msgspec.json.Decoder(list[FastRow])
