"""The results of `doctor` for people, in one screen: problems first, each with its fix on a line of its own."""

from collections.abc import Iterator, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from shared.domain.wording import counted
from workers.doctor.result import CheckResult

Row = dict[str, str]
QUERY = "powerschool: org.passback.sync."
_STYLES = {
    CheckResult.FAIL: "bold red",
    CheckResult.WARN: "yellow",
    CheckResult.SKIP: "dim",
    CheckResult.OK: "green",
}
"""In the order in which they are shown."""


def report(checks: Sequence[Row]) -> Group:
    """Return what `doctor` prints, from the results as `--json` has them.

    What was skipped for one reason is one paragraph. What is well is listed only where nothing failed.
    """
    by_verdict = {verdict: [check for check in checks if check["verdict"] == verdict] for verdict in _STYLES}
    failed, warned, skipped, well = by_verdict.values()
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    for verdict, text in (*_problems(failed), *_problems(warned), *_skipped(skipped), *_well([] if failed else well)):
        grid.add_row(Text(verdict, style=_STYLES[CheckResult(verdict)] if verdict else ""), Text(text))
    counts = counted(len(failed), "problem"), counted(len(warned), "warning"), f"{len(skipped)} skipped"
    suffix = " (--json lists them)" if failed else ""
    return Group(grid, Text(f"{', '.join(counts)}, {len(well)} ok{suffix}", style="bold"))


def _problems(checks: Sequence[Row]) -> Iterator[tuple[str, str]]:
    for check in checks:
        yield check["verdict"], f"{check['check']}: {check['found']}"
        if check["fix"]:
            yield "", f"Fix: {check['fix']}"


def _skipped(checks: Sequence[Row]) -> Iterator[tuple[str, str]]:
    names: dict[str, list[str]] = {}
    for check in checks:
        names.setdefault(check["found"], []).append(check["check"])
    for reason, of in names.items():
        yield CheckResult.SKIP, f"{', '.join(of).replace(QUERY, 'query ')} ({reason})"


def _well(checks: Sequence[Row]) -> Iterator[tuple[str, str]]:
    for check in checks:
        yield check["verdict"], f"{check['check']}: {check['found']}"
