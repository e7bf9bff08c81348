"""Loads the Lua scripts, each from the `lua/` folder of the store that uses it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from importlib import resources
from importlib.resources.abc import Traversable
from typing import ClassVar

import redis
import structlog
from redis.commands.core import Script
from redis.exceptions import ResponseError

from shared.adapters.redis.keys import SET_ASIDE, Keys
from shared.adapters.redis.values import milliseconds, text
from shared.domain.passback.changes import Windows
from shared.log_events import LogEvent

log = structlog.get_logger()

Argument = bytes | str | int | float


def load_script(client: redis.Redis, *names: str) -> Script:
    """Return the script made of the named files, one after the other.

    `sync_queue/renew` is `sync_queue/lua/renew.lua` beside this module; a name without a room is in `lua/`, for stores
    of several rooms.
    """
    return client.register_script(script_text(*names))


def script_text(*names: str) -> str:
    """Return the named files, one after the other."""
    return "\n".join(_file(name).read_text(encoding="utf-8") for name in names)


def _file(name: str) -> Traversable:
    room, _, script = name.rpartition("/")
    return resources.files(__package__) / room / "lua" / f"{script}.lua"


def set_aside_wrong_types(client: redis.Redis, expected: Mapping[str, str]) -> bool:
    """Rename each key that has another type than `expected`; say whether there was one.

    A script fails as a whole on such a key. What was in a sorted set of courses is found again by reconciliation.
    """
    renamed = False
    for key, wanted in expected.items():
        found = text(client.type(key))
        if found not in (wanted, "none"):
            client.rename(key, f"{key}{SET_ASIDE}")
            log.error(LogEvent.KEY_SET_ASIDE, key=key, expected=wanted, found=found)
            renamed = True
    return renamed


def with_right_types(client: redis.Redis, expected: Mapping[str, str], run: Callable[[], object]) -> object:
    """Return what the script answers. If a key has another type than `expected`, it is set aside and it runs again."""
    try:
        return run()
    except ResponseError as error:
        if "WRONGTYPE" not in str(error) or not set_aside_wrong_types(client, expected):
            raise
    return run()


class CourseScripts:
    """The scripts that begin with `pending.lua`, with the keys and arguments that it reads."""

    FILES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "request": (),
        "fold": (),
        "claim_due": ("moments", "problems", "letter"),
        "take": (),
        "renew": (),
        "release": (),
        "release_for_later": ("moments",),
    }
    """Each script by name, with the files between `pending.lua` and its own."""

    def __init__(
        self,
        client: redis.Redis,
        keys: Keys,
        windows: Windows,
        claim_for: timedelta,
        lease_for: timedelta,
        now_ms: Callable[[], int] | None,
    ) -> None:
        self._scripts = {
            name: load_script(client, "sync_queue/pending", *files, name) for name, files in self.FILES.items()
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
