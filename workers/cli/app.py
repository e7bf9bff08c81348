"""The verbs of `passback`, and the command line that has them."""

import platform
import sys
from importlib import import_module, metadata
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from workers.cli import error_boundary

# Each verb's function, or the group of its verbs, in the order of `passback --help`.
VERBS = {
    "demo": "workers.dev.demo:demo",
    "up": "workers.dev.run_all:up",
    **{
        name: f"workers.cli.status:{name}"
        for name in ("doctor", "status", "courses", "actions", "alive", "settings", "password")
    },
    "sync": "workers.cli.sync:sync",
    "explain": "workers.cli.explain:explain",
    "verify": "workers.cli.district.verify:verify",
    "history": "workers.cli.history:history",
    "takeover": "workers.cli.district.takeover:takeover",
    "readiness": "workers.cli.district.readiness:readiness",
    "pause": "workers.cli.sync:pause",
    "resume": "workers.cli.sync:resume",
    "web": "workers.cli.processes:web",
    "worker": "workers.cli.worker_processes:worker",
    "provisioning-worker": "workers.cli.worker_processes:provisioning_worker",
    "beat": "workers.cli.processes:beat",
    "flower": "workers.cli.processes:flower",
    "sqs": "workers.cli.processes:sqs",
    "totals": "workers.cli.district.totals:totals",
    "links": "workers.cli.links:links",
    "dlq": "workers.cli.dlq:dlq",
    "provision": "workers.cli.provision:provision",
    "categories": "workers.cli.district.categories:categories",
    "purge": "workers.cli.purge:purge",
    "notify": "workers.cli.district.notify:notify",
    "lti": "workers.cli.district.lti:lti",
    "sandbox": "workers.dev.sandbox:sandbox",
}


class RootCommand(TyperGroup):
    """The group of all verbs. Whatever ends a verb, usage errors included, goes through the error boundary."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command and exit."""
        with error_boundary():
            code = super().main(*args, **{**options, "standalone_mode": False})
        sys.exit(code or 0)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse what a terminal sent in another encoding, which neither JSON nor Redis takes. Raises: BadParameter."""
        for number, given in enumerate(args, 1):
            try:
                given.encode()
            except UnicodeEncodeError:
                raise typer.BadParameter(f"argument {number} is no UTF-8; set the terminal to UTF-8") from None
        return super().parse_args(ctx, args)


def print_version(asked: bool) -> None:
    """Print the version of passback and of its interpreter, and exit."""
    if asked:
        typer.echo(f"passback {metadata.version('passback')}, Python {platform.python_version()}")
        raise typer.Exit


def command_line(*verbs: str) -> typer.Typer:
    """Return the command with these verbs, or with all. Loading only one's modules starts it in half the time."""
    app = typer.Typer(
        name="passback",
        cls=RootCommand,
        help="Keeps a PowerSchool gradebook in agreement with Canvas, and says why a grade is not there.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(options)
    for name in verbs or VERBS:
        module, _, attribute = VERBS[name].partition(":")
        verb = getattr(import_module(module), attribute)
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name)
        else:
            app.command(name)(verb)
    return app


def options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=print_version, help="Print the version.")
    ] = False,
) -> None:
    """Take the options before a verb."""
