"""The README, the guides, the Procfile and the CI script describe what the code does."""

import re
from pathlib import Path

import pytest

from shared.queues import ROUTES, Queue, Stream, Task
from tests.architecture.project import ROOT, files, first_cells, section
from tests.command_line import app
from workers.cli.docs import with_settings_table

README = ROOT / "README.md"
GUIDES = ROOT / "deploy/guides"
MAX_README_LINES = 150
COMMANDS = {str(command.name) for command in app.registered_commands} | {str(g.name) for g in app.registered_groups}
PROCESS_MODULES = ("workers.cli.processes", "workers.cli.worker_processes")
PROCESSES = {
    str(command.name)
    for command in app.registered_commands
    if command.callback is not None and command.callback.__module__ in PROCESS_MODULES
} - {"sqs"}  # for districts whose Live Events go to SQS
PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


def test_the_settings_table_is_generated() -> None:
    """The guide's table is what `passback settings` prints today."""
    text = (GUIDES / "settings.md").read_text()
    assert with_settings_table(text) == text, "put the output of `passback settings` into deploy/guides/settings.md"


def test_the_paths_of_the_contributors_guide_exist() -> None:
    """Every file and folder that the guide names is there."""
    named = re.findall(r"(?<![\w/])(?:workers|shared|tests|deploy)/[\w./-]+", (GUIDES / "contributing.md").read_text())

    assert [name for name in named if not (ROOT / name.rstrip(".")).exists()] == []


def test_the_readme_is_short() -> None:
    """What does not fit belongs into a guide."""
    assert len(README.read_text().splitlines()) <= MAX_README_LINES


def test_the_table_of_queues_is_complete() -> None:
    """The README lists exactly the streams and Celery queues there are."""
    assert first_cells(section(README, "Message queues")) == [*Stream, *Queue]


def test_every_task_has_a_queue() -> None:
    """Every task is routed, and to a queue that exists."""
    assert set(ROUTES) == set(Task)
    assert set(ROUTES.values()) <= set(Queue)


def test_the_table_of_commands_is_complete() -> None:
    """The guide lists exactly the commands there are."""
    listed = [cell.split()[1] for cell in first_cells((GUIDES / "commands.md").read_text())]

    assert sorted(listed) == sorted(COMMANDS)


def test_the_procfile_starts_every_process() -> None:
    """The Procfile has a line per process command, and starts it."""
    assert sorted(f"passback {name}" for name in PROCESSES) == sorted(PROCFILE.values())


def test_ci_runs_the_readmes_test_command() -> None:
    """The command that the README gives for the tests is, to the letter, the last one of CI."""
    (command,) = re.findall(r"^python3 -m venv .*pytest.*$", README.read_text(), re.MULTILINE)

    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == command


@pytest.mark.parametrize("document", list(files(".md")), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_resolve(document: Path) -> None:
    """Links between documents lead to files, and their anchors to headings."""
    broken = [link for link in relative_links(document.read_text()) if not resolves(document, link)]

    assert broken == []


def relative_links(markdown: str) -> list[str]:
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`\n]*`", "", markdown, flags=re.DOTALL))
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def resolves(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = document.parent / name if name else document
    return target.exists() and (not anchor or anchor in anchors(target.read_text()))


def anchors(markdown: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
