"""Reads what PowerSchool's gradebook holds, by one PowerQuery of the plugin."""

from collections.abc import Collection, Sequence

from pydantic import TypeAdapter

from shared.adapters.http.response import ApiResponse, UnreadableRow
from shared.adapters.powerschool.gradebook.rows import DECODER, FastRows, GradebookRow, assignments_of, is_identified
from shared.adapters.powerschool.pagination import query_page
from shared.adapters.powerschool.powerqueries import IDS_PER_CALL, PowerQueries, rows_of
from shared.adapters.powerschool.wire import StateRow
from shared.domain.passback.powerschool import ActualAssignment, RosteredSection
from shared.domain.plugin_queries import STATE_QUERY
from shared.errors import IncompleteRead

# An empty list is no valid IN list, and no id is 0.
NO_ID = 0

_STATE_ROWS = TypeAdapter(list[StateRow])


class AssignmentReader:
    """Reads assignments with scores. An unreadable list is an error, never "there are none"."""

    def __init__(self, queries: PowerQueries) -> None:
        self._queries = queries

    def read(self, sections: Sequence[RosteredSection], scores_of: Collection[int]) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections, with scores for the assignment sections in `scores_of`.

        Raises: QueryUnavailable, IncompleteRead.
        """
        if not sections:
            return ()
        rows, odd = self._state([section.dcid for section in sections], sorted(scores_of))
        return assignments_of(rows, odd)

    def _state(
        self, section_dcids: Sequence[int], scores_of: Sequence[int]
    ) -> tuple[list[GradebookRow | StateRow], list[UnreadableRow]]:
        """Return the rows, and those that could not be read. Each of these says which assignment section it is of."""
        rows: list[GradebookRow | StateRow] = []
        all_odd: list[UnreadableRow] = []
        for start in range(0, max(len(scores_of), 1), IDS_PER_CALL):
            some = scores_of[start : start + IDS_PER_CALL] or [NO_ID]
            args = {"section_dcids": section_dcids, "score_section_ids": some}
            answer = self._queries.answer(STATE_QUERY, args, DECODER)
            fast = answer.decoded
            if isinstance(fast, FastRows):
                _check_whole(answer, len(fast.record), fast.count)
                rows.extend(fast.record)
                continue
            page = query_page(answer)
            _check_whole(answer, len(page.rows), page.remaining)
            found, odd = rows_of(answer, _STATE_ROWS)
            if not all(map(is_identified, odd)):
                # It may be of any assignment, which would look deleted.
                raise answer.unexpected("a row that does not say which assignment it is of")
            rows.extend(found)
            all_odd.extend(odd)
        return rows, all_odd


def _check_whole(answer: ApiResponse, rows: int, count: int | None) -> None:
    """Raise `IncompleteRead` for an answer that was cut: the assignments beyond the cut would look deleted."""
    if count is not None and rows < count:
        raise IncompleteRead(f"{answer.request}: {rows} rows of {count}")
