"""Reads what PowerSchool's gradebook holds, by one PowerQuery of the plugin."""

from collections.abc import Collection, Sequence

from pydantic import TypeAdapter

from shared.adapters.powerschool.queries import IDS_PER_CALL, PowerQueries, rows_of
from shared.adapters.powerschool.state_rows import DECODER, FastRow, FastRows, assignments_of
from shared.adapters.powerschool.wire import StateRow
from shared.domain.plugin_queries import STATE_QUERY
from shared.domain.powerschool import ActualAssignment, RosteredSection

# An empty list is no valid IN list, and no id is 0.
NO_ID = 0

_STATE_ROWS = TypeAdapter(list[StateRow])


class AssignmentReader:
    """Reads assignments with scores. An unreadable list is an error, never "there are none"."""

    def __init__(self, queries: PowerQueries) -> None:
        self._queries = queries

    def read(self, sections: Sequence[RosteredSection], scores_of: Collection[int]) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections, with scores for the assignment sections in `scores_of`.

        Raises: QueryUnavailable.
        """
        if not sections:
            return ()
        return assignments_of(self._state([section.dcid for section in sections], sorted(scores_of)))

    def _state(self, section_dcids: Sequence[int], scores_of: Sequence[int]) -> list[FastRow | StateRow]:
        rows: list[FastRow | StateRow] = []
        for start in range(0, max(len(scores_of), 1), IDS_PER_CALL):
            some = scores_of[start : start + IDS_PER_CALL] or [NO_ID]
            args = {"section_dcids": section_dcids, "score_section_ids": some}
            answer = self._queries.answer(STATE_QUERY, args, DECODER)
            fast = answer.decoded
            rows.extend(fast.record if isinstance(fast, FastRows) else rows_of(answer, _STATE_ROWS))
        return rows
