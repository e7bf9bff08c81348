"""The wheel: built, complete, and working where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.project import ROOT, files

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
    run_well(folder / "venv/bin/python", "-m", "pip", "install", "--quiet", f"{wheel}[demo]", cwd=folder)
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


def test_the_demo_runs(passback: Path, tmp_path: Path) -> None:
    """`passback demo` does the whole job from any directory and leaves nothing in it."""
    assert run_well(passback, "demo", cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []
