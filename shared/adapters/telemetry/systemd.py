"""Notifies systemd, if it started this process, that the process is ready and alive."""

import contextlib
import socket

from shared.config import supervisor_socket

_READY_AND_ALIVE = b"READY=1\nWATCHDOG=1"


def notify_systemd(address: str | None = None) -> None:
    """Send what `Type=notify` and `WatchdogSec=` wait for. Does nothing without a socket.

    `address` is the socket's, by default that of the environment. Source: sd_notify(3).
    """
    path = supervisor_socket() if address is None else address
    if not path:
        return
    # A leading @ means the abstract namespace, which begins with a zero byte.
    target = f"\0{path[1:]}" if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messenger:
        # A supervisor that does not listen restarts the process by itself; until then its work continues.
        messenger.sendto(_READY_AND_ALIVE, target)
