"""Output of commands: JSON for machines, tables and local times for people, private files and exit codes."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from enum import IntEnum
from io import StringIO
from json import dumps
from pathlib import Path
from tempfile import mkstemp
from typing import Annotated, TextIO, TypeAlias, TypeVar, cast

import typer
from pydantic_core import to_jsonable_python
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workers.cli.terminal.printable import Printable, cleaned, printable_json

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

T = TypeVar("T")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]

# Without a terminal, lines may be long.
WIDTH_WITHOUT_TERMINAL = 240


@contextmanager
def private_file(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    """Yield a text file that only its owner can read. When it is complete, it replaces a file of the same name.

    It is a new file, so that nobody who has the old one open can read it, and links are not followed.
    Raises: typer.BadParameter, for a path that is a link or no plain file, or that cannot be written.
    """
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise typer.BadParameter(f"{path} is a link or no plain file; name a file")
    made: str | None = None
    try:
        # mkstemp creates a new file of mode 0600 and follows no link.
        descriptor, made = mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline=newline) as out:
            yield out
        Path(made).replace(path)
        made = None
    except OSError as error:
        raise typer.BadParameter(f"{path} cannot be written: {error.strerror}") from None
    finally:
        if made is not None:
            Path(made).unlink(missing_ok=True)


class ExitCode(IntEnum):
    """Exit codes of commands."""

    FINE = 0
    PROBLEMS = 1
    USAGE = 2


def emit(
    data: T, json: bool, shown: Callable[[T], RenderableType] | None = None, *, zone: tzinfo | None = None
) -> None:
    """Print `data`, which may be anything that `plain` reads: as JSON, or as `shown` renders it.

    Without `shown`, print tables with a row per item. Characters that do not print are shown as escapes. For people,
    the times in dictionaries are those of the district's `zone`.
    """
    value = plain(data)
    if json:
        sys.stdout.write(printable_json(dumps(value, indent=2, ensure_ascii=False)) + "\n")
        return
    text = Printable(
        _rendered(cast("Json", with_local_times(cleaned(value), zone)))
        if shown is None
        else shown(cast("T", with_local_times(cleaned(data), zone)))
    )
    if sys.stdout.isatty():
        Console(file=sys.stdout, markup=False, highlight=False, emoji=False).print(text)
        return
    # A file is read with other widths: without the blanks that fill a line up.
    out = StringIO()
    Console(file=out, width=WIDTH_WITHOUT_TERMINAL, markup=False, highlight=False, emoji=False).print(text)
    sys.stdout.write("".join(f"{line.rstrip(' ')}\n" for line in out.getvalue().split("\n")[:-1]))


def plain(data: object) -> Json:
    """Return `data` as JSON: dataclasses by their fields, times in ISO 8601, durations in seconds, decimals as text."""
    value: Json = to_jsonable_python(data, timedelta_mode="float")
    return value


def indented(text: str, columns: int = 2) -> Padding:
    """Return text that wraps behind so many blanks."""
    return Padding(Text(text), (0, 0, 0, columns))


def table_of(columns: Iterable[str], rows: Iterable[Iterable[RenderableType]]) -> Table:
    """Return a table without lines, as commands print lists."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    return table


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
    return name in ("at", "as_of", "since", "refused_since", "not_before") or name.endswith("_at")


def _local(value: object, zone: tzinfo | None) -> object:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    return local_time(value, zone) if isinstance(value, datetime) and value.tzinfo else value


def _rendered(value: Json) -> RenderableType:
    if isinstance(value, dict):
        return _record(value)
    if isinstance(value, list):
        return _list(value)
    return _cell(value)


def _list(items: list[Json]) -> RenderableType:
    if not items:
        return "none"
    rows = [item for item in items if isinstance(item, dict)]
    if len(rows) < len(items):
        return Group(*(_rendered(item) for item in items))
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return table_of(columns, ([_rendered(row.get(name)) for name in columns] for row in rows))


def _record(record: dict[str, Json]) -> RenderableType:
    """Return the short values as a table of two columns, then each list of records under its name."""
    parts: list[RenderableType] = []
    short = {name: value for name, value in record.items() if not _is_table(value)}
    if short:
        table = Table.grid(padding=(0, 2))
        for name, value in short.items():
            table.add_row(name, _rendered(value))
        parts.append(table)
    for name, value in record.items():
        if _is_table(value):
            parts += [name, Padding(_rendered(value), (0, 0, 0, 2))]
    return Group(*parts)


def _is_table(value: Json) -> bool:
    return isinstance(value, list) and any(isinstance(item, dict) for item in value)


def _cell(value: Json) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
    return str(value)
