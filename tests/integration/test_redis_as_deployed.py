"""Passback on a Redis as `deploy/redis` sets it up: its users, TLS, and a failover by Sentinel."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from redis.exceptions import NoPermissionError

from shared.adapters.redis.async_connection import connect_async
from shared.adapters.redis.connection import RedisUnwell, connect
from shared.clock import SystemClock
from shared.config import Settings, load
from shared.sandbox.district import Ids, student_dcid_of, user_id_of
from tests.integration.redis_deployment import Deployment, password_of, running_deployment
from workers.bootstrap import Passback
from workers.celery_app import make_app
from workers.cli.demo.stage import Stage
from workers.cli.process_group import ProcessGroup, free_port, process_group
from workers.cli.up import point_events, sandbox_settings, start_sandboxes, without_settings
from workers.installation import installation_status

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.xdist_group("redis-as-deployed")]

ASSIGNMENT = Ids.OUTAGE_COURSE * 10 + 1


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
        "PASSBACK_REDIS_CA_BUNDLE": str(deployment.authority),
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
    stranger = {k: v for k, v in variables(deployment).items() if k != "PASSBACK_REDIS_CA_BUNDLE"}
    with connect(settings_of(stranger)) as client, pytest.raises(RedisUnwell, match="ConnectionError"):
        client.ping()


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("passback", ["CONFIG", "SET", "dir", "/"]),
        ("passback", ["FLUSHALL"]),
        ("passback", ["KEYS", "*"]),
        ("passback", ["GET", "others:key"]),
        ("metrics", ["GET", "passback:fence"]),
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
    """An exporter may read memory, persistence, the slow log and latencies."""
    with deployment.client(deployment.primary_port, "metrics") as client:
        assert client.info("memory")["used_memory"] > 0
        assert client.slowlog_len() >= 0
        assert client.execute_command("LATENCY", "LATEST") == []


@pytest.fixture
def stage(deployment: Deployment, tmp_path: Path) -> Iterator[tuple[Stage, ProcessGroup, Passback]]:
    with process_group(tmp_path, without_settings()) as sandboxes:
        canvas, powerschool = start_sandboxes(sandboxes)
        ours = {**with_sentinels(deployment), **sandbox_settings(canvas, powerschool), "PASSBACK_QUIET_PERIOD_S": "0.2"}
        with (
            process_group(tmp_path, {**without_settings(), **ours}) as group,
            closing(Passback(settings_of(ours))) as service,
            closing(Stage(canvas, powerschool, SystemClock())) as stage,
        ):
            port = free_port()
            for name, arguments in (("web", ("--port", str(port))), ("worker", ()), ("beat", ())):
                group.start(name, name, *arguments)
            group.wait_ready(f"http://127.0.0.1:{port}/readyz")
            point_events(canvas, f"http://127.0.0.1:{port}")
            yield stage, group, service


def arrives(stage: Stage, group: ProcessGroup, student: int, score: float) -> bool:
    stage.grade("a grade", Ids.OUTAGE_COURSE, ASSIGNMENT, user_id_of(student), score)
    until = time.monotonic() + 45
    while not any(student_dcid_of(student) in write["students"] for write in stage.writes()):
        group.check()
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_grades_arrive_before_and_after_a_failover(
    deployment: Deployment, stage: tuple[Stage, ProcessGroup, Passback]
) -> None:
    """When the primary is killed, every process finds the new one, and nothing passback does was ever refused."""
    canvas, group, service = stage
    assert arrives(canvas, group, Ids.STUDENTS_OUTAGE[0], 31.25)
    assert installation_status(service)["dead_letters"] == 0
    assert deployment.refusals(deployment.primary_port) == []

    deployment.kill_primary()

    assert arrives(canvas, group, Ids.STUDENTS_OUTAGE[1], 32.25)
    with deployment.client(deployment.replica_port) as promoted:
        assert promoted.role()[0] == b"master"
    assert installation_status(service)["dead_letters"] == 0
    assert deployment.refusals(deployment.replica_port) == []
