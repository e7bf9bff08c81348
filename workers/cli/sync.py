"""`passback sync`, `pause` and `resume`: syncs a course now, pauses courses or provisioning, and resumes them."""

import time
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import structlog
import typer

from shared.domain.actions import (
    EVERYTHING,
    MAX_REASON_CHARS,
    PROVISIONING,
    course_target,
    resume_command,
    target_text,
)
from shared.domain.passback.course_state import State
from shared.log_events import LogEvent
from workers.cli.district.bulk_sync import check_options, sync_many
from workers.cli.district.selection import AllCourses, OptionalCourse, select_courses
from workers.cli.options import (
    Actor,
    AssignmentId,
    DryRun,
    School,
    Term,
    UnlessSince,
    Yes,
    confirm,
    emit_local,
    require_course_ids,
    services,
    time_option,
)
from workers.cli.terminal.output import ExitCode, JsonOption, emit
from workers.cli.terminal.plan_text import plan_text
from workers.container import Container
from workers.grade_passback.explain.activity import Activity, activity_json, is_hindered
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.preview import plan_preview
from workers.recorded_actions import RecordedActions

log = structlog.get_logger()

MAX_WAIT_S = 600.0
POLL_S = 0.2
# What keeps a course from being synced may pass, as a short outage does. A pause ends only when a person ends it.
MAX_HINDRANCE_S = 60.0


