"""Generates the table of settings, `.env.example` and the teacher FAQ (`python -m workers.cli.docs` prints it)."""

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from textwrap import wrap
from types import UnionType
from typing import Union, get_args, get_origin
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from shared.config import CANVAS_SETTINGS, POWERSCHOOL_SETTINGS, PREFIX, Settings
from shared.domain.passback.rules.reasons import Actor, Reason

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


ENV_WIDTH = 100
NEEDED = (*CANVAS_SETTINGS, "canvas_root_account_uuid", *POWERSCHOOL_SETTINGS, "district_time_zone")
ENV_HEAD = f"""\
# The settings of passback, with their defaults. Copy this file to .env and fill in what is not commented out: an
# installation needs that much. Made by `passback settings --env`.
#
# Passwords, tokens and secrets are better kept in files, one each, named like the variable, in the directory that
# {PREFIX}SECRETS_DIR names, which is set in the environment itself. Their lines here must go then: an empty one wins.
"""


def settings_env() -> str:
    """Return an environment file with every setting: what is needed to be filled in, the rest as a comment."""
    needed = {name: Settings.model_fields[name] for name in NEEDED}
    remainder = {name: field for name, field in Settings.model_fields.items() if name not in needed}
    return "\n".join([ENV_HEAD, *(_paragraph(name, field) for name, field in {**needed, **remainder}.items())])


def _paragraph(name: str, field: FieldInfo) -> str:
    comment = wrap(field.description or "", ENV_WIDTH, initial_indent="# ", subsequent_indent="# ")
    prefix = "" if name in NEEDED else "#"
    return "\n".join([*comment, f"{prefix}{PREFIX}{name.upper()}={default_of(field.default)}\n"])


INTRODUCTION = """\
# Why is a grade not in PowerSchool?

Passback sends grades from Canvas to PowerSchool by itself, a few seconds after you enter them. Canvas wins: what you
change by hand in PowerSchool is put back at the next sync of that assignment. Late, collected, incomplete, absent and
comments are yours and stay. Late status, weights, Learning Mastery and deletions are never sent, and hidden scores are:
to keep an assignment's scores back, turn its "Sync to SIS" off.

Work that Canvas leaves out of the final grade does not count in PowerSchool either; otherwise your PowerSchool category
decides. Missing work alone creates no assignment: it goes with the section's first score or excuse. Where a missing or
excused mark is taken back in Canvas and no score came, its 0 goes from PowerSchool too.

Where your district has installed passback in Canvas, "PowerSchool sync" in your course's menu shows which grades are in
PowerSchool, and the reason for each that is not; so do the Gradebook's Sync menu and the menu of an assignment. See
[the page inside Canvas](teacher-page.md).

Where a grade does not arrive, passback names one or more of the reasons below. The pages of whoever looks after
passback have their codes as well. They are grouped by who can do something about them."""

HEADINGS = {
    Actor.TEACHER: "What you can change yourself",
    Actor.NOBODY: "What needs nothing from anybody",
    Actor.CANVAS_ADMIN: "What your Canvas administrator can change",
    Actor.POWERSCHOOL_ADMIN: "What your PowerSchool administrator can change",
    Actor.OPERATOR: "What to tell whoever looks after passback",
}


def teacher_faq() -> str:
    """Return the FAQ as Markdown: every reason once, under the heading of who can act."""
    return "\n\n".join([INTRODUCTION, *(part for who in HEADINGS for part in _group(who))]) + "\n"


def _group(who: Actor) -> Iterator[str]:
    yield f"## {HEADINGS[who]}"
    yield from (_entry(reason) for reason in Reason if reason.who is who)


def _entry(reason: Reason) -> str:
    parts = [f"### {reason.message.rstrip('.')}", f"**What to do:** {reason.remedy}", f"Code: `{reason.value}`"]
    if reason.source:
        parts.append(f"> The rule: {reason.source}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.stdout.write(teacher_faq())
