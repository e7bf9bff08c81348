"""The JSON of `/ws/v1`, which is converted XML: the conversion's quirks, paging, and the query language FIQL.

Source: PowerSchool's API reference and client libraries. One-element lists become objects, empty ones vanish or become
"", texts that look like whole numbers become numbers and lose their leading zeros.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shared.sandbox.powerschool.answers import v1_message, whole

Row = Mapping[str, Any]
WHOLE_NUMBER = re.compile(r"-?\d{1,18}")
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "=gt=": operator.gt,
    "=ge=": operator.ge,
    "=lt=": operator.lt,
    "=le=": operator.le,
}
CONDITION = re.compile(r"([\w.]+)(==|=gt=|=ge=|=lt=|=le=)(.+)")


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind of row: its element names, what stands beside a list, and what a client may filter by.

    `filters` are the names that are no fields of the row, such as `term.start_year`.
    """

    name: str
    plural: str
    expansions: str | None = None
    empty_text: bool = False


def converted(value: Any) -> Any:
    """Return the value as the conversion from XML leaves it."""
    if isinstance(value, Mapping):
        kept = {key: converted(item) for key, item in value.items() if item is not None}
        return kept or ""
    if isinstance(value, list | tuple):
        items = [converted(item) for item in value]
        return items[0] if len(items) == 1 else items or ""
    if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value):
        return int(value)
    return value


def single(request: Request, resource: Resource, row: Row) -> Response:
    """Answer one row in its envelope."""
    return _answer(request, resource.name, dict(_beside(resource)) | dict(row))


def listing(request: Request, resource: Resource, rows: Sequence[Row], page_cap: int) -> Response:
    """Answer one page of rows. A page size above the cap truncates instead of failing (measured)."""
    page, size = whole(request, "page") or 1, min(whole(request, "pagesize") or page_cap, page_cap)
    if page < 1 or size < 1:
        raise v1_message(400, "Invalid page or pagesize")
    shown = list(rows[(page - 1) * size : page * size])
    if not shown and resource.empty_text:
        return _answer(request, resource.plural, "")
    return _answer(request, resource.plural, dict(_beside(resource)) | ({resource.name: shown} if shown else {}))


def counted(request: Request, rows: Sequence[Row]) -> Response:
    """Answer how many rows there are, in the envelope that clients have seen."""
    return _answer(request, "resource", {"count": len(rows)})


def _beside(resource: Resource) -> Mapping[str, str]:
    if resource.expansions is None:
        return {"@extensions": ""}
    return {"@expansions": resource.expansions, "@extensions": ""}


def _answer(request: Request, name: str, value: Any) -> Response:
    if "json" in request.headers.get("accept", ""):
        return JSONResponse({name: converted(value)})
    return Response(as_xml(name, value), media_type="application/xml")


def as_xml(name: str, value: Any) -> str:
    """Return the value as XML, which is what a client gets that does not ask for JSON (documented)."""
    if isinstance(value, list | tuple):
        return "".join(as_xml(name, item) for item in value)
    if isinstance(value, Mapping):
        attributes = "".join(f' {key[1:]}="{escape(str(item))}"' for key, item in value.items() if key[0] == "@")
        inner = "".join(as_xml(key, item) for key, item in value.items() if key[0] != "@" and item is not None)
        return f"<{name}{attributes}>{inner}</{name}>"
    text = str(value).lower() if isinstance(value, bool) else escape(str(value))
    return f"<{name}>{text}</{name}>"


def filtered(request: Request, rows: Sequence[Row], extra: Callable[[Row], Row]) -> list[Row]:
    """Return the rows that `q` selects. `extra` gives what can be asked besides a row's own fields.

    Raises: Refusal with 400 for a condition or a field that is not understood (inferred).
    """
    kept = list(rows)
    for condition in filter(None, request.query_params.get("q", "").split(";")):
        found = CONDITION.fullmatch(condition)
        if found is None:
            raise v1_message(400, "Invalid query expression")
        field, comparison, wanted = found.groups()
        kept = [row for row in kept if _matches(_field({**row, **extra(row)}, field), comparison, wanted)]
    return kept


def _field(row: Row, name: str) -> Any:
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        if not isinstance(value, Mapping) or part not in value:
            raise v1_message(400, f"Invalid field in query expression: {name}")
        value = value[part]
    return value


def _matches(value: Any, comparison: str, wanted: str) -> bool:
    if comparison == "==":
        choices = wanted[1:-1].split(",") if wanted.startswith("(") else [wanted]
        return any(_like(str(value), choice) for choice in choices)
    if isinstance(value, int):
        return WHOLE_NUMBER.fullmatch(wanted) is not None and COMPARISONS[comparison](value, int(wanted))
    return COMPARISONS[comparison](str(value), wanted)


def _like(value: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), value, re.IGNORECASE) is not None
