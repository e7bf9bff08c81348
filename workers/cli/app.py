"""All verbs in one place."""

import typer

from workers.cli import (
    categories,
    dlq,
    explain,
    healthcheck,
    history,
    links,
    passwords,
    pause,
    processes,
    provision,
    purge,
    sqs,
    status,
    sync,
    worker_processes,
)
from workers.dev.demo import demo
from workers.dev.run_all import up

app = typer.Typer(
    name="passback",
    help="Keeps a PowerSchool gradebook in agreement with Canvas, and says why a grade is not there.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("demo")(demo)
app.command("up")(up)
app.command("doctor")(status.doctor)
app.command("status")(status.status)
app.command("alive")(healthcheck.alive)
app.command("settings")(status.settings)
app.command("password")(passwords.password)
app.command("sync")(sync.sync)
app.command("explain")(explain.explain)
app.command("history")(history.history)
app.add_typer(links.links, name="links")
app.add_typer(dlq.dlq, name="dlq")
app.add_typer(provision.provision, name="provision")
app.add_typer(categories.categories, name="categories")
app.add_typer(purge.purge, name="purge")
app.command("pause")(pause.pause)
app.command("resume")(pause.resume)
app.command("web")(processes.web)
app.command("worker")(worker_processes.worker)
app.command("provisioning-worker")(worker_processes.provisioning_worker)
app.command("beat")(processes.beat)
app.command("flower")(processes.flower)
app.command("sqs")(sqs.sqs)
app.add_typer(processes.sandbox, name="sandbox")
