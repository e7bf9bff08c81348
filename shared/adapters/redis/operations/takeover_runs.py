"""The newest takeover of many courses: how far it is, and that a person wants it to end."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

import msgspec
import redis
from redis.exceptions import WatchError

from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.passback.takeover_run import TakeoverRun, TakeoverState

RUN_TTL = timedelta(days=30)
# A run that was not seen for so long has no process any more. A course may wait this long for PowerSchool.
SILENT_AFTER = timedelta(seconds=90)
_DECODER = msgspec.json.Decoder(TakeoverRun)
_ENCODER = msgspec.json.Encoder()


class TakeoverRuns:
    """One run at a time, stored until the next one begins."""

    def __init__(self, client: redis.Redis, keys: Keys, clock: Clock) -> None:
        self._redis = client
        self._key = keys.takeover_run
        self._clock = clock

    def newest(self) -> TakeoverRun | None:
        """Return the newest run; one whose process ended is interrupted."""
        stored = cast("bytes | None", self._redis.hget(self._key, "run"))
        return None if stored is None else self._read(stored)

    def begin(self, run: TakeoverRun) -> bool:
        """Store the run; False while another one is running."""
        with self._redis.pipeline(transaction=True) as pipeline:
            while True:
                pipeline.watch(self._key)  # type: ignore[no-untyped-call]
                stored = cast("bytes | None", pipeline.hget(self._key, "run"))
                if stored is not None and self._read(stored).state is TakeoverState.RUNNING:
                    return False
                pipeline.multi()
                pipeline.delete(self._key)
                pipeline.hset(self._key, "run", _ENCODER.encode(self._seen(run)))
                pipeline.expire(self._key, RUN_TTL)
                try:
                    pipeline.execute()
                except WatchError:
                    continue
                return True

    def save(self, run: TakeoverRun) -> bool:
        """Store how far the run is; False if a person wants it to end."""
        self.record_alive(run)
        return not self._redis.hexists(self._key, "cancel")

    def record_alive(self, run: TakeoverRun) -> None:
        """Store that the run goes on: it waits for its turn at a system."""
        self._redis.hset(self._key, "run", _ENCODER.encode(self._seen(run)))

    def cancel(self) -> bool:
        """Ask the run to end after its course; False if none is running."""
        run = self.newest()
        if run is None or run.state is not TakeoverState.RUNNING:
            return False
        self._redis.hset(self._key, "cancel", "1")
        return True

    def _seen(self, run: TakeoverRun) -> TakeoverRun:
        return replace(run, seen_at=self._clock.now())

    def _read(self, stored: bytes) -> TakeoverRun:
        run = _DECODER.decode(stored)
        is_silent = run.state is TakeoverState.RUNNING and self._clock.now() - run.seen_at > SILENT_AFTER
        return replace(run, state=TakeoverState.INTERRUPTED) if is_silent else run
