"""Every way to deploy passback starts every process, with settings that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.config import REMOVED_SETTINGS
from tests.architecture.project import files, syntax_trees
from tests.deployment.deployed import DEPLOY, KNOWN_VARIABLES, OPTIONAL, PROCFILE, compose, manifests, units
from workers.provisioning.service import KIND as PROVISIONING_WORKER


def composed() -> set[str]:
    services = {name: service for name, service in compose()["services"].items() if name != "redis"}
    return {service["command"][0] for service in services.values()}


def orchestrated() -> set[str]:
    return {m["spec"]["template"]["spec"]["containers"][0]["args"][0] for m in manifests() if m["kind"] == "Deployment"}


def supervised() -> set[str]:
    starts = [value for directives in units().values() for name, value in directives if name == "ExecStart"]
    return {start.removeprefix("/opt/passback/bin/passback ") for start in starts}


@pytest.mark.parametrize("deployed", [composed, orchestrated, supervised])
def test_every_process_is_started(deployed: "type[composed]") -> None:
    """Compose, Kubernetes and systemd start what the Procfile starts, and nothing that is no process."""
    assert PROCFILE <= deployed() <= PROCFILE | OPTIONAL


def checked_kinds() -> Iterator[str]:
    for path in files(".yaml", under="deploy"):
        yield from re.findall(r"passback, alive, ([a-z-]+)\]", path.read_text())


def beating_kinds() -> set[str]:
    source = "\n".join(path.read_text() for path, _ in syntax_trees("workers"))
    calls = r'(?:run_heartbeat\(settings, |this_process\()"([^"]+)"\)'
    return {*re.findall(calls, source), PROVISIONING_WORKER}


def test_health_checks_ask_for_hearts_that_beat() -> None:
    """What `passback alive` is asked about is what a process calls itself, lest it be restarted for ever."""
    assert set(checked_kinds()) == beating_kinds() - {"web"}


TEXTS = [path for path in files(under="deploy") if path.suffix in {".md", ".yaml", ".conf", ".service", ".sh", ""}]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_settings_that_are_named_exist(path: Path) -> None:
    """No file or guide sets a variable that passback would refuse; the guide to upgrading lists the removed ones."""
    named = re.findall(r"\bPASSBACK_[A-Z][A-Z0-9_]*[A-Z0-9]\b(?![*_])", path.read_text())

    removed = {f"PASSBACK_{name.upper()}" for name in REMOVED_SETTINGS} if path.name == "upgrade.md" else set()
    assert set(named) - KNOWN_VARIABLES - removed == set()
