"""`passback sandbox`: a Canvas and a PowerSchool to run against, and the settings that lead to them."""

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import httpx
import typer

from shared.clock import SystemClock
from shared.sandbox.district.small import LOS_ANGELES, small_district
from workers.dev import sandbox_text
from workers.dev.process_group import ProcessGroup, free_port
from workers.dev.sandbox_grade import grade

if TYPE_CHECKING:
    from shared.sandbox.district.small import District

sandbox = typer.Typer(no_args_is_help=True, help=sandbox_text.HELP)
sandbox.command("grade")(grade)

LoopbackPort = Annotated[int, typer.Option(min=0, max=65_535, help="Port on the loopback address.")]
Schools = Annotated[
    int,
    typer.Option(
        min=0, help="Number of schools of a generated district that is not yet provisioned. 0: the small one."
    ),
]
Students = Annotated[int, typer.Option(min=1, help="Number of students of a generated district.")]
Sections = Annotated[int, typer.Option(min=1, help="Number of sections of a generated district.")]
Seed = Annotated[int, typer.Option(help="Seed of a generated district.")]
Events = Annotated[
    str, typer.Option(metavar="URL", help="Send Live Events to passback's web process at this URL, signed.")
]

LTI_CLIENT_ID = "100000000000042"
# The small district is provisioned, but not by passback: by schedule, a plan would be held at once.
WITHOUT_PROVISIONING = {"PASSBACK_PROVISION_SCHEDULE": ""}


@sandbox.command("canvas")
def canvas(
    port: LoopbackPort = 9001,
    events: Events = "",
    schools: Schools = 0,
    students: Students = 2_000,
    sections: Sections = 400,
    seed: Seed = 1,
) -> None:
    """Run the sandbox Canvas. Says at its start what is in it and how to change it."""
    from shared.sandbox.canvas.app import create_app  # noqa: PLC0415
    from shared.sandbox.canvas.live_events.delivery import EventSettings  # noqa: PLC0415
    from workers.web.server import serve  # noqa: PLC0415

    district = starting_district(schools, students, sections, seed).canvas
    app = create_app(district)
    if events:
        app.state.sandbox.configure_events(EventSettings(target=_events_target(events), signed=True))
    _print(sandbox_text.about_canvas(_address(port), district, events))
    serve(app, "127.0.0.1", port)


@sandbox.command("powerschool")
def powerschool(
    port: LoopbackPort = 9002,
    schools: Schools = 0,
    students: Students = 2_000,
    sections: Sections = 400,
    seed: Seed = 1,
) -> None:
    """Run the sandbox PowerSchool. Says at its start what is in it and how to change it."""
    from shared.sandbox.powerschool.app import create_app  # noqa: PLC0415
    from workers.web.server import serve  # noqa: PLC0415

    district = starting_district(schools, students, sections, seed).powerschool
    _print(sandbox_text.about_powerschool(_address(port), district))
    serve(create_app(district), "127.0.0.1", port)


@sandbox.command("settings")
def settings(
    canvas: Annotated[str, typer.Option(help="URL of the sandbox Canvas.")] = "http://127.0.0.1:9001",
    powerschool: Annotated[str, typer.Option(help="URL of the sandbox PowerSchool.")] = "http://127.0.0.1:9002",
) -> None:
    """Print the settings for the two sandboxes as lines of an environment file."""
    given = sandbox_settings(canvas, powerschool) | WITHOUT_PROVISIONING
    _print(f"{name}={value}" for name, value in given.items())


def _print(lines: Iterable[str]) -> None:
    typer.echo("\n".join(lines))


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _events_target(web: str) -> str:
    return f"{web.rstrip('/')}/events/canvas"


def sandbox_today() -> tuple[date, ZoneInfo]:
    """Return the date around which the sandbox's district is generated, and its time zone."""
    return SystemClock().now().astimezone(LOS_ANGELES).date(), LOS_ANGELES


def starting_district(schools: int, students: int, sections: int, seed: int) -> "District":
    """Return the district with which a sandbox starts. The same options on the same day return the same district."""
    from shared.sandbox.district.generator import DistrictSize, unprovisioned_district  # noqa: PLC0415

    if schools == 0:
        return small_district(*sandbox_today())
    return unprovisioned_district(DistrictSize(schools, students, sections, seed), *sandbox_today())


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
        "PASSBACK_DISTRICT_TIME_ZONE": LOS_ANGELES.key,
    }


def lti_settings(canvas_url: str, web: str) -> dict[str, str]:
    """Return the variables that let the sandbox Canvas open pages of passback.

    Its endpoints for launches have another origin than its pages, as those of Instructure's cloud have.
    """
    return {
        "PASSBACK_PUBLIC_URL": web,
        "PASSBACK_LTI_CLIENT_ID": LTI_CLIENT_ID,
        "PASSBACK_LTI_PLATFORM_URL": canvas_url.replace("127.0.0.1", "localhost"),
    }


def install_in_canvas(canvas_url: str, web: str) -> None:
    """Install passback in the sandbox Canvas by its JSON configuration, as an administrator does."""
    with httpx.Client(timeout=5) as client:
        found = client.get(f"{web}/lti/config.json").raise_for_status().json()
        platform = {"platform_url": lti_settings(canvas_url, web)["PASSBACK_LTI_PLATFORM_URL"]}
        client.put(f"{canvas_url}/_sandbox/lti", json=platform).raise_for_status()
        tool = {"configuration": found, "redirect_uris": [f"{web}/lti/launch"], "client_id": LTI_CLIENT_ID}
        client.post(f"{canvas_url}/_sandbox/lti/tools", json=tool).raise_for_status()


def start_sandboxes(group: ProcessGroup) -> tuple[str, str]:
    """Start both sandboxes on free ports; return their URLs when they respond."""
    urls = []
    for name in ("canvas", "powerschool"):
        port = free_port()
        group.start(f"sandbox-{name}", "sandbox", name, "--port", str(port))
        urls.append(f"http://127.0.0.1:{port}")
    for url in urls:
        group.wait_ready(f"{url}/_sandbox/requests")
    return urls[0], urls[1]


def point_events(canvas: str, web: str, *, signed: bool = True, **settings: object) -> None:
    """Make the sandbox Canvas send its Live Events to this receiver; `settings` are its other options of events."""
    wanted = {"target": _events_target(web), "signed": signed, **settings}
    httpx.put(f"{canvas}/_sandbox/events", json=wanted, timeout=5).raise_for_status()
