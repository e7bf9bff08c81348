"""The verb `sync`: a course now, or what a sync would do."""

import getpass
import time
from datetime import datetime
from typing import Annotated

import typer

from shared.adapters.redis.sync_queue.store import QueueState
from shared.config import ConfigurationError
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import State
from shared.errors import CourseGone
from workers.cli.services import open_services
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.container import Container
from workers.grade_passback.course_reader import refuse_unknown_course
from workers.grade_passback.operations.dry_run import plan_preview

Course = Annotated[str, typer.Argument(metavar="COURSE", help="The Canvas course id.")]
AssignmentId = Annotated[str | None, typer.Option("--assignment", metavar="ID", help="Only this Canvas assignment.")]

Actor = Annotated[
    str | None, typer.Option("--actor", metavar="NAME", help="Who asks, for the history; otherwise this system's user.")
]

MAX_WAIT_S = 600.0
POLL_S = 0.2


def sync(
    course: Course,
    assignment: AssignmentId = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan; write nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when the sync is done.")] = False,
    actor: Actor = None,
    as_json: JsonOption = False,
) -> None:
    """Sync a course now. The whole course is made to agree; --assignment says what the answer is about."""
    service = open_services()
    _refuse_unknown(service, course)
    if dry_run:
        emit(plan_preview(service.course_reader, course, assignment), as_json, _plan_text)
        return
    asked_at = service.clock.now()
    service.changes.request(
        course, ChangeCause.PERSON, [assignment] if assignment else [], actor=actor or system_user()
    )
    service.records.register(course)
    if not wait:
        emit({"course_id": course, "requested": True}, as_json, lambda _: f"sync of course {course} requested")
        return
    raise typer.Exit(_wait(service, course, asked_at, as_json))


def _refuse_unknown(service: Container, course: str) -> None:
    """End with exit code 2 for a course that Canvas does not have. Without Canvas's settings nothing is known."""
    try:
        refuse_unknown_course(service.canvas, service.records, course)
    except ConfigurationError:
        return
    except CourseGone as error:
        typer.echo(f"passback: Canvas has no course {course} ({error}); nothing was asked for", err=True)
        raise typer.Exit(ExitCode.USAGE) from None


def system_user() -> str:
    """Return the operating system's name for who runs this; `unknown` where it has none, as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def _wait(service: Container, course: str, asked_at: datetime, as_json: bool) -> int:
    """Wait until the course is idle, then say what was found; 1 if something needs a person or goes on."""
    until = time.monotonic() + MAX_WAIT_S
    while service.changes.state_of(course).queue_state is not QueueState.IDLE and time.monotonic() < until:
        time.sleep(POLL_S)
    record = service.records.course(course)
    letters = service.dead_letters.of_course(course)
    synced = record is not None and record.synced_at >= asked_at
    states = [s.state for a in record.assignments for s in a.sections] if record and synced else []
    counts = {state.value: states.count(state) for state in State}
    result = {
        "course_id": course,
        "synced": synced,
        "states": counts,
        "dead_letters": [letter.id for letter in letters],
    }
    emit(result, as_json, _wait_text)
    return ExitCode.FINE if synced and not letters and not counts[State.RETRYING] else ExitCode.PROBLEMS


def _wait_text(result: dict[str, object]) -> str:
    counts = result["states"]
    assert isinstance(counts, dict)
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing there"
    letters = f"; dead letters: {result['dead_letters']}" if result["dead_letters"] else ""
    head = "synced" if result["synced"] else "not synced"
    return f"course {result['course_id']}: {head} ({told}){letters}"


def _plan_text(plan: dict[str, object]) -> str:
    steps = plan["steps"]
    assert isinstance(steps, list)
    if not steps:
        return f"course {plan['course_id']}: nothing to do"
    signs = {"create": "+", "update": "~", "scores": "="}
    return "\n".join(f"{signs.get(s['do'], ' ')} " + ", ".join(f"{k} {v}" for k, v in s.items()) for s in steps)
