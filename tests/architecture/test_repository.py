"""The project speaks of itself alone."""

import re

from tests.architecture.project import ROOT, files

TEXT = {".py", ".lua", ".md", ".toml", ".xml", ".yml", ".yaml", ".json", ".conf", ".service", ".sh", ".sql", ""}
# Written apart, so that this file passes its own test.
REGISTRIES = re.compile(r"\b(?:pypi\.|pythonhosted\.|npmjs\.|crates\.)" + r"(?:org|com|io)\b", re.IGNORECASE)
MACHINE_PATHS = re.compile(r"(?<![\w.}])/(?:work|home|root|Users|tmp)" + r"/\w")


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in files()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the installation's business."""
    assert lines_with(REGISTRIES) == []


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    """No file depends on where somebody keeps a checkout."""
    assert lines_with(MACHINE_PATHS) == []
