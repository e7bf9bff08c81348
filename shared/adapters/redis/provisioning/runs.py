"""Provisioning's state in Redis: runs, what was applied, the rows, and when the schedule was answered."""

import json
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.client import Lease, clock_ms, epoch_ms, load_script, milliseconds, text
from shared.adapters.redis.keys import Keys
from shared.domain.provisioning.imports.row_errors import ImportMessage
from shared.domain.provisioning.imports.sis_imports import DataSetState
from shared.domain.provisioning.live_rows import LiveCounts
from shared.domain.provisioning.rows.sis_rows import DataSet, DataSetKey, Entity
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.errors import LeaseLost, RunChanged


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """What scheduling stores. `slot` is the last due time of the schedule that was answered by a run.

    `hint_ms` is the newest hint of PowerSchool that a look has taken into account. `refused_ids` and `refused_logins`
    are what Canvas refused to change in the last run, as a run keeps them: it is asked again by the schedule or a
    person, not whenever rosters change.
    """

    slot: datetime | None = None
    checked_at: datetime | None = None
    data_version: str | None = None
    hint_ms: int = 0
    refused_ids: Mapping[str, str] = field(default_factory=dict)
    refused_logins: tuple[str, ...] = ()


SUBJECT = "provisioning"
# What Canvas holds is needed to compare with, however long nothing changes; each run prolongs it.
DATA_SETS_TTL = timedelta(days=400)
# Time for which a run can be shown and rolled back.
RUNS_TTL = timedelta(days=90)
_ROLLBACKS_FIRST = 1e15
# Compared with are a day ago and a week ago, a few hours more or less.
SCHOOL_SIZES_TTL = timedelta(days=10)
_LIVE_EVERY_MS = milliseconds(timedelta(hours=3))

_RUN = TypeAdapter(Run)
_MARK = TypeAdapter(DataSetState)
_SCHEDULE_STATE = TypeAdapter(ScheduleState)
_DATA_SET = TypeAdapter(DataSet)
_LIVE: TypeAdapter[tuple[datetime, dict[str, dict[int, int]]]] = TypeAdapter(tuple[datetime, dict[str, dict[int, int]]])
_IMPORT_MESSAGES = TypeAdapter(tuple[ImportMessage, ...])


