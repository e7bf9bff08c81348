"""`passback dlq`: dead letters, which are jobs and messages that need a person."""

import json
from collections.abc import Collection
from datetime import tzinfo
from pathlib import Path
from typing import Annotated

import typer

from shared.domain.causes import is_known
from shared.domain.outcome import DeadLetter
from shared.domain.wording import counted
from workers.cli.district.progress import cancellable
from workers.cli.options import Actor, DryRun, Since, Yes, confirm, emit_local, fail, services, time_option
from workers.cli.terminal.output import ExitCode, JsonOption, emit, private_file
from workers.container import Container
from workers.dead_letters import Json, RetryResult, dead_letter_json, filter_dead_letters, group_by_cause
from workers.recorded_actions import RecordedActions

dlq = typer.Typer(
    help="Jobs and messages that need a person: list, show, retry, discard, export.", no_args_is_help=True
)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Dead letters, by the ids of `dlq list`.")]
All = Annotated[bool, typer.Option("--all", help="Every dead letter.")]
CauseCode = Annotated[str | None, typer.Option("--cause", metavar="CODE", help="Only those of this cause.")]


@dlq.command("list")
def list_letters(
    group_by: Annotated[str | None, typer.Option("--group-by", metavar="cause", help="Count by cause.")] = None,
    cause: CauseCode = None,
    since: Since = None,
    as_json: JsonOption = False,
) -> None:
    """List the dead letters, the oldest failure first."""
    if group_by not in (None, "cause"):
        raise typer.BadParameter("only `cause` can be grouped by", param_hint="--group-by")
    with services() as service:
        dead_letters, zone = _selection(service, [], cause, since), service.settings.district_time_zone
    if group_by:
        emit(group_by_cause(dead_letters), as_json, zone=zone)
    else:
        emit([dead_letter_json(each) for each in dead_letters], as_json, _lines, zone=zone)


@dlq.command()
def show(dead_letter_id: Annotated[str, typer.Argument(metavar="ID")], as_json: JsonOption = False) -> None:
    """Show a dead letter. The content of a message is not shown: see `dlq export`."""
    with services() as service:
        (dead_letter,) = _selection(service, [dead_letter_id], None, None)
        emit_local(service, dead_letter_json(dead_letter), as_json)


@dlq.command()
def retry(
    ids: Ids = None,
    every: All = False,
    cause: CauseCode = None,
    since: Since = None,
    dry_run: DryRun = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Retry: sync courses again, and put messages back on their queue. May be repeated.

    The dead letter of a course stays until its sync succeeds. Ctrl-C leaves the rest unchanged.
    """
    with services() as service:
        dead_letters = _selected(service, ids, every, cause, since)
        if dry_run:
            _would("retry", dead_letters, as_json, service.settings.district_time_zone)
            return
        with cancellable() as cancelled:
            done = RecordedActions(service, actor).retry(dead_letters, cancelled.is_set)
    emit(done, as_json, _retried_text)
    raise typer.Exit(ExitCode.PROBLEMS if done.not_possible or done.not_attempted else ExitCode.FINE)


@dlq.command()
def discard(
    ids: Ids = None,
    every: All = False,
    cause: CauseCode = None,
    since: Since = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Delete dead letters without doing their work. Asks first."""
    with services() as service:
        dead_letters = _selected(service, ids, every, cause, since)
        if dry_run:
            _would("discard", dead_letters, as_json, service.settings.district_time_zone)
            return
        if dead_letters:
            many = f"{counted(len(dead_letters), 'dead letter')} {'is' if len(dead_letters) == 1 else 'are'}"
            confirm(f"{many} deleted, and the work is not done.", yes)
        count = RecordedActions(service, actor).discard(dead_letters)
    emit({"discarded": [each.id for each in dead_letters]}, as_json, lambda _: f"{count} discarded")


@dlq.command()
def export(file: Annotated[Path, typer.Argument(metavar="FILE")], cause: CauseCode = None, since: Since = None) -> None:
    """Write dead letters to a file that only its owner can read: a JSON object per line, messages in Base64."""
    with services() as service, private_file(file) as out:
        dead_letters = _selection(service, [], cause, since)
        out.writelines(json.dumps(service.dead_letter_queue.export_json(each)) + "\n" for each in dead_letters)
    typer.echo(f"{counted(len(dead_letters), 'dead letter')} written to {file}")


def _selected(
    service: Container, ids: list[str] | None, every: bool, cause: str | None, since: str | None
) -> list[DeadLetter]:
    """Return the selected dead letters; a usage error if nothing was selected."""
    if not (ids or every or cause or since):
        raise typer.BadParameter("select dead letters: ids, --all, --cause or --since")
    if ids and every:
        raise typer.BadParameter("give ids or --all, not both")
    return _selection(service, ids or [], cause, since)


def _selection(service: Container, ids: list[str], cause: str | None, since: str | None) -> list[DeadLetter]:
    """Return the selected dead letters; ends with an error if a named one does not exist."""
    dead_letters = service.dead_letter_queue.all()
    missing = sorted(set(ids) - {each.id for each in dead_letters})
    if missing:
        fail(f"no such dead letter: {', '.join(missing)}", ExitCode.USAGE)
    _refuse_unknown_cause(cause, dead_letters)
    return filter_dead_letters(dead_letters, ids, cause, None if since is None else time_option(service, since))


def _refuse_unknown_cause(cause: str | None, dead_letters: Collection[DeadLetter]) -> None:
    """End with a usage error for a cause that is none: a misspelled one would look as if there were nothing to do."""
    open_causes = sorted({each.cause for each in dead_letters})
    if cause is None or cause in open_causes or is_known(cause):
        return
    theirs = f"those of the open dead letters are {', '.join(open_causes)}" if open_causes else "no dead letter is open"
    raise typer.BadParameter(f"{cause} is no cause: {theirs}", param_hint="--cause")


def _lines(dead_letters: list[Json]) -> str:
    return "\n".join(map(_line, dead_letters)) or "none"


def _line(dead_letter: Json) -> str:
    retried = f", retried {dead_letter['retried_at']}" if dead_letter["retried_at"] else ""
    attempts = counted(int(str(dead_letter["attempts"])), "attempt")
    return (
        f"{dead_letter['id']}: {dead_letter['cause']} after {attempts}, last {dead_letter['last_failed_at']}{retried}"
    )


def _would(verb: str, dead_letters: list[DeadLetter], as_json: bool, zone: tzinfo | None) -> None:
    lines = [dead_letter_json(each) for each in dead_letters]
    if as_json:
        emit({f"would_{verb}": [each.id for each in dead_letters]}, as_json)
    else:
        emit(lines, as_json, _lines, zone=zone)


def _retried_text(done: RetryResult) -> str:
    lines = [f"{len(done.retried)} retried"]
    lines += [
        f"{dead_letter_id}: cannot be put back, only exported or discarded" for dead_letter_id in done.not_possible
    ]
    if done.not_attempted:
        lines.append(f"cancelled: {len(done.not_attempted)} left untouched")
    return "\n".join(lines)
