"""The texts of `passback courses` and `passback actions`. They fit 80 columns."""

from collections.abc import Sequence
from typing import cast

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.domain.passback.course_state import NEED_ATTENTION, AssignmentStatus
from shared.domain.wording import counted

Json = dict[str, object]


def courses_text(listed: Json) -> RenderableType:
    """Return a line per course, and whether there are more."""
    courses = cast("list[Json]", listed["courses"])
    if not courses:
        return "no course matches"
    table = Table("course", "name", "last sync", "needs attention", box=None, pad_edge=False, header_style="bold")
    for course in courses:
        table.add_row(
            str(course["course_id"]), Text(str(course["name"] or "-")), str(course["synced_at"] or "never"),
            _attention(course),
        )  # fmt: skip
    return Group(table, "there are more: raise --limit, or search") if listed["more"] else table


def actions_text(actions: Sequence[Json]) -> RenderableType:
    """Return a line per action."""
    if not actions:
        return "nothing was done yet"
    table = Table("at", "who", "what", "of", box=None, pad_edge=False, header_style="bold")
    for action in actions:
        count = f" ({action['count']})" if action["count"] != 1 else ""
        verb = str(action["verb"]).replace("_", " ")
        table.add_row(str(action["at"]), Text(str(action["actor"])), f"{verb}{count}", Text(str(action["target"])))
    return table


def _attention(course: Json) -> str:
    statuses = cast("dict[str, int]", course["assignments"] or {})
    parts = [
        f"{count} {status}"
        for status, count in statuses.items()
        if AssignmentStatus(status) in NEED_ATTENTION and count
    ]
    dead_letters = cast("int", course["dead_letters"])
    return ", ".join([counted(dead_letters, "dead letter")] * bool(dead_letters) + parts) or "-"
