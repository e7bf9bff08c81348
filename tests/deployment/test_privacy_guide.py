"""The data inventory is complete: every kind of Redis key, and the settings that say how long things are kept."""

import re

from shared.adapters.redis.keys import Keys
from shared.config import PREFIX, Settings
from tests.architecture.project import ROOT

GUIDE = (ROOT / "deploy" / "guides" / "privacy.md").read_text()
INVENTORY = GUIDE.partition("## What Redis stores")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")] for line in INVENTORY.splitlines() if line.startswith("| `")
]


def test_every_key_is_in_the_inventory() -> None:
    """The inventory has a row per kind of key of the schema, once."""
    keys = [name for name in vars(Keys) if not name.startswith("_") and name != "prefix"]

    assert sorted(row[0].strip("`") for row in ROWS) == sorted(keys), (
        "give the new key a row in deploy/guides/privacy.md"
    )


def test_every_row_is_filled_in() -> None:
    """Each says what it holds, of whom, and until when."""
    assert [row[0] for row in ROWS if len(row) != 4 or not all(row)] == []


def test_every_setting_of_retention_is_named() -> None:
    """Whatever setting bounds the life of data, the guide names it."""
    ends = ("_days", "_max_age_s", "_max_entries")
    bounds = [
        name
        for name in Settings.model_fields
        if name.endswith(ends) and name not in ("term_grace_days", "provision_remaster_days")
    ]

    assert [n for n in bounds if f"{PREFIX}{n.upper()}" not in GUIDE] == []


def test_every_verb_of_purge_is_explained() -> None:
    """What is erased, and what is kept and why, is said of each."""
    from workers.cli.purge import purge

    verbs = {
        str(command.name or command.callback.__name__) for command in purge.registered_commands if command.callback
    }
    explained = set(re.findall(r"`purge ([a-z-]+)", GUIDE))

    assert verbs - {"list"} == {verb for verb in explained if verb != "list"}
