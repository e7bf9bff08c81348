"""`passback lti`: how the page inside Canvas is installed, and which installations there are."""

import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.adapters.redis.operations.lti import Deployment, Registration
from shared.config import ConfigurationError, Settings, load
from workers.cli.options import Actor, Yes, confirm, fail, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit, table_of
from workers.container import Container
from workers.recorded_actions import RecordedActions
from workers.web.lti.configuration import json_configuration

ClientId = Annotated[str, typer.Argument(metavar="CLIENT_ID", help="Client id, as Canvas shows it.")]

lti = typer.Typer(name="lti", no_args_is_help=True, help="Install the page inside Canvas, and show its installations.")


@lti.command()
def register(actor: Actor = "", as_json: JsonOption = False) -> None:
    """Print a link with which a Canvas administrator installs passback. It works once, and for a day."""
    with services() as service:
        _require_settings(service.settings)
        link_secret = RecordedActions(service, actor).make_registration_link()
        url = f"{service.settings.public_url}/lti/register/{link_secret}"
    text = (
        f"{url}\n\nIn Canvas: Admin, Developer Keys, + Developer Key, + LTI Registration; paste it as the registration "
        "URL. It works once, and for a day.\nThen confirm the registration here: `passback lti list`."
    )
    emit({"url": url}, as_json, lambda _: text)


@lti.command()
def config() -> None:
    """Print the JSON configuration that a Canvas administrator can paste instead. It has no secret."""
    settings = load()
    _require_settings(settings)
    typer.echo(json.dumps(json_configuration(settings.public_url), indent=2))


@lti.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Show the registrations, who confirmed them, and the installations that were opened."""
    with services() as service:
        registrations, deployments = service.lti.registrations(), service.lti.deployments()
        client_id = service.settings.lti_client_id
    found = {
        "client_id": client_id or None,
        "registrations": [{**each.model_dump(mode="json"), "state": each.state} for each in registrations],
        "deployments": [each.model_dump(mode="json") for each in deployments],
    }
    emit(found, as_json, lambda _: _list_text(client_id, registrations, deployments))


@lti.command("confirm")
def confirm_(client_id: ClientId, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Accept launches of a registration from now on. Compare its client id with the one that Canvas shows."""
    with services() as service:
        if not RecordedActions(service, actor).confirm_registration(client_id):
            _fail_unknown(client_id)
    text = f"{client_id} is confirmed: its launches are accepted from now on. No setting and no restart is needed."
    emit({"client_id": client_id, "state": "confirmed"}, as_json, lambda _: text)


@lti.command()
def remove(client_id: ClientId, yes: Yes = False, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Accept no launch of a registration any more. In Canvas the installation stays."""
    with services() as service:
        if not _is_registered(service, client_id):
            _fail_unknown(client_id)
        confirm(f"Teachers of client {client_id} will not get into passback any more.", yes)
        RecordedActions(service, actor).remove_registration(client_id)
    emit({"client_id": client_id, "removed": True}, as_json, lambda _: f"{client_id} is removed")


def _require_settings(settings: Settings) -> None:
    if problems := settings.missing_for_lti():
        raise ConfigurationError("; ".join(problems))


def _is_registered(service: Container, client_id: str) -> bool:
    return any(each.client_id == client_id for each in service.lti.registrations())


def _fail_unknown(client_id: str) -> None:
    fail(f"no registration has the client id {client_id}: `passback lti list` shows them", ExitCode.USAGE)


def _list_text(client_id: str, registrations: list[Registration], deployments: list[Deployment]) -> RenderableType:
    parts: list[RenderableType] = []
    if client_id:
        parts.append(f"PASSBACK_LTI_CLIENT_ID: {client_id}")
    if registrations:
        parts.append(_registrations_table(registrations))
    if deployments:
        parts.append(_deployments_table(deployments))
    if not deployments and (client_id or registrations):
        parts.append("never opened in Canvas")
    return Group(*parts) if parts else "passback is not installed in Canvas: `passback lti register`"


def _registrations_table(registrations: list[Registration]) -> Table:
    rows = []
    for each in registrations:
        state = f"confirmed by {each.confirmed_by}" if each.confirmed_at else "pending: passback lti confirm"
        rows.append((each.client_id, Text(each.account_name or "-"), _time(each.registered_at), Text(state)))
    return table_of(("client id", "account", "registered", "state"), rows)


def _deployments_table(deployments: list[Deployment]) -> Table:
    return table_of(
        ("deployment", "client id", "first opened", "last opened"),
        (
            (Text(each.deployment_id), each.client_id, _time(each.first_launch_at), _time(each.last_launch_at))
            for each in deployments
        ),
    )


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
