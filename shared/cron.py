"""Computes when a cron schedule of five fields was due last. Time and zone are arguments."""

import re
from datetime import UTC, datetime, tzinfo

from croniter import CroniterError, croniter

FIELDS = 5
# Numbers, lists, ranges, steps and names such as `mon`; none of croniter's own inventions (seconds, random times).
_FIELD = re.compile(r"(?:[\d*,/-]|[A-Za-z]{3})+")
# Any day serves to check whether a schedule is ever due.
_ANY_DAY = datetime(2001, 1, 1, tzinfo=UTC)


def checked_cron(text: str) -> str:
    """Return the schedule with its spaces tidied; empty stays empty. Raises `ValueError` for anything else."""
    fields = text.split()
    schedule = " ".join(fields)
    if fields and not (len(fields) == FIELDS and all(map(_FIELD.fullmatch, fields)) and _is_ever_due(schedule)):
        raise ValueError("is no schedule; write minute, hour, day, month and weekday, such as 0 3 * * *")
    return schedule


def last_due(schedule: str, now: datetime, zone: tzinfo) -> datetime:
    """Return the latest time, in UTC and at most `now`, at which the checked schedule was due on `zone`'s clocks.

    A time that the clocks pass twice counts the first time; one that they leave out counts when they leave it out.
    """
    local = now.astimezone(zone).replace(tzinfo=None, fold=0)
    # croniter returns times before a time, and the time itself counts here.
    is_now = croniter.match(schedule, local)
    due = local.replace(second=0, microsecond=0) if is_now else croniter(schedule, local).get_prev(datetime)
    return min(due.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))


def matches(schedule: str, now: datetime, zone: tzinfo) -> bool:
    """Say whether the checked schedule is due in this very minute on `zone`'s clocks: read so, it names hours."""
    return bool(croniter.match(schedule, now.astimezone(zone).replace(tzinfo=None, fold=0)))


def _is_ever_due(schedule: str) -> bool:
    try:
        croniter(schedule, _ANY_DAY).get_next()
    except CroniterError:
        return False
    return True
