"""Counts the requests to Canvas and PowerSchool, by path template and status class."""

from shared.domain.metrics import REQUEST_BOUNDS_S, TOTAL_MS, CounterName, bucket_of
from shared.ports.passback import Count


class RequestCounts:
    """The hooks of `RemoteApi`."""

    def __init__(self, count: Count) -> None:
        self._count = count

    def requested(self, system: str, call: str, status: int | str, seconds: float) -> None:
        """Count one request that was answered with `status`, or met a trouble, after `seconds`."""
        kind = f"{status // 100}xx" if isinstance(status, int) else status
        self._count(CounterName.REQUESTS, system, call, kind)
        self._count(CounterName.REQUEST_SECONDS, system, bucket_of(seconds, REQUEST_BOUNDS_S))
        self._count(CounterName.REQUEST_SECONDS, system, TOTAL_MS, amount=round(seconds * 1000))

    def troubled(self, system: str, trouble: str) -> None:
        """Count an answer, or its absence, that says the system is unwell."""
        self._count(CounterName.TROUBLES, system, trouble)
