"""Parses times and ages of options, and formats times in the district's time zone."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
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


def local_time(at: datetime, zone: tzinfo | None) -> str:
    """Return a time in the district's time zone, UTC where none is set, as on the pages."""
    return f"{at.astimezone(zone or UTC):%Y-%m-%d %H:%M:%S %Z}"


def with_local_times(data: object, zone: tzinfo | None) -> object:
    """Return JSON-like data in which every time is text in the district's time zone. Names of fields say which are."""
    if isinstance(data, Mapping):
        return {
            name: _local(value, zone) if _is_time(str(name)) else with_local_times(value, zone)
            for name, value in data.items()
        }
    return [with_local_times(value, zone) for value in data] if isinstance(data, list | tuple) else data


def _is_time(name: str) -> bool:
    return name in ("at", "as_of", "since", "not_before") or name.endswith("_at")


def _local(value: object, zone: tzinfo | None) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    return local_time(value, zone) if isinstance(value, datetime) and value.tzinfo else value
