"""Anything in Celery's keys that cannot be run: the worker stores it as a dead letter, and continues."""

import json
import random
import signal
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
from celery import Celery

from shared.adapters.redis.keys import SET_ASIDE
from shared.config import load
from shared.domain.passback.changes import ChangeCause
from shared.queues import Queue, Task
from workers.celery.app import make_app
from workers.celery.message_schema import readable
from workers.celery.undecodable import task_message
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import ProcessGroup, process_group, without_settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("poison")]

WITHIN_S = 40.0
NOWHERE = "http://127.0.0.1:9"


def settings_for(server: EmbeddedRedis) -> dict[str, str]:
    """Return settings of an installation whose Canvas and PowerSchool are unavailable."""
    return {
        "PASSBACK_REDIS_URL": server.url, "PASSBACK_CANVAS_URL": NOWHERE, "PASSBACK_POWERSCHOOL_URL": NOWHERE,
        "PASSBACK_CANVAS_TOKEN": "x" * 20, "PASSBACK_POWERSCHOOL_CLIENT_ID": "client",
        "PASSBACK_POWERSCHOOL_CLIENT_SECRET": "x" * 20,
    }  # fmt: skip


@dataclass
class Running:
    """A worker of one Redis; Canvas and PowerSchool are unavailable."""

    service: Container
    app: Celery
    processes: ProcessGroup
    client: redis.Redis
    pid: int

    def key(self, name: str) -> str:
        return f"{self.service.settings.redis_prefix}:celery:{name}"

    def push(self, *entries: str | bytes, queue: str = Queue.HOUSEKEEPING) -> None:
        self.client.lpush(self.key(queue), *entries)

    def open_files(self) -> int:
        """Return how many files and sockets the worker has open."""
        return psutil.Process(self.pid).num_fds()

    def wait(self, done: Any, what: str) -> None:
        until = time.monotonic() + WITHIN_S
        while not done():
            self.processes.check()
            assert time.monotonic() < until, what
            time.sleep(0.05)

    def wait_kept(self, count: int) -> None:
        self.wait(lambda: self.service.dead_messages.count() >= count, f"kept {self.service.dead_messages.count()}")

    def tasks_run(self) -> int:
        """Return how many housekeeping tasks the worker has accepted; a blocked worker does not answer."""
        stats = self.app.control.inspect(timeout=2, limit=1).stats() or {}
        return sum(sum(each["total"].values()) for each in stats.values()) if stats else -1

    def goes_on(self) -> None:
        """Return once the worker has run one more good task than before."""
        before: list[int] = []
        self.wait(lambda: bool(before) or self._note(before), "the worker answers no inspection")
        self.app.send_task(Task.RECONCILE, queue=Queue.HOUSEKEEPING, ignore_result=True)
        self.wait(lambda: self.tasks_run() > before[0], "a good task did not run")

    def _note(self, before: list[int]) -> bool:
        if (count := self.tasks_run()) >= 0:
            before.append(count)
        return bool(before)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    logs = tmp_path_factory.mktemp("logs")
    with EmbeddedRedis() as server:
        ours = settings_for(server)
        with (
            process_group(logs, {**without_settings(), **ours}) as group,
            closing(Container(load(ours, env_file=logs / "no.env"))) as service,
            redis.Redis.from_url(server.url) as client,
            closing(make_app(service.settings)) as app,
        ):
            pid = group.start("worker", "worker")
            yield Running(service, app, group, client, pid)


@pytest.fixture(autouse=True)
def _none_kept(running: Running) -> Iterator[None]:
    yield
    running.service.dead_messages.discard([letter.id for letter in running.service.dead_messages.all()])


def good() -> dict[str, Any]:
    message: dict[str, Any] = json.loads(task_message(Task.RECONCILE, Queue.HOUSEKEEPING, [], {}))
    return message


def body(value: object) -> str:
    return b64encode(json.dumps(value).encode()).decode()


def changed(path: str, value: object) -> dict[str, Any]:
    """Return a good message with one place set to `value`, or taken out (`...`)."""
    message = good()
    *folders, name = path.split("/")
    place = message
    for folder in folders:
        place = place[folder]
    if value is ...:
        del place[name]
    else:
        place[name] = value
    return message


