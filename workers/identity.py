"""Who this process is."""

import os
import socket


def this_process(kind: str) -> str:
    """Return this process's name for stream consumers and heartbeats: unique among running ones."""
    return f"{kind}@{socket.gethostname()}:{os.getpid()}"
