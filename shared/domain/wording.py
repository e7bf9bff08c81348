"""Numbers and durations in sentences for people, and tables of sentences by code."""

from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from itertools import zip_longest
from typing import Self


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 score`, `2 scores`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def describe(duration: timedelta) -> str:
    """Return a duration as text, to one unit: `40 seconds`, `3 minutes`, `2 hours`, `5 days`."""
    seconds = max(0, round(duration.total_seconds()))
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size or (seconds >= size and unit == "day"):
            return counted(seconds // size, unit)
    return counted(seconds, "second")


def plain_number(number: Decimal) -> str:
    """Return the number without needless zeros and never as a power of ten."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


class CodeTable(StrEnum):
    """A closed set of codes with a row each: the values after a code, by the names and types that the class annotates.

    A value that is left out is None, or the empty one of its type.
    """

    def __new__(cls, code: str, *row: object) -> Self:
        """Return the member with its row."""
        member = str.__new__(cls, code)
        member._value_ = code
        for (name, kind), value in zip_longest(cls.__annotations__.items(), row):
            setattr(member, name, kind() if value is None and isinstance(kind, type) else value)
        return member
