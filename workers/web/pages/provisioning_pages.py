"""The pages of provisioning: runs, and one run with its rows."""

from starlette.responses import Response

from workers.provisioning.changed_rows import changed_rows
from workers.provisioning.serializers import run_findings, run_reasons
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect

RUNS_LIMIT = 30
ROWS_LIMIT = 500


def list_runs(pages: PageHandlers, request: PageRequest) -> Response:
    """`/provisioning`: the newest runs, and those held for approval."""
    runs, now = pages.service.provision_runs, pages.service.clock.now()
    held = [(run, run_reasons(run, now)) for run in runs.held_runs()]
    return pages.page("provisioning.html", request, runs=runs.newest(RUNS_LIMIT), held=held)


def show_run(pages: PageHandlers, request: PageRequest) -> Response:
    """`/provisioning/{run_id}`: a run with the rows of its plan and the messages of Canvas."""
    run_id, runs = request.path_params["run_id"], pages.service.provision_runs
    run = runs.find(run_id)
    if run is None:
        raise ApiError(404, "run_unknown", "There is no provisioning run of this id (any more).")
    return pages.page(
        "run.html",
        request,
        run=run,
        reasons=run_reasons(run, pages.service.clock.now()),
        findings=run_findings(run),
        rows=list(changed_rows(runs, run)),
        messages=runs.messages(run_id),
        limit=ROWS_LIMIT,
    )


def approve(_pages: PageHandlers, request: PageRequest) -> Response:
    """Approve a held plan."""
    run_id = request.path_params["run_id"]
    request.actions.approve(run_id)
    return redirect(f"/provisioning/{run_id}")


def discard(_pages: PageHandlers, request: PageRequest) -> Response:
    """Discard a held plan."""
    run_id = request.path_params["run_id"]
    request.actions.reject(run_id)
    return redirect(f"/provisioning/{run_id}")


GET = {
    "/provisioning": list_runs,
    "/provisioning/{run_id}": show_run,
}
POST = {"/provisioning/{run_id}/approve": approve, "/provisioning/{run_id}/discard": discard}
