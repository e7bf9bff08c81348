"""`passback up`: every process at once, for development."""

import os
import secrets
import time
from typing import Annotated

import typer

from shared import config
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import ProcessDied, process_group
from workers.dev.sandbox import point_events, sandbox_settings, start_sandboxes
from workers.runtime.signals import end_on_sigterm


def with_password(settings: config.Settings, environ: dict[str, str]) -> str:
    """Put a new operator password into `environ` if nobody could sign in, and return it; empty if somebody can."""
    if settings.has_sign_in:
        return ""
    password = secrets.token_urlsafe(12)
    environ["PASSBACK_OPERATOR_PASSWORD"] = password
    return password


def up(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web process.")] = 8080,
) -> None:
    """Run every process. Starts a Redis and sandboxes of Canvas and PowerSchool where none is configured."""
    end_on_sigterm()
    settings = config.load()
    environ = dict(os.environ)  # noqa: TID251  # passed to child processes
    default = config.Settings.model_fields["redis_url"].default
    if "PASSBACK_REDIS_URL" in environ or settings.redis_url != default or settings.redis_sentinels:
        _run(settings, environ, port)
        return
    with EmbeddedRedis() as redis:
        typer.echo(f"Redis: {redis.description}")
        environ["PASSBACK_REDIS_URL"] = redis.url
        if not redis.is_durable:
            environ["PASSBACK_ALLOW_VOLATILE_REDIS"] = "yes"
        _run(settings, environ, port)


def _run(settings: config.Settings, environ: dict[str, str], port: int) -> None:
    password = with_password(settings, environ)
    with process_group(None, environ) as sandboxes:
        if not settings.canvas_url and not settings.powerschool_url:
            canvas, powerschool = start_sandboxes(sandboxes)
            environ.update(sandbox_settings(canvas, powerschool))
            typer.echo(f"Canvas: sandbox at {canvas}\nPowerSchool: sandbox at {powerschool}")
        with process_group(None, environ) as group:
            group.start("web", "web", "--port", str(port))
            group.start("worker", "worker")
            group.start("provisioning", "provisioning-worker")
            group.start("beat", "beat")
            web = f"http://127.0.0.1:{port}"
            group.wait_ready(f"{web}/livez")
            if not settings.canvas_url:
                point_events(environ["PASSBACK_CANVAS_URL"], web)
            typer.echo(f"passback is up at {web}. Ctrl-C ends everything.")
            if password:
                typer.echo(f"Sign in as operator with the password {password}")
            try:
                while True:
                    group.check()
                    time.sleep(0.5)
            except KeyboardInterrupt:
                typer.echo("stopping")
            except ProcessDied as died:
                typer.echo(f"passback: {died}", err=True)
                raise typer.Exit(1) from None
