"""Parses times and ages of command-line options."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import typer

_UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_time(given: str, now: datetime, zone: ZoneInfo | None) -> datetime:
    """Return the time of an ISO 8601 text (without an offset in `zone`, else UTC), or of `2h`: two hours ago."""
    ago = re.fullmatch(r"(\d{1,6})([smhd])", given)
    if ago:
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise typer.BadParameter("is no time such as 2031-03-04T09:00 and no duration such as 2h") from None
    return at if at.tzinfo else at.replace(tzinfo=zone or UTC)
