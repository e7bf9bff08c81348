"""What the image installs is what `pyproject.toml` asks for."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.architecture.project import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INSTALLED_EXTRAS = ("flower", "notify", "sqs")
WANTED = [
    Requirement(text)
    for group in [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in INSTALLED_EXTRAS)]
    for text in group
]
LIST = (ROOT / "deploy" / "requirements.txt").read_text()
PINNED = dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==([^\s;\\]+)", LIST, re.MULTILINE))
COMMAND = (
    "uv pip compile pyproject.toml --extra flower --extra notify --extra sqs --universal --python-version 3.11 "
    "--generate-hashes"
)


@pytest.mark.parametrize("requirement", WANTED, ids=lambda requirement: str(requirement.name))
def test_what_the_project_needs_is_pinned(requirement: Requirement) -> None:
    """Every dependency is in the list, in a version that the project accepts; `upgrade.md` says how to make it anew."""
    version = PINNED.get(re.sub(r"[-_.]+", "-", requirement.name).lower())

    assert version is not None, f"{requirement.name} is not in deploy/requirements.txt: make it anew"
    assert requirement.specifier.contains(version, prereleases=True)


def test_every_pin_has_a_hash() -> None:
    """`--require-hashes` refuses a list with a gap."""
    blocks = re.split(r"^(?=[a-z0-9])", LIST, flags=re.MULTILINE)[1:]

    assert len(blocks) == len(PINNED) > 40
    assert [block.splitlines()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_the_list_says_how_it_was_made() -> None:
    """The command is in the list's head, and in the guide."""
    assert COMMAND in LIST
    assert COMMAND in (ROOT / "deploy" / "guides" / "upgrade.md").read_text()


def test_the_builder_has_what_the_build_asks_for() -> None:
    """What builds the wheel is pinned, too."""
    (backend,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    (version,) = re.findall(
        r"^hatchling==(\S+)", (ROOT / "deploy" / "requirements-build.txt").read_text(), re.MULTILINE
    )

    assert Requirement(backend).specifier.contains(version)
