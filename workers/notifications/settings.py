"""What a district decides about notifications, and what follows from it at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from shared.clock import cron_matches, last_due
from workers.container import Container
from workers.notifications.delivery import Target, targets_of
from workers.school_hours import SchoolHours

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