NOTHING = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
POISON: dict[str, dict[str, Any]] = {
    "no id": changed("headers/id", ...),
    "an id that is no text": changed("headers/id", {"a": 1}),
    "no task": changed("headers/task", ...),
    "a task that is no text": changed("headers/task", ["x"]),
    "half an emoji in its name": changed("headers/task", "\ud83d"),
    "retries in words": changed("headers/retries", "many"),
    "a time limit that is no pair": changed("headers/timelimit", 7),
    "an end that is no time": changed("headers/expires", "soon"),
    "an end in the year 99999": changed("headers/expires", "99999-01-01T00:00:00+00:00"),
    "a time to start at": changed("headers/eta", "2999-01-01T00:00:00+00:00"),
    "headers that are a list": changed("headers", []),
    "a body that is no triple": changed("body", body([[]])),
    "a body that is an object": changed("body", body({"task": "x"})),
    "arguments that are no list": changed("body", body(["x", {}, NOTHING])),
    "a task to call afterwards": changed("body", body([[], {}, {**NOTHING, "chain": [{"task": "x"}]}])),
    "a value of another type": changed("body", body([[], {"__type__": "bytes", "__value__": 7}, NOTHING])),
    "broken base64": changed("body", "$$$"),
    "base64 of no JSON": changed("body", b64encode(b"\xff\xfe").decode()),
    "endless nesting": changed("body", b64encode(b"[" * 20_000 + b"]" * 20_000).decode()),
    "an unknown encoding": changed("content-encoding", "rot-13"),
    "an unknown type": changed("content-type", "application/x-python-serialize"),
    "another encoding of the body": changed("properties/body_encoding", "rot13"),
    "no delivery tag": changed("properties/delivery_tag", ...),
    "no delivery information": changed("properties/delivery_info", None),
    "a priority in words": changed("properties/priority", "high"),
}


def test_what_cannot_be_run_is_kept_and_the_worker_goes_on(running: Running) -> None:
    """Every malformed message of either queue is a dead letter; the same process then runs a good task."""
    running.goes_on()
    entries = [json.dumps(message) for message in POISON.values()]
    entries += ["", "no JSON", "7", "null", "[" * 50_000, '{"a": ' * 5_000]
    running.push(*entries)
    running.push(*entries, queue=Queue.COURSE_SYNCS)
    running.wait_kept(2 * len(entries))
    assert running.service.dead_messages.count() == 2 * len(entries)
    running.goes_on()


def test_a_compressed_message_is_run_without_its_header(running: Running) -> None:
    """Kombu would decompress a body of any size: a header that passback does not know has no effect."""
    message = good()
    message["headers"] |= {"compression": "application/x-gzip", "hostname": {}, "delivery_info": 7}
    running.push(json.dumps(message))
    running.goes_on()
    assert running.service.dead_messages.count() == 0


def test_random_damage_ends_no_worker(running: Running) -> None:
    """A message with one to three random damages is run or stored, and the worker continues."""
    chance = random.Random(16)
    entries = [damaged(chance) for _ in range(160)]
    unreadable = sum(readable(entry, Queue.HOUSEKEEPING) is None for entry in entries)
    assert unreadable > 40
    running.push(*[json.dumps(entry) for entry in entries])
    running.wait_kept(unreadable)
    running.goes_on()


def damaged(chance: random.Random) -> Any:
    message = deepcopy(good())
    for _ in range(chance.randint(1, 3)):
        place: Any = message
        while True:
            name = chance.choice(list(place))
            if isinstance(place[name], dict) and place[name] and chance.random() < 0.8:
                place = place[name]
                continue
            break
        match chance.randrange(5):
            case 0 if len(place) > 1:
                del place[name]
            case 1:
                text = str(place[name])
                place[name] = text[: chance.randint(0, len(text))] + chance.choice(["", "\x00", "\ud800", "é", "A=="])
            case _:
                place[name] = chance.choice([None, 0, -1, 1e308, True, [], {}, "", "x" * 5000, [[]], {"a": {}}, "NaN"])
    return message


CONTROL = {
    "a list": [1, 2],
    "no method": {"arguments": {}},
    "a method that is no text": {"method": {"a": 1}},
    "a destination that is a number": {"method": "ping", "destination": 7},
    "an end of the worker": {"method": "shutdown"},
    "a pool that grows": {"method": "pool_grow", "arguments": {"n": 1000}},
    "a reply to nobody": {"method": "ping", "reply_to": "x"},
    "arguments that are a list": {"method": "ping", "arguments": [1]},
    "a command of a later version": {"method": "no_such_command"},
}


def test_a_malformed_control_message_ends_no_worker(running: Running) -> None:
    """Broadcasts that are no command, or that would stop or change the worker, are stored and not executed."""
    running.goes_on()
    channel = f"{running.service.settings.redis_prefix}:celery:/0.celery.pidbox"
    messages: list[Any] = [
        {**good(), "body": body(content), "headers": {"clock": 1, "expires": None}} for content in CONTROL.values()
    ]
    messages += [{**good(), "headers": {"clock": "late"}, "body": body({"method": "ping"})}, 7, [], {"body": 1}]
    for message in messages:
        assert running.client.publish(channel, json.dumps(message)) == 1
    assert running.client.publish(channel, b"\xff no JSON") == 1
    running.wait_kept(len(messages) + 1)
    running.goes_on()


