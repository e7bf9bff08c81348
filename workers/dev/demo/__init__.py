"""`passback demo`: the whole job on the sandbox, with real processes: events in, grades out, reasons, a dead letter."""

import secrets
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from shared.clock import SystemClock
from shared.config import load
from workers.cli.terminal.output import ExitCode

# Short waits between attempts, so that spending them fits into the show; the windows are the default ones.
DEMO_SETTINGS = {
    "PASSBACK_RETRY_WAITS_S": "0.5,1",
    "PASSBACK_ALLOW_VOLATILE_REDIS": "yes",
}


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything up at the end, to look around.")] = False,
) -> None:
    """Play a school day: events in, grades out, reasons, one dead letter retried. Takes under a minute."""
    # A person without Redis gets one that explains itself; it is loaded late so that `--help` is quick.
    from workers.dev.embedded_redis import EmbeddedRedis  # noqa: PLC0415
    from workers.dev.process_group import end_on_sigterm  # noqa: PLC0415

    end_on_sigterm()
    console = Console(highlight=False)
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="passback-demo-")))
        console.print(f"Redis: {redis.description}.")
        raise typer.Exit(_run(console, redis.url, logs, stack, keep=keep))


def _run(console: Console, redis_url: str, logs: Path, stack: ExitStack, *, keep: bool) -> int:
    from shared.adapters.telemetry.logging import configure_logging  # noqa: PLC0415
    from workers.container import Container  # noqa: PLC0415
    from workers.dev.demo.check import examine, show  # noqa: PLC0415
    from workers.dev.demo.client import DemoClient  # noqa: PLC0415
    from workers.dev.demo.scenario import DemoScenario  # noqa: PLC0415
    from workers.dev.process_group import free_port, process_group  # noqa: PLC0415
    from workers.dev.run_all import point_events, sandbox_settings, start_sandboxes, without_settings  # noqa: PLC0415

    started = time.monotonic()

    def tell(line: str) -> None:
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
    tell("Up: Canvas and PowerSchool (sandboxes), receiver, worker, beat.")

    settings = load(ours, env_file=logs / "no.env")
    # What this process does as the operator is in the log, beside the other processes', and not in the show.
    configure_logging(settings, stack.enter_context((logs / "operator.log").open("w")))
    service = stack.enter_context(closing(Container(settings)))
    stage = stack.enter_context(closing(DemoClient(canvas, powerschool, SystemClock())))
    DemoScenario(stage, service, tell, group.check).play()
    tell("The day is over. Looking at both sides.")
    findings = examine(stage, service.explainer)
    show(console, findings, stage)
    verdict = (
        "[red]PowerSchool is not what the rules demand[/]"
        if findings.problems
        else "[green]PowerSchool equals the rules' answer[/]"
    )
    tell(f"{verdict}.")
    if keep:
        _hold(console, ours, port)
    return ExitCode.PROBLEMS if findings.problems else ExitCode.FINE


def _hold(console: Console, settings: dict[str, str], port: int) -> None:
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
