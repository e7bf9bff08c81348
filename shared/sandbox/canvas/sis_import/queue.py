"""The SIS imports of the root account: one at a time, first in first out, as fast as the faults say.

Source: canvas-lms app/models/sis_batch.rb. The queue advances with every request.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Final

from shared.sandbox.canvas.actions.course_actions import CourseActions
from shared.sandbox.canvas.live_events.envelope import SIS_BATCH_JOB, Origin
from shared.sandbox.canvas.rest.throttle import CanvasFaults, Fate
from shared.sandbox.canvas.sis_import.job import NOT_COMPLETED, ImportRequest, SisImport

FIRST_IMPORT_ID: Final = 3001
PAUSE_AFTER_ABORT: Final = timedelta(minutes=10)
ERRORS_TTL: Final = timedelta(days=30)
HANGS: Final = "hangs"


class SisQueue:
    """Runs uploads one after the other. `faults` returns the faults as they are set now."""

    def __init__(self, canvas: CourseActions, faults: Callable[[], CanvasFaults]) -> None:
        self._canvas = canvas
        self._faults = faults
        self._ids = count(FIRST_IMPORT_ID)
        self._free_at: datetime | None = None
        self.imports: list[SisImport] = []

    def add(self, request: ImportRequest) -> SisImport:
        """Queue an upload; nothing is imported before the next request."""
        found = SisImport(next(self._ids), request, self._canvas.clock.now())
        self.imports.append(found)
        self._announce("sis_batch_created", found, Origin(path="/api/v1/accounts/self/sis_imports"))
        return found

    def advance(self) -> None:
        """Run the imports as far as they should be now."""
        now = self._canvas.clock.now()
        while running := self._running() or self._started(now):
            started = running.started_at or now
            takes = timedelta(seconds=self._faults().sis_import_s)
            if running.fate is not None:
                takes *= running.fate.after
                if running.fate.state == HANGS and now >= started + takes:
                    running.advance(running.fate.after, now)
                    return
            if now < started + takes:
                running.advance((now - started) / timedelta(seconds=self._faults().sis_import_s), now)
                return
            running.finish(started + takes)
            self._free_at = started + takes
            self._announce("sis_batch_updated", running, Origin(job_tag=SIS_BATCH_JOB))

    def abort(self, found: SisImport) -> None:
        """Stop an import that has not ended; if others wait, the next one starts ten minutes later."""
        now = self._canvas.clock.now()
        found.abort(now)
        if any(one.workflow_state == "created" for one in self.imports):
            self._free_at = now + PAUSE_AFTER_ABORT
        self._announce("sis_batch_updated", found, Origin(method="PUT", path=f"/api/v1/sis_imports/{found.id}/abort"))

    def is_expired(self, at: datetime) -> bool:
        """Say whether errors of that time are gone."""
        return self._canvas.clock.now() - at > ERRORS_TTL

    def _running(self) -> SisImport | None:
        return next((one for one in self.imports if one.workflow_state == "importing"), None)

    def _started(self, now: datetime) -> SisImport | None:
        """Start the import that waits longest, if one may start."""
        waiting = next((one for one in self.imports if one.workflow_state == "created"), None)
        if waiting is None or self._faults().sis_imports_held:
            return None
        at = max(waiting.created_at, self._free_at or waiting.created_at)
        if at > now:
            return None
        waiting.start(self._canvas, self._earlier(waiting), at, self._next_fate())
        self._announce("sis_batch_updated", waiting, Origin(job_tag=SIS_BATCH_JOB))
        return waiting

    def _earlier(self, found: SisImport) -> list[SisImport]:
        """Return the ended imports of the same data set, the oldest first."""
        identifier = found.request.identifier
        return [
            one
            for one in self.imports
            if identifier and one.request.identifier == identifier and one.workflow_state not in NOT_COMPLETED
        ]

    def _next_fate(self) -> Fate | None:
        fates = self._faults().sis_import_fates
        return fates.pop(0) if fates else None

    def _announce(self, name: str, found: SisImport, origin: Origin) -> None:
        self._canvas.events.sis_batch(name, found.id, found.workflow_state, origin)