def test_garbage_among_unacknowledged_messages_is_kept(running: Running) -> None:
    """An entry that cannot be returned to its queue is stored, and does not stop the return of the others."""
    running.goes_on()
    entries = {"t1": "no JSON", "t2": "[1, 2]", "t3": json.dumps([{}, "", "housekeeping"]), "t4": "[[[[]]]]"}
    running.client.hset(running.key("unacked"), mapping=entries)  # type: ignore[arg-type]
    running.client.zadd(running.key("unacked_index"), dict.fromkeys(entries, 1.0))
    running.wait_kept(len(entries))
    assert running.client.hlen(running.key("unacked")) == 0
    running.goes_on()


def test_a_binding_that_is_none_stops_no_message(running: Running) -> None:
    """A garbage member of a set of bindings is ignored when a message is sent."""
    running.client.sadd(running.key(f"_kombu.binding.{Queue.HOUSEKEEPING}"), "garbage", b"\xff")
    running.goes_on()


def test_a_key_of_another_type_is_set_aside(running: Running) -> None:
    """A queue that is no list is renamed, and the queues are read."""
    running.goes_on()
    key = running.key(Queue.COURSE_SYNCS)
    running.client.delete(key)
    running.client.set(key, "no list")
    running.wait(lambda: running.client.get(f"{key}{SET_ASIDE}") == b"no list", "the key is where it was")
    running.goes_on()


REFUSALS = {
    "read-only": (("REPLICAOF", "127.0.0.1", "9"), ("REPLICAOF", "NO", "ONE")),
    "memory full": (("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")),
    "too few replicas": (
        ("CONFIG", "SET", "min-replicas-to-write", "1"),
        ("CONFIG", "SET", "min-replicas-to-write", "0"),
    ),
}


@pytest.mark.redis
@pytest.mark.parametrize("refusal", list(REFUSALS))
def test_a_redis_that_refuses_writes_is_an_outage(running: Running, refusal: str) -> None:
    """A failover's read-only moment, or full memory, ends no worker and makes no dead letter; then work continues."""
    running.goes_on()
    running.app.send_task(Task.RECONCILE, queue=Queue.HOUSEKEEPING, ignore_result=True)
    refuse, accept = REFUSALS[refusal]
    files = running.open_files()
    running.client.execute_command(*refuse)
    try:
        with pytest.raises(redis.RedisError):
            running.client.set("passback:test", 1)
        until = time.monotonic() + 3
        while time.monotonic() < until:
            running.processes.check()
            time.sleep(0.2)
    finally:
        running.client.execute_command(*accept)
    running.goes_on()
    assert running.open_files() <= files + 3, "each connection that Redis refused stayed open"
    running.service.changes.request("7", ChangeCause.PERSON)
    running.wait(lambda: running.service.changes.wait_of("7") is not None, "no sync was tried")
    assert running.service.dead_messages.count() == 0


@pytest.mark.parametrize("part", ["dispatcher", "lease renewal", "heartbeat", "consumer"])
def test_a_worker_that_stops_by_itself_does_not_exit_with_0(tmp_path: Path, part: str) -> None:
    """The worker ends when one of its threads does, so that its supervisor starts it again."""
    with EmbeddedRedis() as server:
        environ = {**without_settings(), **settings_for(server), "BROKEN": part}
        with process_group(tmp_path, environ) as group:
            group.start("worker", "worker", module="tests.reliability.broken_worker")
            until = time.monotonic() + WITHIN_S
            while group.exit_code("worker") is None:
                assert time.monotonic() < until, (tmp_path / "worker.log").read_text()[-2000:]
                time.sleep(0.1)
            assert group.exit_code("worker") == 1, (tmp_path / "worker.log").read_text()[-2000:]


def test_a_worker_that_is_told_to_stop_exits_with_0(tmp_path: Path) -> None:
    """A worker that gets SIGTERM exits with 0."""
    with (
        EmbeddedRedis() as server,
        process_group(tmp_path, {**without_settings(), **settings_for(server)}) as group,
    ):
        group.start("worker", "worker")
        until = time.monotonic() + WITHIN_S
        while "process_started" not in (tmp_path / "worker.log").read_text():
            assert time.monotonic() < until, (tmp_path / "worker.log").read_text()[-2000:]
            time.sleep(0.1)
        group.signal("worker", signal.SIGTERM)
        while group.exit_code("worker") is None:
            assert time.monotonic() < until, (tmp_path / "worker.log").read_text()[-2000:]
            time.sleep(0.1)
        assert group.exit_code("worker") == 0
