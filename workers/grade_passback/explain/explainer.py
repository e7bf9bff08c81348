"""Explains for every assignment of a course whether it is in PowerSchool, and why it is not. Reads only."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.audit import latest_scores
from shared.domain.passback.course_state import CourseRecord
from shared.errors import PassbackError, PermanentError, TransientError
from workers.grade_passback.compare import compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.explain.activity import CourseActivity, activity_json
from workers.grade_passback.explain.readings import LastWrites, live_reading, stored_reading
from workers.grade_passback.explain.response import (
    CourseReading,
    ExplainQuery,
    Json,
    assignments_json,
    last_change_json,
    open_job_json,
    pause_json,
    sections_json,
    time_json,
)


@dataclass(frozen=True)
class CourseExplainer:
    """Explains a course from a live reading of both systems, or from the state that the last sync stored.

    `reader` is called for a live reading only: making it may ask PowerSchool for its time zone.
    """

    reader: Callable[[], CourseReader]
    records: CourseStates
    dead_letters: DeadLetters
    audit: Audit
    changes: SyncQueue
    pauses: Pauses
    clock: Clock
    activity: Callable[[str], CourseActivity]

    def explain(self, query: ExplainQuery) -> Json:
        """Return the live explanation, in the shape of `explain --json`.

        Where a system is unavailable, return the stored explanation, which then has the error.
        """
        try:
            comparison = compare(self.reader().read(query.course_id, asked_for_by_person=False, all_scores=True))
        except PassbackError as error:
            return self.explain_stored(query, error)
        causes, writes = self._dead_letter_causes(query), self._last_writes(query)
        reading = live_reading(comparison, query, causes, writes, self.clock.now())
        return self._rendered(query, reading, comparison.data.earlier, live=True)

    def explain_stored(self, query: ExplainQuery, error: PassbackError | None = None) -> Json:
        """Return the explanation as of the last sync; a course that was never synced has no assignments."""
        state = self.records.course(query.course_id)
        reading = None
        if state is not None:
            reading = stored_reading(state, query, self._dead_letter_causes(query), self._last_writes(query))
        return self._rendered(query, reading, state, live=False, error=error)

    def _rendered(
        self,
        query: ExplainQuery,
        reading: CourseReading | None,
        stored: CourseRecord | None,
        *,
        live: bool,
        error: PassbackError | None = None,
    ) -> Json:
        """Return the explanation. `as_of` is when the state was read, `synced_at` when the last sync stored one."""
        dead_letters = self.dead_letters.of_course(query.course_id)
        activity = replace(self.activity(query.course_id), dead_letters=len(dead_letters))
        changed = activity.changed_assignment_ids
        return {
            "course_id": query.course_id,
            "live": live,
            "as_of": time_json(reading.state.synced_at if reading else None),
            "trouble": None if error is None else {"code": _cause(error), "message": str(error)},
            "last_event_at": time_json(self.changes.last_event_of(query.course_id)),
            "synced_at": time_json(stored.synced_at if stored else None),
            "last_change": last_change_json(stored.last_change if stored else None),
            "paused": pause_json(self.pauses.of_course(query.course_id)),
            "activity": activity_json(activity),
            "dead_letters": [open_job_json(each) for each in dead_letters],
            "sections": sections_json(reading.state) if reading else [],
            "assignments": assignments_json(reading, query.student_sis_id, changed) if reading else [],
        }

    def _dead_letter_causes(self, query: ExplainQuery) -> dict[str | None, str]:
        """Return the causes of the course's dead letters by assignment id, None for the whole course's."""
        return {each.assignment_id: each.cause for each in self.dead_letters.of_course(query.course_id)}

    def _last_writes(self, query: ExplainQuery) -> LastWrites:
        if query.student_sis_id is None:
            return {}
        return latest_scores(self.audit.of_course(query.course_id), query.student_sis_id)


def _cause(error: PassbackError) -> str:
    return error.cause if isinstance(error, TransientError | PermanentError) else "error"
