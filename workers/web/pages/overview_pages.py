"""The Overview, the log of actions, and the pauses."""

import re
from collections.abc import Mapping

from starlette.responses import Response

from shared.domain.pauses import EVERYTHING, PROVISIONING
from workers.web.api.installation import TARGET
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, View, redirect
from workers.web.views.alerts import alerts
from workers.web.views.overview import overview

SHOWN_ACTIONS = 200
LONGEST_REASON = 200


class OverviewViews:
    """The first page and what belongs to it."""

    def __init__(self, desk: PageHandlers) -> None:
        self._desk = desk

    def looks(self) -> Mapping[str, View]:
        """Return the pages by path."""
        return {"/": self._overview, "/actions": self._actions}

    def acts(self) -> Mapping[str, View]:
        """Return the forms by path."""
        return {"/pause": self._pause, "/resume": self._resume}

    def _overview(self, visit: PageRequest) -> Response:
        seen = overview(self._desk.service, self._desk.provisioning)
        targets = {pause.target for pause in seen.pauses}
        pausable = [target for target in (EVERYTHING, PROVISIONING) if target not in targets]
        return self._desk.page("overview.html", visit, seen=seen, problems=alerts(seen), pausable=pausable)

    def _actions(self, visit: PageRequest) -> Response:
        return self._desk.page("actions.html", visit, actions=self._desk.service.actions.newest(SHOWN_ACTIONS))

    def _pause(self, visit: PageRequest) -> Response:
        target = _target(visit)
        self._desk.acts.pause(visit.person, target, visit.said("reason").strip()[:LONGEST_REASON])
        return redirect(_page_of(target))

    def _resume(self, visit: PageRequest) -> Response:
        target = _target(visit)
        self._desk.acts.resume(visit.person, target)
        return redirect(_page_of(target))


def _target(visit: PageRequest) -> str:
    target = visit.said("target")
    if not re.fullmatch(TARGET, target):
        raise ApiError(422, "not_valid", "This is nothing that can be paused.")
    return target


def _page_of(target: str) -> str:
    kind, _, course_id = target.partition(":")
    return f"/courses/{course_id}" if kind == "course" else "/#pauses"
