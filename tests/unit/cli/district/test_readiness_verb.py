"""`passback readiness` with a stored check: what it prints and writes, and its exit code."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shared.domain.actions import Verb
from shared.domain.passback.readiness.findings import ReadinessRun
from tests.command_line import app
from tests.unit.web.site_kit import Site
from tests.unit.web.test_readiness_pages import NOON, RUN, UNDATED, store_readiness
from workers.cli import options
from workers.cli.district import readiness
from workers.cli.terminal.output import ExitCode, local_time


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """Return a site whose stored check the command reads."""
    one = Site()
    monkeypatch.setattr(options, "Container", lambda _: one.service)
    monkeypatch.setattr(one.service, "close", lambda: None)
    return one


def run(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the output of the command."""
    done = CliRunner().invoke(app, ["readiness", *arguments])
    return done.exit_code, done.stdout


def test_it_prints_what_and_who(site: Site) -> None:
    """With the number of grades, what holds most back first."""
    store_readiness(site)
    code, text = run()
    assert code == ExitCode.PROBLEMS
    assert "school 300, teacher T7501, course 101, assignment 7: 30 grades. The assignment has no due date" in text
    assert text.index("30 grades") < text.index("SIS id 4712")
    assert "teacher: Enter a due date in Canvas" in text


def test_a_new_check_is_recorded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the person who asked for it."""
    store_readiness(site)
    monkeypatch.setenv("SUDO_USER", "rivera")
    monkeypatch.setattr(readiness, "_finish", lambda _service: None)
    run("--now")
    (action,) = site.service.actions.newest(9)
    assert (action.verb, action.target, action.actor) == (Verb.CHECK_READINESS, "district", "rivera")


def test_a_selection_without_findings_is_fine(site: Site) -> None:
    """It says that it is a part."""
    store_readiness(site)
    code, text = run("--code", "points_missing")
    assert code == ExitCode.FINE
    assert "Nothing of what is selected would keep grades back." in text


@pytest.mark.parametrize("option", ["--school 301", "--term 2031-32", "--teacher T750l", "--code due_date_mising"])
def test_what_the_check_does_not_know_is_not_fine(site: Site, option: str) -> None:
    """A mistyped number is no good news."""
    store_readiness(site)
    code, text = run(*option.split())
    assert (code, text) == (ExitCode.USAGE, "")


@pytest.mark.parametrize(
    ("option", "expected"), [("--school 500", ExitCode.FINE), ("--term 2030-31", ExitCode.PROBLEMS)]
)
def test_what_is_ready_is_known_all_the_same(site: Site, option: str, expected: ExitCode) -> None:
    """A school without findings; and a school year has its terms' findings."""
    store_readiness(site)
    assert run(*option.split())[0] == expected


def test_the_time_is_the_districts(site: Site) -> None:
    """As in every other command."""
    store_readiness(site)
    zone = site.service.settings.district_time_zone
    assert f"Checked 2 courses, {local_time(NOON, zone)}." in run()[1]


@pytest.mark.parametrize(
    "run_of",
    [
        replace(RUN, waits_for="canvas_401"),
        replace(RUN, finished_at=None),
        replace(RUN, without=("powerschool_lists",)),
    ],
)
def test_an_incomplete_check_is_never_fine(site: Site, run_of: ReadinessRun) -> None:
    """Silence about what was not looked at is no answer."""
    site.service.readiness.save(run_of)
    code, text = run()
    assert code == ExitCode.PROBLEMS
    assert "Nothing would keep grades back" not in text


def test_json_has_every_finding(site: Site) -> None:
    """With the sentence and the remedy of the rule."""
    store_readiness(site)
    code, text = run("--json", "--school", "300")
    (found,) = json.loads(text)["findings"]
    assert code == ExitCode.PROBLEMS
    assert (found["message"], found["grades"], found["as_of"]) == (UNDATED.message, 30, NOON.isoformat())


def test_the_file_has_what_is_selected(site: Site, tmp_path: Path) -> None:
    """For the one who can mend it."""
    store_readiness(site)
    path = tmp_path / "readiness.csv"
    run("--who", "canvas_admin", "--export", str(path))
    (row,) = csv.DictReader(path.read_text().splitlines())
    assert (row["code"], row["section_sis_ids"], row["who"]) == ("section_without_course", "4712", "canvas_admin")
