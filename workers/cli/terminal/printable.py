"""Makes text from other people safe for a terminal: escape sequences, line breaks and bidi controls become visible."""

import dataclasses
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TypeVar

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

T = TypeVar("T")

# They join characters within emoji and scripts, and do not reorder text.
_JOINERS = frozenset("\u200c\u200d")


def printable(text: str) -> str:
    """Return the text with escapes for characters that do not print, and other kinds of blanks as blanks."""
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_json(text: str) -> str:
    """Return equivalent JSON with escapes for characters that do not print. Line breaks between values stay."""
    return (
        text
        if text.isascii() and "\x7f" not in text
        else "".join(each if _is_plain(each) else _json_escape(each) for each in text)
    )


def cleaned(data: T) -> T:
    """Return the data with every text in it printable, also in dataclasses, mappings and lists."""
    return _cleaned(data)  # type: ignore[return-value]  # of the same form


def _cleaned(data: object) -> object:
    if type(data) is str:
        return printable(data)
    if isinstance(data, Mapping):
        return {_cleaned(key): _cleaned(value) for key, value in data.items()}
    if type(data) in (list, tuple, set, frozenset) and isinstance(data, Iterable):
        return type(data)(map(_cleaned, data))  # type: ignore[call-arg]  # one of the four
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        fields = (field.name for field in dataclasses.fields(data) if field.init)
        return dataclasses.replace(data, **{name: _cleaned(getattr(data, name)) for name in fields})
    return data


class Printable:
    """Renders something with escapes for characters that do not print. Styles and line ends stay."""

    def __init__(self, inner: RenderableType) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the segments."""
        for segment in console.render(self._inner, options):
            if segment.control or segment.text.isprintable() or segment.text == "\n":
                yield segment
            else:
                lines = "\n".join(map(printable, segment.text.split("\n")))
                yield Segment(lines, segment.style)


def _is_plain(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or character == "\n"


def _shown(character: str) -> str:
    if character.isprintable() or character in _JOINERS:
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    return character.encode("unicode_escape").decode("ascii")


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
