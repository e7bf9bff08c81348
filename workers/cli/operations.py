"""Verbs about the whole installation: `status`, `doctor`, `settings`."""

import typer
from redis.exceptions import RedisError
from rich.table import Table
from rich.text import Text

from shared.config import load
from shared.queues import Queue
from workers.bootstrap import Passback
from workers.cli.checks import Check, Verdict, run_checks
from workers.cli.output import ExitCode, JsonOption, emit
from workers.cli.settings_table import settings_table

SHOWN_COURSES = 20


def status(as_json: JsonOption = False) -> None:
    """Show queues, waiting courses, dead letters and the last event."""
    service = Passback(load())
    try:
        found = _status(service)
    except RedisError as error:
        typer.echo(f"passback: Redis does not answer ({type(error).__name__}); check PASSBACK_REDIS_URL", err=True)
        raise typer.Exit(ExitCode.PROBLEMS) from None
    emit(found, as_json, _status_table)
    raise typer.Exit(ExitCode.PROBLEMS if found["dead_letters"] else ExitCode.FINE)


def _status(service: Passback) -> dict[str, object]:
    due, claimed, leased = service.changes.counts()
    last_event = service.changes.last_event_at()
    prefix = f"{service.settings.redis_prefix}:celery:"
    return {
        "messages": service.changes.pending_messages(),
        "tasks": {queue.value: service.redis.llen(f"{prefix}{queue}") for queue in Queue},
        "courses": {"due": due, "woken": claimed, "syncing": leased, "connected": service.records.count()},
        "waiting": [
            {"course_id": w.course_id, "due_at": w.due_at.isoformat(), "changes": w.count}
            for w in service.changes.waiting(SHOWN_COURSES)
        ],
        "unknown_changes": service.unknown_changes.count(),
        "dead_letters": len(service.dead_letters.all()),
        "last_event_at": last_event.isoformat() if last_event else None,
        "paused_systems": {
            system: service.redis.pttl(service.keys.pause(system)) / 1000
            for system in ("canvas", "powerschool")
            if service.redis.exists(service.keys.pause(system))
        },
    }


def _status_table(found: dict[str, object]) -> Table:
    table = Table("what", "now", title="passback")
    for name, value in found.items():
        if isinstance(value, dict):
            for part, count in value.items():
                table.add_row(f"{name.replace('_', ' ')}: {part}", str(count))
        elif isinstance(value, list):
            told = "\n".join(f"{w['course_id']} ({w['changes']} changes), due {w['due_at']}" for w in value)
            table.add_row(name, told or "none")
        else:
            table.add_row(name.replace("_", " "), "never" if value is None else str(value))
    return table


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, Redis, Canvas, PowerSchool and its grants. Reads only; each failure names its fix."""
    checks = run_checks(Passback(load()))
    emit([check.as_json() for check in checks], as_json, lambda _: _doctor_table(checks))
    raise typer.Exit(ExitCode.PROBLEMS if any(check.verdict is Verdict.FAIL for check in checks) else ExitCode.FINE)


def _doctor_table(checks: list[Check]) -> Table:
    table = Table("check", "", "what was found, and what to do", title="passback doctor")
    colours = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}
    for check in checks:
        verdict = Text(check.verdict, style=colours[check.verdict])
        table.add_row(check.name, verdict, f"{check.found} {check.fix}".strip())
    return table


def settings() -> None:
    """Print every setting with its type, unit, default and meaning, as the README has them."""
    typer.echo(settings_table())
