"""Renders audit entries: as JSON for `history --json` and the API, and as CSV with a row per changed field or value."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import TextIO

from shared.domain.passback.audit import AuditEntry, changed_parts, triggers_text
from shared.domain.passback.course_state import CourseRecord
from shared.domain.passback.powerschool import Score, WrittenField
from workers.grade_passback.explain.response import Json, score_json

COLUMNS = (
    "at", "course_id", "assignment_id", "assignment", "section_dcid", "section_sis_id", "powerschool_assignment_id",
    "powerschool_assignment_section_id", "kind", "causes", "trigger", "actor", "token",
    "student_dcid", "student_sis_id", "field", "before", "after", "graded_by", "answer_lost", "arrival",
)  # fmt: skip
# A spreadsheet runs text that begins so; a name in Canvas may.
FORMULA_MARKS = ("=", "+", "-", "@")


def entry_json(entry: AuditEntry) -> Json:
    """Return the entry; points are text, to stay exact."""
    return {
        **_head(entry),
        "points_possible": None if entry.points_possible is None else str(entry.points_possible),
        "fields": [
            {"field": f.field, "name": WrittenField(f.field).label, "before": f.before, "after": f.after}
            for f in entry.fields
        ],
        "students": [
            {
                "student_dcid": s.student_dcid,
                "student_sis_id": s.student_sis_id,
                "before": score_json(s.before),
                "after": score_json(s.after),
                "graded_by": s.graded_by,
            }
            for s in entry.scores
        ],
    }


def write_csv(
    out: TextIO, entries: Iterable[AuditEntry], record: CourseRecord | None, *, with_scores: bool = True
) -> int:
    """Write the entries; without scores, students have ids alone. Return how many entries there were.

    `record` gives assignments their names and sections their SIS ids. Control characters become spaces.
    """
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    names = {a.assignment_id: a.name for a in record.assignments} if record else {}
    sections = {roster.section_dcid: roster.section_sis_id for roster in record.rosters} if record else {}
    count = 0
    for entry in entries:
        count += 1
        head = {
            **_head(entry),
            "causes": " ".join(entry.occasion.causes),
            "assignment": names.get(entry.assignment_id),
            "section_sis_id": sections.get(entry.section_dcid),
        }
        for row in _rows(entry, with_scores):
            writer.writerow({name: safe_cell(value) for name, value in {**head, **row}.items()})
    return count


def csv_text(entries: Iterable[AuditEntry], record: CourseRecord | None, *, with_scores: bool) -> str:
    """Return the entries as CSV."""
    out = io.StringIO(newline="")
    write_csv(out, entries, record, with_scores=with_scores)
    return out.getvalue()


def _head(entry: AuditEntry) -> Json:
    """Return what JSON and each row of a CSV say of the write itself."""
    occasion = entry.occasion
    return {
        "at": entry.at.isoformat(),
        "course_id": entry.course_id,
        "assignment_id": entry.assignment_id,
        "section_dcid": entry.section_dcid,
        "powerschool_assignment_id": entry.powerschool_assignment_id,
        "powerschool_assignment_section_id": entry.powerschool_assignment_section_id,
        "kind": entry.kind,
        "answer_lost": entry.answer_lost,
        "arrival": entry.arrival,
        "causes": list(occasion.causes),
        "trigger": triggers_text(entry),
        "actor": occasion.actor,
        "token": occasion.token,
    }


def _rows(entry: AuditEntry, with_scores: bool) -> Iterator[Mapping[str, object]]:
    for field in entry.fields:
        yield {"field": WrittenField(field.field).label, "before": field.before, "after": field.after}
    for score in entry.scores:
        student = {"student_dcid": score.student_dcid, "student_sis_id": score.student_sis_id}
        if not with_scores:
            yield student
            continue
        before, after = _values(score.before), _values(score.after)
        for part in changed_parts(score):
            values = {"field": part.label, "before": before[part], "after": after[part]}
            yield {**student, **values, "graded_by": score.graded_by}


def _values(score: Score | None) -> dict[WrittenField, object]:
    points = None if score is None else score.points
    return {
        WrittenField.SCORE: points,
        WrittenField.MISSING: score is not None and score.missing,
        WrittenField.EXCUSED: score is not None and score.exempt,
    }


def safe_cell(value: object) -> object:
    """Return a value that no spreadsheet runs as a formula; control characters become spaces."""
    if not isinstance(value, str):
        return value
    text = "".join(character if character.isprintable() else " " for character in value)
    # Some spreadsheets skip blanks before a formula, and read full-width marks.
    return f"'{text}" if unicodedata.normalize("NFKC", text).lstrip().startswith(FORMULA_MARKS) else text
