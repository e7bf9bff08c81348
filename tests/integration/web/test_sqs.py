"""Live Events from a real SQS API: stored before they are deleted, and never in circles."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import fakeredis
import pytest
import redis
from moto.server import ThreadedMotoServer

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.stream_writer import SqsWriter
from shared.adapters.sqs import SqsMessage, SqsQueue, sqs_queue
from shared.config import ConfigurationError, Settings, load
from shared.errors import ServiceUnavailable
from shared.events import TrustedSenders
from shared.ports.passback import ignore_count
from shared.queues import Stream
from tests.manual_clock import ManualClock
from tests.waiting import wait_until
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.process_group import without_settings
from workers.web.receivers.rejections import RejectionLog
from workers.web.receivers.sqs import SqsConsumer

pytestmark = pytest.mark.xdist_group("sqs")

UUID = "root-uuid-of-the-test-district"
AWS = {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": "us-east-1"}
AT_ONCE = timedelta(0)


def event(name: str = "grade_change", root: str = UUID, **body: object) -> str:
    """Return an event of course 41 as Canvas puts it on a queue."""
    metadata = {"event_name": name, "context_type": "Course", "context_id": "10000000000041", "root_account_uuid": root}
    return json.dumps({"metadata": metadata, "body": {"assignment_id": "10000000000071", **body}})


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Sqs:
    """A queue of SQS, and what a test does to it."""

    def __init__(self, endpoint: str, settings: Settings) -> None:
        self.client: Any = boto3.client("sqs", region_name="us-east-1", endpoint_url=endpoint)
        self.url = settings.sqs_queue_url
        self.queue: SqsQueue = sqs_queue(settings, max_poll=AT_ONCE)

    def send(self, *bodies: str) -> None:
        for body in bodies:
            self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def show_again(self) -> None:
        """Let the visibility timeout of what was received be over."""
        self.client.set_queue_attributes(QueueUrl=self.url, Attributes={"VisibilityTimeout": "0"})

    def left(self) -> int:
        """Return how many messages there are, received ones included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return sum(int(found[name]) for name in names)


