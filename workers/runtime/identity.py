"""Who this process is."""

from shared.adapters.redis.operations.heartbeats import place_of_this_process


def this_process(kind: str) -> str:
    """Return this process's name for stream consumers and heartbeats: unique among running ones."""
    return f"{kind}@{place_of_this_process()}"
