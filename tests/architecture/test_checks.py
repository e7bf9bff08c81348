"""Linters and types are tests, so that one command says whether a change is good."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.project import ROOT

# Beside this interpreter, so that the environment that runs the tests is the one that checks.
LINT_IMPORTS = str(Path(sys.executable).with_name("lint-imports"))


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param([sys.executable, "-m", "ruff", "check", "."], id="ruff check"),
        pytest.param([sys.executable, "-m", "ruff", "format", "--check", "."], id="ruff format"),
        pytest.param([sys.executable, "-m", "mypy"], id="mypy", marks=pytest.mark.slow),
        pytest.param([LINT_IMPORTS], id="lint-imports"),
    ],
)
def test_the_code_passes(command: list[str]) -> None:
    """Style, types and the direction of imports are as `pyproject.toml` says."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.xdist_group("together")
def test_groups_are_kept_together(request: pytest.FixtureRequest) -> None:
    """Tests that share processes run in one of xdist's workers: a pytest that xdist does not know lets go of that."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        pytest.skip("without -n there is one worker")
    assert request.node.nodeid.endswith("@together")
