"""`passback demo`: a school day on the sandboxes, with real processes."""

import secrets
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shared.adapters.telemetry.logging import configure_logging
from shared.clock import SystemClock
from shared.config import load
from workers.container import Container
from workers.dev.demo.check import examine, show
from workers.dev.demo.client import DemoClient
from workers.dev.demo.scenario import DemoScenario
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import free_port, process_group, without_settings
from workers.dev.sandbox import point_events, sandbox_settings, start_sandboxes
from workers.runtime.signals import end_on_sigterm

# Short waits between attempts, so that a dead letter takes seconds. The debounce windows are the defaults.
DEMO_SETTINGS = {
    "PASSBACK_RETRY_WAITS_S": "0.5,1",
    "PASSBACK_ALLOW_VOLATILE_REDIS": "yes",
}


def demo(
    keep_running: Annotated[bool, typer.Option("--keep", help="Keep everything running at the end.")] = False,
) -> None:
    """Show a school day: events in, grades out, reasons, one dead letter retried. Takes under a minute."""
    end_on_sigterm()
    console = Console(highlight=False)
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="passback-demo-")))
        console.print(f"Redis: {redis.description}.")
        raise typer.Exit(_run(console, redis.url, logs, stack, keep_running=keep_running))


def _run(console: Console, redis_url: str, logs: Path, stack: ExitStack, *, keep_running: bool) -> int:

    started = time.monotonic()

    def report(line: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:5.1f} s[/]  {line}")

    environ = without_settings()
    sandboxes = stack.enter_context(process_group(logs, environ))
    canvas, powerschool = start_sandboxes(sandboxes)
    ours = {
        "PASSBACK_REDIS_URL": redis_url,
        "PASSBACK_OPERATOR_PASSWORD": secrets.token_urlsafe(12),
        **DEMO_SETTINGS,
        **sandbox_settings(canvas, powerschool),
    }
    group = stack.enter_context(process_group(logs, {**environ, **ours}))
    port = free_port()
    group.start("web", "web", "--port", str(port))
    group.start("worker", "worker")
    group.start("beat", "beat")
    group.wait_ready(f"http://127.0.0.1:{port}/readyz")
    point_events(canvas, f"http://127.0.0.1:{port}")
    report("Up: Canvas and PowerSchool (sandboxes), receiver, worker, beat.")

    settings = load(ours, env_file=logs / "no.env")
    # What this process does as the operator is logged to a file, like the other processes' logs.
    configure_logging(settings, stack.enter_context((logs / "operator.log").open("w")))
    service = stack.enter_context(closing(Container(settings)))
    client = stack.enter_context(closing(DemoClient(canvas, powerschool, SystemClock())))
    DemoScenario(client, service, report, group.check).play()
    report("The day is over. Looking at both sides.")
    findings = examine(client, service.explainer)
    show(console, findings, client)
    verdict = (
        "[red]PowerSchool is not what the rules demand[/]"
        if findings.problems
        else "[green]PowerSchool equals the rules' answer[/]"
    )
    report(f"{verdict}.")
    if keep_running:
        _keep_running(console, ours, port)
    return 1 if findings.problems else 0


def _keep_running(console: Console, settings: dict[str, str], port: int) -> None:
    password = settings["PASSBACK_OPERATOR_PASSWORD"]
    console.print(f"\nStill up at http://127.0.0.1:{port}: sign in as operator with {password}. In another terminal:")
    for name, value in settings.items():
        console.print(f"  export {name}='{value}'", soft_wrap=True)
    console.print("and then, say, `passback explain 101`. Ctrl-C ends everything.")
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        console.print("Stopping.")
