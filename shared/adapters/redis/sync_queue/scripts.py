"""The scripts of the sync queue: they share keys, arguments and the functions of `pending.lua`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

import redis

from shared.adapters.redis.client import Argument, load_script, milliseconds, with_right_types
from shared.adapters.redis.keys import Keys
from shared.domain.passback.changes import DebounceWindow


class SyncQueueScripts:
    """The scripts that begin with `pending.lua`, with the keys and arguments that it reads."""

    FILES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "request": (),
        "aggregate": (),
        "claim_due": ("attempt_times", "dead_letter"),
        "start_sync": (),
        "renew": (),
        "release": (),
        "reschedule": ("attempt_times",),
    }
    """Each script by name, with the files between `pending.lua` and its own."""

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        windows: DebounceWindow,
        claim_for: timedelta,
        lease_for: timedelta,
        now_ms: Callable[[], int] | None,
    ) -> None:
        self._scripts = {
            name: load_script(client, "sync_queue/pending", *files, f"sync_queue/{name}")
            for name, files in self.FILES.items()
        }
        self._keys = (keys.due, keys.yielding, keys.claimed, keys.leased, keys.fence, keys.synced)
        self._client = client
        sets = (keys.due, keys.yielding, keys.claimed, keys.leased, keys.synced, keys.courses, keys.unknown)
        hashes = (keys.paused, keys.heard, keys.rate("powerschool"))
        self._types = {**dict.fromkeys(sets, "zset"), **dict.fromkeys(hashes, "hash"), keys.malformed: "stream"}
        lengths = (windows.quiet_period, windows.max_wait, claim_for, lease_for)
        first_change = "" if windows.first_change is None else milliseconds(windows.first_change)
        self._arguments: list[Argument] = [
            keys.pending("%s"), keys.taken("%s"), *map(milliseconds, lengths), first_change,
        ]  # fmt: skip
        self._now_ms = now_ms

    def run(self, name: str, *arguments: Argument, more_keys: Sequence[str] = ()) -> object:
        """Return what the script `name` answers to its own arguments."""
        now = "" if self._now_ms is None else self._now_ms()
        keys, given = [*self._keys, *more_keys], [now, *self._arguments, *arguments]
        return with_right_types(self._client, self._types, lambda: self._scripts[name](keys=keys, args=given))
