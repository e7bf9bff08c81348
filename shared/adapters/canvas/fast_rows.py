"""Rows of scores, thousands for a course, read without making objects of the twenty fields that nobody needs.

The forms of `wire.RowWire` as Canvas writes them; what is written otherwise is left to `wire.RowWire`.
"""

from decimal import Decimal

import msgspec

from shared.domain.gradebook import Submission


class FastSubmission(msgspec.Struct, frozen=True, gc=False):
    """A `wire.SubmissionWire`."""

    assignment_id: str
    score: Decimal | None
    workflow_state: str
    excused: bool | None = None
    missing: bool | None = None
    assignment_visible: bool | None = None

    def to_domain(self) -> Submission:
        """Return the submission; visible unless Canvas says otherwise."""
        return Submission(
            self.assignment_id,
            self.score,
            bool(self.excused),
            bool(self.missing),
            self.workflow_state,
            self.assignment_visible is not False,
        )


class FastRow(msgspec.Struct, frozen=True):
    """A `wire.RowWire`."""

    user_id: str
    section_id: str
    submissions: list[FastSubmission]
    sis_user_id: str | None = None


DECODER = msgspec.json.Decoder(list[FastRow])
