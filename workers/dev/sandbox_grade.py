"""`passback sandbox grade`: a teacher enters a grade in the sandbox Canvas, and the way of the grade is followed."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from urllib.parse import urlsplit

import httpx
import typer

from shared.config import ConfigurationError, Settings, is_loopback_address, load
from shared.domain.passback.audit import AuditEntry, entries_about
from shared.domain.passback.powerschool import Score

if TYPE_CHECKING:
    from workers.container import Container

ARRIVES_WITHIN_S = 20.0
POLL_S = 0.1
WIDTH = 79
# Exit codes, as of every command.
PROBLEMS, USAGE = 1, 2

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ScoreKey:
    """Where a grade is entered: the ids in Canvas, and the student's SIS id."""

    course_id: int
    assignment_id: int
    user_id: int
    student_sis_id: str


def grade(
    course: Annotated[int, typer.Argument(metavar="COURSE", help="Canvas course id, such as 101.")],
    assignment: Annotated[int, typer.Argument(metavar="ASSIGNMENT", help="Canvas assignment id, such as 1101.")],
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="SIS id or Canvas user id, such as 10501.")],
    score: Annotated[float, typer.Argument(metavar="SCORE", help="The points, such as 17.5.")],
) -> None:
    """Enter a grade in the running sandbox Canvas, and wait until passback has written it to PowerSchool.

    Needs the settings of the running sandbox, which `passback up` prints as a line to paste.
    """
    # The sandboxes' own processes, which share this module, need none of it.
    from workers.container import Container  # noqa: PLC0415

    settings = load()
    url = _sandbox_url(settings)
    with closing(Container(settings)) as service, httpx.Client(base_url=url, timeout=10, trust_env=False) as canvas:
        # Without Redis the grade could not be followed: find out before it is entered.
        service.changes.counts()
        found = _course(_read(canvas, "state"), course)
        work, key = _score_key(found, assignment, student)
        if _read(canvas, "events")["target"] is None:
            _fail("the sandbox Canvas sends no Live Events, so that no grade is noticed; start it with --events")
        if _score_in(found, key) == score:
            typer.echo("Canvas has this score already: nothing changes, and no event is sent.")
            return
        entered_at = service.clock.now()
        _post_score(canvas, key, score)
        typer.echo(f"Canvas: {score:g} of {work['points_possible'] or 0:g} points in {work['name']}"[:WIDTH])
        _follow(service, key, entered_at)


def _sandbox_url(settings: Settings) -> str:
    """Return the URL of the sandbox Canvas. Raises `ConfigurationError` where the settings lead to no sandbox."""
    if not settings.canvas_url:
        raise ConfigurationError("PASSBACK_CANVAS_URL is not set; `passback up` prints a line that sets it")
    if not is_loopback_address(urlsplit(settings.canvas_url).hostname or ""):
        raise ConfigurationError(
            "PASSBACK_CANVAS_URL is not on this machine: grades are entered in a sandbox only, never in a real Canvas"
        )
    return settings.canvas_url


def _read(canvas: httpx.Client, name: str) -> Json:
    """Return a part of the sandbox's state."""
    try:
        response = canvas.get(f"/_sandbox/{name}")
    except httpx.TransportError:
        _fail(f"the sandbox Canvas at {canvas.base_url} does not answer; start it with `passback up`")
    if response.status_code != 200:
        _fail(f"{canvas.base_url} is no sandbox Canvas; start one with `passback up`")
    found: Json = response.json()
    return found


def _course(state: Json, course_id: int) -> Json:
    courses: dict[int, Json] = {course["id"]: course for course in state["courses"]}
    if course_id not in courses:
        _fail(f"course {course_id} is not in the sandbox; it has {_listed(courses)}", USAGE)
    return courses[course_id]


