"""What Canvas and PowerSchool send: JSON with exact numbers, and field types for pydantic models.

Scores and points never pass through binary floats. Models with these types name the fields that are malformed.
PowerSchool's query rows are text throughout; its xte API leaves out keys whose value is null.
"""

import json
import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, NoReturn, TypeAlias

import msgspec
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict

from shared.domain.passback.rules.score import is_reckonable

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"

# No answer of either system nests deeper. The recursion limit is higher in every interpreter, and another in each.
MAX_DEPTH = 100
# No meaningful number has more digits, or a larger exponent.
MAX_DIGITS = 40
MAX_EXPONENT = 400
NO_NUMBER = Decimal("NaN")
# Ids of both systems fit into 64 bits.
ID_DIGITS = 19
MAX_ID = 10**ID_DIGITS - 1


def _fraction(text: str) -> Decimal:
    """Return the number; `NO_NUMBER` for one out of all bounds, so that only the object with it is malformed."""
    if len(text) > MAX_EXPONENT:
        return NO_NUMBER
    try:
        number = Decimal(text)
    except ArithmeticError:
        return NO_NUMBER
    return number if -MAX_EXPONENT < number.adjusted() < MAX_EXPONENT else NO_NUMBER


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= MAX_DIGITS else NO_NUMBER


_FAST = msgspec.json.Decoder(float_hook=_fraction)
_TOO_DEEP = "nested too deeply"
_LITERALS = {True: "true", False: "false", None: "null"}
_quoted = json.JSONEncoder().encode


def loads(text: str | bytes) -> Json:
    """Return the value with fractions as `Decimal`, and numbers beyond all bounds as NaN.

    Raises: ValueError for anything that is not JSON, or nests deeper than `MAX_DEPTH`.
    """
    try:
        value = _read(text)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if _is_too_deep(value):
        raise ValueError(_TOO_DEEP)
    return value


def _read(text: str | bytes) -> Json:
    try:
        value: Json = _FAST.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # The standard library takes a little more, such as a byte order mark or half of a surrogate pair.
        value = json.loads(text, parse_float=_fraction, parse_int=_integer, parse_constant=_refuse)
    return value


def _is_too_deep(value: Json) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return False
        level = [
            item
            for each in level
            for item in (each.values() if isinstance(each, dict) else each)
            if isinstance(item, (dict, list))
        ]
    return bool(level)


def dumps(value: Json) -> str:
    """Return the value as JSON, each `Decimal` as the number it is (`10.5`, never `10.500000000000001`)."""
    match value:
        case str():
            return _quoted(value)
        case Decimal():
            return plain(value) if value.is_finite() else "null"
        case dict():
            return "{" + ",".join(f"{_quoted(key)}:{dumps(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ",".join(dumps(item) for item in value) + "]"
        case bool() | None:
            return _LITERALS[value]
        case _:
            return str(value)


def as_int(value: Json) -> int | None:
    """Return a whole number that may have come as text; None for anything else, and for more digits than ids have."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -MAX_ID <= value <= MAX_ID else None
    is_digits = isinstance(value, str) and len(value) <= ID_DIGITS and value.isascii() and value.isdigit()
    return int(str(value)) if is_digits else None


def plain(number: Decimal) -> str:
    """Return the number without exponent and without trailing zeros: `10.5`, `100`."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


# A time in the first or last year of the calendar may have no date in another time zone.
MIN_YEAR, MAX_YEAR = 2, 9998


class Wire(BaseModel):
    """An object as it is sent. Unknown keys are ignored; PowerSchool adds random ones on purpose."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


def none_if_blank(value: object) -> object:
    """Return None for empty text."""
    return None if value == "" else value


def _integer_as_text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number_as_text(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else _integer_as_text(value)


def _encodable(value: str) -> str:
    """Return the text. Raises: ValueError for half of a surrogate pair, which no file and no other system takes."""
    value.encode()
    return value


def _reckonable(value: Decimal | None) -> Decimal | None:
    """Return the number. Raises: ValueError for one that cannot be compared and rounded like a score."""
    if not is_reckonable(value):
        raise ValueError("a number out of range")
    return value


def _text_if_usable(value: object) -> str:
    """Return the text, empty for anything else. For what no decision depends on."""
    try:
        return _encodable(value) if isinstance(value, str) else ""
    except ValueError:
        return ""


def parse_timestamp(value: object) -> object:
    """Return the time. Canvas writes two formats; only the standard library reads `2019-11-05 07:38:00 -0800`.

    A number is read as text as well: its unit and epoch are not known.
    """
    time = value if value is None or isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if isinstance(time, datetime) and not MIN_YEAR <= time.year <= MAX_YEAR:
        raise ValueError("no time that has a local date everywhere")
    return time


def _enrollment_date(value: object) -> object:
    """Return the date, None where there is none: extracts show 0/0/0 and 00/00/0000 as dates of an enrollment.

    Such a row is read without the date. `enrollment_periods` says what a missing date means.
    """
    numbers = [int(number) for number in re.findall(r"\d+", value[:10])] if isinstance(value, str) else []
    if isinstance(value, str) and "/" in value and len(numbers) == len(("month", "day", "year")):
        numbers = [numbers[2], *numbers[:2]]
    try:
        return date(*numbers)
    except (TypeError, ValueError, OverflowError):
        return None


def without_nulls(row: object) -> object:
    """Return the row without the keys that are null: those have a default, or are missing."""
    return {key: value for key, value in row.items() if value is not None} if isinstance(row, Mapping) else row


# Of both systems.
Text = Annotated[str, AfterValidator(_encodable)]
# Of Canvas, which writes ids as numbers or as text.
Id = Annotated[str, BeforeValidator(_integer_as_text)]
SisId = Annotated[Text | None, BeforeValidator(none_if_blank), BeforeValidator(_integer_as_text)]
TextIfUsable = Annotated[str, BeforeValidator(_text_if_usable)]
Points = Annotated[Decimal | None, AfterValidator(_reckonable)]
Timestamp = Annotated[AwareDatetime | None, BeforeValidator(parse_timestamp)]
# Of PowerSchool.
AnyText = Annotated[Text, BeforeValidator(_number_as_text)]
Number = Annotated[Decimal, AfterValidator(_reckonable)]
OptionalNumber = Annotated[Points, BeforeValidator(none_if_blank)]
IntOrZero = Annotated[int, BeforeValidator(lambda value: 0 if value in (None, "") else value)]
Flag = Annotated[bool, BeforeValidator(lambda value: False if value == "" else value)]
OptionalFlag = Annotated[bool | None, BeforeValidator(none_if_blank)]
OptionalId = Annotated[int | None, BeforeValidator(none_if_blank)]
# Some versions of PowerSchool send assignment section ids as lists.
FirstId = Annotated[int, BeforeValidator(lambda value: value[0] if isinstance(value, list) and value else value)]
Date = Annotated[date, BeforeValidator(lambda value: value[:10] if isinstance(value, str) else value)]
EnrollmentDate = Annotated[date | None, BeforeValidator(_enrollment_date)]
