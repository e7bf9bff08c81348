"""One process each, as in the Procfile; and the two sandboxes."""

import logging
from datetime import date
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from shared import config
from shared.clock import SystemClock
from workers.dev.process_group import end_on_sigterm

if TYPE_CHECKING:
    from shared.sandbox.district.small import District

WEB_PORT = 8080
SANDBOX_ZONE = "America/Los_Angeles"

Host = Annotated[str, typer.Option(help="Address to bind.")]


def web(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = WEB_PORT,
) -> None:
    """Run the receivers, the status pages and the API."""
    from shared.adapters.telemetry.logging import configure_logging  # noqa: PLC0415
    from shared.adapters.telemetry.tracing import start_tracing  # noqa: PLC0415
    from workers.runtime.heartbeat import run_heartbeat  # noqa: PLC0415
    from workers.web.app import web_app  # noqa: PLC0415

    end_on_sigterm()
    settings = config.load()
    configure_logging(settings)
    require_auth_or_loopback(settings, host)
    start_tracing("web")
    with run_heartbeat(settings, "web"):
        serve(web_app(settings), host, port)


def require_auth_or_loopback(settings: config.Settings, address: str) -> None:
    """Raise `ConfigurationError` where others than this machine could come in and nobody could sign in."""
    if not settings.has_sign_in and not config.is_loopback_address(address):
        raise config.ConfigurationError(
            f"the web process would bind {address} and nobody could sign in: set PASSBACK_OPERATOR_PASSWORD (or "
            "PASSBACK_PROXY_HEADERS), or bind 127.0.0.1 with --host"
        )


def serve(application: object, host: str, port: int) -> None:
    """Serve an ASGI application until it is told to stop."""
    import uvicorn  # noqa: PLC0415

    from workers.runtime.log_limit import ServerLines  # noqa: PLC0415
    from workers.web.http_protocol import bounded  # noqa: PLC0415

    logging.getLogger("uvicorn.error").addFilter(ServerLines(SystemClock()))
    uvicorn.run(
        application,  # type: ignore[arg-type]  # uvicorn's own alias for ASGI applications is not exported
        host=host, port=port, access_log=False, log_config=None, http=bounded(), ws="none", server_header=False,
        timeout_graceful_shutdown=5,
        # Who is believed about a sender is a setting, not uvicorn's guess.
        proxy_headers=False,
    )  # fmt: skip


def beat() -> None:
    """Run beat, which starts what is scheduled. Any number may run; one tick counts."""
    from shared.adapters.telemetry.celery_logs import route_celery_logs  # noqa: PLC0415
    from shared.adapters.telemetry.logging import configure_logging  # noqa: PLC0415
    from workers.celery.app import make_app  # noqa: PLC0415
    from workers.runtime.heartbeat import run_heartbeat  # noqa: PLC0415

    settings = config.load()
    configure_logging(settings)
    route_celery_logs()
    with run_heartbeat(settings, "beat"):
        make_app(settings).Beat(quiet=True, loglevel=settings.log_level).run()


def flower(
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to bind.")] = 5555,
) -> None:
    """Run Flower, read-only, for the operator. Needs the extra `passback[flower]`."""
    from importlib.util import find_spec  # noqa: PLC0415

    from shared.adapters.redis.client import connect  # noqa: PLC0415
    from shared.adapters.redis.keys import Keys  # noqa: PLC0415
    from shared.adapters.telemetry.logging import configure_logging  # noqa: PLC0415

    if find_spec("flower") is None:
        raise config.ConfigurationError("Flower is not installed: pip install 'passback[flower]'")
    from workers.celery.app import make_app  # noqa: PLC0415
    from workers.runtime.heartbeat import run_heartbeat  # noqa: PLC0415
    from workers.web import flower as monitor  # noqa: PLC0415
    from workers.web.auth.passwords import Authenticator  # noqa: PLC0415
    from workers.web.auth.trusted_proxies import Proxies  # noqa: PLC0415

    end_on_sigterm()
    settings = config.load()
    configure_logging(settings)
    redis = connect(settings)
    authenticator = Authenticator(settings, lambda: redis, Keys(settings.redis_prefix), SystemClock())
    asks = authenticator if authenticator.has_passwords else None
    served = monitor.flower(make_app(settings), host, port, asks, Proxies(settings))
    with run_heartbeat(settings, "flower"):
        monitor.run(served)


sandbox = typer.Typer(
    no_args_is_help=True, help="A Canvas or a PowerSchool to run against, with a small or a generated district."
)


def sandbox_today() -> tuple[date, ZoneInfo]:
    """Return the day around which the sandbox's district is made, and its zone."""
    zone = ZoneInfo(SANDBOX_ZONE)
    return SystemClock().now().astimezone(zone).date(), zone


LoopbackPort = Annotated[int, typer.Option(help="Port on the loopback address.")]
Schools = Annotated[
    int, typer.Option(min=0, help="Generate a district of so many schools, not yet provisioned; 0: the small one.")
]
Students = Annotated[int, typer.Option(min=1, help="Students of a generated district.")]
Sections = Annotated[int, typer.Option(min=1, help="Sections of a generated district.")]
Seed = Annotated[int, typer.Option(help="Which of the generated districts of that size.")]


@sandbox.command("canvas")
def sandbox_canvas(
    port: LoopbackPort, schools: Schools = 0, students: Students = 2_000, sections: Sections = 400, seed: Seed = 1
) -> None:
    """Run the sandbox Canvas."""
    from shared.sandbox.canvas.app import create_app  # noqa: PLC0415

    serve(create_app(starting_district(schools, students, sections, seed).canvas), "127.0.0.1", port)


@sandbox.command("powerschool")
def sandbox_powerschool(
    port: LoopbackPort, schools: Schools = 0, students: Students = 2_000, sections: Sections = 400, seed: Seed = 1
) -> None:
    """Run the sandbox PowerSchool."""
    from shared.sandbox.powerschool.app import create_app  # noqa: PLC0415

    serve(create_app(starting_district(schools, students, sections, seed).powerschool), "127.0.0.1", port)


def starting_district(schools: int, students: int, sections: int, seed: int) -> "District":
    """Return the district that both sandboxes begin with, if they are given the same options on the same day."""
    from shared.sandbox.district.generator import DistrictSize, unprovisioned_district  # noqa: PLC0415
    from shared.sandbox.district.small import small_district  # noqa: PLC0415

    if schools == 0:
        return small_district(*sandbox_today())
    return unprovisioned_district(DistrictSize(schools, students, sections, seed), *sandbox_today())


@sandbox.command("settings")
def sandbox_environment(
    canvas: Annotated[str, typer.Option(help="URL of the sandbox Canvas.")],
    powerschool: Annotated[str, typer.Option(help="URL of the sandbox PowerSchool.")],
) -> None:
    """Print the settings that lead to the two sandboxes, as lines of an environment file."""
    from workers.dev.run_all import sandbox_settings  # noqa: PLC0415  # it imports from here

    typer.echo("\n".join(f"{name}={value}" for name, value in sandbox_settings(canvas, powerschool).items()))
