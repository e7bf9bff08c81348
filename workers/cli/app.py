"""The verbs of `passback`, each with its function."""

import platform
import sys
from importlib import metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from workers.cli import (
    categories,
    dlq,
    explain,
    history,
    links,
    processes,
    provision,
    purge,
    status,
    sync,
    worker_processes,
)
from workers.cli.district import lti, notify, takeover, totals, verify
from workers.cli.district.readiness import readiness
from workers.cli.terminal.boundary import error_boundary
from workers.dev.demo import demo
from workers.dev.run_all import up
from workers.dev.sandbox import sandbox


class RootCommand(TyperGroup):
    """The group of all verbs. Whatever ends a verb, usage errors included, goes through the error boundary."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and exit."""
        with error_boundary():
            code = super().main(*args, **{**options, "standalone_mode": False})
        sys.exit(code or 0)


def print_version(asked: bool) -> None:
    """Print the version of passback and of its interpreter, and exit."""
    if asked:
        typer.echo(f"passback {metadata.version('passback')}, Python {platform.python_version()}")
        raise typer.Exit


app = typer.Typer(
    name="passback",
    cls=RootCommand,
    help="Keeps a PowerSchool gradebook in agreement with Canvas, and says why a grade is not there.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=print_version, help="Print the version.")
    ] = False,
) -> None:
    """Take the options before a verb."""


for verb in (
    demo, up, status.doctor, status.status, status.courses, status.actions, status.alive, status.settings,
    status.password, sync.sync, explain.explain, verify.verify, history.history, takeover.takeover, readiness,
    sync.pause, sync.resume, processes.web, worker_processes.worker, worker_processes.provisioning_worker,
    processes.beat, processes.flower, processes.sqs, totals.totals,
):  # fmt: skip
    app.command(verb.__name__.replace("_", "-"))(verb)

for name, group in {
    "links": links.links,
    "dlq": dlq.dlq,
    "provision": provision.provision,
    "categories": categories.categories,
    "purge": purge.purge,
    "notify": notify.notify,
    "lti": lti.lti,
    "sandbox": sandbox,
}.items():
    app.add_typer(group, name=name)
