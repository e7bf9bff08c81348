"""Three workers on a Redis as `deploy/redis` sets it up: its users, TLS, and a failover by Sentinel."""

import asyncio
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from deploy.backup.aof import restored, take
from shared.adapters.redis.client import RedisUnavailable, connect, connect_async
from shared.clock import SystemClock
from shared.config import Settings, load
from shared.queues import Queue
from shared.sandbox.district.small import Ids, student_dcid_of, user_id_of
from tests.integration.redis_deployment import Deployment, password_of, running_deployment
from workers.celery.app import make_app
from workers.container import Container
from workers.dev.demo.client import DemoClient
from workers.dev.process_group import ProcessGroup, free_port, process_group, without_settings
from workers.dev.sandbox import point_events, sandbox_settings, start_sandboxes
from workers.status import read_status, status_json

pytestmark = [pytest.mark.slow, pytest.mark.redis7, pytest.mark.xdist_group("redis-as-deployed")]

WORKERS = ("worker-1", "worker-2", "worker-3")
# Courses that are synced, each with one of its assignments and its students.
COURSES = {
    Ids.HEALTHY_COURSE: (1021, Ids.STUDENTS_HEALTHY),
    Ids.OUTAGE_COURSE: (1061, Ids.STUDENTS_OUTAGE),
    Ids.COURSE: (Ids.ESSAY_DRAFT, Ids.STUDENTS_A),
}
BOTH = {Queue.COURSE_SYNCS, Queue.HOUSEKEEPING}
MAX_DAYS = 5
ARRIVES_WITHIN_S = 45
# Canvas tries again for ten minutes and more: an event of the time without a primary must not be given up.
PATIENT = (1.0, 5.0, 15.0)
SETTINGS = {
    # A worker syncs one course at a time, so that three courses at once need three workers.
    "PASSBACK_WORKER_THREADS": "1",
    "PASSBACK_QUIET_PERIOD_S": "0.3",
}
CONSTANTS = (
    "--constant=shared.adapters.redis.sync_queue.store:CLAIM_DURATION=4",
    "--constant=shared.adapters.redis.sync_queue.store:LEASE_DURATION=3",
)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server on PATH")
    with running_deployment(tmp_path_factory.mktemp("redis")) as running:
        yield running


def variables(deployment: Deployment) -> dict[str, str]:
    return {
        "PASSBACK_REDIS_URL": f"rediss://passback@127.0.0.1:{deployment.primary_port}/0",
        "PASSBACK_REDIS_PASSWORD": password_of("passback"),
        "PASSBACK_CA_BUNDLE": str(deployment.authority),
        "PASSBACK_REDIS_SENTINEL_PASSWORD": password_of("sentinels"),
    }


def with_sentinels(deployment: Deployment) -> dict[str, str]:
    # What the URL says of the place is not asked for: the Sentinels know.
    return {
        **variables(deployment),
        "PASSBACK_REDIS_URL": "rediss://passback@nowhere.invalid/0",
        "PASSBACK_REDIS_SENTINELS": f"127.0.0.1:{deployment.sentinel_port}",
    }


def settings_of(environ: dict[str, str]) -> Settings:
    return load(environ, env_file=Path("no.env"))


def ping_as_receiver(settings: Settings) -> bool:
    async def ping() -> bool:
        client, close = connect_async(settings)
        try:
            return bool(await client.ping())
        finally:
            await close()

    return asyncio.run(ping())


def ping_as_celery(settings: Settings) -> bool:
    with make_app(settings).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1, timeout=10)
        return bool(connection.default_channel.client.ping())


@pytest.mark.parametrize("reached", [variables, with_sentinels])
def test_all_three_clients_reach_redis(deployment: Deployment, reached: Callable[[Deployment], dict[str, str]]) -> None:
    """The workers', the receivers' and Celery's: over TLS, with a password of its own, with and without Sentinels."""
    settings = settings_of(reached(deployment))
    with connect(settings) as client:
        assert client.ping()
    assert ping_as_receiver(settings)
    assert ping_as_celery(settings)


def test_a_certificate_of_another_authority_is_refused(deployment: Deployment) -> None:
    """Without the authority of the settings, nothing is said to a server that cannot prove itself."""
    stranger = {k: v for k, v in variables(deployment).items() if k != "PASSBACK_CA_BUNDLE"}
    with connect(settings_of(stranger)) as client, pytest.raises(RedisUnavailable, match="ConnectionError"):
        client.ping()


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("passback", ["CONFIG", "SET", "dir", "/"]),
        ("passback", ["FLUSHALL"]),
        ("passback", ["KEYS", "*"]),
        ("passback", ["GET", "others:key"]),
        ("metrics", ["GET", "passback:fence"]),
        # Commands with their arguments, so names and scores; and the passwords of other servers.
        ("metrics", ["SLOWLOG", "GET"]),
        ("metrics", ["CONFIG", "GET", "masterauth"]),
        ("metrics", ["MONITOR"]),
        ("backup", ["GET", "passback:fence"]),
    ],
)
def test_a_user_may_do_nothing_else(deployment: Deployment, user: str, command: list[str]) -> None:
    """Passback's user keeps to its keys and to commands on data; the others see no data at all."""
    with deployment.client(deployment.primary_port, user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command)
    with deployment.client(deployment.primary_port) as admin:
        admin.acl_log_reset()


