"""What `doctor` prints for people."""

from rich.console import Console

from workers.doctor import Check, CheckResult
from workers.doctor.report import report

FAILED = Check("canvas: token", CheckResult.FAIL, "refused", "Make a new one.")
WARNED = Check("dead letters", CheckResult.WARN, "2 need a person", "See them.")
SKIPPED = [Check(f"canvas: {name}", CheckResult.SKIP, "needs canvas: token") for name in ("fields", "imports")]
WELL = Check("redis", CheckResult.OK, "version 7.2")


def printed(*checks: Check, width: int = 80) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(report([check.as_json() for check in checks]))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_problems_come_first_whatever_the_order_of_the_checks() -> None:
    """Each with its fix on a line of its own; what one cause skips is one paragraph, and what is well is counted."""
    assert printed(WELL, WARNED, *SKIPPED, FAILED) == [
        "fail canvas: token: refused",
        "     Fix: Make a new one.",
        "warn dead letters: 2 need a person",
        "     Fix: See them.",
        "skip canvas: fields, canvas: imports (needs canvas: token)",
        "1 problem, 1 warning, 2 skipped, 1 ok (--json lists them)",
    ]


def test_where_nothing_failed_every_check_is_listed() -> None:
    """So that a person sees what was looked at."""
    assert printed(WELL, WARNED)[2:] == [
        "ok   redis: version 7.2",
        "0 problems, 1 warning, 0 skipped, 1 ok",
    ]


def test_long_findings_stay_within_80_columns() -> None:
    """Their lines continue below their beginning."""
    lines = printed(Check("redis", CheckResult.FAIL, "word " * 40, "other " * 40))
    assert max(map(len, lines)) <= 80
    assert all(line.startswith("     ") for line in lines[1:-1])
