"""Takeovers: links that a person makes or undoes, PowerSchool's answers to the first changes, and the newest run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

import msgspec
import redis
from redis.exceptions import WatchError

from shared.adapters.redis.client import text
from shared.adapters.redis.course_data.links import encode_link, link_field, links_of
from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.takeover_run import TakeoverRun, TakeoverState
from shared.errors import CourseBusy

MAX_TRIES = 10
NewLinks = Mapping[AssignmentKey, Link | None]


@dataclass(frozen=True, slots=True)
class TakeoverResponse:
    """PowerSchool's answer to passback's first change of an assignment that it did not create.

    `cause` is the refusal's, empty where the change was accepted. `made_by` is the `createdbyplugin`, empty for a
    teacher's.
    """

    at: datetime
    course_id: str
    assignment_id: str
    section_dcid: int
    made_by: str = ""
    cause: str = ""
    error_text: str = ""

    @property
    def is_refusal(self) -> bool:
        """Say whether PowerSchool refused."""
        return bool(self.cause)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(TakeoverResponse)


class Takeovers:
    """Changes links outside of a sync, and stores PowerSchool's answers to the syncs that follow."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def change_links(self, course_id: str, decide: Callable[[Mapping[AssignmentKey, Link]], NewLinks]) -> NewLinks:
        """Store what `decide` makes of the course's links: new ones, and None for those to delete. All in one step.

        `decide` may run several times. Raises `CourseBusy` while a sync of the course runs: it has read the links and
        stores them again. Returns what was changed.
        """
        links, taken = self._keys.links(course_id), self._keys.taken(course_id)
        with self._redis.pipeline(transaction=True) as pipeline:
            for _ in range(MAX_TRIES):
                pipeline.watch(links, taken)  # type: ignore[no-untyped-call]
                if pipeline.exists(taken):
                    break
                new = decide(links_of(cast("Mapping[bytes, bytes]", pipeline.hgetall(links))))
                pipeline.multi()
                for key, link in new.items():
                    if link is None:
                        pipeline.hdel(links, link_field(*key))
                    else:
                        pipeline.hset(links, link_field(*key), encode_link(link))
                        pipeline.hdel(self._keys.takeover_refusals(course_id), link_field(*key))
                try:
                    pipeline.execute()
                except WatchError:
                    continue
                return new
        raise CourseBusy(course_id)

    def record_response(self, response: TakeoverResponse) -> None:
        """Store the newest answer about its maker's assignments, and a refusal with its course."""
        encoded = _ENCODER.encode(response)
        self._redis.hset(self._keys.takeover_responses, response.made_by, encoded)
        if response.is_refusal:
            field = link_field(response.assignment_id, response.section_dcid)
            self._redis.hset(self._keys.takeover_refusals(response.course_id), field, encoded)

    def responses(self) -> dict[str, TakeoverResponse]:
        """Return PowerSchool's newest answer about the assignments of each maker (`createdbyplugin`, or empty)."""
        return {maker: _DECODER.decode(value) for maker, value in self._hash(self._keys.takeover_responses).items()}

    def refusals(self, course_id: str) -> dict[AssignmentKey, TakeoverResponse]:
        """Return the refusals in the course since the assignments were linked last.

        One that is older than an accepted change of the same maker's assignments is over.
        """
        stored = map(_DECODER.decode, self._hash(self._keys.takeover_refusals(course_id)).values())
        accepted = {maker: response.at for maker, response in self.responses().items() if not response.is_refusal}
        return {
            AssignmentKey(refusal.assignment_id, refusal.section_dcid): refusal
            for refusal in stored
            if refusal.at >= accepted.get(refusal.made_by, refusal.at)
        }

    def _hash(self, key: str) -> dict[str, bytes]:
        stored = cast("dict[bytes, bytes]", self._redis.hgetall(key))
        return {text(field): value for field, value in stored.items()}


RUN_TTL = timedelta(days=30)
# A run that was not seen for so long has no process any more. A course may wait this long for PowerSchool.
SILENT_AFTER = timedelta(seconds=90)
_RUN = msgspec.json.Decoder(TakeoverRun)


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
        run = _RUN.decode(stored)
        is_silent = run.state is TakeoverState.RUNNING and self._clock.now() - run.seen_at > SILENT_AFTER
        return replace(run, state=TakeoverState.INTERRUPTED) if is_silent else run