@pytest.fixture
def sqs(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Sqs:
    for name, value in {**AWS, "AWS_ENDPOINT_URL_SQS": endpoint}.items():
        monkeypatch.setenv(name, value)
    client: Any = boto3.client("sqs", region_name="us-east-1", endpoint_url=endpoint)
    url = client.create_queue(QueueName=f"canvas-live-events-{uuid4().hex}")["QueueUrl"]
    return Sqs(endpoint, load({"PASSBACK_SQS_QUEUE_URL": url}, Path("no.env")))


class Consumer:
    """A consumer and the Redis behind it."""

    def __init__(self, queue: SqsQueue) -> None:
        self.server = fakeredis.FakeServer()
        self.redis: redis.Redis = fakeredis.FakeRedis(server=self.server)
        self.stopped = threading.Event()
        self.keys = Keys()
        refusals = RejectionLog(ManualClock(datetime(2031, 10, 6, tzinfo=UTC)))
        writer = SqsWriter(self.redis, self.keys)
        self.consumer = SqsConsumer(queue, writer, TrustedSenders(UUID), refusals, self.stopped, ignore_count)

    def stored(self, stream: Stream) -> list[dict[bytes, bytes]]:
        """Return the messages on a stream."""
        return [fields for _, fields in self.redis.xrange(self.keys.stream(stream))]

    def malformed(self) -> list[dict[bytes, bytes]]:
        """Return the messages that nobody could read."""
        return [fields for _, fields in self.redis.xrange(self.keys.malformed)]


@pytest.fixture
def consumer(sqs: Sqs) -> Consumer:
    return Consumer(sqs.queue)


GRADE = {b"c": b"41", b"u": b"event", b"a": b"71"}


def test_events_mean_what_they_mean_over_https(sqs: Sqs, consumer: Consumer) -> None:
    """Each goes to its stream with local ids; those of no interest go nowhere; all are deleted."""
    sqs.send(event(), event("assignment_updated"), event("logged_in"))
    consumer.consumer.run_once()
    assert consumer.stored(Stream.GRADE_CHANGES) == [GRADE]
    assert consumer.stored(Stream.ASSIGNMENT_CHANGES) == [{b"c": b"41", b"u": b"event"}]
    assert sqs.left() == 0


def test_a_batch_has_ten_messages(sqs: Sqs, consumer: Consumer) -> None:
    """More than ten take more steps; an empty queue is no work."""
    sqs.send(*[event()] * 12)
    assert sorted([consumer.consumer.run_once(), consumer.consumer.run_once(), consumer.consumer.run_once()]) == [
        0,
        2,
        10,
    ]
    assert len(consumer.stored(Stream.GRADE_CHANGES)) == 12


def test_events_of_another_district_are_dropped(sqs: Sqs, consumer: Consumer) -> None:
    """They change nothing, are kept nowhere, and do not come again."""
    sqs.send(event(root="another-district"))
    consumer.consumer.run_once()
    assert consumer.stored(Stream.GRADE_CHANGES) == consumer.malformed() == []
    assert sqs.left() == 0


@pytest.mark.parametrize("body", ["Canary", '{"body": "Canary"}', '["Canary"]'])
def test_what_is_no_event_is_noted_and_deleted(sqs: Sqs, consumer: Consumer, body: str) -> None:
    """A person finds its id and what was wrong; its text, which may hold anything, is not kept; others go on."""
    sqs.send(body, event())
    consumer.consumer.run_once()
    [kept] = consumer.malformed()
    assert (kept[b"stream"], kept[b"reason"], kept[b"bytes"]) == (b"sqs", b"malformed_event", str(len(body)).encode())
    assert b"Canary" not in b"".join([*kept.keys(), *kept.values()])
    assert consumer.stored(Stream.GRADE_CHANGES) == [GRADE]
    assert sqs.left() == 0


def test_nothing_is_deleted_while_redis_is_away(sqs: Sqs, consumer: Consumer) -> None:
    """What could not be stored comes again once it may, and is stored then."""
    sqs.send(event(), "Canary")
    sqs.show_again()
    consumer.server.connected = False
    with pytest.raises(ServiceUnavailable, match="XADD"):
        consumer.consumer.run_once()
    assert sqs.left() == 2
    consumer.server.connected = True
    consumer.consumer.run_once()
    assert (consumer.stored(Stream.GRADE_CHANGES), len(consumer.malformed())) == ([GRADE], 1)
    assert sqs.left() == 0


class DiesBeforeDeleting(SqsQueue):
    """The queue of a process that is killed between storing and deleting."""

    def delete(self, messages: Sequence[SqsMessage]) -> None:
        raise KeyboardInterrupt


def test_a_process_killed_before_it_deletes_loses_nothing(sqs: Sqs) -> None:
    """The message comes again and is stored twice: a hint given twice does no harm."""
    sqs.send(event())
    sqs.show_again()
    killed = Consumer(DiesBeforeDeleting(sqs.client, sqs.url, AT_ONCE))
    with pytest.raises(KeyboardInterrupt):
        killed.consumer.run_once()
    assert killed.stored(Stream.GRADE_CHANGES) == [GRADE]
    survivor = Consumer(sqs.queue)
    survivor.consumer.run_once()
    assert survivor.stored(Stream.GRADE_CHANGES) == [GRADE]
    assert sqs.left() == 0


def test_a_queue_that_does_not_answer_is_asked_again(sqs: Sqs) -> None:
    """The consumer waits instead of ending; being told to stop ends the wait."""
    consumer = Consumer(SqsQueue(sqs.client, f"{sqs.url}-that-is-not-there", AT_ONCE))
    with pytest.raises(ServiceUnavailable, match=r"ReceiveMessage: AWS\.SimpleQueueService\.NonExistentQueue"):
        consumer.consumer.run_once()
    thread = threading.Thread(target=consumer.consumer.run)
    thread.start()
    consumer.stopped.set()
    thread.join(timeout=5)
    assert not thread.is_alive()


def test_a_queue_without_region_is_explained(sqs: Sqs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where AWS's own configuration names no region, the variable is named."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError, match="AWS_DEFAULT_REGION"):
        sqs_queue(load({"PASSBACK_SQS_QUEUE_URL": sqs.url}, Path("no.env")))


def passback_sqs(endpoint: str, **settings: str) -> subprocess.Popen[bytes]:
    aws = {**AWS, "AWS_ENDPOINT_URL_SQS": endpoint}
    environ = {**without_settings(), **aws, **{f"PASSBACK_{name}": value for name, value in settings.items()}}
    return subprocess.Popen([sys.executable, "-m", "workers.cli", "sqs"], env=environ, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_the_process_moves_events_and_ends_when_told(endpoint: str, sqs: Sqs) -> None:
    """`passback sqs` stores what comes, is seen alive, and ends with code 0 on SIGTERM."""
    with EmbeddedRedis(durable=False) as server, redis.Redis.from_url(server.url) as client:
        process = passback_sqs(endpoint, REDIS_URL=server.url, CANVAS_ROOT_ACCOUNT_UUID=UUID, SQS_QUEUE_URL=sqs.url)
        try:
            sqs.send(event())
            wait_until(lambda: sqs.left() == 0)
            assert client.xlen(Keys().stream(Stream.GRADE_CHANGES)) == 1
            assert [key.decode().split("@")[0] for key in client.hkeys(Keys().heartbeats)] == ["sqs"]
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(timeout=15) == 0
            assert client.hlen(Keys().heartbeats) == 0
        finally:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_the_process_says_what_is_not_configured() -> None:
    """Without a queue it ends with code 2 and a sentence that names the settings."""
    process = passback_sqs(endpoint="")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"not set: PASSBACK_SQS_QUEUE_URL, PASSBACK_CANVAS_ROOT_ACCOUNT_UUID" in said
