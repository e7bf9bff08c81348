"""`passback demo`: a school day on the sandboxes, with real processes."""

import secrets
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from shared.adapters.telemetry.logging import configure_logging
from shared.clock import SystemClock
from shared.config import load
from workers.container import Container
from workers.dev.demo.check import DemoReport, examine
from workers.dev.demo.client import DemoClient
from workers.dev.demo.scenario import DemoScenario
from workers.dev.demo.view import LiveView, show_tables, verdict
from workers.dev.embedded_redis import EmbeddedRedis, RedisKind
from workers.dev.instructions import how_to_use, this_command, write_environment
from workers.dev.process_group import free_port, process_group, without_settings
from workers.dev.sandbox import point_events, sandbox_settings, start_sandboxes
from workers.runtime.process_end import end_on_sigterm

# Short waits between attempts, so that a dead letter takes seconds. The debounce windows are the defaults.
DEMO_SETTINGS = {
    "PASSBACK_RETRY_WAITS_S": "0.5,1",
    "PASSBACK_ALLOW_VOLATILE_REDIS": "yes",
}


def demo(
    report: Annotated[bool, typer.Option("--report", help="Show every assignment and reason in tables.")] = False,
    keep_running: Annotated[bool, typer.Option("--keep", help="Keep everything running at the end.")] = False,
) -> None:
    """Show a school day: events in, grades out, reasons, one dead letter retried. Takes under a minute."""
    end_on_sigterm()
    console = Console(highlight=False)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="passback-")))
        demo_environ = {"PASSBACK_OPERATOR_PASSWORD": secrets.token_urlsafe(12), **DEMO_SETTINGS}
        findings, web = _play(console, folder, stack, demo_environ)
        if report:
            show_tables(console, findings)
        for line in verdict(findings, this_command()):
            console.print(line, soft_wrap=True)
        if keep_running:
            _keep_running(write_environment(folder, demo_environ), web, demo_environ["PASSBACK_OPERATOR_PASSWORD"])
        raise typer.Exit(1 if findings.problems else 0)


def _play(console: Console, folder: Path, stack: ExitStack, demo_environ: dict[str, str]) -> tuple[DemoReport, str]:
    """Play the day and return what it led to, and the URL of the web process. Adds the settings to `ours`."""
    view = LiveView(time.monotonic())
    say = _speaker(console, view)
    with ExitStack() as screen:
        if console.is_terminal and not console.is_dumb_terminal:
            screen.enter_context(Live(view, console=console, refresh_per_second=5, transient=True))
        say("Starting Redis, two sandboxes, the receiver, a worker and beat.")
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        if redis.kind is RedisKind.FAKE:
            say(f"Redis is {redis.description}.")
        environ = without_settings()
        canvas, powerschool = start_sandboxes(stack.enter_context(process_group(folder, environ)))
        demo_environ |= {"PASSBACK_REDIS_URL": redis.url, **sandbox_settings(canvas, powerschool)}
        group = stack.enter_context(process_group(folder, {**environ, **demo_environ}))
        port = free_port()
        web = f"http://127.0.0.1:{port}"
        group.start("web", "web", "--port", str(port))
        group.start("worker", "worker")
        group.start("beat", "beat")
        group.wait_ready(f"{web}/readyz")
        point_events(canvas, web)
        settings = load(demo_environ, env_file=folder / "no.env")
        # What this process does as the operator is logged to a file, like the other processes' logs.
        configure_logging(settings, stack.enter_context((folder / "operator.log").open("w")))
        # What ends this process is logged after that file is closed.
        stack.callback(configure_logging, settings)
        service = stack.enter_context(closing(Container(settings)))
        client = stack.enter_context(closing(DemoClient(canvas, powerschool, SystemClock())))

        def check() -> None:
            group.check()
            view.refresh(client, service)

        DemoScenario(client, service, say, check).play()
        say("The day is over. Comparing both sides.")
        return examine(client, service.explainer), web


def _speaker(console: Console, view: LiveView) -> Callable[[str], None]:
    """Return what reports a scene: as a line, or in the live view where the console is a terminal."""

    def say(text: str) -> None:
        at = time.monotonic() - view.started
        view.scenes.append((at, text))
        if not console.is_terminal or console.is_dumb_terminal:
            console.print(f"{at:5.1f} s  {text}", soft_wrap=True)

    return say


def _keep_running(environment: Path, web: str, password: str) -> None:
    typer.echo("\nStill up. Ctrl-C ends everything.")
    typer.echo("\n".join(how_to_use(environment, web, password, sandboxes=True)))
    try:
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        typer.echo("stopping")
