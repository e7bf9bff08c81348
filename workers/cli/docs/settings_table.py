"""Generates the table of `deploy/guides/settings.md` from the settings."""

from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from shared.config import PREFIX, Settings

BEGIN = "<!-- settings: begin (passback settings) -->"
END = "<!-- settings: end -->"

UNITS = {"_ms": "ms", "_s": "s", "_days": "days", "_bytes": "bytes"}
TYPES: dict[type, str] = {
    bool: "yes/no",
    int: "whole number",
    float: "number",
    str: "text",
    SecretStr: "secret",
    Path: "path",
    ZoneInfo: "time zone",
}


def settings_table() -> str:
    """Return a Markdown table with a row per setting: variable, type, unit, default, description."""
    head = ["| Variable | Type | Unit | Default | What it decides |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(_row(row) for row in settings_rows())])


def settings_rows() -> list[dict[str, str]]:
    """Return what the table has of each setting, in the order of the settings."""
    return [
        {
            "variable": f"{PREFIX}{name.upper()}",
            "type": _type(name, field.annotation),
            "unit": next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), ""),
            "default": default_of(field.default),
            "description": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]


def with_settings_table(document: str) -> str:
    """Return the document with what stands between its two markers replaced by the table of today."""
    before, _, remainder = document.partition(BEGIN)
    _, _, after = remainder.partition(END)
    return f"{before}{BEGIN}\n{settings_table()}\n{END}{after}"


def _row(row: dict[str, str]) -> str:
    code = {name: f"`{row[name]}`" if row[name] else "" for name in ("variable", "default")}
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in {**row, **code}.values()) + " |"


def _type(name: str, annotation: object) -> str:
    if get_origin(annotation) in {Union, UnionType}:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    if get_origin(annotation) is tuple:
        return "list of numbers" if float in get_args(get_args(annotation)[0]) else "list"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "one of " + ", ".join(annotation)
    if name.endswith("_url"):
        return "URL"
    assert isinstance(annotation, type), f"{name}: no word for {annotation}"
    return TYPES[annotation]


def default_of(value: object) -> str:
    """Return a default as one would write it in an environment file; nothing for one that is empty or secret."""
    match value:
        case SecretStr() | None | "" | ():
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.15g}"
        case tuple():
            return ",".join(f"{item:.15g}" if isinstance(item, float) else str(item) for item in value)
    return str(value)
