"""Who this process is."""

from shared.adapters.redis.operations.heartbeats import process_key


def this_process(kind: str) -> str:
    """Return this process's name for stream consumers and heartbeats: unique among running ones."""
    return f"{kind}@{process_key()}"
