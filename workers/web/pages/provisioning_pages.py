"""The pages of provisioning: runs, and one run with its rows."""

from collections.abc import Callable

from starlette.responses import Response

from shared.domain.provisioning.run import Run, RunState
from workers.provisioning.changed_rows import changed_rows
from workers.provisioning.serializers import counts_text, run_findings, run_reasons
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
    runs, run = pages.service.provision_runs, _run(pages, request)
    return pages.page(
        "run.html",
        request,
        run=run,
        reasons=run_reasons(run, pages.service.clock.now()),
        findings=run_findings(run),
        rows=list(changed_rows(runs, run)),
        messages=runs.messages(run.id),
        limit=ROWS_LIMIT,
    )


def confirm_approval(pages: PageHandlers, request: PageRequest) -> Response:
    """`/provisioning/{run_id}/approve`: how many rows a plan changes in Canvas, before it is approved."""
    run = _run_awaiting_approval(pages, request)
    counts = [
        f"{counts_text(change)} of {change.key.entity}{f' of term {term}' if (term := change.key.term_sis_id) else ''}"
        for change in run.changes
    ]
    consequences = [f"Canvas is sent the rows of {run.scope} that the plan shows.", *counts]
    return _question(pages, request, run, "Approve", consequences, is_danger=any(each.removed for each in run.changes))


def confirm_discard(pages: PageHandlers, request: PageRequest) -> Response:
    """`/provisioning/{run_id}/discard`: what happens without a plan, before it is discarded."""
    consequences = ["Nothing of the plan is sent to Canvas.", "The next run plans again, and may be held again."]
    return _question(pages, request, _run_awaiting_approval(pages, request), "Discard", consequences, is_danger=True)


def _question(
    pages: PageHandlers, request: PageRequest, run: Run, verb: str, consequences: list[str], *, is_danger: bool
) -> Response:
    action, back = f"/provisioning/{run.id}/{verb.lower()}", f"/provisioning/{run.id}"
    title, fields = f"{verb} the plan of run {run.id}", {"plan_digest": run.plan_digest}
    return pages.page(
        "layout/question.html", request, title=title, consequences=consequences, action=action, fields=fields,
        back=back, is_danger=is_danger,
    )  # fmt: skip


def _run(pages: PageHandlers, request: PageRequest) -> Run:
    run = pages.service.provision_runs.find(request.path_params["run_id"])
    if run is None:
        raise ApiError(404, "run_unknown", "There is no provisioning run of this id (any more).")
    return run


def _run_awaiting_approval(pages: PageHandlers, request: PageRequest) -> Run:
    run = _run(pages, request)
    if run.state is not RunState.HELD:
        raise ApiError(409, "not_held", f"The plan of run {run.id} does not wait for a decision any more: it is "
                       f"{run.state}.")  # fmt: skip
    return run


def approve(_pages: PageHandlers, request: PageRequest) -> Response:
    """Approve a held plan."""
    return _decided(request, request.actions.approve)


def discard(_pages: PageHandlers, request: PageRequest) -> Response:
    """Discard a held plan."""
    return _decided(request, request.actions.reject)


def _decided(request: PageRequest, decide: Callable[[str, str], bool]) -> Response:
    run_id = request.path_params["run_id"]
    if not decide(run_id, request.form("plan_digest")):
        raise ApiError(409, "changed_meanwhile", f"Nothing was done: the plan of run {run_id} was decided or has "
                       "changed meanwhile. Look at it again.")  # fmt: skip
    return redirect(f"/provisioning/{run_id}")


GET = {
    "/provisioning": list_runs,
    "/provisioning/{run_id}": show_run,
    "/provisioning/{run_id}/approve": confirm_approval,
    "/provisioning/{run_id}/discard": confirm_discard,
}
POST = {"/provisioning/{run_id}/approve": approve, "/provisioning/{run_id}/discard": discard}
