"""Rows of change_sis_id.csv: a record that stays itself under another SIS id.

Canvas looks at the new id before the old one, deleted records included, and changes one record per row. A row that is
repeated is therefore refused for its new id, which exists by then. Stickiness plays no part: no SIS id sticks.
Source: Canvas "SIS Import Format", change_sis_id.csv; canvas-lms lib/sis/change_sis_id_importer.rb, whose words these
are. Accounts, groups and integration ids are left out.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.sandbox.canvas.sis_import.files import Line
from shared.sandbox.canvas.sis_import.records import RowProblem, Work

# The records of a type by SIS id, and the field that holds the SIS id.
TYPES: Final[Mapping[str, tuple[Callable[[Work], dict[str, Any]], str]]] = {
    "user": (lambda work: work.directory.users, "sis_user_id"),
    "course": (lambda work: work.directory.courses, "sis_course_id"),
    "section": (lambda work: work.directory.sections, "sis_section_id"),
    "term": (lambda work: work.directory.terms, "sis_term_id"),
}


def apply_change_sis_id(work: Work, row: Line) -> None:
    """Give a record its new SIS id. Raises `RowProblem` for an old id that nothing has and a new one that is taken."""
    old, new = row["old_id"], row["new_id"]
    if not row["type"]:
        raise RowProblem("No type given for change_sis_id")
    if not old:
        raise RowProblem("No old_id or old_integration_id given for change_sis_id")
    if not new:
        raise RowProblem("No new_id or new_integration_id given for change_sis_id")
    kind = row["type"].lower()
    if kind not in TYPES:
        raise RowProblem(f"Invalid type '{kind}' for change_sis_id")
    records_of, field = TYPES[kind]
    records = records_of(work)
    if new in records:
        raise RowProblem(
            f"A new_id, '{new}', referenced an existing {kind} and the {kind} with "
            f"{'sis_user_id' if kind == 'user' else 'sis_source_id'} '{old}' was not updated"
        )
    if old not in records:
        raise RowProblem(f"An old_id, '{old}', referenced a non-existent {kind} and was not changed.")
    found = records.pop(old)
    records[new] = found
    setattr(found[1] if kind == "section" else found, field, new)
