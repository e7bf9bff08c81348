"""The verbs of `passback`, each with its function."""

import typer

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
from workers.dev.demo import demo
from workers.dev.run_all import up
from workers.dev.sandbox import sandbox

app = typer.Typer(
    name="passback",
    help="Keeps a PowerSchool gradebook in agreement with Canvas, and says why a grade is not there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for verb in (
    demo, up, status.doctor, status.status, status.alive, status.settings, status.password, sync.sync, explain.explain,
    history.history, sync.pause, sync.resume,
    processes.web, worker_processes.worker, worker_processes.provisioning_worker,
    processes.beat, processes.flower, processes.sqs,
):  # fmt: skip
    app.command(verb.__name__.replace("_", "-"))(verb)

for name, group in {
    "links": links.links,
    "dlq": dlq.dlq,
    "provision": provision.provision,
    "categories": categories.categories,
    "purge": purge.purge,
    "sandbox": sandbox,
}.items():
    app.add_typer(group, name=name)
