"""Moments and rates as people write them on the command line."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import typer

_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_time(given: str, now: datetime, zone: ZoneInfo | None) -> datetime:
    """Return a moment: a time (without an offset the district's, else UTC), or how long ago, such as `2h`."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", given)
    if ago:
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter("is no time such as 2031-03-04T09:00 and no duration such as 2h") from None
    return at if at.tzinfo else at.replace(tzinfo=zone or UTC)


def parse_duration(rate: str | None) -> timedelta:
    """Return the time between two of something at a rate such as `2/s` or `30/m`; none without a rate."""
    if rate is None:
        return timedelta(0)
    found = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)/([smh])", rate)
    if found is None or not float(found[1]):
        raise typer.BadParameter("is no rate such as 2/s or 30/m", param_hint="--rate")
    return _UNITS[found[2]] / float(found[1])
