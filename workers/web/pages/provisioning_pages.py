"""The pages of provisioning: runs, and one run with its rows."""

from collections.abc import Mapping

from starlette.responses import Response

from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, View, redirect

SHOWN_RUNS = 30
SHOWN_ROWS = 500


class ProvisioningViews:
    """Everything under `/provisioning`."""

    def __init__(self, desk: PageHandlers) -> None:
        self._desk = desk

    def looks(self) -> Mapping[str, View]:
        """Return the pages by path."""
        return {"/provisioning": self._runs, "/provisioning/{run_id}": self._run}

    def acts(self) -> Mapping[str, View]:
        """Return the forms by path."""
        return {"/provisioning/{run_id}/approve": self._approve, "/provisioning/{run_id}/discard": self._discard}

    def _runs(self, visit: PageRequest) -> Response:
        provisioning = self._desk.provisioning
        return self._desk.page(
            "provisioning.html", visit, runs=provisioning.runs(SHOWN_RUNS), held=provisioning.held_runs()
        )  # fmt: skip

    def _run(self, visit: PageRequest) -> Response:
        run_id, provisioning = visit.parts["run_id"], self._desk.provisioning
        run = provisioning.run(run_id)
        if run is None:
            raise ApiError(404, "run_unknown", "There is no provisioning run of this id (any more).")
        rows, troubles = provisioning.rows(run_id), provisioning.troubles(run_id)
        return self._desk.page("run.html", visit, run=run, rows=rows, troubles=troubles, most=SHOWN_ROWS)

    def _approve(self, visit: PageRequest) -> Response:
        run_id = visit.parts["run_id"]
        self._desk.acts.approve(visit.person, run_id)
        return redirect(f"/provisioning/{run_id}")

    def _discard(self, visit: PageRequest) -> Response:
        run_id = visit.parts["run_id"]
        self._desk.acts.reject(visit.person, run_id)
        return redirect(f"/provisioning/{run_id}")
