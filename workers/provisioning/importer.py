"""Runs one SIS import, step by step, so that a worker that continues after a crash starts none twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from shared.adapters.http.client import RESPONSE_TIMEOUT_S
from shared.adapters.redis.client import Lease
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.provisioning.imports.row_errors import ImportMessage, RowError, explain_row_error, row_key_of
from shared.domain.provisioning.imports.sis_imports import (
    PASSBACK,
    DataSetState,
    ImportProgress,
    ImportState,
    SisImport,
    UploadPart,
    UploadState,
    WaitedFor,
)
from shared.domain.provisioning.imports.uploads import CLASSES, DISTRICT, Part, entities_of, files_of
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity, in_order
from shared.domain.provisioning.run import Run, RunState, digest_of
from shared.errors import NotFound, PermanentError, TransientError
from shared.log_events import LogEvent
from shared.ports.provisioning import SisImports
from workers.provisioning.corrections import last_applied, record_correction, stored_rows
from workers.provisioning.upload_planner import UploadPlanner

log = structlog.get_logger()
# How long an SIS import, of passback or of others, may stay unfinished before the run that waits for it becomes a dead
# letter.
MAX_IMPORT_DURATION = timedelta(hours=6)
# An upload that was sent and had no answer is in Canvas by then, or never will be.
UPLOAD_SETTLES_IN = timedelta(seconds=RESPONSE_TIMEOUT_S)
FIRST_POLL = timedelta(seconds=2)
MAX_POLL_WAIT = timedelta(seconds=60)
POLL_GROWTH = 1.5
# The import of passback is searched among so many of the newest imports; never more than one of its own is under way.
IMPORTS_SEARCHED = 50
# Rosters change while a plan waits: after so long they are read again before anything is sent.
PLAN_LIFETIME = timedelta(hours=1)


def poll_wait(polls: int) -> timedelta:
    """Return how long to wait after so many polls, from 2 to 60 seconds. Source: Canvas reference, "SIS import"."""
    return min(MAX_POLL_WAIT, FIRST_POLL * POLL_GROWTH ** min(polls, 20))


class Importer:
    """Brings an upload one step further. Each step saves what it did before the next one may begin."""

    def __init__(self, imports: SisImports, runs: ProvisionRuns, clock: Clock, uploads: UploadPlanner) -> None:
        self._imports = imports
        self._runs = runs
        self._clock = clock
        self._uploads = uploads

    def advance(self, run: Run, number: int, lease: Lease) -> Run:
        """Take the next step with the run's upload of this number; return the run as it is saved.

        Raises the errors of `shared.errors`: the run is saved as far as it got.
        """
        match run.uploads[number].state:
            case UploadState.WAITING:
                return self._start(run, number, lease)
            case UploadState.INTENDED:
                return self._find_or_start(run, number, lease)
            case UploadState.IMPORTING:
                return self._poll(run, number, lease)
            case UploadState.FAILED:
                return self._remaster(run, number, lease)
            case UploadState.IMPORTED:
                return run

    def _start(self, run: Run, number: int, lease: Lease) -> Run:
        """Wait for the imports of others; then save that this one starts, and start it.

        A plan that waited long is made again: what was right an hour ago may end somebody's classes now.
        """
        unfinished = self._imports.unfinished()
        if unfinished:
            return self._wait_for_others(run, number, lease, unfinished)
        upload = run.uploads[number]
        if upload.state is UploadState.WAITING and self._is_stale(run):
            return self._save(replace(run, state=RunState.READING, not_before=None, waits_for="", waits_on=None), lease)
        data_sets = [stored_rows(self._runs, part.digest) for part in upload.parts]
        newest = max((each.id for each in self._imports.newest(1)), default=0)
        intended = replace(upload, state=UploadState.INTENDED, newest_seen=newest, intended_at=self._clock.now())
        # Saved under the lease: a worker that lost it uploads nothing.
        run = replace(run.with_upload(number, intended), waits_on=None)
        run = self._save(run, lease, () if intended.offers_again else self._mark_attempted(intended))
        files = files_of(data_sets, _kinds(upload))
        started = self._imports.start(files, intended.data_set_id, intended.options)
        return self._started(run, number, lease, started, adopted=False)

    def _is_stale(self, run: Run) -> bool:
        return run.planned_at is not None and self._clock.now() - run.planned_at > PLAN_LIFETIME

    def _find_or_start(self, run: Run, number: int, lease: Lease) -> Run:
        """Continue after a crash between saving that the import starts and saving its id."""
        upload = run.uploads[number]
        newest = self._imports.newest(IMPORTS_SEARCHED)
        unrecorded = (e for e in newest if e.data_set_id == upload.data_set_id and e.id > upload.newest_seen)
        found = max(unrecorded, key=lambda each: each.id, default=None)
        if found is not None:
            return self._started(run, number, lease, found, adopted=True)
        assert upload.intended_at is not None
        settled_at = upload.intended_at + UPLOAD_SETTLES_IN
        if self._clock.now() < settled_at:
            return self._save(replace(run, not_before=settled_at, waits_for="upload_to_settle"), lease)
        return self._start(run, number, lease)

    def _started(self, run: Run, number: int, lease: Lease, started: SisImport, *, adopted: bool) -> Run:
        upload = run.uploads[number]
        log.info(
            LogEvent.IMPORT_STARTED, run_id=run.id, import_id=started.id, entity=_named(upload), rows=upload.rows,
            adopted=adopted,
        )  # fmt: skip
        going = replace(upload, state=UploadState.IMPORTING, import_id=started.id, import_state=started.state, polls=0)
        return self._save(self._poll_later(run.with_upload(number, going), FIRST_POLL, "own_import"), lease)

    def _poll(self, run: Run, number: int, lease: Lease) -> Run:
        """Read the state of the import, and act on its end."""
        upload = run.uploads[number]
        assert upload.import_id is not None
        try:
            found = self._imports.find(upload.import_id)
        except NotFound as error:
            return self._failed(run, number, lease, None, TransientError(str(error), cause=Cause.IMPORT_GONE))
        if not found.state.is_final:
            polled = replace(upload, polls=upload.polls + 1, import_state=found.state)
            run = replace(run.with_upload(number, polled), waits_on=self._waited_for(found))
            began = upload.intended_at or found.created_at
            if self._clock.now() - began > MAX_IMPORT_DURATION:
                raise self._hangs(self._save(run, lease), Cause.IMPORT_HANGS)
            return self._save(self._poll_later(run, poll_wait(polled.polls), "own_import"), lease)
        errors = [] if found.state is ImportState.IMPORTED else self._imports.errors(found.id)
        run = self._with_messages(run, number, found, errors)
        self._log_end(run, number, found)
        if found.state.has_succeeded and upload.is_correction:
            run, states = record_correction(self._imports, self._runs, run, number, errors)
            done = replace(run.uploads[number], state=UploadState.IMPORTED)
            return self._save(self._poll_now(run.with_upload(number, done)), lease, states)
        if found.state.has_succeeded:
            return self._imported(run, number, lease, found)
        return self._failed(run, number, lease, found, _failure(found))

    def _with_messages(self, run: Run, number: int, found: SisImport, errors: Sequence[RowError]) -> Run:
        """Fetch what Canvas says about the rows at once: it is deleted there after 30 days."""
        upload = run.uploads[number]
        if errors:
            self._runs.save_messages(run.id, found.id, self._explained(upload, found, errors))
        failures = sum(error.is_failure for error in errors)
        parts = tuple(self._with_errors(part, upload, errors) for part in upload.parts)
        reported = replace(
            upload, parts=parts, import_state=found.state, failures=failures, warnings=len(errors) - failures
        )
        return run.with_upload(number, reported)

    def _with_errors(self, part: UploadPart, upload: ImportProgress, errors: Sequence[RowError]) -> UploadPart:
        """Return the part with the rows that Canvas had something to say about, if it said which."""
        part_errors = [error for error in errors if part.key.entity in _entities_of(error, upload)]
        rows = self._runs.rows(part.digest) if part_errors else None
        if rows is None:
            return replace(part, has_errors=bool(part_errors), refused=None)
        keys = {named for error in part_errors if (named := row_key_of(part.key.entity, error)) is not None}
        all_named = all(row_key_of(part.key.entity, error) is not None for error in part_errors)
        refused = DataSet(part.key, tuple(row for row in rows.rows if row.key(part.key.entity) in keys))
        if all_named and refused.rows:
            self._runs.save_rows(digest_of(refused), refused)
        # Rows of another data set of the same file are no errors of this one.
        return replace(
            part,
            has_errors=bool(refused.rows) or not all_named,
            refused=digest_of(refused) if all_named and refused.rows else None,
        )

    def _explained(self, upload: ImportProgress, found: SisImport, errors: Sequence[RowError]) -> list[ImportMessage]:
        """Return what Canvas said in plain words, each message beside the rows of its file."""
        files: dict[Entity, DataSet] = {}
        for entity in {entity for error in errors for entity in _entities_of(error, upload)}:
            stored = [self._runs.rows(part.digest) for part in upload.parts if part.key.entity is entity]
            rows = tuple(row for data_set in stored if data_set is not None for row in data_set.rows)
            files[entity] = DataSet(DataSetKey(entity), rows)
        kinds = (_entities_of(error, upload)[0] for error in errors)
        return [
            explain_row_error(DataSetKey(entity), files[entity], found.id, error)
            for entity, error in zip(kinds, errors, strict=True)
        ]

    def _imported(self, run: Run, number: int, lease: Lease, found: SisImport) -> Run:
        upload = replace(run.uploads[number], state=UploadState.IMPORTED)
        if not found.threshold_exceeded:
            done = self._poll_now(run.with_upload(number, upload))
            return self._save(done, lease, self._mark_applied(upload))
        # Every row was taken, but none dropped, and the next upload would be compared with the old base.
        return self._save(self._poll_now(self._with_remaster(run.with_upload(number, upload), number)), lease)

    def _failed(
        self, run: Run, number: int, lease: Lease, found: SisImport | None, error: TransientError | PermanentError
    ) -> Run:
        state = UploadState.FAILED if found else UploadState.INTENDED
        failed = replace(run.uploads[number], state=state, import_id=None, intended_at=self._clock.now())
        self._save(replace(run.with_upload(number, failed), waits_on=None), lease)
        raise error

    def _remaster(self, run: Run, number: int, lease: Lease) -> Run:
        """Try a failed import again as a new base: after five differences in a row Canvas takes nothing else."""
        # The attempts stay counted: nothing has succeeded yet.
        if run.uploads[number].is_correction or run.uploads[number].offers_again:
            again = replace(run.uploads[number], state=UploadState.WAITING)
            return self._save(run.with_upload(number, again), lease)
        return self._save(self._with_remaster(run, number, instead=True), lease)

    def _with_remaster(self, run: Run, number: int, *, instead: bool = False) -> Run:
        """Return the run with an upload of the same data sets, as a new base, after this upload or instead of it."""
        upload = run.uploads[number]
        states = {state.key: state for state in self._runs.data_set_states()}
        parts = [
            Part(
                last_applied(self._runs, states.get(part.key)).candidates,
                stored_rows(self._runs, part.holds),
                part.holds,
            )
            for part in upload.parts
        ]
        planned = self._uploads.as_remaster(upload, parts)
        for digest, data_set in planned.rows.items():
            self._runs.save_rows(digest, data_set)
        before = run.uploads[: number if instead else number + 1]
        return replace(run, uploads=(*before, planned.upload, *run.uploads[number + 1 :]))

    def _mark_attempted(self, upload: ImportProgress) -> list[DataSetState]:
        """Return that Canvas may hold the old rows or the new ones of each data set; corrections are none."""
        if upload.is_correction:
            return []
        states = {state.key: state for state in self._runs.data_set_states()}
        now = self._clock.now()
        held = ((part, states.get(part.key) or DataSetState(part.key, None, now)) for part in upload.parts)
        return [replace(state, attempted=part.digest) for part, state in held]

    def _mark_applied(self, upload: ImportProgress) -> list[DataSetState]:
        """Return that Canvas holds the rows of each data set, and what Canvas does not compare any more."""
        states = {state.key: state for state in self._runs.data_set_states()}
        given = [self._applied_state(upload, part, states.get(part.key)) for part in upload.parts]
        resting = [replace(states[key], data_set_id="") for key in upload.resting if key in states]
        return [*given, *resting]

    def _applied_state(self, upload: ImportProgress, part: UploadPart, earlier: DataSetState | None) -> DataSetState:
        if upload.offers_again and earlier is not None:
            return replace(earlier, at=self._clock.now(), has_errors=part.has_errors, refused=part.refused)
        if earlier is not None and not upload.options.remaster:
            part = self._with_earlier_errors(part, earlier)
        base_since = earlier.remastered_on if earlier else None
        return DataSetState(
            part.key,
            part.holds,
            self._clock.now(),
            has_errors=part.has_errors,
            refused=part.refused,
            remastered_on=self._uploads.today() if upload.options.remaster else base_since,
            data_set_id=upload.data_set_id,
            live=part.live,
        )

    def _with_earlier_errors(self, part: UploadPart, earlier: DataSetState) -> UploadPart:
        """Return the part with what Canvas refused before: an import that is compared did not bring it once more."""
        if not earlier.has_errors:
            return part
        if earlier.refused is None or (part.has_errors and part.refused is None):
            return replace(part, has_errors=True, refused=None)
        refusals = [self._runs.rows(digest) for digest in (earlier.refused, part.refused) if digest]
        rows = {row.key(part.key.entity): row for data_set in refusals if data_set for row in data_set.rows}
        refused = DataSet(part.key, in_order(rows.values()))
        self._runs.save_rows(digest_of(refused), refused)
        return replace(part, has_errors=True, refused=digest_of(refused))

    def _wait_for_others(self, run: Run, number: int, lease: Lease, unfinished: Sequence[SisImport]) -> Run:
        """Wait for the oldest import that is under way; give up where one hangs, or where they do not end."""
        upload = run.uploads[number]
        oldest = min(unfinished, key=lambda each: each.created_at)
        since = upload.waits_since or self._clock.now()
        waiting = replace(upload, polls=upload.polls + 1, waits_since=since)
        run = replace(run.with_upload(number, waiting), waits_on=self._waited_for(oldest))
        if self._clock.now() - since > MAX_IMPORT_DURATION:
            raise self._hangs(self._save(run, lease), Cause.IMPORT_IN_THE_WAY)
        return self._save(self._poll_later(run, poll_wait(upload.polls), "other_import"), lease)

    def _waited_for(self, found: SisImport) -> WaitedFor:
        by_passback = (found.data_set_id or "").startswith(f"{self._uploads.prefix}:")
        return WaitedFor(found.id, PASSBACK if by_passback else found.user_id, found.state.value, found.created_at)

    def _hangs(self, run: Run, cause: str) -> PermanentError:
        assert run.waits_on is not None
        return PermanentError(run.waits_on.sentence(self._clock.now()), cause=cause)

    def _poll_later(self, run: Run, wait: timedelta, what_for: str) -> Run:
        return replace(run, not_before=self._clock.now() + wait, waits_for=what_for)

    def _poll_now(self, run: Run) -> Run:
        return replace(run, not_before=None, waits_for="", waits_on=None, attempts=0)

    def _save(self, run: Run, lease: Lease, states: Sequence[DataSetState] = ()) -> Run:
        return self._runs.save(lease, run, states)

    def _log_end(self, run: Run, number: int, found: SisImport) -> None:
        upload = run.uploads[number]
        fields = {
            "run_id": run.id, "import_id": found.id, "entity": _named(upload), "state": found.state,
            "failures": upload.failures, "warnings": upload.warnings,
            "duration_ms": round((self._clock.now() - found.created_at).total_seconds() * 1000),
        }  # fmt: skip
        (log.info if found.state.has_succeeded else log.warning)(LogEvent.IMPORT_FINISHED, **fields)


def _kinds(upload: ImportProgress) -> tuple[Entity, ...]:
    """Return the kinds of file that the upload holds: all of its group, or what an older passback began to send."""
    group = upload.data_set_id.rpartition(":")[2]
    return entities_of(group) if group == DISTRICT or group.startswith(CLASSES) else upload.entities


def _named(upload: ImportProgress) -> str:
    return ",".join(upload.entities)


def _entities_of(error: RowError, upload: ImportProgress) -> tuple[Entity, ...]:
    """Return the kinds of row that a message is about: those of its file, else all that were sent."""
    entity = error.file.rpartition("/")[2].removesuffix(".csv")
    return (Entity(entity),) if entity in upload.entities else upload.entities


def _failure(found: SisImport) -> TransientError | PermanentError:
    """Return the error of an import that did not succeed: one that a person aborted or restored is not retried."""
    message = f"SIS import {found.id} ended {found.state}"
    if found.state in (ImportState.FAILED, ImportState.FAILED_WITH_MESSAGES):
        return TransientError(message, cause=Cause.IMPORT_FAILED)
    return PermanentError(message, cause=f"import_{found.state}")
