"""Who was in a section on a day, from rows of PowerSchool's CC."""

from datetime import date, timedelta
from itertools import permutations

import pytest

from shared.domain.enrollment_periods import EnrollmentPeriod, EnrollmentStatus, enrollment_status
from shared.domain.passback.powerschool import Term

TERM = Term(date(2026, 8, 17), date(2026, 12, 18), 36)
FIRST_DAY, LAST_DAY = TERM.first_day, TERM.last_day
DAY = timedelta(days=1)
OCTOBER, LONG_AFTER = date(2026, 10, 5), LAST_DAY + 60 * DAY
NEVER, ENDED, CURRENT = EnrollmentStatus


def status(
    *periods: EnrollmentPeriod, today: date = OCTOBER, in_school: bool = True, term: Term = TERM
) -> EnrollmentStatus:
    return enrollment_status(periods, term, today, in_school=in_school)


def period(
    exit_date: date | None = LAST_DAY + DAY, entry_date: date | None = FIRST_DAY, *, is_dropped: bool = False
) -> EnrollmentPeriod:
    return EnrollmentPeriod(entry_date, exit_date, is_dropped)


@pytest.mark.parametrize("in_school", [True, False])
@pytest.mark.parametrize("is_dropped", [True, False])
@pytest.mark.parametrize(
    ("exit_date", "expected"),
    [
        (LAST_DAY - DAY, ENDED),
        (LAST_DAY, CURRENT),
        (LAST_DAY + DAY, CURRENT),
        (LAST_DAY + 25 * DAY, CURRENT),
    ],
)
def test_after_the_term_its_last_day_counts(
    exit_date: date, expected: EnrollmentStatus, is_dropped: bool, in_school: bool
) -> None:
    """The date decides: neither the sign of SECTIONID nor leaving the school in January changes the past."""
    assert status(period(exit_date, is_dropped=is_dropped), today=LONG_AFTER, in_school=in_school) is expected


@pytest.mark.parametrize(("exit_date", "expected"), [(LAST_DAY, CURRENT), (LAST_DAY + DAY, CURRENT)])
def test_on_the_last_day_both_forms_of_the_exit_are_there(exit_date: date, expected: EnrollmentStatus) -> None:
    """Some schools write the last day itself, others the day after."""
    assert status(period(exit_date), today=LAST_DAY) is expected


def test_during_the_term_leaving_school_ends_the_class() -> None:
    """Enrollment rows may be cleaned up later than the student's status."""
    assert status(period(), in_school=False) is ENDED
    assert status(period(), in_school=False, today=LAST_DAY) is ENDED
    assert status(period(), in_school=False, today=LAST_DAY + DAY) is CURRENT


@pytest.mark.parametrize("is_dropped", [True, False])
@pytest.mark.parametrize(
    ("exit_date", "expected"), [(OCTOBER - DAY, ENDED), (OCTOBER, ENDED), (OCTOBER + DAY, CURRENT)]
)
def test_the_exit_date_is_the_first_day_out(exit_date: date, expected: EnrollmentStatus, is_dropped: bool) -> None:
    """Also of a row that is dropped already, with a date to come."""
    assert status(period(exit_date, is_dropped=is_dropped)) is expected


def test_a_dropped_row_without_a_usable_date_has_ended() -> None:
    """Then the sign is all that PowerSchool says, after the term as well."""
    assert status(period(None, is_dropped=True)) is ENDED
    assert status(period(None, is_dropped=True), today=LONG_AFTER) is ENDED
    assert status(period(None)) is CURRENT


@pytest.mark.parametrize(("entry_date", "exit_date"), [(OCTOBER, OCTOBER), (OCTOBER, OCTOBER - DAY)])
@pytest.mark.parametrize("today", [OCTOBER, LONG_AFTER])
@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_no_show_was_never_there(entry_date: date, exit_date: date, today: date, is_dropped: bool) -> None:
    """The exit is on the day of entry, or before it."""
    assert status(period(exit_date, entry_date, is_dropped=is_dropped), today=today) is NEVER


def test_a_no_show_on_the_last_day_was_never_there() -> None:
    """That the exit is the term's last day does not make it a stay."""
    assert status(period(LAST_DAY, LAST_DAY), today=LONG_AFTER) is NEVER


@pytest.mark.parametrize(
    "impossible", [date(1900, 1, 1), date(1926, 11, 2), date(1, 1, 1), date(2206, 8, 17), date.max]
)
def test_an_impossible_date_is_no_date(impossible: date) -> None:
    """1/1/1900, 1926 for 2026: as an entry it was there from the start, as an exit nobody said when."""
    assert status(period(entry_date=impossible)) is CURRENT
    assert status(period(OCTOBER, impossible)) is ENDED
    assert status(period(impossible)) is CURRENT
    assert status(period(impossible, is_dropped=True)) is ENDED


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("today", [OCTOBER, LONG_AFTER])
def test_several_rows_in_any_order(order: tuple[int, ...], today: date) -> None:
    """Left in September, a no-show in between, back in October and there to the end."""
    rows = [
        period(date(2026, 9, 10), is_dropped=True),
        period(date(2026, 9, 20), date(2026, 9, 20), is_dropped=True),
        period(LAST_DAY, date(2026, 10, 1)),
    ]
    assert status(*(rows[number] for number in order), today=today) is CURRENT


def test_rows_of_the_past_only() -> None:
    """Twice in the section, and not there in the end; nobody's rows are no stay."""
    assert status(period(date(2026, 9, 10)), period(date(2026, 11, 1), date(2026, 10, 20)), today=LONG_AFTER) is ENDED
    assert status(today=LONG_AFTER) is NEVER


def test_before_the_term_its_first_day_counts() -> None:
    """Classes are filled before they begin; who comes in the second week is not there yet."""
    assert status(period(), today=FIRST_DAY - 30 * DAY) is CURRENT
    assert status(period(entry_date=FIRST_DAY + DAY), today=FIRST_DAY - 30 * DAY) is NEVER
    assert status(period(entry_date=OCTOBER + DAY)) is NEVER
    assert status(period(entry_date=None)) is CURRENT
