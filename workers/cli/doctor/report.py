"""The results of `doctor` for people: problems first, each with its finding and its fix on lines of their own."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from workers.cli.doctor.result import CheckResult

_STYLES = {
    CheckResult.FAIL: "bold red",
    CheckResult.WARN: "yellow",
    CheckResult.SKIP: "dim",
    CheckResult.OK: "green",
}
"""In the order in which they are shown."""
_COUNTED = {
    CheckResult.FAIL: ("problem", "problems"),
    CheckResult.WARN: ("warning", "warnings"),
    CheckResult.SKIP: ("skipped", "skipped"),
    CheckResult.OK: ("ok", "ok"),
}


def report(checks: Sequence[dict[str, str]]) -> Group:
    """Return what `doctor` prints, from the results as `--json` has them."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    for verdict, style in _STYLES.items():
        for check in checks:
            if check["verdict"] != verdict:
                continue
            grid.add_row(Text(verdict, style=style), Text(f"{check['check']}: {check['found']}"))
            if check["fix"]:
                grid.add_row("", Text(f"Fix: {check['fix']}"))
    return Group(grid, Text(_summary(checks), style="bold"))


def _summary(checks: Sequence[dict[str, str]]) -> str:
    counts = Counter(check["verdict"] for check in checks)
    return ", ".join(
        f"{counts[verdict]} {words[counts[verdict] != 1]}" for verdict, words in _COUNTED.items() if counts[verdict]
    )
