"""Sends one message with Apprise, in a process of its own. Reads it as JSON from standard input, answers in JSON.

The process can be ended whatever a server does, and nothing that Apprise logs leaves it: its texts quote URLs with
their secrets, and addresses. What went wrong becomes one of the codes of `DeliveryFailure`.
"""

import json
import logging
import os
import re
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from shared.domain.notifications.state import DeliveryFailure

# By what Apprise, the mail library and the HTTP library write about a failure. The first row that matches counts.
_FAILURE_PATTERNS = (
    (DeliveryFailure.CREDENTIALS_REFUSED, r"error=(401|403|407)\b|\b(530|534|535)\b|invalid_auth|Authentication"),
    (
        DeliveryFailure.HOST_UNKNOWN,
        r"NameResolution|getaddrinfo|service not known|nodename|failure in name",
    ),
    (DeliveryFailure.TIMED_OUT, r"[Tt]imed out|[Tt]imeout"),
    (DeliveryFailure.TLS_FAILED, r"SSL|TLS|CERTIFICATE|certificate"),
    (DeliveryFailure.RECIPIENT_REFUSED, r"Sending email to|\b(550|551|553)\b"),
    (DeliveryFailure.REFUSED, r"error=\d{3}|\(\d{3}, b"),
    (DeliveryFailure.NOT_CONNECTED, r"refused|reset|unreachable|Connection|closed|RemoteDisconnected"),
)
_SENT = "Sent "
LIFETIME_S = 60


class _Lines(logging.Handler):
    """Collects what Apprise logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def send(url: str, subject: str, body: str, kind: str, *, dry_run: bool) -> DeliveryFailure | None:
    """Send the message; with `dry_run` only read the URL. Return why it did not arrive, None if it did.

    A message that some of several recipients have counts as `RECIPIENT_REFUSED`, and is not sent again.
    """
    import apprise  # noqa: PLC0415  # an optional extra, and this module is imported without it
    from apprise.logger import logger  # noqa: PLC0415

    collected = _Lines()
    logger.addHandler(collected)
    logger.setLevel(logging.DEBUG)
    asset = apprise.AppriseAsset(app_id="passback", app_desc="passback", storage_mode="memory")
    target: Any = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
    if target is None:
        return DeliveryFailure.URL_INVALID
    if dry_run:
        return None
    if "overflow=" not in url:
        target.overflow_mode = apprise.OverflowMode.TRUNCATE
    if isinstance(target, apprise.plugins.N_MGR["mailto"]):
        # So that nobody's absence note answers.
        target.headers["Auto-Submitted"] = "auto-generated"
    collected.lines.clear()
    if target.notify(title=subject, body=body, notify_type=kind, body_format=apprise.NotifyFormat.TEXT):
        return None
    if any(line.startswith(_SENT) for line in collected.lines):
        return DeliveryFailure.RECIPIENT_REFUSED
    found = failure_in(collected.lines)
    # Nobody has it, so that it is sent again.
    return DeliveryFailure.REFUSED if found is DeliveryFailure.RECIPIENT_REFUSED else found


def trust(ca_bundle: str, folder: Path) -> None:
    """Let this process trust the authorities of a PEM file beside the public ones. Before Apprise is loaded.

    Its HTTP library reads one file of authorities, named by `REQUESTS_CA_BUNDLE`; that of mail by `SSL_CERT_FILE`.
    """
    import certifi  # noqa: PLC0415  # comes with Apprise

    for variable in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        public = Path(os.environ.get(variable) or certifi.where())  # noqa: TID251  # of other programs
        both = folder / variable
        both.write_bytes(public.read_bytes() + b"\n" + Path(ca_bundle).read_bytes())
        os.environ[variable] = str(both)  # noqa: TID251


def failure_in(lines: list[str]) -> DeliveryFailure:
    """Return what these lines of a log say about a failure."""
    # Not what Apprise writes before it connects: the URL and the payload.
    text = "\n".join(line for line in lines if " POST URL: " not in line and "Payload: " not in line)
    return next(
        (failure for failure, pattern in _FAILURE_PATTERNS if re.search(pattern, text)), DeliveryFailure.REFUSED
    )


if __name__ == "__main__":
    # Who started this ends it after its own timeout, unless it was killed.
    signal.alarm(LIFETIME_S)
    # Plugins may print: nothing but the answer goes to standard output.
    results, sys.stdout = sys.stdout, sys.stderr
    request = json.load(sys.stdin)
    with TemporaryDirectory(prefix="passback-") as folder:
        if request["ca_bundle"]:
            trust(request["ca_bundle"], Path(folder))
        failure = send(request["url"], request["subject"], request["body"], request["kind"], dry_run=request["dry_run"])
    results.write(json.dumps({"failure": failure}))
