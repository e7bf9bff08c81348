"""The verbs of `passback links`: which PowerSchool assignment is which Canvas assignment's, checked and restored."""

from typing import Annotated

import typer
from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from shared.domain.passback.planning.link_maintenance import LinkCheck, Rebuilt
from workers.cli.services import open_services
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.grade_passback.operations.link_maintenance import CourseCheck, CourseRebuild, LinkError, LinkMaintenance

links = typer.Typer(name="links", help="Which PowerSchool assignment is which Canvas assignment's.")

Courses = Annotated[
    list[str] | None, typer.Argument(metavar="[COURSE]...", help="Canvas course ids; otherwise all connected courses.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be restored; write nothing.")]


@links.command()
def check(courses: Courses = None, as_json: JsonOption = False) -> None:
    """Compare links with PowerSchool. Reads only; the exit code is 1 if any of them is not ok."""
    care = _care()
    checks = [care.check(course_id) for course_id in _selection(courses, care)]
    emit([_check_json(one) for one in checks], as_json, lambda _: Group(*map(_check_text, checks)))
    raise typer.Exit(ExitCode.FINE if all(one.is_ok for one in checks) else ExitCode.PROBLEMS)


@links.command()
def rebuild(courses: Courses = None, dry_run: DryRun = False, as_json: JsonOption = False) -> None:
    """Restore links that were lost with Redis, from the assignments that passback made in PowerSchool.

    Name the courses if Redis remembers none; they are connected again and synced. Links that lead somewhere stay,
    and so does a course that is being synced. The exit code is 1 if anything is left without its link.
    """
    care = _care()
    rebuilds = [care.rebuild(course_id, dry_run=dry_run) for course_id in _selection(courses, care)]
    emit([_rebuild_json(one) for one in rebuilds], as_json, lambda _: Group(*map(_rebuild_text, rebuilds)))
    raise typer.Exit(ExitCode.FINE if all(one.is_ok for one in rebuilds) else ExitCode.PROBLEMS)


def _care() -> LinkMaintenance:
    return open_services().link_care


def _selection(courses: list[str] | None, care: LinkMaintenance) -> list[str]:
    """Return the courses that are meant, once each; ends with a usage error if one is no course id, or there is none.

    After the loss of Redis nothing is connected: silence would look as if all were well.
    """
    if any(not course.isdecimal() for course in courses or ()):
        raise typer.BadParameter("COURSE is a Canvas course id, a number")
    meant = list(dict.fromkeys(courses)) if courses else care.connected()
    if not meant:
        raise typer.BadParameter("no course is connected: name the courses")
    return meant


def _check_json(check: CourseCheck) -> dict[str, object]:
    return {"course_id": check.course_id, "ok": check.is_ok, "trouble": check.trouble, "links": check.links}


def _rebuild_json(rebuild: CourseRebuild) -> dict[str, object]:
    return {
        "course_id": rebuild.course_id,
        "ok": rebuild.is_ok,
        "trouble": rebuild.trouble,
        "kept": rebuild.kept,
        "found": [_found_json(one) for one in rebuild.found],
    }


def _found_json(one: Rebuilt) -> dict[str, object]:
    return {
        "section_dcid": one.actual.section_dcid,
        "powerschool_assignment_section_id": one.actual.assignment_section_id,
        "powerschool_name": one.actual.name,
        "powerschool_due_date": one.actual.due_date,
        "rebuilding": one.rebuilding,
        "candidates": one.candidates,
        "students_with_scores": None if one.link is None else len(one.link.sent_to),
    }


def _check_text(check: CourseCheck) -> Group:
    off = [link for link in check.links if not link.is_ok]
    head = _head(check.trouble) or f"{len(check.links) - len(off)} ok, {len(off)} to look at"
    return Group(f"course {check.course_id}: {head}", *(_indented(_checked_line(link)) for link in off))


def _checked_line(link: LinkCheck) -> str:
    whose = "no Canvas assignment" if link.assignment_id is None else f"Canvas assignment {link.assignment_id}"
    place = f"{whose}, section {link.section_dcid}, assignment section {link.powerschool_assignment_section_id or '-'}"
    ours = "" if link.name is None else f"; link: {link.name}, {link.due_date}"
    there = "" if link.powerschool_name is None else f"; there: {link.powerschool_name}, {link.powerschool_due_date}"
    return f"{', '.join(link.standings)}: {place}{ours}{there}"


def _rebuild_text(rebuild: CourseRebuild) -> Group:
    left = len(rebuild.found) - len(rebuild.restored)
    counts = f"{len(rebuild.restored)} restored, {left} left as they are, {rebuild.kept} links kept"
    head = _head(rebuild.trouble) or counts
    return Group(f"course {rebuild.course_id}: {head}", *(_indented(_found_line(one)) for one in rebuild.found))


def _found_line(one: Rebuilt) -> str:
    place = f"section {one.actual.section_dcid}, assignment section {one.actual.assignment_section_id}"
    whose = f"; Canvas assignment {', '.join(one.candidates)}" if one.candidates else ""
    return f"{one.rebuilding}: {place}, {one.actual.name}, {one.actual.due_date}{whose}"


def _head(trouble: LinkError | None) -> str:
    return "" if trouble is None else f"left out ({trouble.code}: {trouble.message})"


def _indented(line: str) -> Padding:
    return Padding(Text(line), (0, 0, 0, 2))