def sync(
    course: OptionalCourse = None,
    assignment: AssignmentId = None,
    school: School = None,
    term: Term = "",
    every: AllCourses = False,
    unless_since: UnlessSince = None,
    dry_run: DryRun = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the sync is done.")] = False,
    yes: Yes = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Sync a course now, or the courses of a school, of a term, or all.

    The whole course is synced, also with --assignment, which restricts the report. Many courses are synced a few at a
    time, so that changes do not wait for them; Ctrl-C ends that, and what was begun is finished. Courses of a closed
    term are written only if --term names it by its days, or one course is named.
    """
    with services() as service:
        selection = select_courses(service, course, school, term, every)
        check_options(selection, of_one={"--assignment": assignment}, of_many={"--unless-since": unless_since})
        if course is None:
            since = None if unless_since is None else time_option(service, unless_since)
            options = {"dry_run": dry_run, "yes": yes, "as_json": as_json}
            raise typer.Exit(sync_many(service, selection, since, actor, **options))
        if dry_run:
            plan = plan_preview(service.course_reader, course, service.clock.now(), assignment)
            emit_local(service, plan, as_json, plan_text)
            raise typer.Exit(ExitCode.USAGE if assignment and not plan["assignments"] else ExitCode.FINE)
        requested_at = service.clock.now()
        RecordedActions(service, actor).sync(course, [assignment] if assignment else [])
        if not wait:
            emit({"course_id": course, "requested": True}, as_json, lambda _: f"sync of course {course} requested")
            return
        raise typer.Exit(_wait(service, course, requested_at, as_json))


def _wait(service: Container, course: str, requested_at: datetime, as_json: bool) -> int:
    """Wait until the course is idle or cannot go on, then print its states and what it waits for.

    Returns 1 if something needs a person or is not done.
    """
    activity = _last_activity(service, course)
    record = service.records.course(course)
    dead_letters = service.dead_letters.of_course(course)
    synced = record is not None and record.synced_at >= requested_at
    states = [s.state for a in record.assignments for s in a.sections] if record and synced else []
    counts = {state.value: states.count(state) for state in State}
    result = {
        "course_id": course,
        "synced": synced,
        "states": counts,
        "dead_letters": [each.id for each in dead_letters],
        "activity": activity,
    }
    emit(result, as_json, _wait_text)
    return ExitCode.FINE if synced and not dead_letters and not counts[State.RETRYING] else ExitCode.PROBLEMS


def _last_activity(service: Container, course: str) -> Json:
    """Return what the course does once it is idle, paused, or kept from being synced for a while."""
    until = time.monotonic() + MAX_WAIT_S
    hindered_since: float | None = None
    while True:
        read, now = service.activities.of_course(course), time.monotonic()
        activity = activity_json(read)
        # During an outage a course is tried again and again: an attempt that runs does not end the hindrance.
        hindered_since = (hindered_since or now) if is_hindered(read) else None
        is_stuck = hindered_since is not None and now - hindered_since >= MAX_HINDRANCE_S
        is_over = activity["state"] in (Activity.IDLE, Activity.PAUSED) or now >= until
        if is_over or (is_stuck and activity["state"] != Activity.SYNCING):
            return activity
        time.sleep(POLL_S)


def _wait_text(result: dict[str, object]) -> str:
    counts = result["states"]
    assert isinstance(counts, dict)
    summary = ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "nothing there"
    dead_letters = f"; dead letters: {result['dead_letters']}" if result["dead_letters"] else ""
    head = "synced" if result["synced"] else "not synced"
    activity = result["activity"]
    assert isinstance(activity, dict)
    waits = "" if activity["state"] == Activity.IDLE else f". {activity['sentence']} {activity['remedy']}".rstrip()
    return f"course {result['course_id']}: {head} ({summary}){dead_letters}{waits}"


class PauseTarget(StrEnum):
    """What can be paused."""

    PASSBACK = EVERYTHING
    PROVISIONING = PROVISIONING
    COURSE = "course"


Target = Annotated[PauseTarget, typer.Argument(metavar="[passback|provisioning|course]")]
CourseId = Annotated[str | None, typer.Argument(metavar="[COURSE]", help="The Canvas course id, after `course`.")]


def _reason(given: str) -> str:
    if len(given) > MAX_REASON_CHARS:
        raise typer.BadParameter(f"is longer than {MAX_REASON_CHARS} characters")
    return given


def pause(
    what: Target = PauseTarget.PASSBACK,
    course: CourseId = None,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", callback=_reason, help="Reason, shown to others.")
    ] = "",
    yes: Yes = False,
    actor: Actor = "",
    as_json: JsonOption = False,
) -> None:
    """Pause everything, provisioning or one course. Changes are collected; what is running finishes first.

    A pause of everything needs a reason, and asks first.
    """
    target = _target(what, course)
    with services() as service:
        if what is PauseTarget.PASSBACK:
            _confirm_everything(service, reason, yes)
        is_new = RecordedActions(service, actor).pause(target, reason)
    if is_new:
        log.info(LogEvent.PAUSED, target=target, actor=actor)
    text = target_text(target)
    text = f"{text} is paused; `{resume_command(target)}` resumes it" if is_new else f"{text} is paused already"
    emit({"target": target, "paused": True, "changed": is_new}, as_json, lambda _: text)


def _confirm_everything(service: Container, reason: str, yes: bool) -> None:
    """Require a reason for a pause of everything, and ask. Raises: typer.BadParameter."""
    if not reason.strip():
        why = "say why everything is paused: others have to know when it may end"
        raise typer.BadParameter(why, param_hint="--reason")
    connected = service.records.count()
    courses = "1 connected course" if connected == 1 else f"{connected} connected courses"
    confirm(f"Until somebody resumes, no grade of {courses} reaches PowerSchool and no roster reaches Canvas.", yes)


def resume(
    what: Target = PauseTarget.PASSBACK, course: CourseId = None, actor: Actor = "", as_json: JsonOption = False
) -> None:
    """Resume what was paused."""
    target = _target(what, course)
    with services() as service:
        was_paused = RecordedActions(service, actor).resume(target)
    if was_paused:
        log.info(LogEvent.RESUMED, target=target, actor=actor)
    text = target_text(target)
    text = f"{text} is resumed" if was_paused else f"{text} is not paused"
    emit({"target": target, "paused": False, "changed": was_paused}, as_json, lambda _: text)


def _target(what: PauseTarget, course: str | None) -> str:
    """Return the target; ends with a usage error if a course's id is missing or out of place."""
    if (what is PauseTarget.COURSE) != (course is not None):
        raise typer.BadParameter("name one course: `course COURSE`" if course is None else "only `course` takes an id")
    if course is None:
        return what.value
    require_course_ids(course)
    return course_target(course)
