"""The verbs of `passback provision`: runs, their rows, and what a person decides about them."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer
from redis.exceptions import RedisError

from shared.domain.provisioning.run import Run, RunState
from shared.errors import PassbackError
from workers.cli.services import open_services
from workers.cli.sync import Actor, system_user
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.cli.terminal.provision_text import comparison_text, history_text, run_text
from workers.container import Container
from workers.provisioning.changed_rows import changed_rows, compared_rows
from workers.provisioning.serializers import Json, changed_json, comparison_json, run_json, run_summary
from workers.provisioning.service import KIND, RUNS_LIMIT, InvalidOperation

provision = typer.Typer(
    help="Canvas's rosters from PowerSchool's: run, history, held, show, discard, rollback.", no_args_is_help=True
)

RunId = Annotated[str, typer.Argument(metavar="ID", help="The run, as `provision history` names it.")]
MaybeRunId = Annotated[str | None, typer.Argument(metavar="[ID]", help="One run, as `provision history` names it.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Return when the run is over or held.")]

MAX_WAIT_S = 3600.0
POLL_S = 0.5


@provision.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what a run would change; write nothing.")] = False,
    approve: Annotated[str | None, typer.Option("--approve", metavar="ID", help="Let this held run go on.")] = None,
    wait: WaitOption = False,
    actor: Actor = None,
    as_json: JsonOption = False,
) -> None:
    """Bring Canvas's rosters in step with PowerSchool's now, or let a held run go on.

    The dry run needs no worker. 1 if something needs a person.
    """
    if dry_run and (approve or wait):
        raise typer.BadParameter("--dry-run shows at once what would change: leave out --approve and --wait")
    with _service() as service:
        if dry_run:
            _dry_run(service, as_json)
            return
        provisioning, who = service.provisioning_service, actor or system_user()
        _followed(
            service, provisioning.approve(approve, who) if approve else provisioning.request(who), as_json, wait=wait
        )


@provision.command()
def history(run_id: MaybeRunId = None, as_json: JsonOption = False) -> None:
    """List the runs, the newest first; or say everything about one, what Canvas said about rows included."""
    with _service() as service:
        runs = service.provision_runs
        if run_id is None:
            emit([run_summary(each) for each in runs.newest(RUNS_LIMIT)], as_json, history_text)
        else:
            emit(run_json(_found(service, run_id), runs.messages(run_id)), as_json, run_text)


@provision.command()
def show(run_id: RunId, as_json: JsonOption = False) -> None:
    """Show a run with the exact rows that it changes."""
    with _service() as service:
        _show(service, _found(service, run_id), as_json)


@provision.command()
def held(as_json: JsonOption = False) -> None:
    """Show the plans that wait for a person, with the exact rows; 1 if there is one.

    With --json the first of them, that of the whole district if there is one, and a line of each in `held_runs`.
    """
    with _service() as service:
        waiting = service.provision_runs.held_runs()
        if not waiting:
            emit(None, as_json, lambda _: "nothing is held")
            return
        lines: list[Json] = [run_summary(each) for each in waiting]
        for each in waiting[:1] if as_json else waiting:
            _show(service, each, as_json, held_runs=lines)
    raise typer.Exit(ExitCode.PROBLEMS)


@provision.command()
def discard(run_id: RunId, actor: Actor = None, as_json: JsonOption = False) -> None:
    """Close a held run without doing anything; the next run looks anew."""
    with _service() as service:
        done = service.provisioning_service.discard(run_id, actor or system_user())
    emit(run_summary(done), as_json, lambda _: f"run {run_id} is discarded")


@provision.command()
def rollback(
    run_id: MaybeRunId = None, wait: WaitOption = False, actor: Actor = None, as_json: JsonOption = False
) -> None:
    """Give Canvas again what it was given before a run: by default the newest that wrote anything.

    Provisioning is paused, since its next run would undo this; `passback resume provisioning` lets it go on.
    """
    with _service() as service:
        rollback_run = service.provisioning_service.rollback(run_id, actor or system_user())
        _followed(service, rollback_run, as_json, wait=wait)


def _dry_run(service: Container, as_json: bool) -> None:
    compared = service.provisioning.comparer.dry_run()
    rows = compared_rows(service.provision_runs, compared)
    emit(comparison_json(compared, rows), as_json, comparison_text)
    raise typer.Exit(ExitCode.PROBLEMS if compared.holds else ExitCode.FINE)


def _followed(service: Container, asked: Run, as_json: bool, *, wait: bool) -> None:
    """Say that the run is asked for; or wait for its end and say what it came to."""
    if not wait:
        emit(
            run_summary(asked), as_json, lambda _: f"run {asked.id} is requested; `passback provision show {asked.id}`"
        )
        return
    if not any(beat.process.startswith(KIND) and not beat.is_stale for beat in service.heartbeats.all()):
        typer.echo(f"passback: no {KIND} is running; run {asked.id} waits for one", err=True)
        raise typer.Exit(ExitCode.PROBLEMS)
    found = _over(service, asked)
    emit(run_json(found, service.provision_runs.messages(found.id)), as_json, run_text)
    is_fine = found.state is RunState.DONE and not found.held_schools
    is_fine = is_fine and not any(each.failures + each.warnings for each in found.uploads)
    raise typer.Exit(ExitCode.FINE if is_fine else ExitCode.PROBLEMS)


def _over(service: Container, asked: Run) -> Run:
    """Return the run once it does not go on by itself any more, or when it took too long."""
    until, found = time.monotonic() + MAX_WAIT_S, asked
    while found.state.is_open and time.monotonic() < until:
        time.sleep(POLL_S)
        found = service.provision_runs.find(asked.id) or found
    return found


def _show(service: Container, found: Run, as_json: bool, **more: object) -> None:
    runs = service.provision_runs
    rows = [changed_json(part) for part in changed_rows(runs, found)]
    emit({**run_json(found, runs.messages(found.id)), "data_sets": rows, **more}, as_json, run_text)


def _found(service: Container, run_id: str) -> Run:
    found = service.provision_runs.find(run_id)
    if found is None:
        typer.echo(f"passback: there is no run {run_id}", err=True)
        raise typer.Exit(ExitCode.PROBLEMS)
    return found


@contextmanager
def _service() -> Iterator[Container]:
    """Give passback, closed afterwards; what could not be done is said in a sentence instead of a traceback."""
    with closing(open_services()) as service:
        try:
            yield service
        except (InvalidOperation, PassbackError) as error:
            typer.echo(f"passback: {error}", err=True)
            raise typer.Exit(ExitCode.PROBLEMS) from None
        except RedisError as error:
            typer.echo(f"passback: Redis does not answer ({type(error).__name__}); check PASSBACK_REDIS_URL", err=True)
            raise typer.Exit(ExitCode.PROBLEMS) from None
