"""Writes what was compared as CSV, in one canonical form, so that its SHA-256 is the same wherever it is checked.

UTF-8, a line feed after each line. The columns are in the first line; the other lines are in the order of their bytes
(`LC_ALL=C sort`). One file has ids and results, the other one the values as well.
"""

import csv
import hashlib
import io
from collections.abc import Iterator

from shared.domain.passback.agreement import SCORE, ComparedValue
from shared.domain.passback.powerschool import WrittenField
from workers.grade_passback.operations.history_csv import safe_cell
from workers.grade_passback.operations.verification.agreement import CourseAgreement

COLUMNS = (
    "course_id", "assignment_id", "section_dcid", "section_sis_id", "powerschool_assignment_section_id", "student_dcid",
    "student_sis_id", "what", "result", "why",
)  # fmt: skip
VALUE_COLUMNS = ("canvas", "powerschool")
SALT = "salt"
DIGEST_CHARS = 16


def rows_csv(course_id: str, agreement: CourseAgreement) -> bytes:
    """Return a line for each value that was compared: ids and the result, no value."""
    return _file(COLUMNS, (_ids(course_id, value, agreement) for value in agreement.values))


def scores_csv(course_id: str, agreement: CourseAgreement, salt: str) -> bytes:
    """Return the same lines with the values of both sides, and a line with the `salt`.

    The digest of this file is stored. Without the salt, somebody who has the digest could find out the scores of a
    small course by trying.
    """
    salted: list[object] = [course_id, *[""] * (len(COLUMNS) - 4), SALT, "", "", salt, ""]
    rows = (
        [*_ids(course_id, value, agreement), _value(value.what, value.canvas), _value(value.what, value.powerschool)]
        for value in agreement.values
    )
    return _file((*COLUMNS, *VALUE_COLUMNS), iter([salted, *rows]))


def _file(columns: tuple[str, ...], rows: Iterator[list[object]]) -> bytes:
    lines = sorted(map(_line, rows))
    return b"".join([_line(list(columns)), *lines])


def _line(cells: list[object]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue().encode()


def _ids(course_id: str, value: ComparedValue, agreement: CourseAgreement) -> list[object]:
    section, dcid = agreement.sections.get(value.key.section_dcid), value.student_dcid
    students = section.students.items() if section else ()
    sis_id = next((sis_id for sis_id, student in students if student.dcid == dcid), "")
    section_sis_id = section.sis_section_id if section else ""
    return [
        course_id, value.key.assignment_id, value.key.section_dcid, safe_cell(section_sis_id),
        value.assignment_section_id or "", dcid or "", safe_cell(sis_id), str(value.what), str(value.result),
        str(value.why),
    ]  # fmt: skip


def _value(what: str, text: str) -> object:
    """Return a value; of a description, which may be long, its digest. A negative score is no formula."""
    if what == SCORE or not text:
        return text
    if what != WrittenField.DESCRIPTION:
        return safe_cell(text)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()[:DIGEST_CHARS]}"
