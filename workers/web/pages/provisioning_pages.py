"""The pages of provisioning: runs, and one run with its rows."""

from collections.abc import Callable

from shared.domain.provisioning.run import Run, RunState
from workers.provisioning.changed_rows import changed_rows
from workers.provisioning.serializers import counts_text, run_findings, run_reasons
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageRequest, Values

RUNS_LIMIT = 30
ROWS_LIMIT = 500


def list_runs(request: PageRequest) -> Values:
    """The newest runs, and those held for approval."""
    runs, now = request.service.provision_runs, request.service.clock.now()
    return {"runs": runs.newest(RUNS_LIMIT), "held": [(run, run_reasons(run, now)) for run in runs.held_runs()]}


def show_run(request: PageRequest) -> Values:
    """A run with the rows of its plan and the messages of Canvas."""
    runs, run = request.service.provision_runs, _run(request)
    return {
        "run": run, "reasons": run_reasons(run, request.service.clock.now()), "findings": run_findings(run),
        "rows": list(changed_rows(runs, run)), "messages": runs.messages(run.id), "limit": ROWS_LIMIT,
    }  # fmt: skip


def confirm_approval(request: PageRequest) -> Values:
    """How many rows a plan changes in Canvas, before it is approved."""
    run = _run_awaiting_approval(request)
    counts = [
        f"{counts_text(change)} of {change.key.entity}{f' of term {term}' if (term := change.key.term_sis_id) else ''}"
        for change in run.changes
    ]
    consequences = [f"Canvas is sent the rows of {run.scope} that the plan shows.", *counts]
    return _question(run, "Approve", consequences, is_danger=any(each.removed for each in run.changes))


def confirm_discard(request: PageRequest) -> Values:
    """What happens without a plan, before it is discarded."""
    consequences = ["Nothing of the plan is sent to Canvas.", "The next run plans again, and may be held again."]
    return _question(_run_awaiting_approval(request), "Discard", consequences, is_danger=True)


def _question(run: Run, verb: str, consequences: list[str], *, is_danger: bool) -> Values:
    back = f"/provisioning/{run.id}"
    return {
        "title": f"{verb} the plan of run {run.id}", "consequences": consequences, "action": f"{back}/{verb.lower()}",
        "fields": {"plan_digest": run.plan_digest}, "back": back, "is_danger": is_danger,
    }  # fmt: skip


def _run(request: PageRequest) -> Run:
    run = request.service.provision_runs.find(request.path_params["run_id"])
    if run is None:
        raise ApiError(404, "run_unknown", "There is no provisioning run of this id (any more).")
    return run


def _run_awaiting_approval(request: PageRequest) -> Run:
    run = _run(request)
    if run.state is not RunState.HELD:
        raise ApiError(409, "not_held", f"The plan of run {run.id} does not wait for a decision any more: it is "
                       f"{run.state}.")  # fmt: skip
    return run


def approve(request: PageRequest) -> str:
    """Approve a held plan."""
    return _decided(request, request.actions.approve)


def discard(request: PageRequest) -> str:
    """Discard a held plan."""
    return _decided(request, request.actions.reject)


def _decided(request: PageRequest, decide: Callable[[str, str], bool]) -> str:
    run_id = request.path_params["run_id"]
    if not decide(run_id, request.field("plan_digest")):
        raise ApiError(409, "changed_meanwhile", f"Nothing was done: the plan of run {run_id} was decided or has "
                       "changed meanwhile. Look at it again.")  # fmt: skip
    return f"/provisioning/{run_id}"
