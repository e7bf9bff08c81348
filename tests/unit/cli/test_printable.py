"""What other people wrote reaches a terminal as text: nothing in it moves the cursor, colours or turns lines around."""

import json
from dataclasses import dataclass

import pytest
from rich.table import Table

from workers.cli.terminal.output import emit
from workers.cli.terminal.printable import printable, printable_json

ODD = (
    "\x1b[2J",
    "\x9b31m",
    "\x1b]0;title\x07",
    "a\nb",
    "a\r\nb",
    "\u202eabc",
    "\u2066x\u2069",
    "a\u2028b",
    "\x7f",
    "\ud800",
)


@dataclass(frozen=True)
class Named:
    """Something with a name."""

    name: str
    others: tuple[str, ...] = ()


def shown(named: Named) -> Table:
    table = Table("name")
    table.add_row(named.name)
    return table


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("form", ["json", "table", "shown"])
def test_nothing_foreign_steers_a_terminal(capsys: pytest.CaptureFixture[str], odd: str, form: str) -> None:
    """In JSON, in a table, and in what a command makes by itself."""
    data = Named(f"Essay {odd} one", (odd,))
    if form == "shown":
        emit(data, json=False, shown=shown)
    else:
        emit({"name": data.name, "others": list(data.others)}, json=form == "json")
    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert odd not in out or odd == "a\nb"
    if form == "json":
        assert json.loads(out) == {"name": data.name, "others": [odd]}
    else:
        assert any("Essay" in line and "one" in line for line in out.splitlines())


def test_names_in_other_scripts_stay() -> None:
    """Also emoji of several characters, and blanks that are no spaces."""
    family = "Zo\u00eb \u5b57 \U0001f469\u200d\U0001f52c"
    assert printable(family) == family
    assert json.loads(printable_json(json.dumps(family, ensure_ascii=False))) == family
    assert printable("a\u00a0b") == "a b"
    assert printable("a\tb\x1b") == "a\\tb\\x1b"
