"""`passback takeover`: adopts assignments that passback did not create, in a course, a school or everywhere."""

from typing import Annotated, cast

import typer

from shared.domain.passback.takeover import Selection
from shared.domain.passback.takeover_run import TakeoverMode, TakeoverRequest, TakeoverRun, TakeoverState
from shared.domain.wording import counted
from workers.cli.district.progress import ProgressLine, cancellable
from workers.cli.district.selection import AllCourses, OptionalCourse, select_courses
from workers.cli.options import Actor, AssignmentId, DryRun, School, Yes, confirm, fail, services
from workers.cli.terminal.output import ExitCode, JsonOption, emit, plain
from workers.cli.terminal.plan_text import run_text, takeover_plan_text, undo_text
from workers.container import Container
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.takeover_json import overwritten, plan_json, undo_json
from workers.grade_passback.operations.takeover_run import TakeoverUnderWay
from workers.recorded_actions import RecordedActions

MadeBy = Annotated[
    list[str] | None,
    typer.Option(
        "--made-by",
        metavar="PLUGIN|teacher",
        help="Whose assignments: `createdbyplugin` as a dry run shows it, or teacher. Default: every other plugin's.",
    ),
]
To = Annotated[
    int | None,
    typer.Option("--to", metavar="ID", min=1, help="With --assignment: this assignment section of PowerSchool."),
]
Undo = Annotated[bool, typer.Option("--undo", help="Give back what was taken over and not written to since.")]


def takeover(
    course: OptionalCourse = None,
    school: School = None,
    everything: AllCourses = False,
    assignment: AssignmentId = None,
    to: To = None,
    made_by: MadeBy = None,
    dry_run: DryRun = False,
    undo: Undo = False,
    yes: Yes = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Link assignments of the same section and name that a teacher or another plugin made, so that grades go there.

    Linking writes nothing to PowerSchool. The next sync makes both sides agree; the history has what it replaces.
    """
    if to is not None and (course is None or assignment is None):
        raise typer.BadParameter("--to needs a COURSE and its --assignment")
    if assignment is not None and course is None:
        raise typer.BadParameter("--assignment needs its COURSE")
    if undo and (dry_run or made_by or to is not None):
        raise typer.BadParameter("--undo takes neither --dry-run nor --made-by nor --to")
    makers = frozenset(made_by or ())
    with services() as service:
        select_courses(service, course, school, "", everything)
        if course is None:
            mode = TakeoverMode.UNDO if undo else TakeoverMode.DRY_RUN if dry_run else TakeoverMode.LINK
            _many(service, TakeoverRequest(mode, school, makers), actor, yes, as_json)
            return
        if undo:
            _undo(service, course, assignment, actor, as_json)
        else:
            _one(service, course, Selection(makers, assignment, to), dry_run, actor, yes, as_json)


def _one(
    service: Container, course: str, selection: Selection, dry_run: bool, actor: str, yes: bool, as_json: bool
) -> None:
    plan = service.takeover.plan(course, selection)
    shown = plan_json(plan, service.takeover.taken_over(course), service.clock.now())
    if selection.assignment_section_id is not None and not plan.candidates:
        why = "PowerSchool has no such assignment section in this section, or it is linked to this assignment already"
        fail(f"nothing to link: {why}", ExitCode.USAGE)
    if not dry_run and plan.links:
        if plan.would_write:
            confirm(f"{_effect(shown)} That cannot be undone; the history has what was there.", yes)
        done = RecordedActions(service, actor).take_over(course, selection)
        shown = plan_json(done, service.takeover.taken_over(course), service.clock.now(), is_done=True)
    emit(shown, as_json, takeover_plan_text)
    raise typer.Exit(ExitCode.PROBLEMS if any(each["apart"] for each in _candidates(shown)) else ExitCode.FINE)


def _effect(shown: Json) -> str:
    fields, scores, new = overwritten(_candidates(shown))
    numbers = ((fields, "field"), (scores, "score"))
    parts = [counted(number, noun) for number, noun in numbers if number]
    overwrites = f"overwrites {' and '.join(parts)} in PowerSchool" if parts else ""
    sends = f"sends {counted(new, 'score')} that it does not have" if new else ""
    return f"The sync that follows {' and '.join(filter(None, (overwrites, sends)))}."


def _candidates(shown: Json) -> list[Json]:
    return cast("list[Json]", shown["candidates"])


def _undo(service: Container, course: str, assignment: str | None, actor: str, as_json: bool) -> None:
    result = RecordedActions(service, actor).undo_takeover(course, assignment)
    emit(undo_json(course, result), as_json, undo_text)
    raise typer.Exit(ExitCode.PROBLEMS if result.written else ExitCode.FINE)


def _many(service: Container, request: TakeoverRequest, actor: str, yes: bool, as_json: bool) -> None:
    if request.mode is TakeoverMode.LINK:
        whose = "of " + " and ".join(sorted(request.made_by)) if request.made_by else "of every other plugin"
        where = "all connected courses" if request.school is None else f"the courses of school {request.school}"
        confirm(
            f"Assignments {whose} are linked in {where}, and the syncs that follow overwrite in PowerSchool what "
            "differs from Canvas: that cannot be undone. `--dry-run` shows how much.",
            yes,
        )
    try:
        run = RecordedActions(service, actor).take_over_many(request)
    except TakeoverUnderWay as error:
        fail(error)
    line = ProgressLine()
    with cancellable() as cancelled:

        def report(now: TakeoverRun) -> None:
            line.show(f"{now.done} of {counted(now.total, 'course')}: {now.summary}")
            if cancelled.is_set():
                service.takeover_runs.cancel()

        ended = service.takeover_runner.carry_out(run, report)
    line.end()
    emit({**cast("Json", plain(ended)), "summary": ended.summary}, as_json, run_text)
    is_fine = ended.state is TakeoverState.DONE and not ended.notes
    raise typer.Exit(ExitCode.FINE if is_fine else ExitCode.PROBLEMS)
