"""`passback verify`: the pace, the end, the exit code, and the export that is checked without passback."""

import csv
import json
import re
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import fakeredis
import pytest
from click.testing import Result
from typer.testing import CliRunner

from shared.adapters.redis.course_data.course_index import CourseIndex
from shared.adapters.telemetry.logging import configure_logging
from shared.domain.actions import Verb
from shared.domain.passback.changes import ChangeCause
from shared.errors import AccessDenied, CourseGone, ServiceUnavailable
from tests.architecture.project import ROOT
from tests.command_line import app
from tests.unit.cli.district.town_of_courses import Courses, courses_on
from tests.unit.workers.grade_passback.readings import Readings
from workers.cli.district import verify
from workers.grade_passback.operations.verification import verifier

GUIDE = ROOT / "deploy" / "guides" / "verify.md"


@pytest.fixture
def courses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Courses]:
    with courses_on(fakeredis.FakeServer()) as found:
        configure_logging(found.service.settings.model_copy(update={"log_level": "ERROR"}))
        monkeypatch.setattr(verify, "services", lambda: nullcontext(found.service))
        yield found


@pytest.fixture
def readings(courses: Courses) -> Readings:
    made = Readings()
    courses.service.__dict__["course_reader"] = made
    return made


@pytest.fixture
def run(courses: Courses, readings: Readings) -> Callable[[str], Result]:
    return lambda line: CliRunner().invoke(app, ["verify", *line.split(), "--actor", "rivera"])


