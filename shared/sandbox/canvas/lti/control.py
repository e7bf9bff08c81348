"""`/_sandbox/lti`: settings and faults, tools, keys, and the log of launches."""

from typing import Final

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.sandbox.canvas.lti.platform import LtiSettings
from shared.sandbox.canvas.lti.tools import JsonConfiguration
from shared.sandbox.canvas.lti.visit import platform
from shared.sandbox.control import control_route, log_route


class Installation(BaseModel):
    """What an administrator does with a JSON configuration: paste it, enter redirect URIs, and install the tool.

    Without a `client_id` the platform makes one.
    """

    model_config = ConfigDict(extra="forbid")

    configuration: JsonConfiguration
    redirect_uris: list[str]
    client_id: str = ""


async def settings(request: Request) -> Response:
    """Show or replace how the platform presents itself and what is wrong with its launches."""
    own = platform(request)
    if request.method == "PUT":
        own.settings = LtiSettings.model_validate_json(await request.body())
    return JSONResponse(own.settings.model_dump(mode="json"))


async def tools(request: Request) -> Response:
    """List the installed tools, install one, or remove the one of a `client_id`."""
    own = platform(request)
    if request.method == "POST":
        asked = Installation.model_validate_json(await request.body())
        tool = own.install(asked.configuration.tool(asked.redirect_uris), asked.client_id)
        return JSONResponse(tool.model_dump(), 201)
    if request.method == "DELETE":
        client_id = request.query_params["client_id"]
        own.tools = {number: tool for number, tool in own.tools.items() if tool.client_id != client_id}
        return Response(status_code=204)
    return JSONResponse([tool.model_dump() for tool in own.tools.values()])


async def rotate(request: Request) -> Response:
    """Retire the oldest key and sign with the next one."""
    return JSONResponse(platform(request).keys.rotate())


LTI_CONTROL_ROUTES: Final = [
    control_route("/lti", settings, "GET", "PUT"),
    control_route("/lti/tools", tools, "GET", "POST", "DELETE"),
    control_route("/lti/rotate", rotate, "POST"),
    log_route("/lti/launches", lambda request: platform(request).log),
]
