"""The use case of provisioning: rosters are read and planned, doubtful plans held, the rest uploaded, the end noted.

`advance` takes one step of an open run and keeps it. What is kept says what comes next, so that a worker killed
anywhere is followed by another that goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Protocol

import structlog

from shared.clock import Clock
from shared.domain.provisioning_run import (
    AppliedMark,
    Hold,
    Run,
    RunCause,
    RunKind,
    RunState,
    plan_digest_of,
)
from shared.domain.roster_safety import ended_terms
from shared.domain.sis_import import DataSet, DataSetKey
from shared.errors import PermanentError
from shared.log_events import LogEvent
from shared.roster_ports import ProvisionRuns, RosterFeed, RunLease
from workers.provisioning.comparison import Comparison
from workers.provisioning.planning import Planned, Planner
from workers.provisioning.upload_planning import Held, Prepared, UploadPlanner
from workers.provisioning.uploading import Uploader

log = structlog.get_logger()

FIRST_RUN = Hold(
    "first_run",
    "Passback has never provisioned this Canvas, so that there is nothing to compare with.",
    "Look at the rows, above all at SIS ids and logins: they must be those of the people and courses in Canvas.",
)
ROWS_FORGOTTEN = Hold(
    "rows_forgotten",
    "What was applied last is not kept any more, so that it cannot be told what would end.",
    "Compare some courses in Canvas with PowerSchool before approving.",
)


class Aftermath(Protocol):
    """What follows a run that is done. May be repeated."""

    def follow(self, run: Run) -> object:
        """Tell passback's other parts what has changed."""
        ...


