"""Reads a district's map of assignment groups to PowerSchool categories from a CSV file."""

import csv
import io
from collections.abc import Iterator

from shared.domain.passback.rules.categories import map_key

COLUMNS = ["group", "category"]
# PowerSchool's own limit of a category's name is lower; Canvas's groups have up to 255 characters.
MAX_NAME_CHARS = 255
MAX_ENTRIES = 5000
MAX_NAMED = 10


class InvalidMap(Exception):
    """The file is no map; the message names the lines and says what to do."""


def check_entry(group: str, category: str) -> str | None:
    """Return why this is no entry of a map, None if it is one."""
    for what, name in (("group", group), ("category", category)):
        if not name.strip():
            return f"the {what} has no name"
        if len(name.strip()) > MAX_NAME_CHARS:
            return f"the name of the {what} is longer than {MAX_NAME_CHARS} characters"
        if not name.strip().isprintable():
            return f"the name of the {what} has a character that does not print"
    return None


def read_category_map(content: bytes) -> dict[str, str]:
    """Return the category of each group of a CSV file with the columns `group` and `category`. Raises: InvalidMap."""
    found: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    for number, row in _rows(content):
        problem = f"{len(row)} columns instead of 2" if len(row) != len(COLUMNS) else check_entry(*row)
        if problem is None:
            group, category = row[0].strip(), row[1].strip()
            earlier = found.setdefault(map_key(group), (group, category))
            if map_key(earlier[1]) != map_key(category):
                problem = f"{group} stands for {earlier[1]} in an earlier line"
        if problem is not None:
            problems.append(f"line {number}: {problem}")
    if not (found or problems):
        raise InvalidMap("the file has no entry: write a line group,category for each group")
    if len(found) > MAX_ENTRIES:
        problems.append(f"{len(found)} groups are more than {MAX_ENTRIES}")
    if problems:
        more = f"; and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        raise InvalidMap(f"nothing was stored. {'; '.join(problems[:MAX_NAMED])}{more}")
    return dict(found.values())


def _rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows below the head with their line numbers, without empty ones. Raises: InvalidMap."""
    try:
        # Excel writes a byte order mark.
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        head, *rows = [(reader.line_num, row) for row in reader] or [(1, [])]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidMap(f"the file is no CSV file in UTF-8 ({error}): save it as CSV UTF-8") from None
    if [name.strip().casefold() for name in head[1]] != COLUMNS:
        raise InvalidMap("the first line has to be: group,category")
    yield from ((number, row) for number, row in rows if any(cell.strip() for cell in row))
