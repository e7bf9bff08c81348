"""The systemd units: correct, hardened, and given the secrets there are. Two tests need Debian's package systemd."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from shared.config import PREFIX, Settings
from tests.deployment.deployed import DEPLOY, units

FOLDER = DEPLOY / "systemd"
UNITS = units()
# Of 10, in tenths: what systemd calls OK is below 5.0.
MAX_EXPOSURE = 15

needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on PATH")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units in a folder of their own, with a program that exists here."""
    folder = tmp_path_factory.mktemp("units")
    shutil.copytree(FOLDER, folder, dirs_exist_ok=True)
    for unit in folder.glob("*.service"):
        unit.write_text(unit.read_text().replace("/opt/passback/bin/passback", "/bin/true"))
    return folder


def analyze(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


@needs_systemd
def test_systemd_finds_nothing_wrong(installed: Path) -> None:
    """`systemd-analyze verify` has nothing to say about any unit."""
    names = [name.replace("@.", "@1.") for name in UNITS]
    found = analyze(installed, "verify", "./passback.target", *(f"./{name}" for name in names))

    ours = [line for line in found.stderr.splitlines() if "passback" in line]
    assert (found.returncode, ours) == (0, [])


@needs_systemd
@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_hardened(installed: Path, name: str) -> None:
    """`systemd-analyze security` finds an exposure of at most 1.5 of 10."""
    unit = f"./{name.replace('@.', '@1.')}"
    found = analyze(installed, "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", unit)

    assert "Overall exposure level" in found.stdout, found.stderr
    assert found.returncode == 0, found.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_started_again_and_bounded(name: str) -> None:
    """Whatever ends it, it is started again, save settings that are wrong; its memory has a bound."""
    directives = dict(UNITS[name])

    assert (directives["Restart"], directives["RestartPreventExitStatus"]) == ("always", "2")
    assert directives["StartLimitIntervalSec"] == "0"
    assert "MemoryMax" in directives
    assert directives["WantedBy"] == directives["PartOf"] == "passback.target"


@pytest.mark.parametrize("name", UNITS)
def test_a_watchdog_is_told_what_it_waits_for(name: str) -> None:
    """A watchdog needs a process that tells it when it is ready, and three heartbeats to be missed."""
    directives = dict(UNITS[name])

    assert directives["Type"] in ("notify", "exec")
    assert ("WatchdogSec" in directives) == (directives["Type"] == "notify")
    assert directives.get("WatchdogSec", "90") == "90"


def credentials(name: str) -> set[str]:
    loaded = [value for directive, value in UNITS[name] if directive == "LoadCredential"]
    assert all(value.endswith(f"/etc/passback/secrets/{value.split(':')[0]}") for value in loaded)
    return {value.split(":")[0] for value in loaded}


def test_every_secret_reaches_who_needs_it() -> None:
    """Every secret of the settings is a credential of some unit, and no unit asks for one that is none."""
    secrets = {f"{PREFIX}{n.upper()}" for n, field in Settings.model_fields.items() if field.annotation is SecretStr}

    assert set().union(*map(credentials, UNITS)) == secrets


def test_beat_and_flower_hold_no_key_to_the_gradebook() -> None:
    """Who neither reads Canvas nor writes PowerSchool has no secret of theirs."""
    remote = {"PASSBACK_CANVAS_TOKEN", "PASSBACK_POWERSCHOOL_CLIENT_SECRET"}

    assert all(not credentials(f"passback-{name}.service") & remote for name in ("beat", "flower", "sqs"))
