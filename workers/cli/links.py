"""`passback links check`: compares stored links of Canvas and PowerSchool assignments with PowerSchool."""

from typing import Annotated

import typer
from rich.console import Group

from shared.domain.passback.planning.links import LinkCheck
from workers.cli.options import require_course_ids, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit, indented
from workers.grade_passback.operations.link_check import CourseCheck, check_course_links

links = typer.Typer(name="links", help="Links between Canvas assignments and PowerSchool assignments.")

Courses = Annotated[
    list[str] | None, typer.Argument(metavar="[COURSE]...", help="Canvas course ids. Default: all connected courses.")
]


@links.command()
def check(courses: Courses = None, as_json: JsonOption = False) -> None:
    """Compare links with PowerSchool. Reads only; the exit code is 1 if any of them is not ok."""
    require_course_ids(*(courses or ()))
    with services() as service:
        selected = list(dict.fromkeys(courses)) if courses else service.records.connected()
        if not selected:
            # After the loss of Redis no course is connected. An empty report would look like success.
            raise typer.BadParameter("no course is connected: name the courses")
        checks = [check_course_links(service.course_reader, course_id) for course_id in selected]
    emit([_check_json(one) for one in checks], as_json, lambda _: Group(*map(_check_text, checks)))
    raise typer.Exit(ExitCode.FINE if all(one.is_ok for one in checks) else ExitCode.PROBLEMS)


def _check_json(check: CourseCheck) -> dict[str, object]:
    return {"course_id": check.course_id, "ok": check.is_ok, "trouble": check.error, "links": check.links}


def _check_text(check: CourseCheck) -> Group:
    off = [link for link in check.links if not link.is_ok]
    head = f"{len(check.links) - len(off)} ok, {len(off)} to check"
    if check.error is not None:
        head = f"skipped ({check.error.code}: {check.error.message})"
    return Group(f"course {check.course_id}: {head}", *(indented(_checked_line(link)) for link in off))


def _checked_line(link: LinkCheck) -> str:
    whose = "no Canvas assignment" if link.assignment_id is None else f"Canvas assignment {link.assignment_id}"
    location = (
        f"{whose}, section {link.section_dcid}, assignment section {link.powerschool_assignment_section_id or '-'}"
    )
    stored = "" if link.name is None else f"; link: {link.name}, {link.due_date}"
    there = "" if link.powerschool_name is None else f"; there: {link.powerschool_name}, {link.powerschool_due_date}"
    return f"{', '.join(link.standings)}: {location}{stored}{there}"
