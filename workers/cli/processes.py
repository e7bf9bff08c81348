"""One process each: those of the Procfile but the workers, and `passback sqs`."""

from contextlib import closing
from importlib.util import find_spec
from typing import Annotated

import structlog
import typer

from shared import config
from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.telemetry.logging import configure_logging
from shared.adapters.telemetry.tracing import start_tracing
from shared.clock import SystemClock
from shared.log_events import LogEvent
from workers.celery.app import make_app
from workers.runtime.heartbeat import run_heartbeat
from workers.runtime.process_end import end_on_sigterm, stop_on_signals

log = structlog.get_logger()

Host = Annotated[str, typer.Option(help="Address to bind.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to bind. 0: a free one.")]


def web(host: Host = "127.0.0.1", port: Port = 8080) -> None:
    """Run the receivers, the status pages and the API."""
    from workers.web.app import web_app  # noqa: PLC0415
    from workers.web.server import require_auth_or_loopback, require_free_address, serve  # noqa: PLC0415

    end_on_sigterm()
    settings = _settings()
    require_auth_or_loopback(settings, host)
    require_free_address(host, port)
    start_tracing("web")
    with run_heartbeat(settings, "web"):
        serve(web_app(settings), host, port)


def beat() -> None:
    """Run Celery beat, which starts scheduled tasks. Any number may run; a task runs once per interval."""
    from shared.adapters.telemetry.logging import route_celery_logs  # noqa: PLC0415

    settings = _settings()
    route_celery_logs()
    with run_heartbeat(settings, "beat"):
        make_app(settings).Beat(quiet=True, loglevel=settings.log_level).run()


def flower(host: Host = "127.0.0.1", port: Port = 5555) -> None:
    """Run Flower, read-only, for the operator. Needs passback's extra `flower`."""
    if find_spec("flower") is None:
        raise config.ConfigurationError("Flower is not installed: pip install 'passback[flower]'")
    from workers.web import flower as monitor  # noqa: PLC0415
    from workers.web.auth.passwords import Authenticator  # noqa: PLC0415

    end_on_sigterm()
    settings = _settings()
    redis = connect(settings)
    authenticator = Authenticator(settings, redis, Keys(settings.redis_prefix))
    asks = authenticator if authenticator.has_passwords else None
    served = monitor.flower(make_app(settings), host, port, asks)
    with run_heartbeat(settings, "flower"):
        monitor.run(served)


def sqs() -> None:
    """Read Live Events from an SQS queue. Needs passback's extra `sqs`."""
    if find_spec("boto3") is None:
        raise config.ConfigurationError("boto3 is not installed: pip install 'passback[sqs]'")
    from shared.adapters.redis.operations.counters import CounterBuffer  # noqa: PLC0415
    from shared.adapters.redis.sync_queue.stream_writer import SqsWriter  # noqa: PLC0415
    from shared.adapters.sqs import sqs_queue  # noqa: PLC0415
    from shared.events import TrustedSenders  # noqa: PLC0415
    from workers.web.receivers.rejections import RejectionLog  # noqa: PLC0415
    from workers.web.receivers.sqs import SqsConsumer  # noqa: PLC0415

    settings = _settings()
    settings.require("sqs_queue_url", "canvas_root_account_uuid")
    stopped, keys = stop_on_signals(), Keys(settings.redis_prefix)
    with closing(connect(settings)) as client, run_heartbeat(settings, "sqs"):
        counters = CounterBuffer(client, keys)
        consumer = SqsConsumer(
            sqs_queue(settings),
            SqsWriter(client, keys),
            TrustedSenders(settings.canvas_root_account_uuid),
            RejectionLog(SystemClock(), counters),
            stopped,
            counters,
        )
        log.info(LogEvent.PROCESS_STARTED, process="sqs")
        consumer.run()
        counters.close()
        log.info(LogEvent.PROCESS_STOPPED, process="sqs")


def _settings() -> config.Settings:
    settings = config.load()
    configure_logging(settings)
    return settings
