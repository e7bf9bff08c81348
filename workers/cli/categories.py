"""`passback categories`: which PowerSchool category each assignment group stands for."""

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, NoReturn

import structlog
import typer
from rich.table import Table

from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.powerschool import RosteredSection, TeacherCategory
from shared.domain.passback.rules.categories import CategoryFound
from shared.errors import PassbackError
from shared.log_events import LogEvent
from workers.cli.services import open_services
from workers.cli.sync import Actor, Course, system_user
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.container import Container
from workers.grade_passback.operations.category_mapping import GroupInSection, InvalidMapping

log = structlog.get_logger()

GroupOption = Annotated[str, typer.Argument(metavar="GROUP", help="The Canvas assignment group, by id or name.")]
Category = Annotated[str, typer.Argument(metavar="CATEGORY", help="The PowerSchool category, by id or name.")]

categories = typer.Typer(no_args_is_help=True, help="Which PowerSchool category each assignment group stands for.")


@categories.command("list")
def list_(course: Course, as_json: JsonOption = False) -> None:
    """Show each group's category in each section, how it was found, and the teacher's categories."""
    with closing(open_services()) as service:
        try:
            rows = service.category_links.show(course, service.settings.default_category)
        except PassbackError as error:
            _fail(error)
    emit([_json(row) for row in rows], as_json, lambda _: _table(rows))


@categories.command("link")
def link(course: Course, group: GroupOption, category: Category, actor: Actor = None) -> None:
    """Associate a group with a category by id, so that renames on either side change nothing; the course syncs."""
    with closing(open_services()) as service:
        try:
            made = service.category_links.link(course, group, category)
        except (InvalidMapping, PassbackError) as error:
            _fail(error)
        ids = sorted(made.association.category_ids)
        _sync(service, course, made.group_id, ids, actor or system_user())
    typer.echo(f"assignment group {made.group_id} is linked to category {', '.join(map(str, ids))}; the course syncs")


@categories.command("unlink")
def unlink(course: Course, group: GroupOption, actor: Actor = None) -> None:
    """Forget a group's association; the course syncs, and matches the group by name again."""
    with closing(open_services()) as service:
        try:
            group_id = service.category_links.unlink(course, group)
        except (InvalidMapping, PassbackError) as error:
            _fail(error)
        _sync(service, course, group_id, [], actor or system_user())
    typer.echo(f"assignment group {group_id} is not linked any more; the course syncs")


def _sync(service: Container, course: str, group_id: str, category_ids: Sequence[int], actor: str) -> None:
    log.info(
        LogEvent.CATEGORY_LINKED, course_id=course, group_id=group_id, category_ids=list(category_ids), actor=actor
    )
    service.changes.request(course, ChangeCause.PERSON, actor=actor)
    service.records.register(course)


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"passback: {error}", err=True)
    raise typer.Exit(ExitCode.PROBLEMS) from None


def _json(row: GroupInSection) -> dict[str, object]:
    found = row.match if isinstance(row.match, CategoryFound) else None
    return {
        "group_id": row.group.id,
        "group": row.group.name,
        "section_sis_id": row.section.sis_section_id,
        "teacher_users_dcid": row.section.teacher_users_dcid,
        "category_id": found.category.id if found else None,
        "category": found.category.name if found else None,
        "found_by": found.by if found else None,
        "why_not": None if isinstance(row.match, CategoryFound) else row.match.why,
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
            f"{row.match.category.name} ({row.match.category.id})" if isinstance(row.match, CategoryFound) else "-",
            row.match.by if isinstance(row.match, CategoryFound) else row.match.why,
            "\n".join(_print_result(category, row.section) for category in row.categories),
        )
    return table


def _print_result(category: TeacherCategory, section: RosteredSection) -> str:
    obstacles = ["" if category.active else "inactive", "excluded here" if _is_excluded(category, section) else ""]
    told = ", ".join(filter(None, obstacles))
    return f"{category.name} ({category.id}){f': {told}' if told else ''}"


def _is_excluded(category: TeacherCategory, section: RosteredSection) -> bool:
    return section.dcid in category.excluded_section_dcids
