"""An SQS queue of Live Events: messages in batches of ten, by long polling, deleted by their receipts.

Source: Amazon SQS API, ReceiveMessage and DeleteMessageBatch. It delivers at least once, in no order, and shows a
message again that was not deleted within the queue's visibility timeout.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from shared.config import ConfigurationError, Settings
from shared.domain.causes import Cause
from shared.errors import ServiceUnavailable

MAX_PER_BATCH = 10
# Long enough to save requests, short enough to stop soon.
MAX_POLL = timedelta(seconds=5)
RETRY_DELAY = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class SqsMessage:
    """One message: its id, the receipt that deletes it, and its body."""

    id: str
    receipt: str
    body: str


class SqsQueue:
    """One queue. Raises `ServiceUnavailable` where a call of SQS fails."""

    def __init__(self, client: Any, url: str, max_poll: timedelta = MAX_POLL) -> None:
        self._client = client
        self._url = url
        self._max_poll_s = round(max_poll.total_seconds())

    def receive(self) -> list[SqsMessage]:
        """Return the next messages, at most ten; waits a few seconds for the first."""
        try:
            response = self._client.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=MAX_PER_BATCH, WaitTimeSeconds=self._max_poll_s
            )
        except (BotoCoreError, ClientError) as error:
            raise _unavailable("ReceiveMessage", error) from error
        return [SqsMessage(m["MessageId"], m["ReceiptHandle"], m["Body"]) for m in response.get("Messages", [])]

    def delete(self, messages: Sequence[SqsMessage]) -> None:
        """Delete up to ten messages. One that SQS fails to delete comes again, which does no harm."""
        entries = [{"Id": str(n), "ReceiptHandle": message.receipt} for n, message in enumerate(messages)]
        try:
            self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except (BotoCoreError, ClientError) as error:
            raise _unavailable("DeleteMessageBatch", error) from error


def sqs_queue(settings: Settings, max_poll: timedelta = MAX_POLL) -> SqsQueue:
    """Return the queue of the settings; credentials come from AWS's usual places. Raises `ConfigurationError`."""
    settings.require("sqs_queue_url")
    read_timeout_s = max_poll.total_seconds() + 10
    try:
        client = boto3.client(
            "sqs",
            config=Config(connect_timeout=5, read_timeout=read_timeout_s, retries={"total_max_attempts": 1}),
        )
    except NoRegionError:
        raise ConfigurationError("no AWS region: set AWS_DEFAULT_REGION, such as us-east-1") from None
    return SqsQueue(client, settings.sqs_queue_url, max_poll)


def _unavailable(action: str, error: Exception) -> ServiceUnavailable:
    # The texts of AWS's errors name accounts and users; their codes do not.
    code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
    return ServiceUnavailable(
        f"SQS {action}: {code or type(error).__name__}", cause=Cause.SQS_UNAVAILABLE, delay=RETRY_DELAY
    )
