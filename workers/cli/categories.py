"""`passback categories`: the PowerSchool category of each Canvas assignment group."""

from collections.abc import Sequence
from typing import Annotated

import structlog
import typer
from rich.table import Table

from shared.domain.passback.powerschool import RosteredSection, TeacherCategory
from shared.domain.passback.rules.categories import CategoryMatch
from shared.log_events import LogEvent
from workers.cli.district.category_map import category_map
from workers.cli.options import Actor, Course, services
from workers.cli.terminal.output import JsonOption, emit
from workers.grade_passback.operations.categories import GroupInSection
from workers.recorded_actions import RecordedActions

log = structlog.get_logger()

GroupOption = Annotated[str, typer.Argument(metavar="GROUP", help="Canvas assignment group, by id or name.")]
Category = Annotated[str, typer.Argument(metavar="CATEGORY", help="PowerSchool category, by id or name.")]

categories = typer.Typer(no_args_is_help=True, help="Show and change the PowerSchool category of assignment groups.")


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
        made = RecordedActions(service, actor).link_category(course, group, category)
        ids = sorted(made.association.category_ids)
        _log(course, made.group_id, ids, actor)
    text = f"assignment group {made.group_id} is linked to category {', '.join(map(str, ids))}; the course syncs"
    emit({"group_id": made.group_id, "category_ids": ids}, as_json, lambda _: text)


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
