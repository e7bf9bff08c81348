"""What a Canvas administrator is told to allow is what passback asks for."""

import json
import re

from shared.events import EVENT_KINDS
from tests.architecture.project import ROOT

GUIDE = (ROOT / "deploy" / "guides" / "canvas-setup.md").read_text()
KEYS = json.loads((ROOT / "deploy" / "canvas" / "developer-key.json").read_text())
MODULES = ("account.py", "client.py", "grading.py")
CLIENT = "".join((ROOT / "shared" / "adapters" / "canvas" / name).read_text() for name in MODULES)
# A scoped key's refusal is an answer, too: `doctor` asks, and a token of a developer key is in no list of tokens.
UNSCOPED = {"/api/v1/users/self", "/api/v1/accounts/self", "/api/v1/users/self/user_generated_tokens"}


def shape(path: str) -> str:
    """Return a path with its variables nameless."""
    return re.sub(r":\w+|\{\w+\}", ":", path)


def test_the_scopes_are_those_of_the_requests() -> None:
    """The reading key's scopes allow what the client asks, all of it by GET, and no more."""
    scopes = KEYS["developer_key"]["scopes"]
    asked = set(re.findall(r'"(/api/[^"]+)"', CLIENT)) - UNSCOPED

    assert all(scope.startswith("url:GET|") for scope in scopes)
    assert {shape(scope.partition("|")[2]) for scope in scopes} == set(map(shape, asked))


def test_both_keys_are_narrow() -> None:
    """Scopes are enforced, and the parameters that fields depend on are let through."""
    assert [(key["require_scopes"], key["allow_includes"]) for key in KEYS.values()] == [(True, True)] * 2


def test_the_events_are_those_of_interest() -> None:
    """The guide lists exactly the events that mean something to passback."""
    (block,) = re.findall(r"```\n(grade_change.*?)```", GUIDE, re.DOTALL)

    assert sorted(block.split()) == sorted(EVENT_KINDS)