def test_the_metrics_user_sees_how_redis_does(deployment: Deployment) -> None:
    """An exporter may read memory, persistence, how long the slow log is, and latencies."""
    with deployment.client(deployment.primary_port, "metrics") as client:
        assert client.info("memory")["used_memory"] > 0
        assert client.slowlog_len() >= 0
        assert client.execute_command("LATENCY", "LATEST") == []


def test_the_backup_user_can_take_a_backup(deployment: Deployment, tmp_path: Path) -> None:
    """Nothing but the rights in users.acl is needed, and the copy is one that Redis loads."""
    with deployment.client(deployment.primary_port, "backup") as client:
        backup = take(client, tmp_path)
    with restored(backup) as copy:
        assert copy.ping()


@dataclass
class Town:
    """Three workers, beat, web and both sandboxes around the deployed Redis, and what the workers log."""

    stage: DemoClient
    processes: ProcessGroup
    service: Container
    logs: Path
    day: int = 0

    def grade(self) -> None:
        """Enter a new score for another student in every course."""
        self.day += 1
        for course, (assignment, students) in COURSES.items():
            self.stage.grade("a grade", course, assignment, user_id_of(students[self.day]), self.score)

    @property
    def score(self) -> float:
        """The score that was entered last."""
        return 30 + self.day / 4

    def arrived(self) -> bool:
        """Say whether every score that was entered last is in PowerSchool, in time."""
        wanted = {str(student_dcid_of(students[self.day])) for _, students in COURSES.values()}
        until = time.monotonic() + ARRIVES_WITHIN_S
        while not wanted <= self._holders() and time.monotonic() < until:
            time.sleep(0.05)
        return wanted <= self._holders()

    def _holders(self) -> set[str]:
        held = [(dcid, score) for row in self.stage.gradebook() for dcid, score in row["scores"].items()]
        return {dcid for dcid, score in held if float(score["points"]) == self.score}

    def synced_by(self, worker: str) -> int:
        """Return how many syncs a worker finished."""
        return (self.logs / f"{worker}.log").read_text().count('"event": "course_synced"')


@pytest.fixture(scope="module")
def town(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    logs = tmp_path_factory.mktemp("logs")
    with process_group(logs, without_settings()) as sandboxes:
        canvas, powerschool = start_sandboxes(sandboxes)
        ours = {**with_sentinels(deployment), **sandbox_settings(canvas, powerschool), **SETTINGS}
        with (
            process_group(logs, {**without_settings(), **ours}) as group,
            closing(Container(settings_of(ours))) as service,
            closing(DemoClient(canvas, powerschool, SystemClock())) as stage,
        ):
            port = free_port()
            group.start("web", "web", "--port", str(port))
            for worker in WORKERS:
                group.start(worker, *CONSTANTS, "worker", module="tests.fault_injection.altered")
            group.start("beat", "beat")
            group.wait_ready(f"http://127.0.0.1:{port}/readyz")
            point_events(canvas, f"http://127.0.0.1:{port}", retry_waits_s=PATIENT)
            # So slow that no worker is done with one course before the next one is due.
            stage.powerschool_faults(latency_ms=100)
            yield Town(stage, group, service, logs)


def test_three_workers_share_two_queues(town: Town) -> None:
    """Each of three workers reads both queues, and each gets a part of the work."""
    while not all(map(town.synced_by, WORKERS)):
        assert town.day < MAX_DAYS, {worker: town.synced_by(worker) for worker in WORKERS}
        town.grade()
        assert town.arrived()
    read = make_app(town.service.settings).control.inspect(timeout=30, limit=len(WORKERS)).active_queues()
    assert [{queue["name"] for queue in queues} for queues in read.values()] == [BOTH] * len(WORKERS)


def test_two_workers_do_the_work_of_one_that_was_killed(town: Town) -> None:
    """A worker killed in the middle of its work costs nothing but time."""
    town.grade()
    until = time.monotonic() + ARRIVES_WITHIN_S
    while town.service.changes.counts().leased < len(WORKERS):
        assert time.monotonic() < until, "the three workers never worked at once"
        time.sleep(0.02)
    town.processes.signal(WORKERS[0], signal.SIGKILL)
    assert town.arrived()


def test_grades_arrive_after_a_failover(deployment: Deployment, town: Town) -> None:
    """When the primary is killed, every process finds the new one; Redis never refused what passback asked."""
    assert deployment.refusals(deployment.primary_port) == []
    deployment.kill_primary()
    town.grade()
    assert town.arrived()
    with deployment.client(deployment.replica_port) as promoted:
        assert promoted.role()[0] == b"master"
    assert [town.processes.exit_code(name) for name in ("web", *WORKERS[1:], "beat")] == [None] * 4
    assert status_json(read_status(town.service))["dead_letters"] == 0
    assert deployment.refusals(deployment.replica_port) == []
