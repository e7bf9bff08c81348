"""All verbs in one place."""

import typer

from workers.cli import (
    alive,
    categories,
    courses,
    dlq,
    explaining,
    history,
    links,
    operations,
    passwords,
    pausing,
    processes,
    provision,
    purge,
    sqs,
)
from workers.cli.demo import demo
from workers.cli.up import up

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
app.command("doctor")(operations.doctor)
app.command("status")(operations.status)
app.command("alive")(alive.alive)
app.command("settings")(operations.settings)
app.command("password")(passwords.password)
app.command("sync")(courses.sync)
app.command("explain")(explaining.explain)
app.command("history")(history.history)
app.add_typer(links.links, name="links")
app.add_typer(dlq.dlq, name="dlq")
app.add_typer(provision.provision, name="provision")
app.add_typer(categories.categories, name="categories")
app.add_typer(purge.purge, name="purge")
app.command("pause")(pausing.pause)
app.command("resume")(pausing.resume)
app.command("web")(processes.web)
app.command("worker")(processes.worker)
app.command("provisioning-worker")(processes.provisioning_worker)
app.command("beat")(processes.beat)
app.command("flower")(processes.flower)
app.command("sqs")(sqs.sqs)
app.add_typer(processes.sandbox, name="sandbox")
