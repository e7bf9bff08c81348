"""History in words, filters, and the file of it."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from shared.domain.passback.audit import (
    TRIGGER_LABELS,
    AuditEntry,
    FieldChange,
    HistoryQuery,
    ScoreChange,
    WriteContext,
    WriteKind,
    actor_text,
    changed_parts,
    grader_text,
    matching,
    triggers_text,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.powerschool import OWNED_FIELDS, Score, WrittenField
from workers.grade_passback.operations.history import COLUMNS, csv_text, safe_cell

AT = datetime(2031, 3, 4, 9, 0, tzinfo=UTC)
EIGHT, NINE = Score(Decimal(8)), Score(Decimal(9))
ENTRY = AuditEntry(
    AT, "101", "7", 4711, 5, 6, WriteKind.SCORES, WriteContext((ChangeCause.EVENT,), "passback", 3), Decimal(10),
    scores=(
        ScoreChange(31, "S1", EIGHT, NINE, "12"),
        ScoreChange(32, "S2", EIGHT, Score(Decimal(8), missing=True)),
    ),
)  # fmt: skip
UPDATE = replace(
    ENTRY, kind=WriteKind.UPDATE, scores=(), occasion=WriteContext((ChangeCause.PERSON,), "chen, rivera", 4),
    fields=(FieldChange("name", "Lab", "=1+1"), FieldChange("due_date", "2031-03-04", "2031-03-05")),
)  # fmt: skip


def test_every_field_and_trigger_has_words() -> None:
    """No code is shown to a person; assignment fields are those that passback owns."""
    assert set(TRIGGER_LABELS) == set(ChangeCause)
    assert set(OWNED_FIELDS) == set(WrittenField) - {WrittenField.SCORE, WrittenField.MISSING, WrittenField.EXCUSED}
    assert [WrittenField(field).label for field in ("points", "due_date")] == ["points possible", "due date"]


def test_people_and_passback_are_named() -> None:
    """A quiz that graded is no user with a negative id."""
    assert (actor_text(ENTRY), actor_text(UPDATE)) == ("passback by itself", "chen, rivera")
    assert triggers_text(ENTRY) == "a change in Canvas"
    found = [grader_text(grader, {"12": "Ada Chen"}) for grader in (None, "12", "13", "-78")]
    assert found == ["", "Ada Chen", "Canvas user 13", "a quiz or a tool"]


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        (None, NINE, ["score"]),
        (EIGHT, None, ["score"]),
        (EIGHT, Score(Decimal(8), missing=True), ["missing"]),
        (Score(Decimal(0), missing=True), Score(Decimal(7), exempt=True), ["score", "missing", "excused"]),
        (EIGHT, EIGHT, ["score"]),
    ],
)
def test_a_score_says_what_changed(before: Score | None, after: Score | None, parts: list[str]) -> None:
    """Its points and each flag by itself; something in any case."""
    assert list(changed_parts(ScoreChange(31, "S1", before, after))) == parts


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (HistoryQuery(), [(0, 2), (2, 0)]),
        (HistoryQuery(assignment_id="8"), []),
        (HistoryQuery(student_sis_id="S2"), [(0, 1)]),
        (HistoryQuery(field=WrittenField.MISSING), [(0, 1)]),
        (HistoryQuery(field=WrittenField.NAME), [(1, 0)]),
        (HistoryQuery(student_sis_id="S1", field=WrittenField.MISSING), []),
        (HistoryQuery(actor="Rivera"), [(2, 0)]),
        (HistoryQuery(actor="passback"), [(0, 2)]),
        (HistoryQuery(actor="riv"), []),
        (HistoryQuery(trigger=ChangeCause.PERSON), [(2, 0)]),
        (HistoryQuery(since=AT, until=AT), [(0, 2), (2, 0)]),
        (HistoryQuery(since=AT + timedelta(seconds=1)), []),
        (HistoryQuery(until=AT - timedelta(seconds=1)), []),
    ],
)
def test_entries_are_selected(query: HistoryQuery, kept: list[tuple[int, int]]) -> None:
    """What is left of each: fields, scores."""
    assert [(len(e.fields), len(e.scores)) for e in matching([ENTRY, UPDATE], query)] == kept


def rows(*, with_scores: bool) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text([ENTRY, UPDATE], None, with_scores=with_scores))))


def test_the_file_has_a_row_for_each_change() -> None:
    """With fields in words, and nothing that a spreadsheet would run."""
    found = rows(with_scores=True)
    assert tuple(found[0]) == COLUMNS
    shown = [(row["student_sis_id"], row["field"], row["before"], row["after"], row["graded_by"]) for row in found]
    assert shown == [
        ("S1", "score", "8", "9", "12"), ("S2", "missing", "False", "True", ""),
        ("", "name", "Lab", "'=1+1", ""), ("", "due date", "2031-03-04", "2031-03-05", ""),
    ]  # fmt: skip
    assert {row["trigger"] for row in found} == {"a change in Canvas", "a person"}


def test_the_file_of_a_viewer_has_no_score() -> None:
    """A student is there with ids alone."""
    assert [(row["student_sis_id"], row["before"], row["after"], row["graded_by"]) for row in rows(with_scores=False)][
        :2
    ] == [("S1", "", "", ""), ("S2", "", "", "")]


@pytest.mark.parametrize(
    "mark", ["=", "+", "-", "@", "\t=", "\r+", "  =", "\N{FULLWIDTH EQUALS SIGN}", "\N{NO-BREAK SPACE}@"]
)
def test_no_spreadsheet_runs_a_cell(mark: str) -> None:
    """Nor one with blanks before its formula, which some programs skip."""
    assert str(safe_cell(f'{mark}HYPERLINK("x")')).startswith("'")
    assert safe_cell(f"Lab {mark} 2") == f"Lab {''.join(c if c.isprintable() else ' ' for c in mark)} 2"
