"""One SIS import, step by step, so that whoever goes on after a crash starts none twice."""

from dataclasses import replace
from datetime import timedelta

import structlog

from shared.clock import Clock
from shared.domain.provisioning_run import AppliedMark, Run, Upload, UploadState
from shared.domain.sis_import import DataSet, ImportState, SisImport
from shared.errors import NotFound, PermanentError, TransientError
from shared.log_events import LogEvent
from shared.roster_ports import ProvisionRuns, RunLease, SisImports
from workers.provisioning.planning import Planner
from workers.provisioning.upload_planning import UploadPlanner

log = structlog.get_logger()

FIRST_POLL = timedelta(seconds=2)
LONGEST_POLL = timedelta(seconds=60)
POLL_GROWTH = 1.5
# Among so many of the newest imports of anybody ours is looked for; there are never more under way than one of ours.
LOOKED_THROUGH = 50


def poll_wait(polls: int) -> timedelta:
    """Return how long to wait after so many looks, from 2 to 60 seconds. Source: Canvas reference, "SIS import"."""
    return min(LONGEST_POLL, FIRST_POLL * POLL_GROWTH ** min(polls, 20))


class Uploader:
    """Brings an upload one step further. Each step notes what it did before the next one may begin.

    `settles_in`: an upload that was sent and had no answer is in Canvas by then, or never will be.
    """

    def __init__(
        self,
        imports: SisImports,
        runs: ProvisionRuns,
        planner: Planner,
        clock: Clock,
        uploads: UploadPlanner,
        settles_in: timedelta,
    ) -> None:
        self._imports = imports
        self._runs = runs
        self._planner = planner
        self._clock = clock
        self._uploads = uploads
        self._settles_in = settles_in

    def advance(self, run: Run, number: int, lease: RunLease) -> Run:
        """Take the next step with the run's upload of this number; return the run, kept.

        Raises the errors of `shared.errors`: the run is kept as far as it got.
        """
        match run.uploads[number].state:
            case UploadState.WAITING:
                return self._start(run, number, lease)
            case UploadState.INTENDED:
                return self._adopt_or_start(run, number, lease)
            case UploadState.IMPORTING:
                return self._look(run, number, lease)
            case UploadState.FAILED:
                return self._as_new_base(run, number, lease)
            case UploadState.IMPORTED:
                return run

    def _start(self, run: Run, number: int, lease: RunLease) -> Run:
        """Wait for the imports of others; then note that this one starts, and start it."""
        if self._imports.unfinished():
            return self._waits(run, number, lease)
        rows = self._rows(run.uploads[number].digest)
        newest = max((each.id for each in self._imports.newest(1)), default=0)
        intended = replace(
            run.uploads[number], state=UploadState.INTENDED, newest_seen=newest, intended_at=self._clock.now()
        )
        # Kept under the lease: whoever lost it learns so here, and uploads nothing.
        run = self._keep(run.with_upload(number, intended), lease, self._doubtful(intended))
        started = self._imports.start(rows, intended.data_set_id, intended.options)
        return self._started(run, number, lease, started, adopted=False)

    def _adopt_or_start(self, run: Run, number: int, lease: RunLease) -> Run:
        """Go on where somebody stopped between noting that the import starts and noting its id."""
        upload = run.uploads[number]
        found = self._started_unnoticed(upload)
        if found is not None:
            return self._started(run, number, lease, found, adopted=True)
        assert upload.intended_at is not None
        settled_at = upload.intended_at + self._settles_in
        if self._clock.now() < settled_at:
            return self._keep(replace(run, not_before=settled_at, waits_for="upload_to_settle"), lease)
        return self._start(run, number, lease)

    def _started_unnoticed(self, upload: Upload) -> SisImport | None:
        newest = self._imports.newest(LOOKED_THROUGH)
        ours = [each for each in newest if each.data_set_id == upload.data_set_id and each.id > upload.newest_seen]
        return max(ours, key=lambda each: each.id, default=None)

    def _started(self, run: Run, number: int, lease: RunLease, started: SisImport, *, adopted: bool) -> Run:
        upload = run.uploads[number]
        log.info(
            LogEvent.IMPORT_STARTED, run_id=run.id, import_id=started.id, entity=upload.key.entity, rows=upload.rows,
            adopted=adopted,
        )  # fmt: skip
        going = replace(upload, state=UploadState.IMPORTING, import_id=started.id, import_state=started.state, polls=0)
        return self._keep(self._later(run.with_upload(number, going), FIRST_POLL, "own_import"), lease)

    def _look(self, run: Run, number: int, lease: RunLease) -> Run:
        """Look how far the import is, and act on its end."""
        upload = run.uploads[number]
        assert upload.import_id is not None
        try:
            found = self._imports.find(upload.import_id)
        except NotFound as error:
            return self._failed(run, number, lease, None, TransientError(str(error), cause="import_gone"))
        if not found.state.is_final:
            polled = replace(upload, polls=upload.polls + 1, import_state=found.state)
            run = run.with_upload(number, polled)
            return self._keep(self._later(run, poll_wait(polled.polls), "own_import"), lease)
        run = self._with_troubles(run, number, found)
        self._tell_end(run, number, found)
        if found.state.has_succeeded:
            return self._imported(run, number, lease, found)
        return self._failed(run, number, lease, found, _trouble_of(found))

    def _with_troubles(self, run: Run, number: int, found: SisImport) -> Run:
        """Fetch what Canvas says about the rows at once: it forgets it."""
        upload = run.uploads[number]
        errors = [] if found.state is ImportState.IMPORTED else self._imports.errors(found.id)
        if errors:
            rows = self._runs.rows(upload.digest)
            troubles = [self._planner.explained(upload.key, rows, found.id, error) for error in errors]
            self._runs.keep_troubles(run.id, found.id, troubles)
        failures = sum(error.is_failure for error in errors)
        told = replace(upload, import_state=found.state, failures=failures, warnings=len(errors) - failures)
        return run.with_upload(number, told)

    def _imported(self, run: Run, number: int, lease: RunLease, found: SisImport) -> Run:
        upload = replace(run.uploads[number], state=UploadState.IMPORTED)
        if not found.threshold_exceeded:
            done = self._at_once(run.with_upload(number, upload))
            return self._keep(done, lease, self._given(upload))
        # Every row was taken, but none dropped, and the next upload would be compared with the old base.
        return self._keep(self._at_once(self._with_new_base(run.with_upload(number, upload), number)), lease)

    def _failed(
        self, run: Run, number: int, lease: RunLease, found: SisImport | None, error: TransientError | PermanentError
    ) -> Run:
        state = UploadState.FAILED if found else UploadState.INTENDED
        failed = replace(run.uploads[number], state=state, import_id=None, intended_at=self._clock.now())
        self._keep(run.with_upload(number, failed), lease)
        raise error

    def _as_new_base(self, run: Run, number: int, lease: RunLease) -> Run:
        """Try a failed import again as a new base: after five differences in a row Canvas takes nothing else."""
        # Its attempts are not given back: nothing has succeeded yet.
        return self._keep(self._with_new_base(run, number, instead=True), lease)

    def _with_new_base(self, run: Run, number: int, *, instead: bool = False) -> Run:
        """Return the run with uploads of the same data set, as a new base, after this upload or instead of it."""
        upload = run.uploads[number]
        change = next((each for each in run.changes if each.key == upload.key), None)
        before = self._runs.rows(change.before) if change and change.before else None
        base, rows = self._uploads.as_new_base(before, self._rows(upload.holds))
        self._runs.keep_rows(base.digest, rows)
        kept = run.uploads[: number if instead else number + 1]
        return replace(run, uploads=(*kept, base, *run.uploads[number + 1 :]))

    def _doubtful(self, upload: Upload) -> AppliedMark:
        """Return that Canvas may hold the old rows or the new ones of the data set."""
        mark = self._mark(upload) or AppliedMark(upload.key, None, self._clock.now())
        return replace(mark, attempted=upload.digest)

    def _given(self, upload: Upload) -> AppliedMark:
        """Return that Canvas holds the rows of the data set."""
        mark = self._mark(upload)
        earlier = mark.remastered_on if mark else None
        return AppliedMark(
            upload.key,
            upload.holds,
            self._clock.now(),
            has_errors=upload.failures + upload.warnings > 0,
            remastered_on=self._uploads.today() if upload.options.remaster else earlier,
        )

    def _mark(self, upload: Upload) -> AppliedMark | None:
        return next((mark for mark in self._runs.applied() if mark.key == upload.key), None)

    def _rows(self, digest: str) -> DataSet:
        rows = self._runs.rows(digest)
        if rows is None:
            raise PermanentError("the rows of this run are not kept any more", cause="rows_forgotten")
        return rows

    def _waits(self, run: Run, number: int, lease: RunLease) -> Run:
        upload = run.uploads[number]
        waiting = replace(upload, polls=upload.polls + 1)
        return self._keep(self._later(run.with_upload(number, waiting), poll_wait(upload.polls), "other_import"), lease)

    def _later(self, run: Run, wait: timedelta, what_for: str) -> Run:
        return replace(run, not_before=self._clock.now() + wait, waits_for=what_for)

    def _at_once(self, run: Run) -> Run:
        return replace(run, not_before=None, waits_for="", attempts=0)

    def _keep(self, run: Run, lease: RunLease, mark: AppliedMark | None = None) -> Run:
        self._runs.save(lease, run, mark)
        return run

    def _tell_end(self, run: Run, number: int, found: SisImport) -> None:
        upload = run.uploads[number]
        fields = {
            "run_id": run.id, "import_id": found.id, "entity": upload.key.entity, "state": found.state,
            "failures": upload.failures, "warnings": upload.warnings,
            "duration_ms": round((self._clock.now() - found.created_at).total_seconds() * 1000),
        }  # fmt: skip
        (log.info if found.state.has_succeeded else log.warning)(LogEvent.IMPORT_ENDED, **fields)


def _trouble_of(found: SisImport) -> TransientError | PermanentError:
    """Return what an end that is no success means: a person's doing is not undone by trying again."""
    message = f"SIS import {found.id} ended {found.state}"
    if found.state in (ImportState.FAILED, ImportState.FAILED_WITH_MESSAGES):
        return TransientError(message, cause="import_failed")
    return PermanentError(message, cause=f"import_{found.state}")
