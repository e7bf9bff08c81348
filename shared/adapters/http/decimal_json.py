"""JSON with exact numbers: scores and points never pass through binary floats."""

import json
from decimal import Decimal
from typing import NoReturn, TypeAlias

import msgspec

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
