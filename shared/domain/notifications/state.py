"""What notifications remember: the conditions that need people, and what each target was told of them.

Everything is ids, codes and the sentences of alerts; no name and no address.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shared.domain.wording import CodeTable

# A target that failed so often in a row is reported; a server that restarts is not.
NOTICEABLE_FAILURES = 3


class DeliveryFailure(CodeTable):
    """Why a target did not take a message. The closed set keeps the texts of libraries out, which quote URLs."""

    sentence: str
    remedy: str

    EXTRA_MISSING = (
        "extra_missing",
        "passback's extra `notify` is not installed.",
        "Install it where the workers run: pip install 'passback[notify]'.",
    )
    URL_INVALID = (
        "url_invalid",
        "its URL is not one that Apprise knows, or it is incomplete.",
        "Correct its URL in PASSBACK_NOTIFY_URLS; deploy/guides/notifications.md has examples.",
    )
    HOST_UNKNOWN = ("host_unknown", "no server of this name was found.", "Correct the host in its URL.")
    NOT_CONNECTED = (
        "not_connected",
        "its server took no connection.",
        "See whether the server runs and whether a firewall is between; correct host and port in its URL.",
    )
    TIMED_OUT = (
        "timed_out",
        "its server did not answer in time.",
        "See whether the server is well and whether a firewall is between; correct host and port in its URL.",
    )
    TLS_FAILED = (
        "tls_failed",
        "no encrypted connection to its server could be made.",
        "Correct the scheme and port in its URL, or the server's certificate.",
    )
    CREDENTIALS_REFUSED = (
        "credentials_refused",
        "its server refuses the user and password, or the token.",
        "Correct user, password or token in its URL; the password of a URL is percent-encoded.",
    )
    RECIPIENT_REFUSED = (
        "recipient_refused",
        "its server refuses a recipient or the sender. Other recipients have the message.",
        "Correct the addresses in its URL.",
    )
    REFUSED = (
        "refused",
        "its server refuses the message.",
        "See the log of the server; correct the URL.",
    )
    INTERRUPTED = (
        "interrupted",
        "passback ended while it sent a message, which may have arrived or not.",
        "Nothing: it is sent again, and says so.",
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that needs a person now. `key` stays the same while its numbers change: one cause, one key."""

    key: str
    code: str
    title: str
    remedy: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Episode:
    """One condition from when it was first seen until it was over.

    `absent_since` is when it was last seen to be away and did not return yet; `ended_at` is when it was over.
    `returns` counts how often it came back soon after its end.
    """

    condition: Condition
    since: datetime
    absent_since: datetime | None = None
    ended_at: datetime | None = None
    returns: int = 0

    @property
    def is_over(self) -> bool:
        """Say whether the condition has ended."""
        return self.ended_at is not None


@dataclass(frozen=True, slots=True)
class TargetState:
    """What a target, one URL, was told, and how its deliveries go.

    `notified` has the keys of conditions whose beginning was sent and whose end was not. `failed` counts the attempts
    in a row that failed; `sending_since` is set while a message is being sent. `summary` is the due time of the last
    daily summary that is done. `lost` counts messages that were given up since the last delivery.
    """

    id: str
    notified: frozenset[str] = frozenset()
    summary: datetime | None = None
    failed: int = 0
    failing_since: datetime | None = None
    last_failure: DeliveryFailure | None = None
    next_attempt_at: datetime | None = None
    sending_since: datetime | None = None
    delivered_at: datetime | None = None
    lost: int = 0

    @property
    def is_failing(self) -> bool:
        """Say whether the target takes no messages, and it is no passing trouble."""
        needs_person = self.last_failure in (DeliveryFailure.EXTRA_MISSING, DeliveryFailure.URL_INVALID)
        return needs_person or bool(self.lost) or self.failed >= NOTICEABLE_FAILURES

    @property
    def failure(self) -> DeliveryFailure:
        """Return why the last attempt failed."""
        return self.last_failure or DeliveryFailure.REFUSED


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing was checked, because no worker or no beat ran."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class NotificationState:
    """Everything that is stored between two checks."""

    checked_at: datetime | None = None
    episodes: Mapping[str, Episode] = field(default_factory=dict)
    targets: Mapping[str, TargetState] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()

    @property
    def open_episodes(self) -> list[Episode]:
        """Return what needs a person now, the oldest first."""
        return sorted((each for each in self.episodes.values() if not each.is_over), key=lambda each: each.since)

    def target(self, target_id: str) -> TargetState:
        """Return what a target was told; nothing, of a new one."""
        return self.targets.get(target_id, TargetState(target_id))

    def failing(self) -> Iterator[TargetState]:
        """Yield the targets that take no messages."""
        return (each for each in self.targets.values() if each.is_failing)