class ProvisionRuns:
    """Stores runs, the applied data sets and their rows. Each method is atomic and may be repeated.

    `runs_kept_for` is for how long a run can be shown and rolled back. A method that takes a lease raises `LeaseLost`
    where another worker holds it.
    """

    def __init__(self, client: redis.Redis, keys: Keys, runs_ttl: timedelta, lease_for: timedelta) -> None:
        self._redis = client
        self._keys = keys
        self._lifetime_ms = milliseconds(runs_ttl)
        self._lease_ms = milliseconds(lease_for)
        self._take = load_script(client, "provisioning/take_run_lease")
        self._renew = load_script(client, "provisioning/renew_run_lease")
        self._drop = load_script(client, "compare_and_delete")
        self._open = load_script(client, "provisioning/open_run")
        self._save = load_script(client, "provisioning/save_run")

    def lease(self) -> Lease | None:
        """Take the lease; None while somebody else holds it."""
        token = int(self._take(keys=[self._keys.run_lease, self._keys.run_fence], args=[self._lease_ms]))
        return Lease("", token) if token else None

    def renew(self, lease: Lease) -> None:
        """Prolong the lease. Raises `LeaseLost`."""
        if not self._renew(keys=[self._keys.run_lease], args=[lease.token, self._lease_ms]):
            raise LeaseLost(SUBJECT)

    def release(self, lease: Lease) -> None:
        """End the lease; nothing happens if it is lost."""
        self._drop(keys=[self._keys.run_lease], args=[lease.token])

    def open(self, kind: RunKind, cause: RunCause, at: datetime, actor: str = "", rollback_of: str = "") -> Run:
        """Open a run; a run of the same kind that has not begun yet is returned instead."""
        k, run_id = self._keys, self.new_id()
        run = Run(run_id, kind, cause, at, actor=actor, rollback_of=rollback_of)
        opened = self._open(
            keys=[k.open_runs, k.runs, k.runs_not_begun, k.run(run_id)],
            args=[run_id, kind, _RUN.dump_json(run), _rank(run), epoch_ms(at), k.run("")],
        )
        self._redis.zremrangebyscore(k.runs, "-inf", epoch_ms(at) - self._lifetime_ms)
        return run if text(opened) == run_id else self.find(text(opened)) or run

    def new_id(self) -> str:
        """Return the id of a run that is to be stored without being opened."""
        return str(self._redis.incr(self._keys.run_number))

    def open_runs(self) -> list[Run]:
        """Return the open runs, the one that is next first."""
        return self._found(cast("list[bytes]", self._redis.zrange(self._keys.open_runs, 0, -1)))

    def find(self, run_id: str) -> Run | None:
        """Return a run; None if there is none of this id (any more)."""
        stored = self._redis.get(self._keys.run(run_id))
        return None if stored is None else _RUN.validate_json(_as_written_now(cast("bytes", stored)))

    def newest(self, limit: int) -> list[Run]:
        """Return the newest runs, the newest first."""
        return self._found(cast("list[bytes]", self._redis.zrevrange(self._keys.runs, 0, limit - 1)))

    def held_runs(self) -> list[Run]:
        """Return the runs that wait for a person: the district's first, if there is one, then by school."""
        of_district = cast("bytes | None", self._redis.get(self._keys.held_run))
        of_schools = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.held_school_runs))
        by_school = [run_id for _, run_id in sorted(of_schools.items(), key=lambda item: int(item[0]))]
        return self._found([*([of_district] if of_district else []), *by_school])

    def save(self, lease: Lease, run: Run, applied: Sequence[DataSetState] = ()) -> Run:
        """Save the run, and what became of data sets, in one step; return it with its new revision.

        Raises: LeaseLost. RunChanged where the stored run is not the one that was read: a person has decided about it.
        """
        return self._save_run(str(lease.token), run, applied)

    def decide(self, run: Run) -> Run:
        """Save what a person decided about a held run; return it with its new revision.

        Raises: RunChanged where the stored run is not the one that was read, or not held any more.
        """
        return self._save_run("", run, ())

    def _save_run(self, token: str, run: Run, applied: Sequence[DataSetState]) -> Run:
        k, saved = self._keys, replace(run, revision=run.revision + 1)
        state = "open" if run.state.is_open else "held" if run.state is RunState.HELD else "over"
        begun = run.kind if run.started_at or state != "open" else ""
        school = "" if run.school_number is None else str(run.school_number)
        data_sets = [part for each in applied for part in (_name_of(each.key), _MARK.dump_json(each))]
        done = self._save(
            keys=[
                k.run_lease, k.run(run.id), k.open_runs, k.held_run, k.held_school_runs, k.runs_not_begun, k.applied,
                k.runs,
            ],
            args=[
                token, run.id, _RUN.dump_json(saved), run.revision, self._lifetime_ms, state, begun, school,
                epoch_ms(run.created_at), _rank(run), *data_sets,
            ],
        )  # fmt: skip
        if not done:
            raise LeaseLost(SUBJECT)
        if int(done) < 0:
            raise RunChanged(run.id)
        return saved

    def live_history(self) -> list[LiveCounts]:
        """Return how many rows were live after the runs of about a week, the oldest first."""
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.live_counts))
        return [_unpacked_live(value) for _, value in sorted(stored.items())]

    def add_live_counts(self, lease: Lease, counts: LiveCounts) -> None:
        """Store how many rows are live now, unless that was done in these hours. Raises `LeaseLost`."""
        self.renew(lease)
        key, now_ms = self._keys.live_counts, epoch_ms(counts.at)
        slot = now_ms // _LIVE_EVERY_MS * _LIVE_EVERY_MS
        self._redis.hsetnx(key, _live_field(slot), cast("str", _packed_live(counts)))
        oldest = _live_field(now_ms - milliseconds(SCHOOL_SIZES_TTL))
        removed = [field for field in cast("list[bytes]", self._redis.hkeys(key)) if text(field) < oldest]
        if removed:
            self._redis.hdel(key, *[text(field) for field in removed])
        self._redis.pexpire(key, SCHOOL_SIZES_TTL)

    def delete_live_counts(self, lease: Lease, schools: Collection[int] | None) -> None:
        """Delete what was live before, of these schools or of all. Raises `LeaseLost`."""
        self.renew(lease)
        key = self._keys.live_counts
        if schools is None:
            self._redis.delete(key)
            return
        for slot, value in cast("dict[bytes, bytes]", self._redis.hgetall(key)).items():
            counts = _unpacked_live(value).without(schools)
            self._redis.hset(key, text(slot), cast("str", _packed_live(counts)))

    def data_set_states(self) -> list[DataSetState]:
        """Return what Canvas was given last, of every data set."""
        stored = cast("list[bytes]", self._redis.hvals(self._keys.applied))
        return sorted((_MARK.validate_json(value) for value in stored), key=lambda each: each.key)

    def save_rows(self, digest: str, data_set: DataSet) -> None:
        """Store the rows of a data set under the digest that stands for them."""
        packed = zlib.compress(_DATA_SET.dump_json(data_set))
        key = self._keys.rows(digest)
        is_new = self._redis.set(key, packed, px=self._lifetime_ms, nx=True)
        # What Canvas holds keeps its longer time.
        if not is_new and self._redis.pttl(key) < self._lifetime_ms:
            self._redis.pexpire(key, self._lifetime_ms)

    def rows(self, digest: str) -> DataSet | None:
        """Return stored rows; None if their time is over."""
        stored = cast("bytes | None", self._redis.get(self._keys.rows(digest)))
        return None if stored is None else _DATA_SET.validate_json(zlib.decompress(stored))

    def retain_rows(self, current: Collection[str], former: Collection[str]) -> None:
        """Retain the rows that Canvas holds for long, and those it held before for as long as runs are stored."""
        pipeline = self._redis.pipeline(transaction=False)
        for digest in current:
            pipeline.pexpire(self._keys.rows(digest), DATA_SETS_TTL)
        for digest in set(former) - set(current):
            pipeline.pexpire(self._keys.rows(digest), self._lifetime_ms)
        pipeline.execute()

    def save_messages(self, run_id: str, import_id: int, messages: Sequence[ImportMessage]) -> None:
        """Store what Canvas said about the rows of an import."""
        key = self._keys.import_messages(run_id)
        self._redis.hset(key, str(import_id), cast("str", zlib.compress(_IMPORT_MESSAGES.dump_json(tuple(messages)))))
        self._redis.pexpire(key, self._lifetime_ms)

    def messages(self, run_id: str) -> list[ImportMessage]:
        """Return what Canvas said about the rows of a run's imports."""
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.import_messages(run_id)))
        by_import = sorted((int(import_id), value) for import_id, value in stored.items())
        return [each for _, value in by_import for each in _IMPORT_MESSAGES.validate_json(zlib.decompress(value))]

    def save_sis_ids(self, lease: Lease, stored: Mapping[str, str]) -> None:
        """Store the SIS ids by PowerSchool record that are not what the templates make of it. Raises `LeaseLost`."""
        self.renew(lease)
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.delete(self._keys.student_sis_ids)
        if stored:
            pipeline.hset(self._keys.student_sis_ids, mapping=_fields(stored))
        pipeline.execute()

    def former_logins(self) -> dict[str, str]:
        """Return the SIS ids of users who are in no file any more, by the digest of their login."""
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.former_logins))
        return {text(digest): text(sis_id) for digest, sis_id in stored.items()}

    def save_former_logins(self, departed: Mapping[str, str], freed: Collection[str]) -> None:
        """Store the logins of those who left, and delete those of users (SIS ids) who gave them up or came back."""
        removed = set(freed)
        digests = [digest for digest, sis_id in self.former_logins().items() if sis_id in removed] if removed else []
        pipeline = self._redis.pipeline(transaction=True)
        if digests:
            pipeline.hdel(self._keys.former_logins, *digests)
        if departed:
            pipeline.hset(self._keys.former_logins, mapping=_fields(departed))
            pipeline.pexpire(self._keys.former_logins, DATA_SETS_TTL)
        pipeline.execute()

    def schedule_state(self) -> ScheduleState:
        """Return what scheduling stores."""
        stored = self._redis.get(self._keys.schedule_state_key)
        return ScheduleState() if stored is None else _SCHEDULE_STATE.validate_json(stored)

    def save_schedule_state(self, lease: Lease, state: ScheduleState) -> None:
        """Store it. Raises `LeaseLost`."""
        # One writer at a time: whoever lost the lease a moment ago writes what the next one finds out as well.
        self.renew(lease)
        self._redis.set(self._keys.schedule_state_key, _SCHEDULE_STATE.dump_json(state))

    def mark_rosters_changed(self) -> None:
        """Record that rosters changed now, as PowerSchool confirmed: what was cached before is not used any more."""
        self._redis.set(self._keys.rosters_changed, clock_ms(self._redis.time()))

    def last_notification_ms(self) -> int:
        """Return when PowerSchool last said that rosters changed (ms); 0 for never."""
        return int(self._redis.get(self._keys.roster_changed_at) or 0)

    def _found(self, ids: Iterable[bytes]) -> list[Run]:
        runs = (self.find(text(run_id)) for run_id in ids)
        return [run for run in runs if run is not None]


