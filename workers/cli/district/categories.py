"""`passback categories`: the PowerSchool category of each Canvas assignment group, and the district's map of names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.table import Table

from shared.domain.passback.powerschool import RosteredSection, TeacherCategory
from shared.domain.passback.rules.categories import CategoryMatch
from shared.domain.wording import counted
from shared.log_events import LogEvent
from workers.cli.options import Actor, Course, fail, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.grade_passback.operations.categories import GroupInSection, InvalidMapping, check_entry, read_category_map
from workers.recorded_actions import RecordedActions

log = structlog.get_logger()

GroupOption = Annotated[str, typer.Argument(metavar="GROUP", help="Canvas assignment group, by id or name.")]
Category = Annotated[str, typer.Argument(metavar="CATEGORY", help="PowerSchool category, by id or name.")]

categories = typer.Typer(no_args_is_help=True, help="Show and change the PowerSchool category of assignment groups.")

APPLIES = (
    "It applies to groups that are not linked yet, in every course and in new ones. `passback sync --all` applies it "
    "now, else the next sync of each course."
)

GroupName = Annotated[str, typer.Argument(metavar="GROUP", help="Name of a Canvas assignment group.")]
CategoryName = Annotated[str, typer.Argument(metavar="CATEGORY", help="Name of a PowerSchool category.")]

category_map = typer.Typer(
    no_args_is_help=True, help="Show and change the district's map of assignment groups to categories, by name."
)

categories.add_typer(category_map, name="map")


@categories.command("list")
def list_(course: Course, as_json: JsonOption = False) -> None:
    """Show each group's category in each section, how it was found, and the teacher's categories."""
    with services() as service:
        rows = service.category_links.show(course, service.settings.default_category)
    emit([_json(row) for row in rows], as_json, lambda _: _table(rows))


@categories.command("link")
def link(
    course: Course, group: GroupOption, category: Category, actor: Actor = "", as_json: JsonOption = False
) -> None:
    """Associate a group with a category by id, so that renames on either side change nothing. Syncs the course."""
    with services() as service:
        group_id, association = RecordedActions(service, actor).link_category(course, group, category)
        ids = sorted(association.category_ids)
        _log(course, group_id, ids, actor)
    text = f"assignment group {group_id} is linked to category {', '.join(map(str, ids))}; the course syncs"
    emit({"group_id": group_id, "category_ids": ids}, as_json, lambda _: text)


@categories.command("unlink")
def unlink(course: Course, group: GroupOption, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Delete a group's association. The course syncs, and its groups are matched by name again."""
    with services() as service:
        group_id = RecordedActions(service, actor).unlink_category(course, group)
        _log(course, group_id, [], actor)
    text = f"assignment group {group_id} is not linked any more; the course syncs"
    emit({"group_id": group_id, "category_ids": []}, as_json, lambda _: text)


def _log(course: str, group_id: str, category_ids: Sequence[int], actor: str) -> None:
    log.info(
        LogEvent.CATEGORY_LINKED, course_id=course, group_id=group_id, category_ids=list(category_ids), actor=actor
    )


def _json(row: GroupInSection) -> dict[str, object]:
    found = row.match if isinstance(row.match, CategoryMatch) else None
    return {
        "group_id": row.group.id,
        "group": row.group.name,
        "section_sis_id": row.section.sis_section_id,
        "teacher_users_dcid": row.section.teacher_users_dcid,
        "category_id": found.category.id if found else None,
        "category": found.category.name if found else None,
        "found_by": found.by if found else None,
        "why_not": None if isinstance(row.match, CategoryMatch) else row.match.why,
        "categories": [
            {"id": c.id, "name": c.name, "active": c.active, "excluded": _is_excluded(c, row.section)}
            for c in row.categories
        ],
    }


def _table(rows: Sequence[GroupInSection]) -> Table:
    table = Table("group", "section", "category", "found by, or why not", "the teacher's categories")
    for row in rows:
        table.add_row(
            f"{row.group.name} ({row.group.id})",
            row.section.sis_section_id,
            f"{row.match.category.name} ({row.match.category.id})" if isinstance(row.match, CategoryMatch) else "-",
            row.match.by if isinstance(row.match, CategoryMatch) else row.match.why,
            "\n".join(_category_text(category, row.section) for category in row.categories),
        )
    return table


def _category_text(category: TeacherCategory, section: RosteredSection) -> str:
    obstacles = ["" if category.active else "inactive", "excluded here" if _is_excluded(category, section) else ""]
    reasons = ", ".join(filter(None, obstacles))
    return f"{category.name} ({category.id}){f': {reasons}' if reasons else ''}"


def _is_excluded(category: TeacherCategory, section: RosteredSection) -> bool:
    return section.dcid in category.excluded_section_dcids


@category_map.command("list")
def list_map(as_json: JsonOption = False) -> None:
    """Show the category of each group name. A teacher without such a category has the category of the group's name."""
    with services() as service:
        found = sorted(service.associations.district_map().items())
    entries = [{"group": group, "category": category} for group, category in found]
    emit(entries, as_json, lambda _: _map_table(found) if found else "the map is empty")


@category_map.command("set")
def set_entry(group: GroupName, category: CategoryName, actor: Actor = "", as_json: JsonOption = False) -> None:
    """Let a group name stand for a category, in every course where the group is not linked yet."""
    problem = check_entry(group, category)
    if problem is not None:
        raise typer.BadParameter(problem)
    _save({group: category}, actor, as_json)


@category_map.command("load")
def load_map(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="CSV file with the columns group and category.")],
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Add the entries of a CSV file to the map; entries of other groups stay. A bad line stores nothing."""
    try:
        entries = read_category_map(file.read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read: {error.strerror}") from None
    except InvalidMapping as error:
        raise typer.BadParameter(f"{file}: {error}") from None
    _save(entries, actor, as_json)


@category_map.command("remove")
def remove_entry(group: GroupName, actor: Actor = "", as_json: JsonOption = False) -> None:
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


def _map_table(entries: list[tuple[str, str]]) -> Table:
    table = Table("group", "category")
    for group, category in entries:
        table.add_row(group, category)
    return table
