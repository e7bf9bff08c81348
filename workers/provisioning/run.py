"""The use case of provisioning: rosters are read and planned, doubtful plans held, the rest uploaded.

`advance` takes one step of an open run and saves it. The saved run says what comes next, so that another worker
continues after a crash at any point.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import structlog

from shared.adapters.redis.client import Lease
from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.clock import Clock
from shared.domain.causes import Cause
from shared.domain.provisioning.imports.corrections import login_digest, with_new_ids
from shared.domain.provisioning.imports.sis_imports import DataSetState, ImportProgress, UploadState
from shared.domain.provisioning.live_rows import LiveCounts
from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.rows.sis_rows import USERS, DataSet, login_of, user_id_of
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState, digest_of
from shared.errors import PermanentError, RunChanged
from shared.log_events import LogEvent
from shared.ports.provisioning import RosterFeed
from workers.provisioning.comparison import MAX_PROBLEMS, Comparison, PlanComparer, SchoolPlan
from workers.provisioning.corrections import last_applied
from workers.provisioning.importer import Importer
from workers.provisioning.upload_planner import UploadPlanner

log = structlog.get_logger()

# SIS ids take two imports, what is refused is taken back by a third, logins take one: more would be going in circles.
MAX_CORRECTIONS = 8


class ProvisionRun:
    """Takes one step of a run at a time, each saved before the next."""

    def __init__(
        self,
        feed: RosterFeed,
        comparer: PlanComparer,
        runs: ProvisionRuns,
        importer: Importer,
        uploads: UploadPlanner,
        clock: Clock,
        resync_courses: Callable[[Run], object],
    ) -> None:
        self._feed = feed
        self._comparer = comparer
        self._runs = runs
        self._importer = importer
        self._uploads = uploads
        self._clock = clock
        self._resync_courses = resync_courses

    def advance(self, run: Run, lease: Lease) -> Run:
        """Take the next step of an open run; return the run as it is saved.

        Raises the errors of `shared.errors`; the run is saved as far as it got.
        """
        if run.started_at is None:
            return self._save(replace(run, started_at=self._clock.now()), lease)
        match run.state:
            case RunState.READING:
                return self._read(run, lease)
            case RunState.APPLYING:
                return self._apply(run, lease)
            case RunState.FINISHING:
                return self._finish(run, lease)
            case _:
                return run

    def _read(self, run: Run, lease: Lease) -> Run:
        run = replace(run, planned_at=self._clock.now())
        if run.kind is RunKind.ROLLBACK:
            self._supersede_others(run, lease)
            compared = self._comparer.compare(run, self._previous_rows(run))
        else:
            version = self._feed.changes_since(self._runs.schedule_state().data_version)
            run = self._with_known_refusals(replace(run, data_version=version.version if version else None))
            compared = self._comparer.compare(run)
        return self._check_safety(self._attach_plan(run, compared), lease, compared)

    def _with_known_refusals(self, run: Run) -> Run:
        """Return the run with what Canvas refused before, unless it is to be asked again."""
        if run.corrections or run.cause in (RunCause.SCHEDULE, RunCause.PERSON):
            return run
        state = self._runs.schedule_state()
        return replace(run, refused_ids=state.refused_ids, refused_logins=state.refused_logins)

    def _check_safety(self, run: Run, lease: Lease, compared: Comparison) -> Run:
        self._save_rows(compared)
        if run.kind is RunKind.DRY_RUN:
            return self._end(replace(run, reasons=compared.holds), RunState.SHOWN, lease)
        if run.kind is RunKind.ROSTER:
            self._runs.save_sis_ids(lease, _ids_in_canvas(compared.plan))
        if compared.is_held and run.approved_plan != compared.plan_digest:
            held = self._run_awaiting_approval(run.school_number)
            if held is not None and held.id != run.id and held.plan_digest == compared.plan_digest:
                return self._end(replace(run, superseded_by=held.id), RunState.STILL_HELD, lease)
            return self._await_approval(replace(run, reasons=compared.holds), lease)
        for school in compared.schools:
            self._save_school_plan(run, school, lease)
        apart = tuple(school.school_number for school in compared.schools)
        state = RunState.APPLYING if run.next_upload is not None else RunState.FINISHING
        return self._save(replace(run, state=state, reasons=compared.holds, held_schools=apart), lease)

    def _attach_plan(self, run: Run, compared: Comparison) -> Run:
        """Return the run with what it is to do. What it has done already stays with it."""
        done = _imported(run)
        if compared.corrections and len(run.corrections) >= MAX_CORRECTIONS:
            raise PermanentError("corrections follow from corrections without end", cause=Cause.CORRECTIONS_WITHOUT_END)
        # After corrections everything is read and planned again.
        corrections = [self._uploads.correction(rows, run.id) for rows in compared.corrections]
        wanted = corrections or [part.upload for part in compared.imports]
        rows = Counter[str]()
        for data_set in compared.plan.data_sets:
            rows[data_set.key.entity.value] += len(data_set.rows)
        keys = {part.key for upload in done for part in upload.parts}
        return replace(
            run,
            plan_digest=compared.plan_digest,
            replanned=bool(run.approved_plan) and run.approved_plan != compared.plan_digest,
            counts=dict(rows),
            findings=compared.plan.findings,
            problems=compared.plan.problems[:MAX_PROBLEMS],
            changes=(*(change for change in run.changes if change.key in keys), *compared.changes),
            uploads=(*done, *wanted),
            applied_before=run.applied_before if done else tuple(self._runs.data_set_states()),
            attempts=0,
            not_before=None,
            waits_for="",
            waits_on=None,
        )

    def _run_awaiting_approval(self, school_number: int | None) -> Run | None:
        """Return the run that waits for a person about these rows: the district's (None), or one school's."""
        return next((each for each in self._runs.held_runs() if each.school_number == school_number), None)

    def _await_approval(self, run: Run, lease: Lease) -> Run:
        for other in self._runs.held_runs():
            if other.id != run.id and _covers(run, other):
                self._supersede(other, run, lease)
        run = self._save(replace(run, state=RunState.HELD, uploads=_imported(run)), lease)
        self._save_data_version(run, lease)
        self._log_awaiting_approval(run)
        return run

    def _save_school_plan(self, run: Run, school: SchoolPlan, lease: Lease) -> None:
        """Save a school's plan as a held run of its own, in the place of an older plan for it."""
        before = self._run_awaiting_approval(school.school_number)
        if before is not None and before.plan_digest == school.plan_digest:
            return
        held = Run(
            self._runs.new_id(),
            RunKind.ROSTER,
            run.cause,
            self._clock.now(),
            state=RunState.HELD,
            started_at=run.started_at,
            reasons=school.holds,
            plan_digest=school.plan_digest,
            changes=school.changes,
            school_number=school.school_number,
        )
        for digest, data_set in school.rows.items():
            self._runs.save_rows(digest, data_set)
        if before is not None:
            self._supersede(before, held, lease)
        self._save(held, lease)
        self._log_awaiting_approval(held)

    def _log_awaiting_approval(self, run: Run) -> None:
        log.error(
            LogEvent.PROVISION_AWAITING_APPROVAL, run_id=run.id, school=run.school_number,
            codes=sorted({hold.code for hold in run.reasons}),
            data_sets=len(run.changes), added=sum(each.added for each in run.changes),
            changed=sum(each.changed for each in run.changes), removed=sum(each.removed for each in run.changes),
        )  # fmt: skip

    def _apply(self, run: Run, lease: Lease) -> Run:
        number = run.next_upload
        if number is None:
            has_corrected = bool(run.uploads) and run.uploads[-1].is_correction
            state = RunState.READING if has_corrected else RunState.FINISHING
            return self._save(replace(run, state=state), lease)
        return self._importer.advance(run, number, lease)

    def _finish(self, run: Run, lease: Lease) -> Run:
        self._resync_courses(run)
        self._save_former_logins(run)
        for held in self._runs.held_runs() if run.kind is RunKind.ROSTER else ():
            if held.id != run.id and _covers(run, held) and held.school_number not in run.held_schools:
                self._supersede(held, run, lease)
        states = self._runs.data_set_states()
        current = [state.digest for state in states if state.digest]
        self._runs.retain_rows(current, [change.before for change in run.changes if change.before])
        self._save_live_counts(run, states, lease)
        return self._end(run, RunState.DONE, lease)

    def _save_live_counts(self, run: Run, states: Sequence[DataSetState], lease: Lease) -> None:
        """Save what is live now, for later runs to compare with; what a person approved replaces all earlier counts."""
        if run.approved_by or run.kind is RunKind.ROLLBACK:
            self._runs.delete_live_counts(lease, None if run.school_number is None else [run.school_number])
        live = {state.key: state.live for state in states if state.live is not None}
        self._runs.add_live_counts(lease, LiveCounts(self._clock.now(), live))

    def _end(self, run: Run, state: RunState, lease: Lease) -> Run:
        now = self._clock.now()
        if run.kind is RunKind.ROSTER and run.school_number is None:
            self._save_data_version(run, lease)
        ended = replace(run, state=state, finished_at=now, not_before=None, waits_for="", waits_on=None)
        return self._save(ended, lease)

    def _save_former_logins(self, run: Run) -> None:
        """Save the logins of those who left the files: a new user may be given one of them."""
        change = next((each for each in run.changes if each.key == USERS), None)
        before, after = (
            self._runs.rows(digest) if digest else None
            for digest in ((change.before, change.after) if change else (None, None))
        )
        if after is None:
            return
        staying = {user_id_of(row) for row in after.rows}
        leavers = [row for row in (before.rows if before else ()) if user_id_of(row) not in staying]
        self._runs.save_former_logins({login_digest(login_of(row)): user_id_of(row) for row in leavers}, staying)

    def _save_data_version(self, run: Run, lease: Lease) -> None:
        state = replace(self._runs.schedule_state(), refused_ids=run.refused_ids, refused_logins=run.refused_logins)
        version = state.data_version if run.data_version is None else run.data_version
        self._runs.save_schedule_state(lease, replace(state, data_version=version))

    def _supersede_others(self, run: Run, lease: Lease) -> None:
        """Close runs under way: going on, they would undo what this one restores."""
        for other in self._runs.open_runs():
            if other.id != run.id and other.kind is RunKind.ROSTER:
                self._supersede(other, run, lease)

    def _supersede(self, other: Run, run: Run, lease: Lease) -> None:
        """Close another run; one that was held, unless a person has decided about it meanwhile."""
        ended = replace(other, state=RunState.SUPERSEDED, superseded_by=run.id, finished_at=self._clock.now())
        with suppress(RunChanged):
            self._runs.save(lease, ended)

    def _previous_rows(self, run: Run) -> list[DataSet]:
        """Return what Canvas held before the run that is undone; data sets that came with it stay as they are."""
        undone = self._runs.find(run.rollback_of)
        states = [state for state in (undone.applied_before if undone else ()) if state.digest is not None]
        stored = [self._runs.rows(state.digest) for state in states if state.digest]
        rows = [data_set for data_set in stored if data_set is not None]
        if undone is None or len(rows) < len(states):
            raise PermanentError("what was applied before is not kept any more", cause=Cause.ROWS_EXPIRED)
        if not rows:
            raise PermanentError("nothing was applied before that run", cause=Cause.NOTHING_APPLIED_BEFORE)
        # SIS ids that changed since are not restored: no rows of a plan change them.
        ids = self._ids_since(rows)
        return [with_new_ids(data_set, ids) for data_set in rows]

    def _ids_since(self, rows: Sequence[DataSet]) -> dict[str, str]:
        """Return the SIS ids that people have now, by those of the rows."""
        states = (state for state in self._runs.data_set_states() if state.key == USERS)
        users = [found for state in states if (found := last_applied(self._runs, state).candidates)]
        current = {row.source: user_id_of(row) for each in users for row in each.rows if row.source}
        then = (row for each in rows if each.key == USERS for row in each.rows)
        return {user_id_of(row): current[row.source] for row in then if row.source in current}

    def _save_rows(self, compared: Comparison) -> None:
        corrections = {digest_of(rows): rows for rows in compared.corrections}
        for rows in (*(each.rows for each in compared.imports), corrections, compared.renumbered):
            for digest, data_set in rows.items():
                self._runs.save_rows(digest, data_set)

    def _save(self, run: Run, lease: Lease) -> Run:
        return self._runs.save(lease, run)


def _covers(run: Run, other: Run) -> bool:
    """Say whether the run is about all rows that the other one is about."""
    return run.school_number is None or run.school_number == other.school_number


def _imported(run: Run) -> tuple[ImportProgress, ...]:
    return tuple(upload for upload in run.uploads if upload.state is UploadState.IMPORTED)


def _ids_in_canvas(plan: ImportPlan) -> dict[str, str]:
    """Return the SIS ids by PowerSchool record that Canvas has and the templates do not make, until it has others."""
    return {**plan.deviating_ids, **{change.source: change.old for change in plan.id_changes}}