def test_a_known_school_is_not_looked_up_again(
    courses: Courses, run: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A district of 10,000 courses: their summaries are read once to select; only where nothing is found, again."""
    found = courses.service.course_lists.totals()
    monkeypatch.setattr(CourseIndex, "totals", lambda _: pytest.fail("read a second time"))
    assert run("--school 100").exit_code == 0
    monkeypatch.setattr(CourseIndex, "totals", lambda _: found)
    refused = run("--school 999")
    assert (refused.exit_code, "no course is of school 999" in refused.output) == (2, True)


def test_a_school_that_agrees_is_verified(courses: Courses, run: Callable[[str], Result]) -> None:
    """Every course has its proof, and the action is recorded once."""
    result = run("--school 100")
    assert result.exit_code == 0, result.output
    assert result.output == "4 of 4 courses equal; 16 scores compared\n"
    assert len(courses.service.proofs.newest_of(["101", "102", "103", "104", "201"])) == 4
    (action,) = courses.service.actions.newest(9)
    assert (action.verb, action.target, action.count) == (Verb.VERIFY, "school:100", 4)


def test_a_difference_is_explained_and_becomes_due(
    courses: Courses, readings: Readings, run: Callable[[str], Result]
) -> None:
    """With what becomes of it; the exit code is 1."""
    readings.plant()
    result = run("101")
    assert result.exit_code == 1
    assert "course 101, verified " in result.output
    assert ": 4 scores, 1 differs" in result.output
    assert (
        "assignment 11, section 4001, 1 score: PowerSchool has another value; a sync makes it equal." in result.output
    )
    assert courses.service.changes.state_of("101").pending is not None


def test_no_sync_makes_nothing_due(courses: Courses, readings: Readings, run: Callable[[str], Result]) -> None:
    """For who wants to look first."""
    readings.plant()
    assert run("101 --no-sync").exit_code == 1
    assert not any(courses.service.changes.counts())


def test_changes_go_first(courses: Courses, run: Callable[[str], Result]) -> None:
    """While courses are due, the next course is not read, for a while; a busy day has its proof nevertheless."""
    courses.clock.work = lambda: None
    courses.service.changes.request("203", ChangeCause.WEBHOOK)
    courses.service.changes.claim_due(1)
    assert run("--school 100").exit_code == 0
    assert courses.clock.ahead >= 4 * verifier.MAX_COURTESY - timedelta(seconds=5)


def test_a_course_that_cannot_be_read_is_named(readings: Readings, run: Callable[[str], Result]) -> None:
    """The others are verified; the exit code is 1."""
    readings.errors["102"] = CourseGone("GET /api/v1/courses/:id: 404")
    result = run("--school 100")
    assert result.exit_code == 1
    assert "3 of 4 courses equal" in result.output
    assert "course 102 could not be verified: canvas_course_gone" in result.output


def test_an_outage_ends_it(courses: Courses, readings: Readings, run: Callable[[str], Result]) -> None:
    """After some failures in a row: it says how to go on, and leaves out what has a proof then."""
    result = run("--school 200 --json")
    assert len(json.loads(result.output)["proofs"]) == 3
    away = ServiceUnavailable("GET", cause="powerschool_unavailable", delay=timedelta(0))
    readings.errors = dict.fromkeys(("101", "102", "103", "104", "201", "202", "203"), away)
    result = run("--all")
    assert result.exit_code == 1
    assert "2 courses not verified (powerschool_unavailable" in result.output
    _, _, go_on = result.output.partition("To go on: passback verify ")
    assert go_on.startswith("--all --unless-since")


def test_refused_credentials_end_it_at_once(readings: Readings, run: Callable[[str], Result]) -> None:
    """They concern every course alike."""
    readings.errors["101"] = AccessDenied("GET", cause="canvas_401", status=401)
    result = run("--school 100")
    assert (result.exit_code, len(readings.read_ids)) == (1, 1)
    assert "3 courses not verified (canvas_401" in result.output


def test_what_has_a_newer_proof_is_left_out(readings: Readings, run: Callable[[str], Result]) -> None:
    """So that an interrupted verification goes on where it ended."""
    run("101")
    readings.read_ids.clear()
    assert run("--school 100 --unless-since 1h").exit_code == 0
    assert "101" not in readings.read_ids
    assert len(readings.read_ids) == 3


def test_stored_proofs_are_shown_without_reading(readings: Readings, run: Callable[[str], Result]) -> None:
    """A course that was never verified is named, and makes the exit code 1."""
    run("101")
    readings.read_ids.clear()
    result = run("101 --stored")
    assert result.exit_code == 0
    assert "4 scores, all equal" in result.output
    result = run("--school 100 --stored")
    assert (result.exit_code, "course 102: never verified" in result.output) == (1, True)
    assert readings.read_ids == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("", "name one course, or select courses"),
        ("101 --scores", "needs --export DIR"),
        ("101 --scores --stored --export out", "needs --export DIR"),
        ("101 --export full", "is not empty: name a new directory"),
        ("101 --export file", "cannot be written"),
        ("101 --export nowhere/out", "cannot be written"),
        ("--school 999", "no course is of school 999"),
    ],
)
def test_a_wrong_call_reads_nothing(
    readings: Readings,
    run: Callable[[str], Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    why: str,
) -> None:
    """It ends with exit code 2."""
    monkeypatch.chdir(tmp_path)
    Path("full").mkdir()
    Path("full/file").touch()
    Path("file").touch()
    result = run(line)
    assert result.exit_code == 2
    assert why in " ".join(result.output.replace("│", "").split())
    assert readings.read_ids == []


def commands_of_guide() -> list[str]:
    """Return the commands that the guide tells a registrar to run, in order."""
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text().partition("## Check it without passback")[2], re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line]


def check(directory: Path, line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, shell=True, cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("openssl") is None or shutil.which("sha256sum") is None, reason="needs openssl")
def test_the_export_is_checked_as_the_guide_says(
    courses: Courses, readings: Readings, run: Callable[[str], Result], tmp_path: Path
) -> None:
    """Each command of the guide succeeds on an export; after a change of any file, the check fails."""
    readings.plant()
    out = tmp_path / "out"
    assert run(f"101 --export {out} --scores").exit_code == 1
    (action,) = courses.service.actions.newest(1)
    assert action.target == "course:101:scores"
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in out.iterdir()} == {0o600}
    commands = commands_of_guide()
    assert len(commands) >= 4
    for line in commands:
        done = check(out, line)
        assert done.returncode == 0, (line, done.stderr)
    assert "Verified OK" in check(out, commands[0]).stdout
    proof = json.loads((out / "course-101.json").read_text())
    assert check(out, "sha256sum course-101.csv").stdout.split()[0] == proof["rows_sha256"]
    assert check(out, "sha256sum course-101-scores.csv").stdout.split()[0] == proof["scores_sha256"]
    in_order = "tail -n +2 course-101.csv | LC_ALL=C sort --check"
    assert check(out, in_order).returncode == 0
    differing = [
        line
        for line in csv.DictReader((out / "course-101-scores.csv").read_text().splitlines())
        if line["result"] == "differs"
    ]
    assert [(d["student_sis_id"], d["canvas"], d["powerschool"]) for d in differing] == [("S1", "8", "8.1")]
    assert commands[2] in (out / "HOW-TO-CHECK.txt").read_text()
    assert not check(out, commands[2]).stdout
    (out / "course-102.csv").write_text("added\n")
    assert check(out, commands[2]).stdout == "course-102.csv\n"
    (out / "course-102.csv").unlink()
    for file in sorted(out.iterdir()):
        content = file.read_bytes()
        file.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
        assert any(check(out, line).returncode for line in commands[:2]), file.name
        file.write_bytes(content)


def test_an_export_without_scores_has_none(readings: Readings, run: Callable[[str], Result], tmp_path: Path) -> None:
    """Neither in the lines nor in the proof: the scores need an option of their own."""
    readings.school.grade("S1", "11", "3.14159")
    out = tmp_path / "out"
    run(f"101 --export {out}")
    assert not (out / "course-101-scores.csv").exists()
    assert not any(b"3.14159" in file.read_bytes() for file in out.iterdir())


def test_stored_proofs_are_exported(run: Callable[[str], Result], tmp_path: Path) -> None:
    """With their signatures, and the table of all courses."""
    run("--school 100")
    out = tmp_path / "out"
    assert run(f"--school 100 --stored --export {out}").exit_code == 0
    assert check(out, commands_of_guide()[1]).returncode == 0
    rows = list(csv.DictReader((out / "summary.csv").read_text().splitlines()))
    assert [(row["course_id"], row["result"], row["schools"]) for row in rows] == [
        (course_id, "4 scores, all equal", "100") for course_id in ("101", "102", "103", "104")
    ]


def test_the_public_key_is_printed(run: Callable[[str], Result]) -> None:
    """The same each time, for a registrar to keep apart from the exports."""
    first = run("--public-key").output
    assert first.startswith("-----BEGIN PUBLIC KEY-----")
    assert run("--public-key").output == first


def test_a_replaced_key_leaves_what_it_signed_checkable(
    courses: Courses, run: Callable[[str], Result], tmp_path: Path
) -> None:
    """The export of a stored proof has the key that signed it, by its id; who replaced it is known."""
    run("--school 100")
    first, out = run("--public-key").output, tmp_path / "out"
    (proof,) = courses.service.proofs.newest_of(["101"])
    second = run("--new-key").output
    assert second.startswith("-----BEGIN PUBLIC KEY-----")
    assert (run("--public-key").output, run(f"--public-key --key-id {proof.proof.key_id}").output) == (second, first)
    assert courses.service.actions.newest(1)[0].verb is Verb.REPLACE_KEY
    assert run(f"101 --stored --export {out}").exit_code == 0
    earlier = f"public-key-{proof.proof.key_id}.pem"
    assert ((out / "public-key.pem").read_text(), (out / earlier).read_text()) == (second, first)
    assert courses.service.proof_keys.current().key_id in (out / "HOW-TO-CHECK.txt").read_text()
    line = f"openssl dgst -sha256 -verify {earlier} -signature course-101.sig course-101.json"
    assert check(out, line).stdout == "Verified OK\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("--public-key --key-id 0000000000000000", "no key has the id 0000000000000000; there is"),
        ("101 --key-id 0000000000000000", "needs --public-key"),
        ("101 --new-key", "takes no course"),
        ("--all --new-key", "takes no course"),
        ("--new-key --export proofs", "takes no course"),
        ("--new-key --no-sync", "takes no course"),
        ("--new-key --unless-since 2h", "takes no course"),
    ],
)
def test_a_key_is_named_right_or_refused(run: Callable[[str], Result], line: str, says: str) -> None:
    """With exit code 2; a key is not replaced by the way."""
    before = run("--public-key").output
    result = run(line)
    assert (result.exit_code, says in result.output) == (2, True), result.output
    assert run("--public-key").output == before
