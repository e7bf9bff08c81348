"""Loads the Lua scripts, each from the `lua/` folder of the store that uses it."""

from collections.abc import Callable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable

import redis
import structlog
from redis.commands.core import Script
from redis.exceptions import ResponseError

from shared.adapters.redis.keys import SET_ASIDE
from shared.adapters.redis.values import text
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
