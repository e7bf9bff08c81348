"""The texts of `passback status`, `courses` and `actions`."""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from shared.domain.passback.course_state import NEED_ATTENTION, AssignmentStatus
from shared.domain.wording import counted
from workers.cli.terminal.output import table_of

Json = dict[str, object]
STYLES = {"bad": "red", "warning": "yellow"}


def status_text(found: Json) -> Group:
    """Return the problems, the worst first, and a table of all values."""
    problems = cast("list[Json]", found["problems"])
    lines: list[RenderableType] = [_problem(each) for each in problems] or [_no_problem(found)]
    table = Table.grid(padding=(0, 2))
    for name, value in found.items():
        # `unavailable_systems` says in words what `paused_systems` counts in seconds.
        if name not in ("problems", "paused_systems"):
            _add_rows(table, name.replace("_", " "), value)
    return Group(*lines, "", table)


def _no_problem(found: Json) -> Text:
    """Return that all is well, as the Overview does: only once a course is connected and an event has arrived."""
    if cast("Json", found["courses"])["connected"] and found["last_event_at"]:
        return Text("All is well.", style="green")
    return Text("No problem is known, but not everything was seen working yet.")


def _problem(problem: Json) -> Text:
    title = str(problem["title"])
    end = "" if title.endswith((".", "!", "?")) else "."
    return Text(f"! {title}{end} {problem['remedy']}", style=STYLES[str(problem["level"])])


def _add_rows(table: Table, name: str, value: object) -> None:
    match value:
        case dict():
            for part, count in value.items():
                _add_rows(table, f"{name}: {str(part).replace('_', ' ')}", _part_text(count))
        case list():
            table.add_row(Text(name), Text("\n".join(map(_item_text, value)) or "none"))
        case _:
            table.add_row(Text(name), Text("never" if name.endswith(" at") and value is None else _value_text(value)))


def _part_text(value: object) -> object:
    return (
        ", ".join(f"{name} {_value_text(part)}" for name, part in value.items()) if isinstance(value, dict) else value
    )


def _item_text(item: Mapping[str, object]) -> str:
    """Return an item of a list; one of a kind that has no text of its own by its values."""
    text = next((text for key, text in ITEM_TEXTS.items() if key in item), None)
    return text(item) if text else ", ".join(f"{name} {_value_text(value)}" for name, value in item.items())


def _paused_text(pause: Mapping[str, object]) -> str:
    why = f": {pause['reason']}" if pause["reason"] else ""
    return f"{pause['target']}, by {pause['actor']} since {pause['since']}{why}"


def _awaiting_approval_text(run: Mapping[str, object]) -> str:
    scope = "the district" if run["school_number"] is None else f"school {run['school_number']}"
    return f"run {run['run_id']} of {scope}: see `passback provision held`"


# By a key that only items of this kind have.
ITEM_TEXTS: dict[str, Callable[[Mapping[str, object]], str]] = {
    "process": lambda p: f"{p['process']}: {p['state']}, last seen {p['age_s']} s ago",
    "query": lambda q: f"{q['query']}: {q['cause']} since {q['since']}. {q['remedy']}",
    "system": lambda s: f"{s['system']} since {s['since'] or 'a while'} ({s['cause']})",
    "target": _paused_text,
    "run_id": _awaiting_approval_text,
    "changes": lambda c: f"course {c['course_id']}: {counted(int(str(c['changes'])), 'change')}, due {c['due_at']}",
    "cause": lambda w: f"course {w['course_id']}: {w['cause']} since {w['since']}",
}


def _value_text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
    return str(value)


def courses_text(listed: Json) -> RenderableType:
    """Return a line per course, and whether there are more."""
    courses = cast("list[Json]", listed["courses"])
    if not courses:
        return "no course matches"
    table = table_of(("course", "name", "last sync", "needs attention"), map(_course, courses))
    return Group(table, "there are more: raise --limit, or search") if listed["more"] else table


def _course(course: Json) -> tuple[RenderableType, ...]:
    name, synced_at = Text(str(course["name"] or "-")), str(course["synced_at"] or "never")
    return str(course["course_id"]), name, synced_at, _attention(course)


def actions_text(actions: Sequence[Json]) -> RenderableType:
    """Return a line per action."""
    if not actions:
        return "nothing was done yet"
    return table_of(("at", "who", "what", "of"), map(_action, actions))


def _action(action: Json) -> tuple[RenderableType, ...]:
    count = f" ({action['count']})" if action["count"] != 1 else ""
    verb = str(action["verb"]).replace("_", " ")
    return str(action["at"]), Text(str(action["actor"])), f"{verb}{count}", Text(str(action["target"]))


def _attention(course: Json) -> str:
    statuses = cast("dict[str, int]", course["assignments"] or {})
    parts = [
        f"{count} {status}"
        for status, count in statuses.items()
        if AssignmentStatus(status) in NEED_ATTENTION and count
    ]
    dead_letters = cast("int", course["dead_letters"])
    return ", ".join([counted(dead_letters, "dead letter")] * bool(dead_letters) + parts) or "-"
