"""What a request finds: the PowerSchool it talks to, and the knobs as they are set."""

from starlette.requests import Request

from shared.sandbox.faults import Switchboard
from shared.sandbox.powerschool.answers import no_access_to_field
from shared.sandbox.powerschool.knobs import PowerSchoolFaults
from shared.sandbox.powerschool.state import PowerSchool


def powerschool(request: Request) -> PowerSchool:
    """Return the state; seeding replaces it, so it is looked up for every request."""
    state: PowerSchool = request.app.state.powerschool
    return state


def switchboard(request: Request) -> Switchboard[PowerSchoolFaults]:
    """Return the switchboard of this sandbox."""
    board: Switchboard[PowerSchoolFaults] = request.app.state.switchboard
    return board


def knobs(request: Request) -> PowerSchoolFaults:
    """Return the fault knobs."""
    return switchboard(request).faults


def need_grants(request: Request, *tables: str) -> None:
    """Refuse with 403 if any column of the tables is not granted.

    Source: measured: one missing field grant fails the whole xte call, also for a column that PowerSchool fills itself
    (`assignment.createdbyplugin`).
    """
    for grant in knobs(request).missing_grants:
        table, _, column = grant.lower().partition(".")
        if table in tables:
            raise no_access_to_field(table, column)
