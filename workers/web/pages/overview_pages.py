"""The Overview, the log of actions, and the pauses."""

import re

from starlette.responses import Response

from shared.domain.actions import EVERYTHING, PROVISIONING
from workers.alerts import alerts
from workers.status import read_status
from workers.web.api.installation import TARGET
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect
from workers.web.pages.rendering import target_text
from workers.web.views.operator_actions import refuse_without_reason

ACTIONS_LIMIT = 200
MAX_REASON_CHARS = 200


def show_overview(pages: PageHandlers, request: PageRequest) -> Response:
    """`/`: alerts, numbers, pauses and processes of the installation."""
    status = read_status(pages.service)
    targets = {pause.target for pause in status.pauses}
    pausable = [target for target in (EVERYTHING, PROVISIONING) if target not in targets]
    return pages.page("overview.html", request, status=status, alerts=alerts(status), pausable=pausable)


def list_actions(pages: PageHandlers, request: PageRequest) -> Response:
    """`/actions`: the newest operator actions."""
    return pages.page("actions.html", request, actions=pages.service.actions.newest(ACTIONS_LIMIT))


def confirm_pause(pages: PageHandlers, request: PageRequest) -> Response:
    """`/pause`: what a pause of everything, of provisioning or of a course stops, before it begins."""
    target, reason = _target(request.query("target")), _reason(request.query("reason"))
    refuse_without_reason(target, reason)
    return pages.page(
        "layout/question.html", request, title=f"Pause {target_text(target)}",
        consequences=_consequences(pages, target, reason),
        action="/pause", fields={"target": target, "reason": reason}, back=_page_of(target), is_danger=True,
    )  # fmt: skip


def _consequences(pages: PageHandlers, target: str, reason: str) -> list[str]:
    connected = pages.service.records.count()
    courses = "1 course is connected" if connected == 1 else f"{connected} courses are connected"
    stops = {
        EVERYTHING: f"{courses}: no grade of them reaches PowerSchool, and no roster reaches Canvas.",
        PROVISIONING: "No run starts and no approved plan is applied: Canvas's rosters stay as they are.",
    }
    return [
        stops.get(target, f"No grade of {target_text(target)} reaches PowerSchool."),
        "This lasts until somebody resumes. Changes are collected meanwhile, and none is lost.",
        f"Others read this reason: {reason}" if reason else "Others read no reason.",
    ]


def show_pulse(pages: PageHandlers, request: PageRequest) -> Response:
    """`/pulse`: header and notes only, for pages that do not follow what they show."""
    return pages.page("layout/pulse.html", request)


def pause(_pages: PageHandlers, request: PageRequest) -> Response:
    """Pause everything, provisioning or a course."""
    target = _target(request.form("target"))
    request.actions.pause(target, _reason(request.form("reason")))
    return redirect(_page_of(target))


def resume(_pages: PageHandlers, request: PageRequest) -> Response:
    """Resume a pause."""
    target = _target(request.form("target"))
    request.actions.resume(target)
    return redirect(_page_of(target))


def _reason(given: str) -> str:
    return given.strip()[:MAX_REASON_CHARS]


def _target(target: str) -> str:
    if not re.fullmatch(TARGET, target):
        raise ApiError(422, "not_valid", "This is nothing that can be paused.")
    return target


def _page_of(target: str) -> str:
    kind, _, course_id = target.partition(":")
    return f"/courses/{course_id}" if kind == "course" else "/#pauses"


GET = {
    "/": show_overview,
    "/actions": list_actions,
    "/pause": confirm_pause,
    "/pulse": show_pulse,
}
POST = {"/pause": pause, "/resume": resume}
