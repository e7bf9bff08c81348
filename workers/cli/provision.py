"""`passback provision`: provisioning runs, their rows, and the approval of runs that are held."""

import time
from typing import Annotated

import typer

from shared.domain.provisioning.run import Run, RunState
from workers.cli.options import Actor, DryRun, Yes, confirm, emit_local, fail, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.cli.terminal.provision_text import comparison_text, history_text, run_text
from workers.container import Container
from workers.provisioning.changed_rows import changed_rows, compared_rows
from workers.provisioning.serializers import Json, changed_json, comparison_json, counts_text, run_json, run_summary
from workers.provisioning.service import KIND, RUNS_LIMIT, UnknownRun
from workers.recorded_actions import RecordedActions

provision = typer.Typer(
    help="Import PowerSchool's rosters into Canvas: run, history, held, show, discard, rollback.", no_args_is_help=True
)

RunId = Annotated[str, typer.Argument(metavar="ID", help="Id of a run, from `provision history`.")]
MaybeRunId = Annotated[str | None, typer.Argument(metavar="[ID]", help="Id of a run, from `provision history`.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until the run is finished or held.")]

MAX_WAIT_S = 3600.0
POLL_S = 0.5


@provision.command()
def run(
    dry_run: DryRun = False,
    approve: Annotated[str | None, typer.Option("--approve", metavar="ID", help="Approve this held run.")] = None,
    wait: WaitOption = False,
    yes: Yes = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Import PowerSchool's rosters into Canvas now, or approve a held run, which asks first.

    A dry run needs no worker. The exit code is 1 if something needs a person.
    """
    if dry_run and (approve or wait):
        raise typer.BadParameter("--dry-run cannot be combined with --approve and --wait")
    with services() as service:
        if dry_run:
            _dry_run(service, as_json)
            return
        actions, runs = RecordedActions(service, actor), service.provisioning_service
        if approve is None:
            requested = actions.run_provisioning()
        else:
            seen = runs.awaiting_approval(approve)
            confirm(f"Canvas is sent the plan of run {approve}: {counts_text(*seen.changes)}.", yes)
            requested = actions.approve_plan(approve, seen.plan_digest)
        _follow(service, requested, as_json, wait=wait)


@provision.command()
def history(run_id: MaybeRunId = None, as_json: JsonOption = False) -> None:
    """List the runs, the newest first; or say everything about one, what Canvas said about rows included."""
    with services() as service:
        runs = service.provision_runs
        if run_id is None:
            emit_local(service, [run_summary(each) for each in runs.newest(RUNS_LIMIT)], as_json, history_text)
        else:
            emit_local(service, run_json(_found(service, run_id), runs.messages(run_id)), as_json, run_text)


@provision.command()
def show(run_id: RunId, as_json: JsonOption = False) -> None:
    """Show a run with the exact rows that it changes."""
    with services() as service:
        _show(service, _found(service, run_id), as_json)


@provision.command()
def held(as_json: JsonOption = False) -> None:
    """Show the runs that are held for approval, with the exact rows. The exit code is 1 if there is one.

    With --json: the first run, preferably of the whole district, and a summary of each in `held_runs`.
    """
    with services() as service:
        waiting = service.provision_runs.held_runs()
        if not waiting:
            emit(None, as_json, lambda _: "nothing is held")
            return
        lines: list[Json] = [run_summary(each) for each in waiting]
        for each in waiting[:1] if as_json else waiting:
            _show(service, each, as_json, held_runs=lines)
    raise typer.Exit(ExitCode.PROBLEMS)


@provision.command()
def discard(run_id: RunId, yes: Yes = False, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Close a held run without applying it. The next run plans again. Asks first."""
    with services() as service:
        seen = service.provisioning_service.awaiting_approval(run_id)
        confirm(f"The plan of run {run_id} is closed, and not sent: {counts_text(*seen.changes)}.", yes)
        done = RecordedActions(service, actor).reject_plan(run_id, seen.plan_digest)
    emit(run_summary(done), as_json, lambda _: f"run {run_id} is discarded")


@provision.command()
def rollback(
    run_id: MaybeRunId = None,
    wait: WaitOption = False,
    yes: Yes = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Restore in Canvas what it had before a run; by default before the newest run that wrote anything. Asks first.

    Pauses provisioning, since the next run would undo this. `passback resume provisioning` resumes it.
    """
    with services() as service:
        target = service.provisioning_service.rollback_target(run_id)
        confirm(f"Canvas gets back what it had before run {target.id} ({counts_text(*target.changes)}).", yes)
        rollback_run = RecordedActions(service, actor).roll_back(target.id)
        _follow(service, rollback_run, as_json, wait=wait)


def _dry_run(service: Container, as_json: bool) -> None:
    compared = service.provisioning.comparer.dry_run()
    rows = compared_rows(service.provision_runs, compared)
    emit_local(service, comparison_json(compared, rows), as_json, comparison_text)
    raise typer.Exit(ExitCode.PROBLEMS if compared.holds else ExitCode.FINE)


def _follow(service: Container, requested: Run, as_json: bool, *, wait: bool) -> None:
    """Print that the run is requested, or wait for its end and print the result."""
    if not wait:
        emit(
            run_summary(requested),
            as_json,
            lambda _: f"run {requested.id} is requested; `passback provision show {requested.id}`",
        )
        return
    if not any(beat.process.startswith(KIND) and not beat.is_stale for beat in service.heartbeats.all()):
        fail(f"no {KIND} is running; run {requested.id} waits for one")
    found = _over(service, requested)
    emit_local(service, run_json(found, service.provision_runs.messages(found.id)), as_json, run_text)
    is_fine = found.state is RunState.DONE and not found.held_schools
    is_fine = is_fine and not any(each.failures + each.warnings for each in found.uploads)
    raise typer.Exit(ExitCode.FINE if is_fine else ExitCode.PROBLEMS)


def _over(service: Container, requested: Run) -> Run:
    """Return the run when it is not open any more, or when it took too long."""
    until, found = time.monotonic() + MAX_WAIT_S, requested
    while found.state.is_open and time.monotonic() < until:
        time.sleep(POLL_S)
        found = service.provision_runs.find(requested.id) or found
    return found


def _show(service: Container, found: Run, as_json: bool, **more: object) -> None:
    runs = service.provision_runs
    rows = [changed_json(part) for part in changed_rows(runs, found)]
    emit_local(service, {**run_json(found, runs.messages(found.id)), "data_sets": rows, **more}, as_json, run_text)


def _found(service: Container, run_id: str) -> Run:
    found = service.provision_runs.find(run_id)
    if found is None:
        raise UnknownRun(run_id)
    return found
