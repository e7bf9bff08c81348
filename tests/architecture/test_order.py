"""The unit tests do not depend on each other."""

import random
import re
import subprocess
import sys

import pytest

from tests.architecture.project import ROOT

# Those that configure logging, run programs in this process or share fakes.
PART = ("tests/unit/test_benchmarks.py", "tests/unit/test_logging.py", "tests/unit/workers/grade_passback")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_unit_tests_pass_in_random_order() -> None:
    """Whichever modules run first, and whichever tests within them. The failure names the seed of the order."""
    seed = random.randrange(1_000_000)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *PART]
    order = ["--random-order-bucket=module", f"--random-order-seed={seed}"]
    run = subprocess.run([*command, *order], cwd=ROOT, capture_output=True, check=False, text=True)

    assert run.returncode == 0, f"{' '.join(order)}\n{run.stdout[-3000:]}"
    assert re.search(r"\d+ passed", run.stdout)
