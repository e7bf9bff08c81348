"""Provisioning's memory in Redis: runs, what was applied, the rows, and what scheduling remembers."""

import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import cast

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.answers import epoch_ms, milliseconds, text
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.domain.provisioning_run import AppliedMark, RowTrouble, Run, RunCause, RunKind, RunState
from shared.domain.sis_import import DataSet, DataSetKey
from shared.errors import LeaseLost
from shared.roster_ports import RunLease, ScheduleNotes

SUBJECT = "provisioning"
# What Canvas holds is needed to compare with, however long nothing changes; each run prolongs it.
APPLIED_KEPT_FOR = timedelta(days=400)
_ROLLBACKS_FIRST = 1e15

_RUN = TypeAdapter(Run)
_MARK = TypeAdapter(AppliedMark)
_NOTES = TypeAdapter(ScheduleNotes)
_DATA_SET = TypeAdapter(DataSet)
_TROUBLES = TypeAdapter(tuple[RowTrouble, ...])


class RedisProvisionRuns:
    """The `ProvisionRuns`. `runs_kept_for` is for how long a run can be looked at, and rolled back."""

    def __init__(self, client: redis.Redis, keys: Keys, runs_kept_for: timedelta, lease_for: timedelta) -> None:
        self._redis = client
        self._keys = keys
        self._lifetime_ms = milliseconds(runs_kept_for)
        self._lease_ms = milliseconds(lease_for)
        self._take = load_script(client, "take_run_lease")
        self._renew = load_script(client, "renew_run_lease")
        self._drop = load_script(client, "drop_if_equal")
        self._open = load_script(client, "open_run")
        self._save = load_script(client, "save_run")
        self._end_hold = load_script(client, "end_hold")

    def lease(self) -> RunLease | None:
        """Take the lease; None while somebody else holds it."""
        token = int(self._take(keys=[self._keys.run_lease, self._keys.run_fence], args=[self._lease_ms]))
        return RunLease(token) if token else None

    def renew(self, lease: RunLease) -> None:
        """Prolong the lease. Raises `LeaseLost`."""
        if not self._renew(keys=[self._keys.run_lease], args=[lease.token, self._lease_ms]):
            raise LeaseLost(SUBJECT)

    def release(self, lease: RunLease) -> None:
        """End the lease; nothing happens if it is lost."""
        self._drop(keys=[self._keys.run_lease], args=[lease.token])

    def open(self, kind: RunKind, cause: RunCause, at: datetime, actor: str = "", rollback_of: str = "") -> Run:
        """Open a run; a run of the same kind that has not begun yet is returned instead."""
        k, run_id = self._keys, str(self._redis.incr(self._keys.run_number))
        run = Run(run_id, kind, cause, at, actor=actor, rollback_of=rollback_of)
        opened = self._open(
            keys=[k.open_runs, k.runs, k.runs_not_begun, k.run(run_id)],
            args=[run_id, kind, _RUN.dump_json(run), _rank(run), epoch_ms(at), self._lifetime_ms],
        )
        self._redis.zremrangebyscore(k.runs, "-inf", epoch_ms(at) - self._lifetime_ms)
        return run if text(opened) == run_id else self.find(text(opened)) or run

    def opened(self) -> list[Run]:
        """Return the open runs, the one that is next first."""
        return self._found(cast("list[bytes]", self._redis.zrange(self._keys.open_runs, 0, -1)))

    def find(self, run_id: str) -> Run | None:
        """Return a run; None if there is none of this id (any more)."""
        kept = self._redis.get(self._keys.run(run_id))
        return None if kept is None else _RUN.validate_json(kept)

    def newest(self, limit: int) -> list[Run]:
        """Return the newest runs, the newest first."""
        return self._found(cast("list[bytes]", self._redis.zrevrange(self._keys.runs, 0, limit - 1)))

    def held(self) -> Run | None:
        """Return the run that waits for a person, None if there is none."""
        run_id = self._redis.get(self._keys.held_run)
        return None if run_id is None else self.find(text(run_id))

    def save(self, lease: RunLease, run: Run, applied: AppliedMark | None = None) -> None:
        """Keep the run as it is now, and what became of a data set, in one step. Raises `LeaseLost`."""
        k = self._keys
        where = "open" if run.state.is_open else "held" if run.state is RunState.HELD else "over"
        begun = run.kind if run.started_at or where != "open" else ""
        about = ["", ""] if applied is None else [_name_of(applied.key), _MARK.dump_json(applied)]
        done = self._save(
            keys=[k.run_lease, k.run(run.id), k.open_runs, k.held_run, k.runs_not_begun, k.applied],
            args=[lease.token, run.id, _RUN.dump_json(run), self._lifetime_ms, where, begun, *about],
        )
        if not done:
            raise LeaseLost(SUBJECT)

    def end_hold(self, run: Run) -> bool:
        """Keep a run that was held, as it is now: open, or over. False if it is not the held one any more."""
        k, rank = self._keys, _rank(run) if run.state.is_open else ""
        return bool(
            self._end_hold(
                keys=[k.held_run, k.run(run.id), k.open_runs],
                args=[run.id, _RUN.dump_json(run), self._lifetime_ms, rank],
            )
        )

    def applied(self) -> list[AppliedMark]:
        """Return what Canvas was given last, of every data set."""
        kept = cast("list[bytes]", self._redis.hvals(self._keys.applied))
        return sorted((_MARK.validate_json(value) for value in kept), key=lambda each: each.key)

    def keep_rows(self, digest: str, data_set: DataSet) -> None:
        """Keep the rows of a data set under the digest that stands for them."""
        packed = zlib.compress(_DATA_SET.dump_json(data_set))
        key = self._keys.rows(digest)
        is_new = self._redis.set(key, packed, px=self._lifetime_ms, nx=True)
        # What Canvas holds keeps its longer time.
        if not is_new and self._redis.pttl(key) < self._lifetime_ms:
            self._redis.pexpire(key, self._lifetime_ms)

    def rows(self, digest: str) -> DataSet | None:
        """Return kept rows; None if their time is over."""
        kept = cast("bytes | None", self._redis.get(self._keys.rows(digest)))
        return None if kept is None else _DATA_SET.validate_json(zlib.decompress(kept))

    def keep_applied(self, current: Collection[str], former: Collection[str]) -> None:
        """Keep the rows that Canvas holds for long, and those it held before for as long as runs are kept."""
        pipeline = self._redis.pipeline(transaction=False)
        for digest in current:
            pipeline.pexpire(self._keys.rows(digest), APPLIED_KEPT_FOR)
        for digest in set(former) - set(current):
            pipeline.pexpire(self._keys.rows(digest), self._lifetime_ms)
        pipeline.execute()

    def keep_troubles(self, run_id: str, import_id: int, troubles: Sequence[RowTrouble]) -> None:
        """Keep what Canvas said about the rows of an import."""
        key = self._keys.row_troubles(run_id)
        self._redis.hset(key, str(import_id), cast("str", zlib.compress(_TROUBLES.dump_json(tuple(troubles)))))
        self._redis.pexpire(key, self._lifetime_ms)

    def troubles(self, run_id: str) -> list[RowTrouble]:
        """Return what Canvas said about the rows of a run's imports."""
        kept = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.row_troubles(run_id)))
        by_import = sorted((int(import_id), value) for import_id, value in kept.items())
        return [each for _, value in by_import for each in _TROUBLES.validate_json(zlib.decompress(value))]

    def notes(self) -> ScheduleNotes:
        """Return what scheduling remembers."""
        kept = self._redis.get(self._keys.provision_notes)
        return ScheduleNotes() if kept is None else _NOTES.validate_json(kept)

    def note(self, lease: RunLease, notes: ScheduleNotes) -> None:
        """Remember it. Raises `LeaseLost`."""
        # One writer at a time: whoever lost the lease a moment ago writes what the next one finds out as well.
        self.renew(lease)
        self._redis.set(self._keys.provision_notes, _NOTES.dump_json(notes))

    def newest_hint_ms(self) -> int:
        """Return when PowerSchool last said that rosters changed (ms); 0 for never."""
        return int(self._redis.get(self._keys.roster_hint) or 0)

    def _found(self, ids: Iterable[bytes]) -> list[Run]:
        runs = (self.find(text(run_id)) for run_id in ids)
        return [run for run in runs if run is not None]


def _name_of(key: DataSetKey) -> str:
    return f"{key.entity}:{key.term_sis_id}"


def _rank(run: Run) -> float:
    """Return a run's place among the open ones: in their order, rollbacks first."""
    return int(run.id) - (_ROLLBACKS_FIRST if run.kind is RunKind.ROLLBACK else 0)
