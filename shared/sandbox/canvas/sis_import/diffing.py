"""What an SIS import with a data set identifier really applies: the difference from an earlier one.

Source: canvas-lms app/models/sis_batch.rb (`generate_diff`), lib/sis/csv/diff_generator.rb, gems/csv_diff; five
breaches: Canvas "SIS Imports API".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from shared.sandbox.canvas.sis_import.files import FileProblem, Line, SisFile

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
