"""Delivers a message to one target, a URL of Apprise, within a bounded time."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from pydantic import SecretStr

from shared.domain.notifications.messages import Message
from shared.domain.notifications.state import DeliveryFailure

# Longer than Apprise waits for a server by itself. One that sends a byte now and then is ended, too.
TIMEOUT = timedelta(seconds=30)


class MessageKind(StrEnum):
    """The kinds of messages, as Apprise names them: services show another icon or colour for each."""

    INFO = "info"
    SUCCESS = "success"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Target:
    """Where messages go. `id` is the URL's scheme with a number: the URL itself holds secrets."""

    id: str
    url: SecretStr


Deliver = Callable[[Target, Message, MessageKind], DeliveryFailure | None]
"""Sends a message; returns why it did not arrive, None if it did."""


def targets_of(urls: SecretStr) -> list[Target]:
    """Return the targets of the setting: URLs with spaces between them. Adding one changes no other's id."""
    seen: dict[str, int] = {}
    targets = []
    for url in urls.get_secret_value().split():
        scheme = url.partition("://")[0].lower()
        seen[scheme] = seen.get(scheme, 0) + 1
        targets.append(Target(f"{scheme} {seen[scheme]}", SecretStr(url)))
    return targets


def has_apprise() -> bool:
    """Say whether the extra is installed."""
    return find_spec("apprise") is not None


def deliver(
    target: Target,
    message: Message,
    kind: MessageKind,
    timeout: timedelta = TIMEOUT,
    *,
    ca_bundle: Path | None = None,
) -> DeliveryFailure | None:
    """Send the message; return why it did not arrive, None if it did. Whatever a server does, it ends in time.

    The authorities of `ca_bundle` are trusted beside the public ones.
    """
    return _ask(target, message, kind, timeout=timeout, ca_bundle=ca_bundle)


def check(target: Target) -> DeliveryFailure | None:
    """Return what is wrong with the target's URL, None if nothing. Connects nowhere."""
    return _ask(target, Message("", ""), MessageKind.INFO, dry_run=True, timeout=TIMEOUT)


def _ask(
    target: Target,
    message: Message,
    kind: MessageKind,
    *,
    timeout: timedelta,
    dry_run: bool = False,
    ca_bundle: Path | None = None,
) -> DeliveryFailure | None:
    if not has_apprise():
        return DeliveryFailure.EXTRA_MISSING
    request = {
        "url": target.url.get_secret_value(),
        "subject": message.subject,
        "body": message.body,
        "kind": kind,
        "dry_run": dry_run,
        "ca_bundle": None if ca_bundle is None else str(ca_bundle),
    }
    # -P: not what lies in the working directory. The secrets are in neither the arguments nor the environment.
    command = [sys.executable, "-P", "-m", "workers.notifications.apprise_process"]
    try:
        done = subprocess.run(  # noqa: S603  # our own program, with arguments of our own
            command, input=json.dumps(request).encode(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            timeout=timeout.total_seconds(), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return DeliveryFailure.TIMED_OUT
    except OSError:
        # This machine has no memory or no process left.
        return DeliveryFailure.INTERRUPTED
    try:
        failure = json.loads(done.stdout)["failure"]
    except (ValueError, KeyError, TypeError):
        # The process ended without an answer: killed, or a plugin failed. The message may have arrived.
        return DeliveryFailure.INTERRUPTED
    return None if failure is None else DeliveryFailure(failure)
