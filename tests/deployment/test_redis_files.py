"""What `deploy/redis` allows is what the scripts need, and what its shell scripts make of the secrets is whole."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from shared.adapters.redis.keys import Keys
from tests.architecture.project import ROOT, files
from workers.cli.docs import settings_env

FOLDER = ROOT / "deploy" / "redis"
RULES = {line.split()[1]: line.split()[2:] for line in (FOLDER / "users.acl.in").read_text().splitlines()}


def commands_in_scripts() -> set[str]:
    scripts = "\n".join(path.read_text() for path in files(".lua", under="shared"))
    return {command.lower() for command in re.findall(r"redis\.call\('([A-Z]+)'", scripts)}


@pytest.mark.parametrize("command", sorted(commands_in_scripts()))
def test_the_scripts_may_do_what_they_do(command: str) -> None:
    """Every command of the Lua files is allowed to passback's user."""
    assert f"+{command}" in RULES["passback"]


def test_every_key_begins_with_the_prefix_that_is_allowed() -> None:
    """The user's pattern of keys is the default prefix of the settings."""
    assert [rule for rule in RULES["passback"] if rule.startswith("~")] == [f"~{Keys().prefix}:*"]


def test_users_are_made_of_the_secrets_there_are(tmp_path: Path) -> None:
    """A user has the hash of its file, without the line's end; one without a file is left out."""
    (tmp_path / "redis-passback").write_text("own password\n")
    (tmp_path / "redis-metrics").write_text("another")
    (tmp_path / "redis-backup").touch()
    made = subprocess.run([FOLDER / "users.sh", tmp_path], capture_output=True, text=True, check=True).stdout

    users = {line.split()[1]: line.split()[2:4] for line in made.splitlines()}
    assert users == {
        "default": ["off"],
        "passback": ["on", f"#{hashlib.sha256(b'own password').hexdigest()}"],
        "metrics": ["on", f"#{hashlib.sha256(b'another').hexdigest()}"],
    }


def test_no_users_are_made_without_passbacks_secret(tmp_path: Path) -> None:
    """A directory that is not the one of the secrets is no reason to start a Redis nobody can use."""
    ended = subprocess.run([FOLDER / "users.sh", tmp_path], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert "redis-passback is missing" in ended.stderr


def test_the_example_environment_is_generated() -> None:
    """`.env.example` is what `passback settings --env` prints today."""
    assert (ROOT / ".env.example").read_text() == settings_env(), "passback settings --env > .env.example"
