"""What was uploaded to an SIS import: CSV files, recognised by their columns, and their difference from earlier ones.

Source: Canvas "SIS Import Format"; canvas-lms lib/sis/csv/import_refactored.rb and the `…_csv?` of its importers;
app/models/sis_batch.rb (`generate_diff`), lib/sis/csv/diff_generator.rb, gems/csv_diff; five breaches: Canvas "SIS
Imports API".
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

MAX_COMPRESSION_RATIO: Final = 100
"""The content of a zip must be less than this many times its size."""

MAX_BREACHES: Final = 5
TOO_DIFFERENT: Final = "Diffing not performed because file size difference exceeded threshold"
SEVERAL_FILES: Final = "Can't perform diffing against more than one file of the same type"
# The documentation says that imports fail then, not how.
TOO_MANY_BREACHES: Final = "Diffing threshold exceeded five times in a row: remaster the data set"

IDENTIFYING: Final[Mapping[str, tuple[str, ...]]] = {
    "change_sis_id": ("old_id", "old_integration_id"),
    "account": ("account_id",),
    "term": ("term_id", "date_override_enrollment_type"),
    "course": ("course_id",),
    "section": ("section_id",),
    "user": ("user_id",),
    "enrollment": ("course_id", "section_id", "user_id", "user_integration_id", "role", "role_id"),
    "xlist": ("xlist_course_id", "section_id"),
}

# In the order in which Canvas processes them; the first kind whose columns are all there is the file's.
KINDS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "change_sis_id": (("old_id", "old_integration_id"),),
    "account": (("account_id",), ("parent_account_id",)),
    "term": (("term_id",), ("name",)),
    "course": (("course_id",), ("short_name",)),
    "section": (("section_id",), ("name",)),
    "xlist": (("xlist_course_id",), ("section_id",)),
    "user": (("user_id",), ("login_id",)),
    "enrollment": (("section_id", "course_id"), ("user_id", "user_integration_id")),
    "admin": (("user_id",), ("account_id",), ("role", "role_id")),
    "group_category": (("group_category_id",), ("category_name",)),
    "group": (("group_id",), ("name",)),
    "group_membership": (("group_id",), ("user_id",)),
    "user_observer": (("observer_id",), ("student_id",)),
}


class UnusableUpload(Exception):
    """The whole upload cannot be read."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of a file by column name; `number` counts from 1, the header included."""

    number: int
    values: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        """Return the value without spaces around it, empty where there is no such column."""
        return self.values.get(column, "").strip()

    @property
    def text(self) -> str:
        """The row as it stood in the file."""
        return ",".join(self.values.values())


@dataclass(frozen=True, slots=True)
class SisFile:
    """A file whose kind is known."""

    name: str
    kind: str
    header: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FileProblem:
    """What is wrong with a whole file; a failure fails the import."""

    file: str
    message: str
    is_failure: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """What was sent: a zip of CSV files, or one of them."""

    content: bytes
    extension: str

    @property
    def size(self) -> int:
        """The size of its content, uncompressed. Raises `UnusableUpload`."""
        return sum(len(content) for _, content in self._contents())

    def read(self) -> tuple[list[SisFile], list[FileProblem]]:
        """Return the files in the order of processing, and what is wrong with the others. Raises `UnusableUpload`."""
        found = [_read(name, content) for name, content in self._contents()]
        files = [file for file in found if isinstance(file, SisFile)]
        problems = [problem for problem in found if isinstance(problem, FileProblem)]
        order = list(KINDS)
        return sorted(files, key=lambda file: order.index(file.kind)), problems

    def _contents(self) -> list[tuple[str, bytes]]:
        if self.extension != "zip":
            return [(f"sis_import.{self.extension}", self.content)]
        try:
            with zipfile.ZipFile(io.BytesIO(self.content)) as archive:
                members = [info for info in archive.infolist() if not info.is_dir()]
                if sum(info.file_size for info in members) >= MAX_COMPRESSION_RATIO * len(self.content):
                    raise UnusableUpload("uncompressed size limit exceeded")
                return [(info.filename, archive.read(info)) for info in members]
        except zipfile.BadZipFile as error:
            raise UnusableUpload("unknown archive type") from error


def _read(name: str, content: bytes) -> SisFile | FileProblem:
    if not name.lower().endswith(".csv"):
        return FileProblem(name, "Skipping unknown file type", is_failure=False)
    try:
        # A byte order mark is no part of the first column's name.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return FileProblem(name, "Invalid UTF-8", is_failure=True)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return FileProblem(name, "Malformed CSV", is_failure=True)
    header = tuple(column.strip().lower() for column in rows[0]) if rows else ()
    kind = _kind(header)
    if kind is None:
        return FileProblem(name, "Couldn't find Canvas CSV import headers", is_failure=True)
    return SisFile(name, kind, header, tuple(_lines(header, rows[1:])))


def _kind(header: Iterable[str]) -> str | None:
    columns = set(header)
    return next((kind for kind, needed in KINDS.items() if all(columns & set(any_of) for any_of in needed)), None)


def _lines(header: tuple[str, ...], rows: Iterable[list[str]]) -> Iterable[Line]:
    """Yield the rows that are not empty; a short row lacks its last columns."""
    for number, row in enumerate(rows, start=2):
        if any(row):
            yield Line(number, dict(zip(header, row, strict=False)))


@dataclass(frozen=True, slots=True)
class DropStatuses:
    """What becomes of rows that are gone; everything but users and enrollments is deleted."""

    enrollments: str = "deleted"
    users: str = "deleted"

    def of(self, kind: str) -> str:
        """Return the status that a row of this kind is given."""
        return {"enrollment": self.enrollments, "user": self.users}.get(kind, "deleted")


def size_difference(size: int, base_size: int) -> float:
    """Return by how many percent an upload is larger or smaller than the one it would be compared with."""
    return abs(1 - size / base_size) * 100 if base_size else 100.0


def difference(
    files: Sequence[SisFile], base: Sequence[SisFile], drop: DropStatuses
) -> tuple[list[SisFile], list[FileProblem]]:
    """Return the files with the rows that are new, changed or gone, and what could not be compared.

    A kind of file that only one of both has is taken whole, or left alone. Rows are numbered in the difference, not in
    the upload: Canvas imports the file that it generated (inferred from the source; no documentation says so).
    """
    found: list[SisFile] = []
    problems: list[FileProblem] = []
    for file in files:
        several = sum(other.kind == file.kind for other in files) > 1
        earlier = [other for other in base if other.kind == file.kind]
        if not earlier:
            found.append(file)
        elif several or len(earlier) > 1:
            problems.append(FileProblem(file.name, SEVERAL_FILES, is_failure=False))
            found.append(file)
        elif lines := _changed_lines(file, earlier[0], drop.of(file.kind)):
            found.append(replace(file, lines=lines))
    return found, problems


def _changed_lines(file: SisFile, base: SisFile, status: str) -> tuple[Line, ...]:
    """Return new and changed rows in the order of the file, then those that are gone, with their new status."""
    key_columns = IDENTIFYING.get(file.kind, file.header)
    before = {_key(line, key_columns): line.values for line in base.lines}
    now = {_key(line, key_columns) for line in file.lines}
    changed = [line.values for line in file.lines if before.get(_key(line, key_columns)) != line.values]
    gone = [{**values, "status": status} for key, values in before.items() if key not in now]
    return tuple(Line(number, values) for number, values in enumerate([*changed, *gone], start=2))


def _key(line: Line, columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(line[column] for column in columns)
