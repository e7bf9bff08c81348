"""`passback sync --school N`, `--term TERM` and `--all`: syncs many courses, with progress and an end."""

from datetime import datetime, timedelta

import typer

from shared.domain.actions import EVERYTHING, resume_command
from shared.domain.wording import counted
from workers.cli.district.progress import ProgressLine, cancellable
from workers.cli.district.selection import Selection
from workers.cli.options import confirm, fail
from workers.cli.terminal.output import ExitCode, emit
from workers.container import Container
from workers.grade_passback.operations.bulk_sync import BulkProgress
from workers.recorded_actions import RecordedActions

# As many courses are named; --json names all.
MAX_NAMED = 20


def sync_many(
    service: Container,
    selection: Selection,
    unless_since: datetime | None,
    actor: str,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> ExitCode:
    """Sync the selected courses and print what became of each. Asks before it syncs all of the district."""
    started = service.clock.now()
    courses = [one for one in selection.course_ids if unless_since is None or not _is_newer(service, one, unless_since)]
    if dry_run:
        emit({"would_sync": courses}, as_json, lambda _: f"would sync {counted(len(courses), 'course')}")
        return ExitCode.FINE
    pause = next((each for each in service.pauses.all() if each.target == EVERYTHING), None)
    if pause is not None and courses:
        why = f": {pause.reason}" if pause.reason else ""
        fail(f"nothing was done: everything is paused by {pause.actor}{why}. `{resume_command(EVERYTHING)}` resumes it")
    if selection.target == "all" and courses:
        confirm(f"{counted(len(courses), 'course')} of the district will be synced.", yes)
    actions, line = RecordedActions(service, actor), ProgressLine()
    if courses:
        actions.begin_bulk_sync(selection.target, len(courses))
    with cancellable() as cancelled:
        done = service.bulk_sync.run(
            courses,
            lambda course_id: actions.request_of_many(course_id, is_of_term=selection.names_days),
            lambda progress: line.show(progress_text(progress)),
            cancelled.is_set,
        )
    line.end()
    # From a second before: times in options have no fraction.
    go_on = f"passback sync {selection.options} --unless-since {started - timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"
    emit(_result(done, go_on), as_json, lambda _: _text(done, go_on))
    return ExitCode.FINE if done.is_complete else ExitCode.PROBLEMS


def progress_text(progress: BulkProgress) -> str:
    """Return how far it is, in one line."""
    parts = [f"{len(progress.synced)} of {counted(progress.selected, 'course')} synced"]
    parts += [f"{len(progress.failed)} failed"] if progress.failed else []
    return ", ".join([*parts, f"{len(progress.waiting)} on the way", f"{len(progress.remaining)} to go"])


def _is_newer(service: Container, course_id: str, since: datetime) -> bool:
    summary = service.course_lists.find(course_id).summary
    return summary is not None and summary.synced_at >= since


def _result(done: BulkProgress, go_on: str) -> dict[str, object]:
    return {
        "selected": done.selected,
        "synced": len(done.synced),
        "failed": done.failed,
        "waiting": done.waiting,
        "not_requested": done.remaining,
        "cancelled": done.is_cancelled,
        "continue": None if done.is_complete else go_on,
    }


def _text(done: BulkProgress, go_on: str) -> str:
    lines = [f"{len(done.synced)} of {counted(done.selected, 'course')} synced"]
    for course_id, why in list(done.failed.items())[:MAX_NAMED]:
        lines.append(f"course {course_id} failed: {why}; `passback explain {course_id}`")
    for course_id, sentence in list(done.waiting.items())[:MAX_NAMED]:
        lines.append(f"course {course_id} is not done: {sentence}")
    named = sum(min(len(part), MAX_NAMED) for part in (done.failed, done.waiting))
    if more := len(done.failed) + len(done.waiting) - named:
        lines.append(f"and {counted(more, 'course')} more: --json lists them")
    if done.waiting:
        lines.append("What is not done stays due: workers sync it as soon as they can.")
    if done.remaining:
        lines.append(f"{counted(len(done.remaining), 'course')} not asked for. To go on: {go_on}")
    return "\n".join(lines)


def check_options(selection: Selection, *, of_one: dict[str, object], of_many: dict[str, object]) -> None:
    """Refuse options that mean nothing for many courses, or for one."""
    wrong, why = (of_one, "is for one course: name it") if selection.is_bulk else (of_many, "is for many courses")
    for name, given in wrong.items():
        if given:
            raise typer.BadParameter(why, param_hint=name)
