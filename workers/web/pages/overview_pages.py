"""The Overview, the log of actions, and the pauses."""

import re

from starlette.responses import Response

from shared.domain.pauses import EVERYTHING, PROVISIONING
from workers.status import read_status
from workers.web.api.installation import TARGET
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect
from workers.web.views.alerts import alerts

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


def pause(_pages: PageHandlers, request: PageRequest) -> Response:
    """Pause everything, provisioning or a course."""
    target = _target(request)
    request.actions.pause(target, request.form("reason").strip()[:MAX_REASON_CHARS])
    return redirect(_page_of(target))


def resume(_pages: PageHandlers, request: PageRequest) -> Response:
    """Resume a pause."""
    target = _target(request)
    request.actions.resume(target)
    return redirect(_page_of(target))


def _target(request: PageRequest) -> str:
    target = request.form("target")
    if not re.fullmatch(TARGET, target):
        raise ApiError(422, "not_valid", "This is nothing that can be paused.")
    return target


def _page_of(target: str) -> str:
    kind, _, course_id = target.partition(":")
    return f"/courses/{course_id}" if kind == "course" else "/#pauses"


GET = {
    "/": show_overview,
    "/actions": list_actions,
}
POST = {"/pause": pause, "/resume": resume}
