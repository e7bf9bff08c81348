"""Fields of records as Canvas prints them."""

from datetime import UTC, datetime
from typing import Any


def rest_time(time: datetime | None) -> str | None:
    """Return a time as REST shows it: UTC, whole seconds."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def times_of(record: object, *names: str) -> dict[str, str | None]:
    """Return these fields of a record as REST shows times."""
    return {name: rest_time(getattr(record, name)) for name in names}


def fields_of(record: object, *names: str) -> dict[str, Any]:
    """Return these fields of a record as they are."""
    return {name: getattr(record, name) for name in names}