def _as_written_now(stored: bytes) -> bytes:
    """Return a stored run in the shape of this version: in older ones an upload held one data set, and had no parts."""
    if b'"data_set_id":' not in stored or b'"parts":' in stored:
        return stored
    run = json.loads(stored)
    for upload in run["uploads"]:
        upload["parts"] = [{name: upload.pop(name) for name in ("key", "digest", "holds", "rows")}]
    return json.dumps(run).encode()


def _live_field(at_ms: int) -> str:
    """Return a field whose order is that of time."""
    return f"{max(at_ms, 0):015d}"


def _packed_live(counts: LiveCounts) -> bytes:
    rows = {_name_of(key): dict(schools) for key, schools in counts.rows.items()}
    return zlib.compress(_LIVE.dump_json((counts.at, rows)))


def _unpacked_live(packed: bytes) -> LiveCounts:
    at, rows = _LIVE.validate_json(zlib.decompress(packed))
    return LiveCounts(at, {_key_of(name): schools for name, schools in rows.items()})


def _key_of(name: str) -> DataSetKey:
    entity, _, term = name.partition(":")
    return DataSetKey(Entity(entity), term)


def _fields(values: Mapping[str, str]) -> Mapping[Any, Any]:
    """Return the values as redis-py's types want the fields of a hash."""
    return values


def _name_of(key: DataSetKey) -> str:
    return f"{key.entity}:{key.term_sis_id}"


def _rank(run: Run) -> float:
    """Return a run's place among the open ones: in their order, rollbacks first."""
    return int(run.id) - (_ROLLBACKS_FIRST if run.kind is RunKind.ROLLBACK else 0)
