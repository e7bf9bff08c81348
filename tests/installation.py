"""The status of an installation in which nothing is wrong, for tests that change one field."""

from datetime import UTC, datetime, timedelta

from shared.adapters.redis.operations.processes import Heartbeat
from shared.adapters.redis.sync_queue.store import Counts
from shared.domain.notifications.state import NotificationState
from shared.domain.passback.course_state import AssignmentStatus
from workers.status import InstallationStatus

NOW = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ALIVE = [Heartbeat("beat@here:1", timedelta(0)), Heartbeat("worker@here:2", timedelta(0))]
WELL = InstallationStatus(
    now=NOW, courses=Counts(0, 0, 0), connected=1, with_problems=0, statuses=dict.fromkeys(AssignmentStatus, 0),
    waiting=[], messages=0, oldest_message_at=None, stale_courses=0, redis_memory=None,
    tasks={}, unknown_changes=0, repairs={}, dead_letters=0,
    dead_letter_causes={}, dead_letters_warning=None,
    last_event_at=NOW, silence_matters=True,
    processes=ALIVE, pauses=[], outages=[], rates=[], unavailable_queries=[], long_waits=[], hours=[], actions=[],
    last_run=None, held_runs=(), notifications=NotificationState(), teacher_digest=None, token_ends_at=None,
    token_refused_at=None,
)  # fmt: skip
