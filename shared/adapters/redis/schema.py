"""Checks at a worker's start that this version can read what Redis holds, and brings older data up to date."""

import redis

from shared.adapters.redis.keys import Keys
from shared.config import ConfigurationError

SCHEMA_VERSION = 2
"""1: everything before Redis had a schema version. 2: no index of courses any more."""

# Keys of version 1 that nothing reads any more. They hold words of course names.
_OBSOLETE = ("course-words", "standings", "problems")


def check_schema(client: redis.Redis, keys: Keys) -> None:
    """Convert what an older version left in Redis, and record this schema version. May be repeated.

    A Redis without a schema version is empty, or holds version 1.
    Raises: ConfigurationError, if a newer version of passback has written the data.
    """
    stored = client.get(keys.schema_version)
    version = 1 if stored is None else int(stored)
    if version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"Redis holds data of schema version {version}, and this passback reads versions up to {SCHEMA_VERSION}: "
            "install the passback that wrote it, or a newer one, or restore the backup from before the upgrade "
            "(deploy/guides/upgrade.md)"
        )
    if version < SCHEMA_VERSION:
        with client.pipeline(transaction=True) as pipeline:
            pipeline.delete(*(f"{keys.prefix}:{name}" for name in _OBSOLETE))
            pipeline.set(keys.schema_version, SCHEMA_VERSION)
            pipeline.execute()
