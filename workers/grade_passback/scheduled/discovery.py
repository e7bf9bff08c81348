"""Finding courses that no event ever told of."""

from datetime import timedelta

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.changes import ChangeCause
from shared.ports.passback import CourseFinder


class CourseDiscovery:
    """Connects courses in which a teacher wants work synced. `grace` is how long after its end a course counts."""

    def __init__(
        self, canvas: CourseFinder, changes: SyncQueue, records: CourseStates, clock: Clock, grace: timedelta
    ) -> None:
        self._canvas = canvas
        self._changes = changes
        self._records = records
        self._clock = clock
        self._grace = grace

    def run(self) -> int:
        """Connect the courses nobody knew and make them due; return how many. Raises what Canvas raises."""
        found = dict.fromkeys(self._canvas.courses_to_sync(self._clock.now() - self._grace))
        return sum(self._is_news(course_id) for course_id in found)

    def _is_news(self, course_id: str) -> bool:
        if not self._records.register(course_id):
            return False
        # If this process dies here, reconciliation finds a connected course that never had its turn.
        self._changes.request(course_id, ChangeCause.RECONCILE)
        self._records.mark_visited(course_id, self._clock.now())
        return True
