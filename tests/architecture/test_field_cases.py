"""Every test that the page of field cases names exists."""

import re

import pytest

from tests.architecture.project import ROOT

PAGE = (ROOT / "deploy" / "guides" / "field-cases.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Situation ")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_the_named_tests_exist(row: str) -> None:
    """A row ends with at least one `tests/...py::name`, and each is a function in that file."""
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.split("|")[-2])

    assert named, "name the test that shows it, as `tests/path.py::test_name`"
    missing = [(path, name) for path, name in named if not defines(path, name)]
    assert missing == []


def defines(path: str, name: str) -> bool:
    file = ROOT / path
    return file.exists() and re.search(rf"^def {name}\(", file.read_text(), re.MULTILINE) is not None
