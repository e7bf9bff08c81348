"""The state and the faults that a request meets."""

from starlette.requests import Request

from shared.sandbox.faults import Switchboard
from shared.sandbox.powerschool.errors import Refusal
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.state import PowerSchool


def powerschool(request: Request) -> PowerSchool:
    """Return the state; seeding replaces it, so it is looked up for every request."""
    state: PowerSchool = request.app.state.powerschool
    return state


def current_faults(request: Request) -> PowerSchoolFaults:
    """Return the faults as they are set now."""
    board: Switchboard[PowerSchoolFaults] = request.app.state.switchboard
    return board.faults


def rosters(request: Request) -> PowerSchool:
    """Return the state as the roster resources show it: without what a fault hides."""
    state, faults = powerschool(request), current_faults(request)
    if faults.empty_rosters:
        return state.only_schools(frozenset())
    if not faults.hidden_school_numbers:
        return state
    return state.only_schools({school.number for school in state.schools.values()} - set(faults.hidden_school_numbers))


def need_grants(request: Request, *tables: str) -> None:
    """Refuse with 403 if any column of the tables is not granted.

    Source: measured: one missing field grant fails the whole xte call, also for a column that PowerSchool fills itself
    (`assignment.createdbyplugin`).
    """
    for grant in current_faults(request).missing_grants:
        table, _, column = grant.lower().partition(".")
        if table in tables:
            # Phrase and field are measured, the envelope is not.
            raise Refusal(403, {"message": "No access to field", "errors": [{"field": f"{table}.{column}"}]})