class ProvisionRun:
    """One step at a time, each kept before the next."""

    def __init__(
        self,
        feed: RosterFeed,
        planner: Planner,
        runs: ProvisionRuns,
        uploader: Uploader,
        aftermath: Aftermath,
        clock: Clock,
        uploads: UploadPlanner,
        zone: Callable[[], tzinfo],
    ) -> None:
        self._feed = feed
        self._planner = planner
        self._runs = runs
        self._uploader = uploader
        self._aftermath = aftermath
        self._clock = clock
        self._uploads = uploads
        self._zone = zone

    def advance(self, run: Run, lease: RunLease) -> Run:
        """Take the next step of an open run; return the run as it is kept then.

        Raises the errors of `shared.errors`; the run is kept as far as it got.
        """
        if run.started_at is None:
            begun = replace(run, started_at=self._clock.now())
            self._runs.save(lease, begun)
            return begun
        match run.state:
            case RunState.READING:
                return self._read(run, lease)
            case RunState.APPLYING:
                return self._apply(run, lease)
            case RunState.FINISHING:
                return self._finish(run, lease)
            case _:
                return run

    def compared(self, kind: RunKind, cause: RunCause, target: Sequence[DataSet] | None = None) -> Comparison:
        """Read and plan, or take `target` as the plan, and compare it with what was applied. Keeps nothing."""
        held = {mark.key: self._held(mark) for mark in self._runs.applied()}
        applied = [rows for each in held.values() if (rows := each.possible) is not None]
        planned = self._planner.plan(self._feed.read(), applied) if target is None else Planned(tuple(target))
        over = ended_terms(planned.data_sets, self._uploads.today(), self._zone())
        parts = [
            self._uploads.prepared(each, held.get(each.key, Held()), over, renew=cause is RunCause.SCHEDULE)
            for each in sorted(planned.data_sets, key=lambda each: each.key.place)
        ]
        plan_digest = plan_digest_of((part.key, part.digest) for part in parts)
        holds = () if kind is RunKind.ROLLBACK else (*planned.holds, *_own_holds(held, parts, cause))
        return Comparison(planned, tuple(parts), holds, plan_digest)

    def _held(self, mark: AppliedMark) -> Held:
        rows, attempted = (self._runs.rows(digest) if digest else None for digest in (mark.digest, mark.attempted))
        return Held(mark, rows, attempted)

    def _read(self, run: Run, lease: RunLease) -> Run:
        if run.kind is RunKind.ROLLBACK:
            self._supersede_others(run, lease)
            compared = self.compared(run.kind, run.cause, self._rows_before(run))
        else:
            version = self._feed.changes_since(self._runs.notes().data_version)
            run = replace(run, data_version=version.version if version else None)
            compared = self.compared(run.kind, run.cause)
        return self._decide(self._with_plan(run, compared), lease, compared)

    def _decide(self, run: Run, lease: RunLease, compared: Comparison) -> Run:
        held = self._runs.held()
        self._keep_rows(compared)
        if run.kind is RunKind.DRY_RUN:
            return self._end(replace(run, reasons=compared.holds), RunState.SHOWN, lease)
        if compared.holds and run.approved_plan != compared.plan_digest:
            if held is not None and held.id != run.id and held.plan_digest == compared.plan_digest:
                return self._end(replace(run, superseded_by=held.id), RunState.STILL_HELD, lease)
            return self._hold(replace(run, reasons=compared.holds), lease, held)
        state = RunState.APPLYING if run.uploads else RunState.FINISHING
        return self._keep(replace(run, state=state, reasons=compared.holds), lease)

    def _with_plan(self, run: Run, compared: Comparison) -> Run:
        changes = tuple(part.change for part in compared.prepared if part.change is not None)
        return replace(
            run,
            plan_digest=compared.plan_digest,
            replanned=bool(run.approved_plan) and run.approved_plan != compared.plan_digest,
            counts=_rows_by_entity(compared.planned.data_sets),
            findings=dict(compared.planned.findings),
            problems=compared.planned.problems,
            changes=changes,
            uploads=tuple(part.upload for part in compared.prepared if part.upload is not None),
            applied_before=tuple(self._runs.applied()),
            attempts=0,
            not_before=None,
            waits_for="",
        )

    def _hold(self, run: Run, lease: RunLease, held: Run | None) -> Run:
        run = self._keep(replace(run, state=RunState.HELD, uploads=()), lease)
        if held is not None and held.id != run.id:
            self._supersede(held, run, lease)
        self._note_version(run, lease)
        log.error(
            LogEvent.PROVISION_HELD, run_id=run.id, codes=[hold.code for hold in run.reasons],
            data_sets=len(run.changes), added=sum(each.added for each in run.changes),
            changed=sum(each.changed for each in run.changes), removed=sum(each.removed for each in run.changes),
        )  # fmt: skip
        return run

    def _apply(self, run: Run, lease: RunLease) -> Run:
        number = run.next_upload
        if number is None:
            return self._keep(replace(run, state=RunState.FINISHING), lease)
        return self._uploader.advance(run, number, lease)

    def _finish(self, run: Run, lease: RunLease) -> Run:
        self._aftermath.follow(run)
        held = self._runs.held()
        if held is not None and held.id != run.id and run.kind is RunKind.ROSTER:
            self._supersede(held, run, lease)
        current = [mark.digest for mark in self._runs.applied() if mark.digest]
        self._runs.keep_applied(current, [change.before for change in run.changes if change.before])
        return self._end(run, RunState.DONE, lease)

    def _end(self, run: Run, state: RunState, lease: RunLease) -> Run:
        now = self._clock.now()
        if run.kind is RunKind.ROSTER:
            self._note_version(run, lease)
        return self._keep(replace(run, state=state, finished_at=now, not_before=None, waits_for=""), lease)

    def _note_version(self, run: Run, lease: RunLease) -> None:
        if run.data_version is not None:
            self._runs.note(lease, replace(self._runs.notes(), data_version=run.data_version))

    def _supersede_others(self, run: Run, lease: RunLease) -> None:
        """Close runs under way: going on, they would undo what this one restores."""
        for other in self._runs.opened():
            if other.id != run.id and other.kind is RunKind.ROSTER:
                self._supersede(other, run, lease)

    def _supersede(self, other: Run, run: Run, lease: RunLease) -> None:
        ended = replace(other, state=RunState.SUPERSEDED, superseded_by=run.id, finished_at=self._clock.now())
        self._runs.save(lease, ended)

    def _rows_before(self, run: Run) -> list[DataSet]:
        """Return what Canvas held before the run that is undone; data sets that came with it stay as they are."""
        undone = self._runs.find(run.rollback_of)
        marks = [mark for mark in (undone.applied_before if undone else ()) if mark.digest is not None]
        kept = [self._runs.rows(mark.digest) for mark in marks if mark.digest]
        rows = [data_set for data_set in kept if data_set is not None]
        if undone is None or len(rows) < len(marks):
            raise PermanentError("what was applied before is not kept any more", cause="rows_forgotten")
        if not rows:
            raise PermanentError("nothing was applied before that run", cause="nothing_applied_before")
        return rows

    def _keep_rows(self, compared: Comparison) -> None:
        for part in compared.prepared:
            for digest, data_set in part.rows.items() if part.upload else ():
                self._runs.keep_rows(digest, data_set)

    def _keep(self, run: Run, lease: RunLease) -> Run:
        self._runs.save(lease, run)
        return run


def _own_holds(held: Mapping[DataSetKey, Held], parts: Sequence[Prepared], cause: RunCause) -> tuple[Hold, ...]:
    """Return the doubts that the rows themselves do not raise. A person who asks for the first run has decided."""
    if not any(each.mark and each.mark.digest for each in held.values()):
        return () if cause is RunCause.PERSON else (FIRST_RUN,)
    changed = [held[part.key] for part in parts if part.change is not None and part.key in held]
    if any(each.mark and each.mark.digest and each.rows is None for each in changed):
        return (ROWS_FORGOTTEN,)
    return ()


def _rows_by_entity(data_sets: Sequence[DataSet]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for data_set in data_sets:
        entity = data_set.key.entity.value
        counts[entity] = counts.get(entity, 0) + len(data_set.rows)
    return counts
