"""`passback up`: every process at once, for development."""

import os
import secrets
import time
from typing import Annotated

import typer

from shared import config
from shared.sandbox.district.small import small_district
from workers.cli.processes import SANDBOX_ZONE, WEB_PORT, sandbox_today
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import ProcessDied, ProcessGroup, end_on_sigterm, free_port, process_group


def sandbox_settings(canvas_url: str, powerschool_url: str) -> dict[str, str]:
    """Return the variables that point passback at the two sandboxes."""
    district = small_district(*sandbox_today())
    plugin = district.powerschool.plugin
    return {
        "PASSBACK_CANVAS_URL": canvas_url,
        "PASSBACK_CANVAS_TOKEN": district.canvas.token,
        "PASSBACK_CANVAS_ROOT_ACCOUNT_UUID": district.canvas.root_account_uuid,
        "PASSBACK_LIVE_EVENTS_JWKS_URL": f"{canvas_url}/_sandbox/jwks",
        "PASSBACK_POWERSCHOOL_URL": powerschool_url,
        "PASSBACK_POWERSCHOOL_CLIENT_ID": plugin.client_id,
        "PASSBACK_POWERSCHOOL_CLIENT_SECRET": plugin.client_secret,
        "PASSBACK_DISTRICT_TIME_ZONE": SANDBOX_ZONE,
    }


def with_password(settings: config.Settings, environ: dict[str, str]) -> str:
    """Put a new operator's password into `environ` where nobody could sign in, and return it; empty where one can."""
    if settings.has_sign_in:
        return ""
    password = secrets.token_urlsafe(12)
    environ["PASSBACK_OPERATOR_PASSWORD"] = password
    return password


def without_settings() -> dict[str, str]:
    """Return this process's environment without passback's settings, so that a child's are all given on purpose."""
    return {
        name: value
        for name, value in os.environ.items()  # noqa: TID251  # handed on to children, not read as settings
        if not name.upper().startswith(config.PREFIX)
    }


def start_sandboxes(group: ProcessGroup) -> tuple[str, str]:
    """Start both sandboxes on free ports; return their URLs once they answer."""
    urls = []
    for name in ("canvas", "powerschool"):
        port = free_port()
        group.start(f"sandbox-{name}", "sandbox", name, "--port", str(port))
        urls.append(f"http://127.0.0.1:{port}")
    for url in urls:
        group.wait_ready(f"{url}/_sandbox/requests")
    return urls[0], urls[1]


def up(
    port: Annotated[int, typer.Option(help="Port of the web process.")] = WEB_PORT,
) -> None:
    """Run every process at once. What is not configured is brought along: Redis, Canvas and PowerSchool."""
    end_on_sigterm()
    settings = config.load()
    environ = dict(os.environ)  # noqa: TID251  # handed on to children
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


def point_events(canvas: str, web: str, *, signed: bool = True, **settings: object) -> None:
    """Make the sandbox Canvas send its Live Events to this receiver; `settings` are its others of events."""
    import httpx  # noqa: PLC0415

    wanted = {"target": f"{web}/events/canvas", "signed": signed, **settings}
    httpx.put(f"{canvas}/_sandbox/events", json=wanted, timeout=5).raise_for_status()
