"""`passback sqs`: a process of its own, beside those of the Procfile, for districts whose Live Events go to SQS."""

import signal
import threading
from contextlib import closing
from importlib.util import find_spec

import structlog

from shared import config
from shared.log_events import LogEvent

log = structlog.get_logger()


def sqs() -> None:
    """Read Live Events from an SQS queue. Needs the extra `passback[sqs]`."""
    if find_spec("boto3") is None:
        raise config.ConfigurationError("boto3 is not installed: pip install 'passback[sqs]'")
    from shared.adapters.redis.client import connect  # noqa: PLC0415
    from shared.adapters.redis.keys import Keys  # noqa: PLC0415
    from shared.adapters.redis.operations.counters import CounterBuffer  # noqa: PLC0415
    from shared.adapters.redis.sync_queue.stream_writer import SqsWriter  # noqa: PLC0415
    from shared.adapters.sqs.queue import sqs_queue  # noqa: PLC0415  # boto3 comes with the extra `sqs` only
    from shared.adapters.telemetry.logging import configure_logging  # noqa: PLC0415
    from shared.clock import SystemClock  # noqa: PLC0415
    from shared.events.signatures import Senders  # noqa: PLC0415
    from workers.runtime.heartbeat import run_heartbeat  # noqa: PLC0415
    from workers.web.receivers.intake_metrics import IntakeMetrics, RejectionLog  # noqa: PLC0415
    from workers.web.receivers.sqs import RECEIVER, SqsConsumer  # noqa: PLC0415

    settings = config.load()
    configure_logging(settings)
    settings.require("sqs_queue_url", "canvas_root_account_uuid")
    stopped = stop_on_signals()
    with closing(connect(settings)) as client, run_heartbeat(settings, "sqs"):
        writer = SqsWriter(client, Keys(settings.redis_prefix))
        senders = Senders(settings.canvas_root_account_uuid)
        tally = CounterBuffer(client, Keys(settings.redis_prefix))
        refusals = RejectionLog(SystemClock(), tally)
        consumer = SqsConsumer(sqs_queue(settings), writer, senders, refusals, stopped, IntakeMetrics(tally, RECEIVER))
        log.info(LogEvent.PROCESS_STARTED, process="sqs")
        consumer.run()
        tally.close()
        log.info(LogEvent.PROCESS_STOPPED, process="sqs")


def stop_on_signals() -> threading.Event:
    """Return an event that SIGTERM and Ctrl-C set."""
    stopped = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    return stopped
