"""Decides whether a student is in a section on a day, by PowerSchool's CC rows: for passback and provisioning.

`DATELEFT` is the first day not in the section. Whoever stays to the end has the day after the term's last day there, in
some schools the last day itself. `SECTIONID` is negated when a class is dropped, but also when a student transfers out
after the last day: the date decides, and the sign only where there is no usable date. One student can have several
rows in one section, in any order. Source: TEAMSchools/teamster #627, #3915, #4146, #4229.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import IntEnum
from typing import Protocol

MAX_DISTANCE_FROM_TERM = timedelta(days=366)
"""A date further from the term than this is a typing error or a placeholder (1/1/1900, 1926 for 2026)."""


class TermDates(Protocol):
    """A term; both days belong to it."""

    @property
    def first_day(self) -> date:
        """Return the first day."""
        ...

    @property
    def last_day(self) -> date:
        """Return the last day."""
        ...


class EnrollmentStatus(IntEnum):
    """The status of CC rows on a day. Of several rows of one student in one section, the greatest counts."""

    NEVER = 0
    """Not in the section on or before the day: enters later, or never came (a no-show)."""
    ENDED = 1
    CURRENT = 2


@dataclass(frozen=True, slots=True)
class EnrollmentPeriod:
    """A row of CC. `entry_date` is the first day in the section, `exit_date` the first day out; None if unknown.

    `is_dropped` says that the row's SECTIONID is negative.
    """

    entry_date: date | None = None
    exit_date: date | None = None
    is_dropped: bool = False


def has_impossible_dates(period: EnrollmentPeriod, term: TermDates) -> bool:
    """Say whether a row's dates cannot be meant: no entry, a date in another age, an exit before the entry.

    An exit on the day of the entry is none of these: it is a no-show.
    """
    entry, exit_date = period.entry_date, period.exit_date
    if entry is None or _plausible(entry, term) is None:
        return True
    return exit_date is not None and (_plausible(exit_date, term) is None or exit_date < entry)


def enrollment_status(
    periods: Iterable[EnrollmentPeriod], term: TermDates, today: date, *, in_school: bool
) -> EnrollmentStatus:
    """Return whether one student is in a section today; `periods` are the student's rows there, in any order.

    Before the term its first day counts, so that classes are filled before they begin; after it its last day, whatever
    became of the student since. `in_school` (STUDENTS.ENROLL_STATUS is 0) counts until the term is over.
    """
    day = min(max(today, term.first_day), term.last_day)
    status = max((_status_on(day, period, term) for period in periods), default=EnrollmentStatus.NEVER)
    left_school = not in_school and today <= term.last_day
    return min(status, EnrollmentStatus.ENDED) if left_school else status


def _status_on(day: date, period: EnrollmentPeriod, term: TermDates) -> EnrollmentStatus:
    entry, exit_date = _plausible(period.entry_date, term), _plausible(period.exit_date, term)
    if entry is not None and (entry > day or (exit_date is not None and exit_date <= entry)):
        return EnrollmentStatus.NEVER
    if exit_date is None:
        return EnrollmentStatus.ENDED if period.is_dropped else EnrollmentStatus.CURRENT
    stayed_to_the_end = exit_date >= term.last_day
    return EnrollmentStatus.CURRENT if day < exit_date or stayed_to_the_end else EnrollmentStatus.ENDED


def _plausible(day: date | None, term: TermDates) -> date | None:
    """Return the day, None where it cannot be meant: then the row counts as one without this date."""
    if day is None:
        return None
    # Subtracted, not shifted: `date.min` and `date.max` are valid inputs.
    is_near = max(term.first_day - day, day - term.last_day) <= MAX_DISTANCE_FROM_TERM
    return day if is_near else None
