"""Text output of `passback provision`."""

from typing import cast

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table

from workers.cli.terminal.output import table_of
from workers.provisioning.serializers import Json

COUNTED = ("added", "changed", "removed", "imports", "row_messages")
HISTORY = ("id", "kind", "cause", "state", "created_at", *COUNTED, "why")
CHANGE_MARKS = {(False, True): "+", (True, False): "-", (True, True): "~"}


def history_text(runs: list[Json]) -> RenderableType:
    """Return a line per run."""
    if not runs:
        return "no runs yet"
    rows = (["-" if run[name] is None else str(run[name]) for name in HISTORY] for run in runs)
    return table_of((name.replace("_", " ") for name in HISTORY), rows)


def run_text(run: Json) -> RenderableType:
    """Return a run: its state and why, its changes, and Canvas's messages."""
    parts: list[RenderableType] = [f"run {run['id']} ({run['kind']}, {run['cause']}): {run['state']}", *_why(run)]
    parts += [Padding(_facts(run), (0, 0, 0, 2)), *_reasons(run), *_findings(run), *_data_sets(run)]
    parts += [_import(upload) for upload in _items(run, "uploads")]
    parts += [_message(message) for message in _items(run, "messages")]
    return Group(*parts)


def comparison_text(compared: Json) -> RenderableType:
    """Return the result of a dry run."""
    if not compared["imports"] and not compared["would_hold"]:
        return Group("nothing to do: Canvas has what PowerSchool has", *_findings(compared))
    schools = compared["held_schools"]
    head = "this would be held for approval:" if compared["would_hold"] else "this would be applied:"
    if schools:
        head = f"this would be applied, but for the rows of schools {_listed(schools)}, held for approval:"
    return Group(head, *_reasons(compared), *_findings(compared), *_data_sets(compared))


def _why(run: Json) -> list[str]:
    texts = {
        "failed": f"failed: {run['why']} {run['answer'] or ''}",
        "superseded": f"run {run['superseded_by']} replaced it",
        "still_held": f"has the same plan as run {run['superseded_by']}, which is held already",
    }
    lines = [texts[str(run["state"])]] if run["state"] in texts else []
    if run["replanned"]:
        lines.append("the rosters have changed since it was approved, so it was planned again")
    if run["held_schools"]:
        lines.append(
            f"did not change schools {_listed(run['held_schools'])}: `passback provision held` shows their plans"
        )
    if run["school_number"] is not None:
        lines.append(f"only rows of school {run['school_number']}")
    if run["waits_on"] is not None:
        waits_on = cast("Json", run["waits_on"])
        owner = waits_on["owner"] or "an unknown user"
        lines.append(
            f"SIS import {waits_on['import_id']} of {owner} is {waits_on['state']}, since {waits_on['created_at']}"
        )
    if run["state"] == "held":
        lines.append(f"apply it: `passback provision run --approve {run['id']}`")
        lines.append(f"close it: `passback provision discard {run['id']}`")
    if run["not_before"] and run["state"] in ("reading", "applying", "finishing"):
        lines.append(f"waits for {run['why']} until {run['not_before']}")
    return lines


def _facts(run: Json) -> Table:
    table = Table.grid(padding=(0, 2))
    for name in ("created_at", "started_at", "finished_at", "actor", "approved_by", "rollback_of"):
        if run[name]:
            table.add_row(name.replace("_", " "), str(run[name]))
    for name in ("rows", "requests"):
        if counts := cast("Json", run[name]):
            table.add_row(name, ", ".join(f"{count} {what}" for what, count in counts.items()))
    return table


def _reasons(data: Json) -> list[str]:
    return [f"  {reason['code']}: {reason['message']} {reason['remedy']}" for reason in _items(data, "reasons")]


def _findings(data: Json) -> list[str]:
    counts = cast("Json", data["findings"])
    lines = [f"  records to correct: {', '.join(f'{n} {code}' for code, n in counts.items())}"] if counts else []
    return lines + [f"    {each['source']}: {each['message']} {each['remedy']}" for each in _items(data, "problems")]


def _data_sets(data: Json) -> list[str]:
    lines = []
    for part in _items(data, "data_sets"):
        term = f" of term {part['term']}" if part["term"] else ""
        lines.append(f"  {part['entity']}{term}: +{part['added']} ~{part['changed']} -{part['removed']}")
        lines += [_row(change) for change in _items(part, "changes")] if "changes" in part else []
        if part.get("rows_are_known") is False:
            lines.append("    the rows are not stored any more")
    return lines


def _row(change: Json) -> str:
    before, after = change["before"], change["after"]
    mark = CHANGE_MARKS[(before is not None, after is not None)]
    values = after if isinstance(after, dict) else before
    assert isinstance(values, dict)
    shown = ", ".join(values.values())
    if isinstance(before, dict) and isinstance(after, dict):
        shown += f" (was {', '.join(f'{name} {before[name]}' for name in before if before[name] != after[name])})"
    return f"    {mark} {shown}" + (f" [{change['source']}]" if change["source"] else "")


def _import(upload: Json) -> str:
    how = f"import {upload['import_id']} {upload['import_state']}" if upload["import_id"] else upload["state"]
    full = ", sent whole" if upload["remaster"] else ""
    return f"  {_listed(upload['entities'])} ({upload['data_set_id']}): {how} ({upload['rows']} rows{full})"


def _message(message: Json) -> str:
    source = f" [{message['source']}]" if message["source"] else ""
    return f"  ! {message['explanation']} {message['remedy']}{source}\n    Canvas: {message['message']}"


def _items(data: Json, name: str) -> list[Json]:
    return cast("list[Json]", data[name])


def _listed(values: object) -> str:
    return ", ".join(map(str, cast("list[object]", values)))
