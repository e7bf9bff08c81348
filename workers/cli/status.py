"""Verbs about the whole installation: `status`, `doctor`, `settings`."""

from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.table import Table
from rich.text import Text

from workers.cli.docs.settings_env import settings_env
from workers.cli.docs.settings_table import settings_table
from workers.cli.doctor import Check, CheckResult, run_checks
from workers.cli.services import open_services
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.status import read_status, status_json


def status(as_json: JsonOption = False) -> None:
    """Show queues, waiting courses, dead letters and the last event."""
    service = open_services()
    try:
        found = status_json(read_status(service))
    except RedisError as error:
        typer.echo(f"passback: Redis does not answer ({type(error).__name__}); check PASSBACK_REDIS_URL", err=True)
        raise typer.Exit(ExitCode.PROBLEMS) from None
    emit(found, as_json, _status_table)
    has_problems = found["dead_letters"] or found["unavailable_queries"] or found["long_waits"]
    raise typer.Exit(ExitCode.PROBLEMS if has_problems else ExitCode.FINE)


def _status_table(found: dict[str, object]) -> Table:
    table = Table("what", "now", title="passback")
    for name, value in found.items():
        if isinstance(value, dict):
            for part, count in value.items():
                told = ", ".join(f"{word} {what}" for word, what in count.items()) if isinstance(count, dict) else count
                table.add_row(f"{name.replace('_', ' ')}: {part}", str(told))
        elif isinstance(value, list):
            table.add_row(name, "\n".join(map(_print_status, value)) or "none")
        else:
            table.add_row(name.replace("_", " "), "never" if value is None else str(value))
    return table


def _print_status(item: dict[str, object]) -> str:
    if "process" in item:
        return f"{item['process']}: {item['state']}, last seen {item['age_s']} s ago"
    if "query" in item:
        return f"{item['query']}: {item['cause']} since {item['since']}. {item['remedy']}"
    if "since" in item:
        return f"{item['course_id']}: {item['cause']} since {item['since']}"
    return f"{item['course_id']} ({item['changes']} changes), due {item['due_at']}"


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, Redis, processes, Canvas and PowerSchool. Reads only; each problem names its fix."""
    checks = run_checks(open_services())
    emit([check.as_json() for check in checks], as_json, lambda _: _doctor_table(checks))
    raise typer.Exit(ExitCode.PROBLEMS if any(check.verdict is CheckResult.FAIL for check in checks) else ExitCode.FINE)


def _doctor_table(checks: list[Check]) -> Table:
    table = Table("check", "", "what was found, and what to do", title="passback doctor")
    colours = {CheckResult.OK: "green", CheckResult.WARN: "yellow", CheckResult.FAIL: "red"}
    for check in checks:
        verdict = Text(check.verdict, style=colours[check.verdict])
        table.add_row(check.name, verdict, f"{check.found} {check.fix}".strip())
    return table


def settings(
    env: Annotated[bool, typer.Option("--env", help="As an environment file to fill in, .env.example.")] = False,
) -> None:
    """Print every setting with its type, unit, default and meaning, as deploy/guides/settings.md has them."""
    typer.echo(settings_env() if env else settings_table(), nl=not env)
