"""The wheel: built, complete, and working where there is no checkout."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.project import ROOT, files
from tests.integration.terminal import COLUMNS, ROWS, terminal
from workers.dev.process_group import without_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.xdist_group("wheel")]


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as an installation would: without this project's settings, outside of its checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PASSBACK_", "PYTHON"))}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def run_well(*command: str | Path, cwd: Path) -> str:
    result = run(*command, cwd=cwd)
    assert result.returncode == 0, f"{result.stdout[-4000:]}\n{result.stderr[-4000:]}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run_well(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def passback(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the `passback` command of a fresh environment that holds the wheel and its demo extra."""
    folder = tmp_path_factory.mktemp("fresh")
    run_well(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    # What is imported is compiled then: less than half of what is installed.
    pip = (folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-compile")
    run_well(*pip, f"{wheel}[demo]", cwd=folder)
    return folder / "venv/bin/passback"


def test_the_wheel_holds_every_file(wheel: Path) -> None:
    """Every file of both packages is in the wheel, Lua scripts and other data included."""
    expected = {str(path.relative_to(ROOT)) for package in ("workers", "shared") for path in files(under=package)}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}

    assert any(name.endswith(".lua") for name in packed)
    assert packed == expected


def test_the_command_says_what_it_can_do(passback: Path, tmp_path: Path) -> None:
    """`passback --help` works from any directory and names the demo."""
    assert "demo" in run_well(passback, "--help", cwd=tmp_path)


def test_a_wrong_setting_is_a_sentence(passback: Path, tmp_path: Path) -> None:
    """A misspelt setting ends a command with code 2 and a suggestion, not with a traceback."""
    (tmp_path / ".env").write_text("PASSBACK_QUIETPERIOD_S=3\n")

    result = run(passback, "status", cwd=tmp_path)

    assert result.returncode == 2
    assert "did you mean PASSBACK_QUIET_PERIOD_S?" in result.stderr
    assert "Traceback" not in result.stderr


def test_the_demo_is_one_screen(passback: Path, tmp_path: Path) -> None:
    """`passback demo` does the whole job from any directory and leaves nothing in it.

    It shows what happens while it runs, then a verdict, five things to look at and the next command.
    """
    path = f"{passback.parent}:{os.environ['PATH']}"
    with terminal([str(passback), "demo"], {**without_settings(), "TERM": "xterm", "PATH": path}, tmp_path) as shown:
        code = shown.wait_for_end(240)

    assert code == 0, shown.printed[-4000:]
    assert re.search(r"PowerSchool +[1-9]\d* scores written", shown.printed)
    assert max(map(len, shown.lines)) <= COLUMNS, max(shown.lines, key=len)
    left = shown.left
    assert len(left) < ROWS
    assert left[0] == "RIGHT: PowerSchool holds exactly what the rules demand."
    (following,) = (number for number, line in enumerate(left) if line.startswith("Next: "))
    sights = left[left.index("What to look at") + 1 : following - 1]
    assert len(sights) == 5
    assert not any("never" in line for line in sights)
    assert left[following + 1] == "  passback up"
    assert list(tmp_path.iterdir()) == []
