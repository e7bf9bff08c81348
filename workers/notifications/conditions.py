"""Reads what needs a person: the alerts of the installation, one condition for each cause."""

from shared.domain.notifications.state import Condition
from shared.domain.wording import counted
from workers.alerts import Alert, alerts
from workers.status import InstallationStatus


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
