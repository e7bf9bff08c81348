"""What passback's user must be allowed in Redis, found out without running any of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from redis.exceptions import NoPermissionError, ResponseError

from shared.adapters.redis.client import text

_KEY, _CHANNEL = "{key}", "{channel}"
# Each command of `deploy/redis/users.acl.in` that a transaction can hold, with arguments that Redis accepts.
_COMMANDS = f"""
    del {_KEY}; exists {_KEY}; expire {_KEY} 1; get {_KEY}; getdel {_KEY}; incr {_KEY}; incrby {_KEY} 1
    incrbyfloat {_KEY} 1; mget {_KEY}; persist {_KEY}; pexpire {_KEY} 1; pexpireat {_KEY} 1; psetex {_KEY} 1 v
    pttl {_KEY}; rename {_KEY} {_KEY}; set {_KEY} v; setex {_KEY} 1 v; setnx {_KEY} v; ttl {_KEY}; type {_KEY}
    unlink {_KEY}; hdel {_KEY} f; hexists {_KEY} f; hget {_KEY} f; hgetall {_KEY}; hincrby {_KEY} f 1
    hincrbyfloat {_KEY} f 1; hkeys {_KEY}; hlen {_KEY}; hmget {_KEY} f; hscan {_KEY} 0; hset {_KEY} f v
    hsetnx {_KEY} f v; hvals {_KEY}; blpop {_KEY} 1; brpop {_KEY} 1; llen {_KEY}; lpop {_KEY}; lpush {_KEY} v
    lrange {_KEY} 0 0; lrem {_KEY} 0 v; ltrim {_KEY} 0 0; rpop {_KEY}; rpush {_KEY} v; sadd {_KEY} v; scard {_KEY}
    sismember {_KEY} v; smembers {_KEY}; srem {_KEY} v; sscan {_KEY} 0; zadd {_KEY} 0 v; zcard {_KEY}
    zcount {_KEY} 0 0; zincrby {_KEY} 0 v; zlexcount {_KEY} - +; zmscore {_KEY} v; zrange {_KEY} 0 0
    zrangebylex {_KEY} - +; zrangebyscore {_KEY} 0 0; zrangestore {_KEY} {_KEY} 0 0; zrank {_KEY} v; zrem {_KEY} v
    zremrangebyrank {_KEY} 0 0; zremrangebyscore {_KEY} 0 0; zrevrange {_KEY} 0 0; zrevrangebyscore {_KEY} 0 0
    zscan {_KEY} 0; zscore {_KEY} v; xack {_KEY} g 0-0; xadd {_KEY} * f v; xautoclaim {_KEY} g c 0 0
    xclaim {_KEY} g c 0 0-0; xdel {_KEY} 0-0; xgroup create {_KEY} g 0; xinfo stream {_KEY}; xlen {_KEY}
    xpending {_KEY} g; xrange {_KEY} - +; xread streams {_KEY} 0; xreadgroup group g c streams {_KEY} >
    xrevrange {_KEY} + -; xtrim {_KEY} maxlen 0; eval return 1 {_KEY}; evalsha sha 1 {_KEY}; script load v
    script exists sha; publish {_CHANNEL}.celery.pidbox v; publish {_CHANNEL}.celeryev/worker.heartbeat v
    dbsize; info; scan 0; time; role
"""
# Commands of the transaction itself, of connections that do nothing else, and one that servers may hide.
NOT_PROBED = frozenset(
    [
        "multi",
        "exec",
        "discard",
        "watch",
        "unwatch",
        "subscribe",
        "unsubscribe",
        "psubscribe",
        "punsubscribe",
        "config|get",
    ]
)
_WITH_SUBCOMMAND = ("script",)


@dataclass(frozen=True, slots=True)
class MissingRights:
    """The commands that Redis refuses the user; whether it refuses keys or channels that begin with the prefix."""

    commands: tuple[str, ...] = ()
    keys: bool = False
    channels: bool = False


def probed_commands() -> Mapping[str, list[list[str]]]:
    """Return the calls by the command's name in an ACL rule."""
    calls: dict[str, list[list[str]]] = {}
    for line in _COMMANDS.replace("\n", ";").split(";"):
        parts = line.split()
        if parts:
            name = "|".join(parts[:2]) if parts[0] in _WITH_SUBCOMMAND else parts[0]
            calls.setdefault(name, []).append(parts)
    return calls


def missing_rights(client: redis.Redis, prefix: str) -> MissingRights:
    """Return what the client's user may not do.

    Redis checks a command's rights when a transaction queues it. The transaction is discarded, so that nothing runs.
    Raises: redis-py's errors if Redis does not answer, or allows no transaction.
    """
    pool = client.connection_pool
    database = pool.connection_kwargs.get("db") or 0
    examples = {"key": f"{prefix}:doctor", "channel": f"{prefix}:celery:/{database}"}
    calls = [(name, call) for name, calls in probed_commands().items() for call in calls]
    connection: Any = pool.get_connection()
    try:
        connection.send_command("MULTI")
        connection.read_response()
        connection.send_packed_command(
            connection.pack_commands([[word.format(**examples) for word in call] for _, call in calls])
        )
        refusals = [(name, refusal) for name, _ in calls if (refusal := _refusal(connection))]
        connection.send_command("DISCARD")
        connection.read_response()
    except BaseException:
        # Answers that were not read must not become those of other commands.
        connection.disconnect()
        raise
    finally:
        pool.release(connection)
    of_keys = [said for _, said in refusals if _is_about(said, "key")]
    of_channels = [said for _, said in refusals if _is_about(said, "channel")]
    commands = [name for name, said in refusals if said not in (*of_keys, *of_channels)]
    return MissingRights(tuple(dict.fromkeys(commands)), bool(of_keys), bool(of_channels))


def _refusal(connection: Any) -> str:
    """Return why Redis refuses this user the next command, empty if it does not.

    What it refuses everybody, such as writes to a replica or into full memory, is not about rights.
    """
    try:
        connection.read_response()
    except ResponseError as error:
        said = text(str(error))
        return said if isinstance(error, NoPermissionError) or said.startswith("unknown command") else ""
    return ""


def _is_about(said: str, what: str) -> bool:
    """Say whether the refusal is for a key or a channel: Redis 6.2 and 7 use different sentences."""
    return f" {what}" in said and "command" not in said
