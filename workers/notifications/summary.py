"""Reads the numbers of the daily summary from the status of the installation."""

from collections import Counter

from shared.domain.metrics import HourlyLatency
from shared.domain.notifications.messages import Figures
from workers.status import InstallationStatus

MOST = 0.95


def figures_of(status: InstallationStatus) -> Figures:
    """Return the numbers as of the status. Its hours are the last 24."""
    counts: Counter[int] = Counter()
    for hour in status.hours:
        counts.update(hour.counts)
    day, run = HourlyLatency(status.now, counts), status.last_run
    return Figures(
        status.connected,
        status.with_problems,
        status.dead_letters,
        day.total,
        day.bound_for(MOST),
        status.last_event_at,
        (run.finished_at or run.created_at) if run else None,
    )
