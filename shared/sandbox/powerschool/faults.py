"""The faults that only PowerSchool has."""

import re
from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from pydantic import Field, PrivateAttr

from shared.sandbox.faults import Faults, Strict
from shared.sandbox.powerschool.rows import AssignmentSection, Score

_TAG = re.compile(r"<[^<>]*>")
_BEYOND_BMP = re.compile("[\U00010000-\U0010ffff]")


class RowMove(Strict):
    """Rows that come or go while a list is read: once `after_pages` pages of `query` were answered.

    Rows are named by the first column of the query's order. Rows of CC and others are deleted in normal operation
    (PowerSchool "Duplicate Enrollment Records"; edfi_api_client PR #4).
    """

    query: str
    after_pages: int = Field(default=1, ge=0)
    deleted: list[int] = Field(default_factory=list)
    inserted: list[int] = Field(default_factory=list)


class OddColumn(Strict):
    """A value of a row that its column should not have: no value, a null, half an emoji at its end, or another text.

    `row` is the first column of the query's order. That nulls are left out is client code; a null that is written as
    such is inferred. A column of bytes can cut a text in the middle of a character.
    """

    query: str
    row: int
    column: str
    kind: Literal["absent", "null", "half_emoji", "text"]
    text: str = ""


class PowerSchoolFaults(Faults):
    """The common faults and PowerSchool's own; the defaults are a PowerSchool in perfect health.

    `throttle_interval_ms` is the administrator's "Minimum time interval (ms) between API requests per plugin".
    `expire_tokens` and `resubmit_once` turn themselves off when they have had their effect. `missing_grants` holds
    "table.column" names that the plugin was not granted. `lock_term_ids` are TERMS.IDs. `assignment_section_ids_header`
    adds the header that the browser gets on a create; whether plugins get it is not public. `accept_blank_scores` lets
    a row without score and flags empty the score; how PowerSchool clears one is not public, so that it is refused else.
    `ignore_blank_scores` answers such a row with 200 and leaves the score as it is.
    `keep_omitted_flags` leaves a flag alone that a score row does not name.
    `lossy_names`, `plain_descriptions`, `point_places`, `score_places`, `weighted_scores` and `capped_scores` are what
    PowerSchool may make of values before it stores them. None of it is publicly documented. Evidence: PowerTeacher Pro
    shows rounded values (10.5 as 10) and multiplies points by the assignment's weight in its own sums (help page wsesu
    1000023065); every public capture has weight 1, so whether SCOREPOINTS comes back weighted is unknown. A database
    column in a character set without emoji stores `?` for each unit of such a character.
    `nameless_refusals` leaves `errors` out of a refusal of scores: that each refusal names its rows is not documented.
    `refuse_negative_scores` refuses a score below 0; whether PowerSchool does is not public, so that both are possible.
    `refuse_departed` refuses scores of students who were there on the last day of a term that is over, but have left
    the school or have a negated row since; whether PowerSchool does is not public.

    `missing_queries` are the names of queries that are not installed, as if an older plugin was.

    `query_page_cap` cuts the pages of PowerQueries, 0 leaves them as asked for (documented). Of rosters, `rows_lost` is
    how many rows the end of every list lacks of its count; `hidden_school_numbers` are schools that vanish with
    everything in them, and `empty_rosters` lets everything vanish, both from the counts as well. `row_moves` change a
    list between its pages, counts included; `odd_columns` are values that no reader expects.
    """

    throttle_interval_ms: int = Field(default=0, ge=0)
    throttle_style: Literal["403", "429"] = "403"
    max_token_requests_per_minute: int = Field(default=0, ge=0)
    expire_tokens: bool = False
    resubmit_once: bool = False
    missing_grants: list[str] = Field(default_factory=list)
    missing_queries: list[str] = Field(default_factory=list)
    lock_term_ids: list[int] = Field(default_factory=list)
    assignment_section_ids_header: bool = False
    accept_blank_scores: bool = False
    ignore_blank_scores: bool = False
    keep_omitted_flags: bool = False
    lossy_names: bool = False
    plain_descriptions: bool = False
    point_places: int | None = Field(default=None, ge=0, le=6)
    score_places: int | None = Field(default=None, ge=0, le=6)
    weighted_scores: bool = False
    capped_scores: bool = False
    nameless_refusals: bool = False
    refuse_negative_scores: bool = False
    refuse_departed: bool = False
    query_page_cap: int = Field(default=0, ge=0)
    rows_lost: int = Field(default=0, ge=0)
    hidden_school_numbers: list[int] = Field(default_factory=list)
    empty_rosters: bool = False
    row_moves: list[RowMove] = Field(default_factory=list)
    odd_columns: list[OddColumn] = Field(default_factory=list)
    _pages: Counter[str] = PrivateAttr(default_factory=Counter)

    def count_page(self, query: str) -> None:
        """Count a page of the query that was answered."""
        self._pages[query] += 1

    def hides(self, query: str, row: int) -> bool:
        """Say whether the row is not there now: deleted already, or inserted later."""
        moves = [move for move in self.row_moves if move.query == query]
        answered = self._pages[query]
        return any(row in (move.deleted if answered >= move.after_pages else move.inserted) for move in moves)

    def lacks(self, table: str, column: str) -> bool:
        """Say whether the grant on the column is missing."""
        return f"{table}.{column}".lower() in {grant.lower() for grant in self.missing_grants}

    def change_stored_assignment(self, row: AssignmentSection) -> None:
        """Change a written assignment section to what PowerSchool stores."""
        if self.lossy_names:
            row.name = _BEYOND_BMP.sub("??", row.name)
        if self.plain_descriptions and row.description is not None:
            row.description = _TAG.sub("", row.description)
        if self.point_places is not None:
            row.points = _rounded(row.points, self.point_places)

    def change_stored_score(self, score: Score, row: AssignmentSection) -> None:
        """Change a written score to what PowerSchool stores; what was entered stays as it is."""
        if score.points is None:
            return
        if self.weighted_scores:
            score.points *= row.weight
        if self.score_places is not None:
            score.points = _rounded(score.points, self.score_places)
        if self.capped_scores:
            score.points = min(score.points, row.total)


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
