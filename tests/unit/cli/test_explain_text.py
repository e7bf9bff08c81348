"""`explain` and `history` for people: whole codes on 80 columns, and a CSV file that a spreadsheet may open."""

import csv
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path

from rich.console import Console, Group

from shared.adapters.redis.remote_limits.outages import Outage
from shared.adapters.redis.sync_queue.store import CourseQueueState, QueueState
from shared.domain.passback.audit import (
    AuditEntry,
    FieldChange,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.powerschool import Score
from shared.errors import ServiceUnavailable
from tests.unit.workers.grade_passback.school import School, row
from workers.cli.explain import explanation_text
from workers.cli.history import history_lines
from workers.cli.terminal.output import private_file
from workers.grade_passback.explain.activity import CourseActivity
from workers.grade_passback.operations.history import COLUMNS, write_csv

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
CREATED = AuditEntry(
    NOON, "1", "11", 4001, 6, 7, WriteKind.CREATE, WriteContext((ChangeCause.PERSON,), "rivera", 3), Decimal(10),
    fields=(FieldChange("name", None, "=1+1"), FieldChange("points", None, "10")),
)  # fmt: skip
SCORED = replace(
    CREATED, kind=WriteKind.SCORES, fields=(),
    scores=(ScoreChange(501, "S1", Score(Decimal(7)), Score(Decimal("8.5"), missing=True)),),
)  # fmt: skip


def shown(group: Group) -> str:
    """Return what a terminal of 80 columns shows."""
    console = Console(file=StringIO(), width=80)
    with console.capture() as capture:
        console.print(group)
    return capture.get()


def test_codes_and_sentences_are_whole_on_80_columns() -> None:
    """No line is longer, no code is cut, nothing is left out."""
    school = School()
    school.edit(post_to_sis=False, visible_to_everyone=False, name="A name of more than thirty characters")
    text = shown(explanation_text(school.explanation()))
    assert max(map(len, text.splitlines())) <= 80
    for code in ("sis_sync_off:", "not_assigned_to_everyone:", "name_too_long:"):
        assert code in text
    assert "section 4001: blocked" in text


def test_a_student_gets_a_sentence_per_assignment() -> None:
    """With the last write after it."""
    school = School()
    school.sync()
    text = " ".join(shown(explanation_text(school.explanation(student_sis_id="S1"))).split())
    assert "Reading 1 (11) Sent: 8 of 10. Last written 2026-10-05T15:00:00+00:00 by passback." in text


def test_history_reads_as_sentences() -> None:
    """When, what, by whom and why; then what was before and after."""
    text = shown(Group(*history_lines([SCORED, CREATED], {"11": "Reading 1"}, UTC)))
    assert "because of a person, asked for by rivera" in text
    assert "Reading 1 (11), section 4001, PowerSchool assignment 6: scores" in text
    assert "student S1: 7 of 10 -> missing, 8.5 of 10" in text
    assert "points possible: 10" in text
    assert max(map(len, text.splitlines())) <= 80


def test_the_export_has_a_row_per_change(tmp_path: Path) -> None:
    """Every changed field and value has its row; text that a spreadsheet would run is disarmed."""
    path = tmp_path / "history.csv"
    with private_file(path, newline="") as file:
        assert write_csv(file, [SCORED, CREATED], None) == 2
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    changes = [(r["student_sis_id"], r["field"], r["before"], r["after"]) for r in rows]
    assert changes == [
        ("S1", "score", "7", "8.5"),
        ("S1", "missing", "False", "True"),
        ("", "name", "", "'=1+1"),
        ("", "points possible", "", "10"),
    ]
    assert path.stat().st_mode & 0o077 == 0


def test_an_outage_is_said_instead_of_a_reason_that_is_over() -> None:
    """As of the last sync nobody had a score; the change that waits may be the first one."""
    school = School()
    school.canvas.rows = (row("S1", "71", a11=None, a12=None),)
    school.sync()
    school.canvas.faults.always("course", ServiceUnavailable("503", cause="canvas_unavailable", delay=timedelta(1)))
    assert "not_graded_yet" in shown(explanation_text(school.explanation()))
    changes = PendingChanges("1", NOON, NOON, 2, frozenset({ChangeCause.EVENT}), frozenset({"11", "12"}))
    school.activity = CourseActivity(
        NOON, CourseQueueState(QueueState.DUE, NOON, changes), outages=[Outage("canvas", "canvas_timeout", NOON, None)]
    )
    school.dead_letters.add("1", "12", "canvas_500", "", 6)
    text = " ".join(shown(explanation_text(school.explanation())).split())
    assert "Now: Canvas has not answered since 12:00; 2 changes wait." in text
    assert "A newer change of this assignment waits for its sync." in text
    assert "Dead letter assignment-1-12 of assignment 12 (canvas_500)" in text
    assert "not_graded_yet" not in text
