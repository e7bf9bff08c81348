"""Which term dates look wrong, and which only look unusual."""

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from shared.domain.passback.powerschool import Term
from shared.domain.passback.readiness.district import DistrictTerm, term_findings
from shared.domain.passback.readiness.findings import Concern

TODAY = date(2026, 8, 1)
YEAR_ID = 36
DAY = timedelta(days=1)
YEAR = ("26-27", date(2026, 8, 17), date(2027, 6, 4))
S1 = ("S1", date(2026, 8, 17), date(2026, 12, 18))
S2 = ("S2", date(2027, 1, 5), date(2027, 6, 4))
Q = (
    ("Q1", date(2026, 8, 17), date(2026, 10, 16)),
    ("Q2", date(2026, 10, 19), date(2026, 12, 18)),
    ("Q3", date(2027, 1, 5), date(2027, 3, 19)),
    ("Q4", date(2027, 3, 29), date(2027, 6, 4)),
)
Row = tuple[str, date, date]


def found(rows: Sequence[Row], today: date = TODAY, year_id: int = YEAR_ID) -> list[tuple[str, str]]:
    """Return the code and the term of each finding, in a district with one school of these terms."""
    terms = [
        DistrictTerm(year_id * 100 + number, 300, name, Term(first, last, year_id))
        for number, (name, first, last) in enumerate(rows)
    ]
    return [(f.code, f.detail.partition(",")[0]) for f in term_findings(terms, today)]


@pytest.mark.parametrize(
    "rows",
    [
        [YEAR],
        [YEAR, S1, S2, *Q],
        [S1, S2],
        # A winter term and exam weeks divide no school year; a summer term follows it.
        [YEAR, S1, S2, ("W", date(2026, 12, 21), date(2027, 1, 4)), ("SU", date(2027, 6, 14), date(2027, 7, 30))],
        [YEAR, ("E1", date(2026, 12, 14), date(2026, 12, 18)), ("E2", date(2027, 5, 31), date(2027, 6, 4))],
        # Trimesters beside semesters.
        [
            YEAR, S1, S2, ("T1", date(2026, 8, 17), date(2026, 11, 13)), ("T2", date(2026, 11, 16), date(2027, 2, 26)),
            ("T3", date(2027, 3, 1), date(2027, 6, 4)),
        ],
        # Named, not numbered.
        [YEAR, ("Fall", *S1[1:]), ("Spring", *S2[1:])],
        # Two terms of the same days, as for two programs.
        [YEAR, ("26-27 B", *YEAR[1:])],
    ],
)  # fmt: skip
def test_ordinary_years_are_silent(rows: Sequence[Row]) -> None:
    """Terms inside terms, holidays, summer and winter terms."""
    assert found(rows) == []


def test_a_calendar_year_is_a_school_year() -> None:
    """South of the equator."""
    rows = [("2026", date(2026, 1, 27), date(2026, 12, 16)), ("S1", date(2026, 1, 27), date(2026, 6, 26)),
            ("S2", date(2026, 7, 14), date(2026, 12, 16))]  # fmt: skip
    assert found(rows, date(2026, 2, 1)) == []


@pytest.mark.parametrize(("days", "is_gap"), [(18, False), (19, True)])
def test_two_weeks_of_holidays_are_no_gap(days: int, is_gap: bool) -> None:
    """With their weekends."""
    later = ("Q2", Q[0][2] + days * DAY, date(2026, 12, 18))
    assert found([YEAR, Q[0], later, *Q[2:]]) == ([(Concern.TERM_GAP, "Q2")] if is_gap else [])


@pytest.mark.parametrize(("days", "is_gap"), [(24, False), (25, True)])
def test_holidays_over_the_new_year_may_be_longer(days: int, is_gap: bool) -> None:
    """Three weeks, with the days around them."""
    assert found([S1, ("S2", S1[2] + days * DAY, S2[2])]) == ([(Concern.TERM_GAP, "S2")] if is_gap else [])


def test_terms_that_begin_late_or_end_early_leave_a_gap_to_the_year() -> None:
    """Compared with the term of the whole year."""
    late, early = ("S1", S1[1] + 30 * DAY, S1[2]), ("S2", S2[1], S2[2] - 30 * DAY)
    assert found([YEAR, late, early]) == [(Concern.TERM_GAP, "S1"), (Concern.TERM_GAP, "S2")]


def test_a_day_in_two_terms_of_one_kind_is_an_overlap() -> None:
    """The last day of one and the first of the other."""
    assert found([YEAR, S1, ("S2", S1[2], S2[2])]) == [(Concern.TERM_OVERLAP, "S2")]
    assert found([("Fall", *S1[1:]), ("Spring", S1[2], S2[2])]) == [(Concern.TERM_OVERLAP, "Spring")]


@pytest.mark.parametrize(("today", "is_found"), [(date(2026, 10, 16), True), (date(2026, 10, 17), False)])
def test_what_is_past_is_no_finding(today: date, is_found: bool) -> None:
    """Nobody can mend an overlap that is over, and nothing is held back by it any more."""
    rows = [YEAR, Q[0], ("Q2", date(2026, 10, 12), Q[1][2]), *Q[2:]]
    assert found(rows, today) == ([(Concern.TERM_OVERLAP, "Q2")] if is_found else [])


def test_a_reversed_term_is_one_finding() -> None:
    """And not a gap between its neighbours as well."""
    assert found([YEAR, Q[0], ("Q2", Q[1][2], Q[1][1]), *Q[2:]]) == [(Concern.TERM_REVERSED, "Q2")]


@pytest.mark.parametrize("years", [-10, -1, 1, 10])
@pytest.mark.parametrize("number", range(7))
def test_a_term_with_the_dates_of_another_year_is_found(number: int, years: int) -> None:
    """Whichever of them, and nothing else is."""
    rows = [YEAR, S1, S2, *Q]
    name, first, last = rows[number]
    rows[number] = (name, first.replace(year=first.year + years), last.replace(year=last.year + years))
    assert found(rows) == [(Concern.TERM_OF_ANOTHER_YEAR, name)]


@pytest.mark.parametrize("years", [-1, 1])
@pytest.mark.parametrize("number", [0, 1])
def test_it_is_found_without_a_term_of_the_whole_year(number: int, years: int) -> None:
    """The order of the numbers says which of two semesters is wrong."""
    rows = [S1, S2]
    name, first, last = rows[number]
    rows[number] = (name, first.replace(year=first.year + years), last.replace(year=last.year + years))
    assert found(rows) == [(Concern.TERM_OF_ANOTHER_YEAR, name)]


def test_a_year_that_is_over_is_silent() -> None:
    """Whatever is wrong in it; also where a term of it never ended."""
    rows = [YEAR, S1, ("S2", S1[1], S2[2]), ("Q1", Q[0][2], Q[0][1])]
    assert found(rows, date(2027, 7, 1)) == []
