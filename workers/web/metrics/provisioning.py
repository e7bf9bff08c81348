"""Metrics of provisioning: age of the last success, runs by state, plans held for approval."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from workers.web.metrics import definitions as of
from workers.web.metrics.definitions import Metric

ROSTER = "roster"
DONE = "done"
NEWEST = 100


def provisioning_samples(runs: ProvisionRuns, now: datetime) -> Iterator[tuple[Metric, tuple[str, ...], float]]:
    """Yield the samples; no age of a success where none of the newest runs was one."""
    rosters = [run for run in runs.newest(NEWEST) if run.kind == ROSTER]
    for state, count in Counter(str(run.state) for run in rosters).items():
        yield of.PROVISIONING_RUNS, (state,), count
    # What a person approved of one school says nothing about the others.
    whole = (run for run in rosters if run.state == DONE and run.school_number is None)
    succeeded = [run.finished_at for run in whole if run.finished_at is not None]
    if succeeded:
        yield of.PROVISIONING_SUCCESS_AGE, (), max(0.0, (now - max(succeeded)).total_seconds())
    held = runs.held_runs()
    of_district = sum(run.school_number is None for run in held)
    yield of.PROVISIONING_HELD, ("district",), of_district
    yield of.PROVISIONING_HELD, ("school",), len(held) - of_district
