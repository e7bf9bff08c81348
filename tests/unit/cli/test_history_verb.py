"""`passback history` on the command line."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import fakeredis
import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.config import load
from shared.domain.passback.audit import Arrival
from tests.command_line import app
from tests.unit.web.test_pages import ENTRY, NOW, RECORD, RENAMED
from workers import container
from workers.container import Container


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Container]:
    """The services that the command finds, with a course that was written to three times."""
    server = fakeredis.FakeServer()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PASSBACK_DISTRICT_TIME_ZONE", "America/Chicago")
    monkeypatch.setattr(container, "connect", lambda _settings: fakeredis.FakeRedis(server=server))
    made = Container(load({}, env_file=Path("no.env")))
    made.records.save(RECORD)
    (score,) = ENTRY.scores
    made.audit.add(replace(ENTRY, scores=(replace(score, graded_by="12"),)))
    made.audit.add(replace(RENAMED, at=NOW + timedelta(seconds=1)))
    made.audit.add(replace(ENTRY, at=NOW + timedelta(seconds=2), answer_lost=True, arrival=Arrival.ARRIVED))
    yield made
    made.close()


@pytest.fixture
def run(service: Container) -> Callable[..., Result]:
    return lambda *arguments: CliRunner().invoke(app, ["history", "101", *arguments])


def test_it_is_in_words(run: Callable[..., Result]) -> None:
    """Time of the district, trigger, person, assignment, fields, students, graders, and what a lost answer came to."""
    said = " ".join(run().output.split())
    for words in (
        "because of a person and a retry, asked for by rivera", "points possible: 10 -> 12",
        "category: Tests (81) -> Homework (82)", "Lab 1 (7)",
        "student S1: 6 of 10 -> 7.5 of 10, graded by Canvas user 12",
        "asked for by passback by itself", "found that it had arrived",
    ):  # fmt: skip
        assert words in said
    assert " CST," in said or " CDT," in said


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ([], 3), (["--actor", "rivera"], 1), (["--trigger", "event"], 2), (["--field", "category"], 1),
        (["--student", "S1"], 2), (["--until", "2d"], 0), (["--since", "2d"], 3), (["--limit", "2"], 2),
        (["--start", "2"], 1),
    ],
)  # fmt: skip
def test_it_is_filtered_and_paged(run: Callable[..., Result], arguments: list[str], count: int, tmp_path: Path) -> None:
    """In the file and in JSON alike."""
    result = run("--export", "out.csv", *arguments)
    assert f"{count} entr{'y' if count == 1 else 'ies'} written" in result.output, result.output
    with (tmp_path / "out.csv").open(newline="") as file:
        assert len({row["at"] for row in csv.DictReader(file)}) == count
    assert run("--json", *arguments).output.count('"course_id": "101",\n      "assignment_id"') == count


def test_it_says_how_to_go_on(run: Callable[..., Result]) -> None:
    """Where there is more."""
    assert "older entries: --start 2" in run("--limit", "2").output
    assert "older entries" not in run("--limit", "3").output
