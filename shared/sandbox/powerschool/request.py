"""Requests to PowerSchool: the state and faults that they meet, their parameters, and refusals in its own words."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.sandbox.faults import Switchboard
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.state import PowerSchool


@dataclass(eq=False)
class Refusal(Exception):
    """Ends a request with this answer. An empty body is sent as no body at all."""

    status: int
    body: Mapping[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One entry of `errors[]`. In the measured example, the sentence stands in `field`."""

    code: str
    field: str
    resource: str
    params: Mapping[str, int] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry; `params` only where it has some."""
        row: dict[str, Any] = {"code": self.code, "field": self.field, "resource": self.resource}
        return row | {"params": dict(self.params)} if self.params else row


@dataclass(frozen=True, slots=True)
class Rule:
    """Refuses what `broken` is true of. `code` is a published error title where there is one."""

    code: str
    sentence: str
    broken: Callable[..., bool]


async def refusal_response(_request: Request, refusal: Exception) -> Response:
    """Turn a raised refusal into its answer."""
    assert isinstance(refusal, Refusal)
    if refusal.body is None:
        return Response(status_code=refusal.status, headers=refusal.headers)
    return JSONResponse(refusal.body, refusal.status, refusal.headers)


def message(status: int, text: str) -> Refusal:
    """Return a refusal in the envelope of `/ws/xte` and `/ws/schema`."""
    return Refusal(status, {"message": text})


def validation_failed(*rows: ErrorRow, status: int = 409) -> Refusal:
    """Return the refusal that names what is wrong, row by row.

    Source: status, `params` keys and the beginning of `field` measured for an unassociated student; the rest inferred.
    """
    return Refusal(status, {"message": "Validation Failed", "errors": [row.as_json() for row in rows]})


def columns_not_granted(columns: Iterable[tuple[str, str]]) -> Refusal:
    """Return the refusal of `/ws/schema` for (table, column) pairs without a grant (measured)."""
    rows = [{"code": "NoAccess", "field": column, "resource": table} for table, column in columns]
    return Refusal(403, {"message": "At least one column lacks sufficient permission", "errors": rows})


def does_not_teach(section_dcid: int | None) -> Refusal:
    """Return the refusal for a section that the user may not edit.

    Source: measured, "User does not teach section ... EDIT"; the words between are not public.
    """
    return message(403, f"User does not teach section {section_dcid or ''} with access EDIT")


def made_by_others(status: int) -> Refusal:
    """Return the refusal to change what a teacher or another plugin made. Status and words are inferred."""
    return message(status, "This plugin may not change an assignment that it did not make")


def integer(request: Request, name: str) -> int | None:
    """Return a query parameter as a whole number, None where it is absent.

    Raises: Refusal with 400 if it is no number (inferred).
    """
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.lstrip("-").isdigit():
        raise message(400, f"Invalid value for parameter {name}")
    return int(text)


def required(request: Request, name: str) -> int:
    """Return a query parameter that must be there. Raises: Refusal with 400 (inferred)."""
    value = integer(request, name)
    if value is None:
        raise message(400, f"Required parameter {name} is missing")
    return value


async def json_body(request: Request) -> Any:
    """Return the body, numbers exact. Raises: Refusal with 400 if it is no JSON (inferred)."""
    try:
        return json.loads(await request.body(), parse_float=Decimal)
    except ValueError as error:
        raise message(400, "The request body is not valid JSON") from error


def number(value: Decimal) -> int | float:
    """Return the JSON number for a Numeric(18,6): whole ones without a decimal point."""
    return int(value) if value == value.to_integral_value() else float(value)


def plain(value: Decimal) -> str:
    """Return a Decimal as the database prints it: no exponent, no trailing zeros."""
    return format(value.normalize(), "f")


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
