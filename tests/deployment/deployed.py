"""The files of `deploy` as values, for the tests that hold them together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from shared.config import SECRETS_DIR_VARIABLE, variable_names
from tests.architecture.project import ROOT

DEPLOY = ROOT / "deploy"
PROCFILE = {line.split(": passback ", 1)[1] for line in (ROOT / "Procfile").read_text().splitlines()}
# Started only where Live Events come that way.
OPTIONAL = {"sqs"}
KNOWN_VARIABLES = {*variable_names(), SECRETS_DIR_VARIABLE}

Document = dict[str, Any]


def documents(path: Path) -> list[Document]:
    """Return the documents of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def manifests() -> Iterator[Document]:
    """Yield every Kubernetes object of the base."""
    base = DEPLOY / "kubernetes" / "base"
    (kustomization,) = documents(base / "kustomization.yaml")
    for name in kustomization["resources"]:
        if name.endswith(".yaml"):
            yield from documents(base / name)


def compose() -> Document:
    """Return the compose file."""
    (document,) = documents(DEPLOY / "docker" / "compose.yaml")
    return document


def units() -> dict[str, list[tuple[str, str]]]:
    """Return the directives of every systemd service, those of the common drop-in included."""
    folder = DEPLOY / "systemd"
    common = _directives(folder / "passback-.service.d" / "hardening.conf")
    return {path.name: [*common, *_directives(path)] for path in sorted(folder.glob("*.service"))}


def _directives(path: Path) -> list[tuple[str, str]]:
    lines = [line for line in path.read_text().splitlines() if "=" in line and not line.startswith("#")]
    return [(name, value) for name, _, value in (line.partition("=") for line in lines)]
