"""Everything that a key holds, whatever its type."""

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import cast

import redis


def content_of(client: redis.Redis, key: str) -> Iterator[bytes]:
    """Yield the key's name and each of its values, members and fields: as they are, unpacked where they are packed."""
    yield key.encode()
    yield from map(_unpacked, _values(client, key))


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def _values(client: redis.Redis, key: str) -> Iterator[bytes]:
    match client.type(key):
        case b"string":
            yield cast("bytes", client.get(key) or b"")
        case b"hash":
            yield from chain.from_iterable(client.hgetall(key).items())
        case b"set":
            yield from cast("set[bytes]", client.smembers(key))
        case b"zset":
            yield from cast("list[bytes]", client.zrange(key, 0, -1))
        case b"list":
            yield from cast("list[bytes]", client.lrange(key, 0, -1))
        case b"stream":
            entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(key))
            yield from chain.from_iterable(chain.from_iterable(fields.items()) for _, fields in entries)
