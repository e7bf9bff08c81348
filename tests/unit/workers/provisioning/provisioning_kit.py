"""Provisioning over fakes: a Canvas that takes imports, a plan that tests write, and a process that can be killed."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from shared.adapters.redis.provisioning.runs import ProvisionRuns
from shared.domain.provisioning.hold_reasons import Hold
from shared.domain.provisioning.imports.corrections import NOTHING_KNOWN, CanvasUsers
from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import DataSetState, ImportOptions, ImportState, SisFiles, SisImport
from shared.domain.provisioning.imports.uploads import entities_of, files_of, group_of
from shared.domain.provisioning.live_rows import LiveHistory
from shared.domain.provisioning.plan import ImportPlan
from shared.domain.provisioning.roster import Roster
from shared.domain.provisioning.rows.sis_rows import HEADERS, DataSet, DataSetKey, Entity, SisRow
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState, data_set_id_of, digest_of
from shared.errors import NotFound
from shared.ports.provisioning import DataVersion
from tests.fakes import Faults, Stores
from tests.manual_clock import ManualClock
from workers.provisioning.comparison import PlanComparer
from workers.provisioning.importer import Importer
from workers.provisioning.outcome_handler import RunOutcomeHandler
from workers.provisioning.planning import PlanBuilder
from workers.provisioning.run import ProvisionRun
from workers.provisioning.runner import ProvisioningRunner, ProvisionSchedule
from workers.provisioning.service import ProvisioningService
from workers.provisioning.upload_planner import UploadPlanner

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NOBODY = Roster((), (), (), (), (), (), ())
WAITS = (SECOND, SECOND)
MAX_TICKS = 60
ENDED = ("suspended", "deleted", "completed")


def users(*numbers: int, status: str = "active") -> DataSet:
    """Return users of these numbers."""
    rows = ((str(n), str(n), "Student", f"No. {n}", "", "student", status) for n in sorted(numbers))
    return DataSet(DataSetKey(Entity.USERS), tuple(SisRow(row, 100, f"STUDENTS.DCID {row[0]}") for row in rows))


def sections(*numbers: int, course: str = "") -> DataSet:
    """Return sections of these DCIDs in a term, each in its own course or all in one."""
    rows = ((str(n), course or str(n), f"Section {n}", "active") for n in sorted(numbers))
    return DataSet(DataSetKey(Entity.SECTIONS, "100-1"), tuple(SisRow(row, 100) for row in rows))


@dataclass
class FakeFeed:
    """A PowerSchool whose rosters are whatever the planner says."""

    version: DataVersion | None = None
    reads: int = 0
    faults: Faults = field(default_factory=Faults)

    def read(self) -> Roster:
        self.faults.check("read")
        self.reads += 1
        return NOBODY

    def changes_since(self, version: str | None) -> DataVersion | None:
        self.faults.check("changes_since")
        return self.version


@dataclass
class FakePlanner(PlanBuilder):
    """Plans what a test wants. `safety` finds doubts in what was applied, in the plan and in the history."""

    data_sets: tuple[DataSet, ...] = ()
    holds: tuple[Hold, ...] = ()
    planned: "Callable[[FakePlanner], ImportPlan] | None" = None
    applied: tuple[DataSet, ...] = ()
    canvas: CanvasUsers = NOTHING_KNOWN
    safety: Callable[[Sequence[DataSet], Sequence[DataSet], LiveHistory | None], Sequence[Hold]] = lambda *_: ()

    def plan(
        self,
        roster: Roster,
        applied: Sequence[DataSet],
        history: LiveHistory | None = None,
        canvas: CanvasUsers = NOTHING_KNOWN,
    ) -> ImportPlan:
        self.applied, self.canvas = tuple(applied), canvas
        if self.planned:
            return self.planned(self)
        return ImportPlan(self.data_sets, holds=(*self.holds, *self.safety(applied, self.data_sets, history)))


@dataclass(frozen=True)
class Sent:
    """The files of an upload."""

    files: SisFiles

    @property
    def entities(self) -> list[Entity]:
        """The kinds of file, empty ones too."""
        return [entity for entity, _ in self.files]

    def rows(self, entity: Entity) -> tuple[SisRow, ...]:
        """Return the rows of a file."""
        return tuple(row for kind, rows in self.files for row in rows if kind is entity)


@dataclass
class FakeImports:
    """A Canvas with diffing, per kind of file under one identifier: one import at a time.

    An import is over after `polls` looks, in the states that a test gives.

    `records` are what it holds, by entity and key. `loses_answer` lets an import start whose answer never comes.
    """

    clock: ManualClock
    polls: int = 1
    started: list[tuple[Sent, str, ImportOptions]] = field(default_factory=list)
    imports: list[SisImport] = field(default_factory=list)
    looks: dict[int, int] = field(default_factory=dict)
    bases: dict[str, Sent] = field(default_factory=dict)
    records: dict[tuple[Entity, tuple[str, ...]], tuple[str, ...]] = field(default_factory=dict)
    ends: list[SisImport | ImportState] = field(default_factory=list)
    messages: list[RowError] = field(default_factory=list)
    accounts: frozenset[str] = frozenset()
    renamed: list[tuple[str, str]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    loses_answer: Exception | None = None

    def start(self, files: SisFiles, data_set_id: str, options: ImportOptions) -> SisImport:
        self.faults.check("start")
        assert all(each.state.is_final for each in self.imports), "two imports at once"
        new = SisImport(len(self.imports) + 1, ImportState.CREATED, self.clock.now(), data_set_id)
        self.imports.append(new)
        self.started.append((Sent(files), data_set_id, options))
        if self.loses_answer is not None:
            error, self.loses_answer = self.loses_answer, None
            raise error
        return new

    def foreign(self, state: ImportState = ImportState.CREATED) -> SisImport:
        """Let somebody else import."""
        new = SisImport(len(self.imports) + 1, state, self.clock.now(), user_id="4711")
        self.imports.append(new)
        self.started.append((Sent(()), "", ImportOptions("completed", "suspended", 10)))
        return new

    def end(self, import_id: int, state: ImportState) -> None:
        """Let an import of somebody else end."""
        self.imports[import_id - 1] = replace(self.imports[import_id - 1], state=state)

    def find(self, import_id: int) -> SisImport:
        self.faults.check("find")
        return self._look(import_id)

    def _look(self, import_id: int) -> SisImport:
        if not 0 < import_id <= len(self.imports):
            raise NotFound("GET sis_imports/{id}: 404", cause="canvas_404", status=404)
        found = self.imports[import_id - 1]
        self.looks[import_id] = self.looks.get(import_id, 0) + 1
        if not found.state.is_final and self.looks[import_id] >= self.polls:
            found = self._ended(found)
            self.imports[import_id - 1] = found
        return found

    def newest(self, limit: int) -> Sequence[SisImport]:
        self.faults.check("newest")
        return self.imports[: -limit - 1 : -1]

    def unfinished(self) -> Sequence[SisImport]:
        self.faults.check("unfinished")
        return [each for each in self.imports if not self._moved_on(each).state.is_final]

    def _moved_on(self, found: SisImport) -> SisImport:
        is_ours = found.data_set_id is not None
        return self._look(found.id) if is_ours else found

    def missing_accounts(self, sis_ids: Collection[str]) -> frozenset[str]:
        self.faults.check("missing_accounts")
        return frozenset(sis_ids) - self.accounts

    def errors(self, import_id: int) -> Sequence[RowError]:
        self.faults.check("errors")
        return self.messages

    def login_of(self, sis_user_id: str) -> str | None:
        self.faults.check("user")
        row = self.records.get((Entity.USERS, (sis_user_id,)))
        return None if row is None else row[1]

    def _rename(self, rows: Sequence[SisRow]) -> None:
        """Change SIS ids row by row, as Canvas does; say of each row that is refused that it is."""
        self.messages = []
        for row in rows:
            old, new = row.values[0], row.values[1]
            if (Entity.USERS, (new,)) in self.records or (Entity.USERS, (old,)) not in self.records:
                self.messages.append(RowError("change_sis_id.csv", None, "not changed", row_info=",".join(row.values)))
                continue
            self.renamed.append((old, new))
            for (entity, _), values in [*self.records.items()]:
                self._replace(entity, values, old, new)

    def _replace(self, entity: Entity, values: tuple[str, ...], old: str, new: str) -> None:
        if entity in (Entity.USERS, Entity.ENROLLMENTS):
            at = HEADERS[entity].index("user_id")
            if values[at] == old:
                changed = (*values[:at], new, *values[at + 1 :])
                del self.records[entity, SisRow(values).key(entity)]
                self.records[entity, SisRow(changed).key(entity)] = changed

    def took(self, data_sets: Sequence[DataSet], group: str) -> None:
        """Let an import of long ago have left this."""
        files = files_of(data_sets, entities_of(group))
        name, options = data_set_id_of("passback", group), ImportOptions("completed", "suspended", 10)
        self._take(Sent(files), name, options, exceeded=False)

    def _ended(self, found: SisImport) -> SisImport:
        end = self.ends.pop(0) if self.ends else ImportState.IMPORTED
        ended = replace(found, state=end) if isinstance(end, ImportState) else replace(end, id=found.id)
        sent, data_set_id, options = self.started[found.id - 1]
        if ended.state.has_succeeded:
            self._take(sent, data_set_id, options, exceeded=ended.threshold_exceeded)
        return replace(ended, data_set_id=data_set_id, created_at=found.created_at)

    def _take(self, sent: Sent, data_set_id: str, options: ImportOptions, *, exceeded: bool) -> None:
        base = None if options.remaster or exceeded else self.bases.get(data_set_id)
        for entity, rows in sent.files:
            if entity is Entity.SIS_ID_CHANGES:
                self._rename(rows)
                continue
            kept = {row.key(entity) for row in rows}
            for row in base.rows(entity) if base else ():
                if row.key(entity) not in kept:
                    self.records.pop((entity, row.key(entity)), None)
            self.records |= {(entity, row.key(entity)): row.values for row in rows}
        if not exceeded:
            self.bases[data_set_id] = sent


class Killed(BaseException):
    """The process was killed: nothing catches this."""


@dataclass
class Fuse:
    """Lets a process make so many calls to the outside, and no more; `after`: the last one still takes effect."""

    calls_left: int
    after: bool = False
    is_blown: bool = False

    def burn(self, call: Callable[[], Any]) -> Any:
        """Make the call, or die."""
        if self.is_blown:
            raise Killed
        self.calls_left -= 1
        if self.calls_left > 0:
            return call()
        self.is_blown = True
        if self.after:
            call()
        raise Killed


class Mortal:
    """Anything whose methods burn a fuse."""

    def __init__(self, target: object, fuse: Fuse) -> None:
        self._target = target
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found
        return lambda *args, **kwargs: self._fuse.burn(lambda: found(*args, **kwargs))


@dataclass
class Campus:
    """One installation: what is kept, both systems, and processes that go on with runs."""

    schedule: str = ""
    remaster_days: int = 0
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    feed: FakeFeed = field(default_factory=FakeFeed)
    planner: FakePlanner = field(default_factory=FakePlanner)
    resynced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stores = Stores(self.clock)
        self.keys, self.redis = self.stores.keys, self.stores.redis
        self.runs = ProvisionRuns(self.redis, self.keys, timedelta(days=90), timedelta(seconds=10))
        self.imports = FakeImports(self.clock)
        self.letters, self.pauses = self.stores.dead_letters, self.stores.pauses
        self.desk = ProvisioningService(self.runs, self.pauses, self.clock, start_tick=lambda: None)

    @classmethod
    def sharing(cls, other: "Campus", runs: ProvisionRuns | None = None) -> "Campus":
        """Return the installation as another person uses it at the same time, with a store of their own if given."""
        found = copy(other)
        found.runs = runs or other.runs
        found.desk = ProvisioningService(found.runs, found.pauses, found.clock, start_tick=lambda: None)
        return found

    def process(
        self,
        fuse: Fuse | None = None,
        stops: Callable[[], bool] = lambda: False,
        drain_requests: Callable[[], Mapping[str, int]] = dict,
    ) -> ProvisioningRunner:
        """Return a process's provisioner, which lives as long as its fuse."""
        runs, imports, feed = (
            cast("Any", each if fuse is None else Mortal(each, fuse)) for each in (self.runs, self.imports, self.feed)
        )
        options = ImportOptions("completed", "suspended", 10)
        uploads = UploadPlanner(options, self.remaster_days, "passback", lambda: self.clock.now().date())
        importer = Importer(imports, runs, self.clock, uploads)
        comparer = PlanComparer(feed, self.planner, runs, imports, uploads, self.clock, lambda: UTC)
        resync: Callable[[Run], object] = lambda run: self.resynced.append(run.id)  # noqa: E731
        run = ProvisionRun(feed, comparer, runs, importer, uploads, self.clock, resync)

        def pause(duration: timedelta) -> bool:
            self.clock.advance(duration)
            return stops()

        return ProvisioningRunner(
            runs,
            ProvisionSchedule(runs, feed, self.pauses, self.clock, self.schedule, lambda: UTC),
            run,
            RunOutcomeHandler(runs, self.letters, self.clock, WAITS, lambda: 0.0),
            self.pauses,
            self.clock,
            renewing=lambda _: nullcontext(),
            pause=pause,
            drain_requests=drain_requests,
        )

    def plan(self, *data_sets: DataSet, holds: Sequence[Hold] = ()) -> None:
        """Let the rosters come to these data sets."""
        self.planner.data_sets, self.planner.holds = data_sets, tuple(holds)

    def has(self, *data_sets: DataSet) -> None:
        """Let Canvas hold these data sets, as after a run long ago."""
        self.plan(*data_sets)
        lease = self.runs.lease()
        assert lease is not None
        run = self.runs.open(RunKind.ROSTER, RunCause.PERSON, self.clock.now())
        marks = []
        groups: dict[str, list[DataSet]] = {}
        for data_set in data_sets:
            digest = digest_of(data_set)
            self.runs.save_rows(digest, data_set)
            group = group_of(data_set.key, {row.school_number for row in data_set.rows})
            groups.setdefault(group, []).append(data_set)
            name = data_set_id_of("passback", group)
            marks.append(DataSetState(data_set.key, digest, NOON, remastered_on=NOON.date(), data_set_id=name))
        self.runs.save(lease, replace(run, state=RunState.DONE), marks)
        for group, members in groups.items():
            self.imports.took(members, group)
        self.runs.release(lease)

    def ask(self) -> Run:
        """Ask for a run as a person does, and go on until it does not go on by itself any more."""
        return self.over(self.runs.open(RunKind.ROSTER, RunCause.PERSON, self.clock.now(), "tester"))

    def ask_paused(self) -> RunState:
        """Ask for a run that cannot begin; return its state after a few ticks."""
        run = self.desk.request("tester")
        for _ in range(3):
            self.process().tick()
        found = self.runs.find(run.id)
        assert found is not None
        return found.state

    def over(self, run: Run) -> Run:
        """Tick until the run is over or held."""
        for _ in range(MAX_TICKS):
            self.process().tick()
            found = self.runs.find(run.id)
            assert found is not None
            if not found.state.is_open:
                return found
            self.clock.advance(SECOND)
        raise AssertionError(f"run {run.id} does not end: {found}")

    def dies(self) -> None:
        """Let the lease of a killed process end."""
        self.redis.delete(self.keys.run_lease)

    def agrees(self) -> bool:
        """Say whether Canvas holds the plan, and nothing else that is not ended."""
        wanted = {(d.key.entity, row.key(d.key.entity)): row.values for d in self.planner.data_sets for row in d.rows}
        ended = {key for key, values in self.imports.records.items() if values[-1] in ENDED and key not in wanted}
        return {key: row for key, row in self.imports.records.items() if key not in ended} == wanted
