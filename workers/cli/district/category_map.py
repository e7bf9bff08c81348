"""`passback categories map`: the district's map of assignment groups to PowerSchool categories, for all courses."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from shared.domain.wording import counted
from workers.cli.options import Actor, fail, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.grade_passback.operations.categories import InvalidMap, check_entry, read_category_map
from workers.recorded_actions import RecordedActions

APPLIES = (
    "It applies to groups that are not linked yet, in every course and in new ones. `passback sync --all` applies it "
    "now, else the next sync of each course."
)

GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="Name of a Canvas assignment group.")]
CategoryName = Annotated[str, typer.Argument(metavar="CATEGORY", help="Name of a PowerSchool category.")]

category_map = typer.Typer(
    no_args_is_help=True, help="Show and change the district's map of assignment groups to categories, by name."
)


@category_map.command("list")
def list_(as_json: JsonOption = False) -> None:
    """Show the category of each group name. A teacher without such a category has the category of the group's name."""
    with services() as service:
        found = sorted(service.associations.district_map().items())
    entries = [{"group": group, "category": category} for group, category in found]
    emit(entries, as_json, lambda _: _table(found) if found else "the map is empty")


@category_map.command("set")
def set_(group: GroupName, category: CategoryName, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Let a group name stand for a category, in every course where the group is not linked yet."""
    problem = check_entry(group, category)
    if problem is not None:
        raise typer.BadParameter(problem)
    _save({group: category}, actor, as_json)


@category_map.command("load")
def load(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="CSV file with the columns group and category.")],
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Add the entries of a CSV file to the map; entries of other groups stay. A bad line stores nothing."""
    try:
        entries = read_category_map(file.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    except InvalidMap as error:
        raise typer.BadParameter(f"{file}: {error}") from None
    _save(entries, actor, as_json)


@category_map.command("remove")
def remove(group: GroupName, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Remove a group name from the map. Groups that were linked through it stay linked."""
    with services() as service:
        if not RecordedActions(service, actor).remove_from_category_map(group):
            fail(f"the map has no group {group}: `passback categories map list` shows them", ExitCode.USAGE)
    emit({"group": group, "removed": True}, as_json, lambda _: f"{group} is removed; linked groups stay linked")


def _save(entries: dict[str, str], actor: str, as_json: bool) -> None:
    with services() as service:
        RecordedActions(service, actor).save_category_map(entries)
        size = len(service.associations.district_map())
    text = f"{_stored(entries)}; the map has {counted(size, 'group')}. {APPLIES}"
    emit({"stored": entries, "size": size}, as_json, lambda _: text)


def _stored(entries: dict[str, str]) -> str:
    if len(entries) > 1:
        return f"{len(entries)} groups are stored"
    ((group, category),) = entries.items()
    return f"{group} stands for {category}"


def _table(entries: list[tuple[str, str]]) -> Table:
    table = Table("group", "category")
    for group, category in entries:
        table.add_row(group, category)
    return table
