"""Shows that a backup can be restored: `python -m deploy.backup.drill BACKUP`, or without one, on a scratch Redis.

BACKUP is a copy that `deploy/backup/take.py` made (the folder `appendonlydir`). A scratch Redis loads it, and every
link, record and audit entry in it is read as passback reads it. Without BACKUP, a scratch Redis is filled with links,
backed up while it is written to, restored, and compared link by link. Nothing touches the Redis in use.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import redis

from deploy.backup.aof import BackupFailed, restored, take
from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.erasure import RedisErasure
from shared.domain.passback.planning.links import Link
from tests.fault_injection.redis_server import RedisServer

COURSES = 200
LINKS_PER_COURSE = 20
StoredLinks = dict[str, Mapping[tuple[str, int], Link]]


def links_of(client: redis.Redis, keys: Keys) -> StoredLinks:
    """Return every course's links, read as passback reads them."""
    links = Links(client, keys)
    return {course: links.of_course(course) for course in RedisErasure(client, keys).courses()}


def contents(client: redis.Redis, keys: Keys) -> dict[str, int]:
    """Return how much of what there is; raises where something cannot be read."""
    found, records = links_of(client, keys), CourseStates(client, keys)
    audit = Audit(client, keys, timedelta(days=36_500), 1)
    return {
        "courses": len(found),
        "links": sum(map(len, found.values())),
        "records": sum(records.course(course) is not None for course in found),
        "audit_entries": sum(1 for course in found for _ in audit.of_course(course)),
        "dead_letters": client.zcard(keys.dead_letters),
    }


def look_at(backup: Path, prefix: str) -> dict[str, float]:
    """Restore a backup to a scratch Redis, and return what it holds and how long that took."""
    started = time.monotonic()
    with restored(backup) as client:
        loaded = time.monotonic()
        held = contents(client, Keys(prefix))
    return {**held, "restored_in_s": round(loaded - started, 2), "read_in_s": round(time.monotonic() - loaded, 2)}


def rehearse() -> dict[str, float]:
    """Back up a scratch Redis while it is written to, restore the copy, and compare. Raises `BackupFailed`."""
    keys = Keys()
    with tempfile.TemporaryDirectory(prefix="passback-drill-") as scratch, RedisServer() as source:
        with redis.Redis(unix_socket_path=str(source.socket)) as client:
            before = _fill(client, keys)
            started = time.monotonic()
            with _written_to(client, keys):
                backup = take(client, Path(scratch))
            taken = time.monotonic()
        with restored(backup) as client:
            loaded = time.monotonic()
            after = links_of(client, keys)
    lost = [course for course, links in before.items() if after.get(course) != links]
    if lost:
        raise BackupFailed(f"{len(lost)} of {len(before)} courses came back with other links")
    return {
        "courses": len(before),
        "links": sum(map(len, before.values())),
        "taken_in_s": round(taken - started, 2),
        "restored_in_s": round(loaded - taken, 2),
    }


def _fill(client: redis.Redis, keys: Keys) -> StoredLinks:
    links, due = Links(client, keys), date(2031, 3, 4)
    for course in range(1, COURSES + 1):
        for assignment in range(LINKS_PER_COURSE):
            ids = course * 1000 + assignment
            link = Link(str(ids), 4000 + course, f"Work {assignment}", due, ids + 1, ids + 2, frozenset({ids, course}))
            links.save(str(course), link)
    return links_of(client, keys)


@contextmanager
def _written_to(client: redis.Redis, keys: Keys) -> Iterator[None]:
    """Write to Redis from another thread, as workers do while a backup is taken."""
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            client.hincrby(keys.counter("drill"), "writes", 1)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join()


def main() -> int:
    """Run from the command line; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("backup", type=Path, nargs="?")
    parser.add_argument("--prefix", default=Keys().prefix, help="PASSBACK_REDIS_PREFIX, where it is another")
    wanted = parser.parse_args()
    try:
        found = rehearse() if wanted.backup is None else look_at(wanted.backup, wanted.prefix)
    except BackupFailed as error:
        print(f"drill: {error}", file=sys.stderr)
        return 1
    print(json.dumps(found, indent=2))
    return 0 if found["courses"] else 1


if __name__ == "__main__":
    sys.exit(main())
