"""Syncs many courses as a person asks: makes them due at a pace, and follows each to its end.

Few are asked for at once, so that a change that arrives meanwhile is synced between them. What is asked for stays due
when this process ends: workers sync it, and nothing is undone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.clock import Clock
from shared.domain.passback.course_state import State, sections_of
from workers.grade_passback.explain.activity import Activity, CourseActivity, activity_json, is_hindered

# How many courses are asked for and not over at once.
WINDOW = 10
POLL_INTERVAL = timedelta(seconds=0.5)
# How long an outage, no worker, or waits between attempts may last before the rest is left to the workers.
PATIENCE = timedelta(minutes=5)
# The same where courses only wait for their turn behind others.
LONG_PATIENCE = timedelta(minutes=30)
# These keep every course alike from being synced: no more courses are asked for meanwhile.
_OF_ALL = frozenset({Activity.NO_WORKER, Activity.UNAVAILABLE})
_ON_THE_WAY = frozenset({Activity.SYNCING, Activity.WAITING, Activity.RATE_LIMITED})


@dataclass
class BulkProgress:
    """How far it is: courses that are synced, that failed (with why), that wait (with what for).

    `remaining` were not asked for yet. `is_cancelled` once a person ended it.
    """

    remaining: list[str]
    synced: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    is_cancelled: bool = False

    @property
    def selected(self) -> int:
        """Return how many courses were selected."""
        return len(self.synced) + len(self.failed) + len(self.waiting) + len(self.remaining)

    @property
    def is_complete(self) -> bool:
        """Say whether every selected course was synced."""
        return len(self.synced) == self.selected


@dataclass(frozen=True)
class BulkSync:
    """Requests the syncs of many courses and follows them. Reads Redis only, and requests."""

    states: CourseStates
    dead_letters: DeadLetters
    activity_of: Callable[[str], CourseActivity]
    clock: Clock

    def run(
        self,
        course_ids: Sequence[str],
        request: Callable[[str], None],
        report: Callable[[BulkProgress], None] = lambda _: None,
        is_cancelled: Callable[[], bool] = lambda: False,
    ) -> BulkProgress:
        """Request the courses one after the other, and return once all are over or nothing goes on any more."""
        progress = BulkProgress(list(course_ids))
        followed: dict[str, datetime] = {}
        retried: dict[str, datetime] = {}
        moved_at, states = self.clock.now(), frozenset[Activity]()
        while True:
            progress.is_cancelled = is_cancelled()
            while progress.remaining and len(followed) < WINDOW and not (progress.is_cancelled or states & _OF_ALL):
                course_id = progress.remaining.pop(0)
                followed[course_id], progress.waiting[course_id] = self.clock.now(), ""
                request(course_id)
            # What waits between attempts holds up no other course, and is looked at in the end.
            is_last = not (followed or progress.remaining)
            ended, states = self._poll(retried if is_last else followed, retried, progress)
            now = self.clock.now()
            if ended or Activity.SYNCING in states:
                moved_at = now
            report(progress)
            patience = LONG_PATIENCE if states <= _ON_THE_WAY else PATIENCE
            is_over = not (followed or retried or progress.remaining)
            if progress.is_cancelled or is_over or now - moved_at >= patience:
                return progress
            self.clock.sleep(POLL_INTERVAL)

    def _poll(
        self, followed: dict[str, datetime], retried: dict[str, datetime], progress: BulkProgress
    ) -> tuple[bool, frozenset[Activity]]:
        """Look at what the followed courses do. Return whether one is over, and what the others do."""
        ended, states = False, set[Activity]()
        for course_id, requested_at in list(followed.items()):
            read = self.activity_of(course_id)
            activity = activity_json(read)
            state = Activity(str(activity["state"]))
            progress.waiting[course_id] = str(activity["sentence"])
            if state is Activity.IDLE:
                self._end(course_id, requested_at, progress)
            if state in (Activity.IDLE, Activity.PAUSED):
                # Only a person ends a pause.
                del followed[course_id]
                ended = True
                continue
            if state is Activity.SYNCING and is_hindered(read):
                # One more attempt during an outage, or after a failure: nothing is known to go on.
                state = Activity.UNAVAILABLE if read.outages else Activity.WAITING
            states.add(state)
            if state not in _ON_THE_WAY | _OF_ALL and followed is not retried:
                retried[course_id] = followed.pop(course_id)
        return ended, frozenset(states)

    def _end(self, course_id: str, requested_at: datetime, progress: BulkProgress) -> None:
        del progress.waiting[course_id]
        failure = self._failure(course_id, requested_at)
        if failure:
            progress.failed[course_id] = failure
        else:
            progress.synced.append(course_id)

    def _failure(self, course_id: str, requested_at: datetime) -> str:
        """Return why the course's sync did not succeed; empty if it did."""
        dead_letters = self.dead_letters.of_course(course_id)
        if dead_letters:
            return f"dead letter: {', '.join(sorted({each.cause for each in dead_letters}))}"
        record = self.states.course(course_id)
        if record is None or record.synced_at < requested_at:
            return "its sync recorded nothing"
        is_retried = any(section.state is State.RETRYING for _, section in sections_of(record))
        return "some of its work is retried" if is_retried else ""
