"""Reads what there is to tell, and what a district decided about it: conditions, figures of a day, settings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from shared.clock import cron_matches, last_due
from shared.domain.metrics import HourlyLatency
from shared.domain.notifications.messages import Figures
from shared.domain.notifications.state import Condition
from shared.domain.wording import counted
from workers.alerts import Alert, alerts
from workers.container import Container
from workers.notifications.delivery import Target, targets_of
from workers.school_hours import SchoolHours
from workers.status import InstallationStatus

# In the district's time zone. In the quiet hours it waits for their end.
SUMMARY_SCHEDULE = "30 6 * * *"


@dataclass(frozen=True, slots=True)
class NotifySettings:
    """The targets, when messages may go, and where their links lead (empty: messages have none)."""

    targets: Sequence[Target]
    quiet_hours: str
    zone: tzinfo
    base_url: str

    def is_quiet(self, now: datetime) -> bool:
        """Say whether messages wait now."""
        return bool(self.quiet_hours) and cron_matches(self.quiet_hours, now, self.zone)

    def summary_due(self, now: datetime) -> datetime:
        """Return when a daily summary was due last."""
        return last_due(SUMMARY_SCHEDULE, now, self.zone)


def notify_settings(container: Container) -> NotifySettings:
    """Return the settings. Where the time zone is not set, it is PowerSchool's once that was read, and UTC before.

    PowerSchool is not asked: that it is unavailable is what may have to be told.
    """
    s, zone = container.settings, SchoolHours(container).zone or UTC
    return NotifySettings(targets_of(s.notify_urls), s.notify_quiet_hours, zone, s.public_url)


def conditions_of(status: InstallationStatus) -> list[Condition]:
    """Return the conditions, the worst first. Alerts of one code about one thing are one condition.

    What a person entered, such as the reason of a pause, is left out: it may hold names.
    """
    by_key: dict[str, list[Alert]] = {}
    for alert in alerts(status):
        by_key.setdefault(f"{alert.code}:{alert.about}" if alert.about else alert.code, []).append(alert)
    return [_condition(key, found) for key, found in by_key.items()]


def _condition(key: str, found: list[Alert]) -> Condition:
    first, others = found[0], len(found) - 1
    title = first.title.removesuffix(first.entered) if first.entered else first.title
    title = title if title.endswith((".", "!", "?")) else f"{title}."
    more = f" And {counted(others, 'other')}." if others else ""
    return Condition(key, first.code, f"{title}{more}", first.remedy, first.link)


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
