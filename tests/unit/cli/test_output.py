"""What commands print."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import pytest
from rich.padding import Padding
from rich.text import Text

from workers.cli.terminal.output import ExitCode, emit, plain


class Colour(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Thing:
    id: str
    colour: Colour
    points: Decimal
    at: datetime
    wait: timedelta | None = None


THING = Thing("7", Colour.RED, Decimal("10.50"), datetime(2026, 1, 31, 12, tzinfo=UTC), timedelta(seconds=2))


def test_values_become_what_json_has() -> None:
    """Dataclasses become objects, times ISO 8601, durations seconds; exact numbers stay exact."""
    assert plain([THING]) == [
        {"id": "7", "colour": "red", "points": "10.50", "at": "2026-01-31T12:00:00Z", "wait": 2.0}
    ]


def test_json_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With `--json`, the output parses to the data."""
    emit({"things": [THING]}, json=True)

    assert json.loads(capsys.readouterr().out) == plain({"things": [THING]})


def test_records_are_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """A list of records is a table: names on top, a line each, a dash for what is missing."""
    emit([{"course": "1", "due": True}, {"course": "2", "due": None}], json=False)

    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["course", "due"],
        ["1", "yes"],
        ["2", "-"],
    ]


def test_a_record_is_a_list_of_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    """One record prints a line per value, and its lists of records below."""
    emit({"course": "1", "sections": [{"dcid": 5}]}, json=False)

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [["course", "1"], ["sections"], ["dcid"], ["5"]]


def test_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list prints `none` for people and `[]` for machines."""
    emit([], json=False)
    emit([], json=True)

    assert capsys.readouterr().out == "none\n[]\n"


def test_brackets_in_names_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    """A name that looks like markup prints as it is."""
    emit([{"name": "[bold]Essay[/bold] :smile:"}], json=False)

    assert "[bold]Essay[/bold] :smile:" in capsys.readouterr().out


def test_exit_codes() -> None:
    """0 fine, 1 finished with problems, 2 usage or configuration."""
    assert [int(code) for code in (ExitCode.FINE, ExitCode.PROBLEMS, ExitCode.USAGE)] == [0, 1, 2]


def test_lines_of_a_file_end_with_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever fills them up at a terminal."""
    emit({}, False, lambda _: Padding(Text("one\n  two"), (0, 0, 0, 2)))
    assert capsys.readouterr().out == "  one\n    two\n"
