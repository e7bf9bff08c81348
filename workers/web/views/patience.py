"""How long a page waits for names from Canvas: somebody looks at it, and the process has few threads."""

import time
from contextlib import AbstractContextManager
from datetime import timedelta

from shared.adapters.http.exchange import RequestContext, use_context
from shared.errors import ServiceUnavailable

# A page without names is better than a late one.
FOR_NAMES = timedelta(seconds=8)


def waits_at_most(patience: timedelta) -> AbstractContextManager[None]:
    """Return a context manager that bounds all requests of its block together.

    What it ends raises a `TransientError`, and does not mark the system as unavailable for others.
    """
    ends = time.monotonic() + patience.total_seconds()

    def remaining() -> timedelta:
        return timedelta(seconds=max(0.0, ends - time.monotonic()))

    def check() -> None:
        if not remaining():
            raise ServiceUnavailable("no answer in time for a page", cause="page_deadline", delay=timedelta(0))

    return use_context(RequestContext(None, remaining, check_wait=check))