def _score_key(course: Json, assignment_id: int, student: str) -> tuple[Json, ScoreKey]:
    """Return the assignment, and where the grade is entered."""
    assignments: dict[int, Json] = {each["id"]: each for each in course["assignments"]}
    if assignment_id not in assignments:
        _fail(f"assignment {assignment_id} is not in course {course['id']}; it has {_listed(assignments)}", USAGE)
    users = {e["user_id"]: e["sis_user_id"] for e in course["enrollments"] if e["type"] == "StudentEnrollment"}
    user_id = next((user for user, sis_id in users.items() if student in (sis_id, str(user))), None)
    if user_id is None:
        _fail(
            f"student {student} is not in course {course['id']}; it has {_listed(filter(None, users.values()))}", USAGE
        )
    return assignments[assignment_id], ScoreKey(course["id"], assignment_id, user_id, users[user_id] or student)


def _listed(ids: Any) -> str:
    """Return the first ids, for a message."""
    listed = list(map(str, ids))
    return ", ".join(listed[:6]) + (f" and {len(listed) - 6} more" if len(listed) > 6 else "")


def _score_in(course: Json, key: ScoreKey) -> float | None:
    at = key.assignment_id, key.user_id
    return next((s["score"] for s in course["submissions"] if (s["assignment_id"], s["user_id"]) == at), None)


def _post_score(canvas: httpx.Client, key: ScoreKey, score: float) -> None:
    ids = {"course_id": key.course_id, "assignment_id": key.assignment_id, "user_id": key.user_id}
    response = canvas.post("/_sandbox/act", json={"do": "grade", **ids, "score": score})
    if response.status_code != 200:
        _fail(f"the sandbox Canvas refused the grade: {response.json().get('error', response.status_code)}")


def _follow(service: "Container", key: ScoreKey, since: datetime) -> None:
    """Print when PowerSchool has the grade, or why it has not. The exit code is 1 where it has not."""
    until = time.monotonic() + ARRIVES_WITHIN_S
    while time.monotonic() < until:
        entry = next(_writes(service, key, since), None)
        if entry is not None:
            _print_arrival(entry, since)
            return
        if _was_synced(service, key, since):
            break
        time.sleep(POLL_S)
    # The write may have come between the two looks.
    if entry := next(_writes(service, key, since), None):
        _print_arrival(entry, since)
        return
    reasons = _reasons(service, key)
    typer.echo("PowerSchool does not have it.")
    for line in reasons or ["No reason is recorded yet. Are the processes running? `passback status`"]:
        typer.echo(fill(line, WIDTH))
    typer.echo(f"More: passback explain {key.course_id} --assignment {key.assignment_id}")
    raise typer.Exit(PROBLEMS)


def _writes(service: "Container", key: ScoreKey, since: datetime) -> Iterator[AuditEntry]:
    entries = service.audit.of_course(str(key.course_id), since)
    return entries_about(entries, str(key.assignment_id), key.student_sis_id)


def _was_synced(service: "Container", key: ScoreKey, since: datetime) -> bool:
    """Say whether the course was synced since then and rests: nothing more will be written."""
    record = service.records.course(str(key.course_id))
    is_idle = not service.changes.pending_messages() and not any(service.changes.counts())
    return is_idle and record is not None and record.synced_at > since


def _print_arrival(entry: AuditEntry, since: datetime) -> None:
    (change,) = entry.scores
    seconds = (entry.at - since).total_seconds()
    typer.echo(f"PowerSchool: {_points(change.after)} (before: {_points(change.before)}), {seconds:.1f} s later")


def _points(score: Score | None) -> str:
    return "no score" if score is None else f"{float(score.points or 0):g} points"


def _reasons(service: "Container", key: ScoreKey) -> list[str]:
    """Return why the grade is not in PowerSchool, as the last sync recorded it."""
    from workers.grade_passback.explain.response import ExplainQuery  # noqa: PLC0415

    query = ExplainQuery(str(key.course_id), str(key.assignment_id), key.student_sis_id)
    assignments: Any = service.explainer.explain_stored(query)["assignments"]
    of_student = [a["student"]["section_sis_id"] for a in assignments if a.get("student")]
    reasons = {
        f"{reason['message']} {reason['remedy']}": None
        for assignment in assignments
        for section in assignment["sections"]
        if section["section_sis_id"] in of_student
        for reason in section["reasons"]
    }
    return list(reasons) or [a["student"]["sentence"] for a in assignments if a.get("student")]


def _fail(message: str, code: int = PROBLEMS) -> NoReturn:
    typer.echo(f"passback: {message}", err=True)
    raise typer.Exit(code)
