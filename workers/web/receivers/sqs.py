"""The SQS consumer: Live Events from a queue instead of requests, with the same meaning.

SQS does not sign: the queue's policy decides who may write to it. The district is checked for every event.
"""

import threading

import structlog

from shared.adapters.redis.sync_queue.stream_writer import SqsWriter, Unreadable
from shared.adapters.sqs import SqsMessage, SqsQueue
from shared.domain.metrics import CounterName
from shared.domain.passback.changes import Change
from shared.errors import ServiceUnavailable
from shared.events import MalformedEvent, TrustedSenders, UntrustedEvent, parse, to_change
from shared.log_events import LogEvent
from shared.ports.passback import Count
from workers.web.errors import ApiError
from workers.web.receivers.rejections import INVALID_SIGNATURE, MALFORMED_EVENT, RejectionLog
from workers.web.receivers.routing import stored

log = structlog.get_logger()

RECEIVER = "sqs"


class SqsConsumer:
    """Moves events from the queue to the streams. Several may run."""

    def __init__(
        self,
        queue: SqsQueue,
        writer: SqsWriter,
        senders: TrustedSenders,
        rejections: RejectionLog,
        stopped: threading.Event,
        count: Count,
    ) -> None:
        self._queue = queue
        self._writer = writer
        self._senders = senders
        self._rejections = rejections
        self._stopped = stopped
        self._count = count

    def run(self) -> None:
        """Consume until `stopped` is set; the current batch is finished first."""
        while not self._stopped.is_set():
            try:
                self.run_once()
            except ServiceUnavailable as error:
                # What is not deleted is delivered again, after the queue's visibility timeout.
                log.warning(LogEvent.QUEUE_CONSUMER_ERROR, cause=error.cause, error=str(error))
                self._stopped.wait(error.delay.total_seconds())

    def run_once(self) -> int:
        """Take one batch, store what it means, then delete it; return its size. Raises: ServiceUnavailable."""
        messages = self._queue.receive()
        if not messages:
            return 0
        read = [self._read(message) for message in messages]
        # Deleted after it is stored: a crash between the two stores it twice, but loses nothing.
        changes = [each for each in read if isinstance(each, Change)]
        self._writer.add(changes, [each for each in read if isinstance(each, Unreadable)])
        for change in changes:
            self._count_received(change)
        self._queue.delete(messages)
        return len(messages)

    def _read(self, message: SqsMessage) -> Change | Unreadable | None:
        """Return the change that the message reports, None if it is of no interest."""
        raw = message.body.encode()
        try:
            event = parse(raw)
            self._senders.check_district(event)
        except MalformedEvent as error:
            self._rejections.record(RECEIVER, ApiError(*MALFORMED_EVENT, detail=str(error)))
            return Unreadable(RECEIVER, message.id, str(error), len(raw))
        except UntrustedEvent as error:
            self._rejections.record(RECEIVER, ApiError(*INVALID_SIGNATURE, detail=error.code))
            return None
        change = to_change(event)
        if change is None:
            self._count_received(None)
        return change

    def _count_received(self, change: Change | None) -> None:
        kind, outcome = stored(change)
        self._count(CounterName.EVENTS, kind, RECEIVER, outcome)
