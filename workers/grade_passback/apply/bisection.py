"""Which part of a refused batch is tried next, where PowerSchool names nobody."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.domain.causes import Cause, Scope
from shared.errors import AccessDenied, NotFound, PermanentError, RequestRejected, TransientError
from shared.ports.passback import ScoreRow

# One bad row of n is alone after about log2(n) refusals; this many bad rows are found in every batch.
BAD_ROWS_FOUND = 4


@dataclass
class Halving:
    """The halves of one batch. `refusals_left` bounds the requests that look for bad rows.

    `alone` holds the rows that were refused by themselves, with the refusal.
    """

    refusals_left: int
    alone: list[tuple[ScoreRow, PermanentError]] = field(default_factory=list)

    @classmethod
    def of(cls, rows: int) -> "Halving":
        """Return what a batch of so many rows begins with."""
        return cls(BAD_ROWS_FOUND * (rows.bit_length() + 1))

    def parts(self, rows: Sequence[ScoreRow], error: TransientError | PermanentError) -> tuple[Sequence[ScoreRow], ...]:
        """Return the parts to send by themselves; none where no part would fare better, or enough were tried.

        Rows of several assignments are parted between assignments, since a refusal may be about one of them. A
        refusal of a whole assignment, of credentials, or a failure that may pass is no reason to part its rows.
        """
        if isinstance(error, TransientError) or self.refusals_left <= 0:
            return ()
        self.refusals_left -= 1
        targets = sorted({row.assignment_section_id for row in rows})
        if len(targets) > 1:
            first = set(targets[: len(targets) // 2])
            return (
                [row for row in rows if row.assignment_section_id in first],
                [row for row in rows if row.assignment_section_id not in first],
            )
        if len(rows) < 2 or not is_of_a_row(error):
            return ()
        return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def is_of_a_row(error: TransientError | PermanentError) -> bool:
    """Say whether a single row may be the reason of the refusal."""
    if not isinstance(error, RequestRejected) or isinstance(error, NotFound | AccessDenied):
        return False
    return Cause(error.cause).scope is not Scope.ASSIGNMENT
