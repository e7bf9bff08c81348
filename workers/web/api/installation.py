"""The API about the whole installation: status, pauses, actions, provisioning."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import StringConstraints

from shared.domain.pauses import EVERYTHING, PROVISIONING
from shared.domain.provisioning.run import Run
from workers.container import Container
from workers.grade_passback.explain.response import Json, pause_json
from workers.provisioning.serializers import message_api_json, rows_api_json, run_api_json
from workers.status import installation_status
from workers.web.api.parameters import Operator, StrictModel, plain
from workers.web.errors import ApiError
from workers.web.views.alerts import alerts
from workers.web.views.operator_actions import OperatorActions
from workers.web.views.overview import overview

TARGET = rf"^({EVERYTHING}|{PROVISIONING}|course:[0-9]{{1,20}})$"
RunId = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,40}$", description="Id of a provisioning run")]


class Target(StrictModel):
    """What is held back or goes on."""

    target: Annotated[str, StringConstraints(pattern=TARGET)] = EVERYTHING


class PauseRequest(Target):
    """What is to be held back, and why."""

    reason: Annotated[str, StringConstraints(max_length=200)] = ""


class InstallationApi:
    """The endpoints about everything at once."""

    def __init__(self, service: Container, actions: OperatorActions) -> None:
        self._service = service
        self._actions = actions
        self._provisioning = service.provisioning_service

    def add_to(self, router: APIRouter) -> None:
        """Add the endpoints with their paths."""
        router.get("/status")(self.status)
        router.get("/actions")(self.actions)
        router.get("/pauses")(self.pauses)
        router.post("/pauses", status_code=202)(self.pause)
        router.post("/pauses/resume", status_code=202)(self.resume)
        router.get("/provisioning")(self.provisioning)
        router.get("/provisioning/{run_id}")(self.run)
        router.post("/provisioning/{run_id}/approve", status_code=202)(self.approve)
        router.post("/provisioning/{run_id}/discard", status_code=202)(self.discard)

    def status(self) -> Json:
        """Return how the whole installation is doing."""
        seen = overview(self._service)
        return {
            **installation_status(self._service),
            "problems": plain(alerts(seen)),
            "courses_with_problems": seen.with_problems,
            "assignments": plain(seen.standings),
            "event_to_powerschool": [
                {"hour": hour.begins_at.isoformat(), "changes": hour.total, "half_within_s": hour.within(0.5),
                 "nearly_all_within_s": hour.within(0.95)}
                for hour in seen.hours
            ],
        }  # fmt: skip

    def actions(self, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Json]:
        """Return what people did through the pages and the API, the newest first."""
        return [plain(action) for action in self._service.actions.newest(limit)]

    def pauses(self) -> list[Json | None]:
        """Return what is held back, the longest first."""
        return [pause_json(pause) for pause in self._service.pauses.all()]

    def pause(self, person: Operator, body: PauseRequest) -> Json:
        """Hold everything, provisioning or a course back. Changes are collected meanwhile. Safe to repeat."""
        return {"target": body.target, "paused": self._actions.pause(person, body.target, body.reason)}

    def resume(self, person: Operator, body: Target) -> Json:
        """Let it go on. Safe to repeat."""
        return {"target": body.target, "resumed": self._actions.resume(person, body.target)}

    def provisioning(self, limit: Annotated[int, Query(ge=1, le=50)] = 20) -> Json:
        """Return the newest provisioning runs, the newest first, and those that wait for a person.

        `held` is the first of `held_runs`: the district's, if there is one, then by school.
        """
        now = self._service.clock.now()
        held = [run_api_json(run, now) for run in self._provisioning.held_runs()]
        runs = [run_api_json(run, now) for run in self._provisioning.runs(limit)]
        return {"held": plain(held[0] if held else None), "held_runs": plain(held), "runs": plain(runs)}

    def run(self, run_id: RunId) -> Json:
        """Return a run with the exact rows of its plan, and the rows that Canvas refused. They hold names."""
        run = self._found(run_id)
        return {
            "run": plain(run_api_json(run, self._service.clock.now())),
            "rows": [rows_api_json(changed) for changed in self._provisioning.rows(run)],
            "troubles": [message_api_json(message) for message in self._provisioning.messages(run_id)],
        }

    def approve(self, person: Operator, run_id: RunId) -> Json:
        """Let a held plan be applied. Safe to repeat."""
        self._found(run_id)
        return {"run_id": run_id, "approved": self._actions.approve(person, run_id)}

    def discard(self, person: Operator, run_id: RunId) -> Json:
        """Close a held plan without applying it. Safe to repeat."""
        self._found(run_id)
        return {"run_id": run_id, "discarded": self._actions.reject(person, run_id)}

    def _found(self, run_id: str) -> Run:
        run = self._provisioning.run(run_id)
        if run is None:
            raise ApiError(404, "run_unknown", "There is no provisioning run of this id.")
        return run
