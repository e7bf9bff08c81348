"""Reads Canvas page by page: pages that Canvas answers in time, and more slowly before its rate limit is reached."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar, Unpack

import httpx

from shared.adapters.http.client import Params, RemoteApi, RequestOptions
from shared.adapters.http.exchange import current_context
from shared.adapters.http.response import ApiResponse, Decoder
from shared.adapters.redis.cache import JsonCache
from shared.domain.causes import Cause
from shared.errors import AccessDenied, ResponseTooLarge, ServiceUnavailable, TransientError

# What every valid token may read, whatever its user may see.
PROBE = "/api/v1/users/self"
PER_PAGE = ("per_page", "100")
# Canvas (request_throttle.rb) drains a token's bucket by 10 a second; near its end requests are to become fewer.
COMFORTABLE_REMAINING = 150
DRAINED_PER_SECOND = 10
MAX_ADVISED = timedelta(seconds=2)
# Canvas leaves out of a page what the token may not see; many empty ones in a row are no list.
MAX_EMPTY_PAGES = 20


# How many pages a list may have, and how long Canvas may take for all, without what passback waits in between: more
# than a course has in pages of five rows, and than a large district has in pages of a hundred.
MAX_COURSE_PAGES, MAX_COURSE_S = 2_000, 240.0
MAX_ACCOUNT_PAGES, MAX_ACCOUNT_S = 20_000, 3600.0


class ListTooSlow(TransientError):
    """The pages of a list took too long in all; smaller pages would take longer."""


def advised_interval(response: ApiResponse) -> timedelta | None:
    """Return the interval between all requests that lets the token's bucket drain, None while it has room.

    With COMFORTABLE_REMAINING left, as much drains in it as the request cost; with less left, more does.
    Source: Canvas REST API, Throttling: `X-Request-Cost`, `X-Rate-Limit-Remaining`.
    """
    remaining, cost = _number(response, "X-Rate-Limit-Remaining"), _number(response, "X-Request-Cost")
    if remaining is None or remaining >= COMFORTABLE_REMAINING:
        return None
    drained = (1.0 if cost is None else cost) * COMFORTABLE_REMAINING / max(remaining, 1.0)
    return min(timedelta(seconds=drained / DRAINED_PER_SECOND), MAX_ADVISED)


def _number(response: ApiResponse, header: str) -> float | None:
    """Return the header's value, 0 for a negative one; None where it is no finite number."""
    try:
        number = float(response.headers.get(header, ""))
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


class PagedApi:
    """Thread-safe: one instance serves all threads of a process."""

    def __init__(self, api: RemoteApi, base_url: httpx.URL) -> None:
        self._api = api
        self._base_url = base_url
        self._other_origins: set[str] = set()

    @property
    def remote(self) -> RemoteApi:
        """Canvas as a system that answers or does not."""
        return self._api

    @property
    def other_origins(self) -> frozenset[str]:
        """The schemes and hosts, not the configured ones, that Canvas has named its own pages on so far."""
        return frozenset(self._other_origins)

    def pages(
        self,
        template: str,
        ids: Mapping[str, str],
        params: Params = (),
        decoder: Decoder | None = None,
        *,
        max_pages: int = MAX_COURSE_PAGES,
        max_seconds: float = MAX_COURSE_S,
    ) -> Iterator[ApiResponse]:
        """Yield the pages of a list. Raises: UnexpectedResponse, ListTooSlow and what `RemoteApi.send` raises."""
        seen = set[str]()
        spent, empty = 0.0, 0
        url: str | None = None
        for _ in range(max_pages):
            response = self.get(template, ids, params=() if url else params, url=url, decoder=decoder)
            yield response
            url = self._next_url(response)
            if url is None:
                return
            spent += response.seconds
            empty = 0 if response.has_content else empty + 1
            if url in seen or empty > MAX_EMPTY_PAGES:
                raise response.unexpected("pages that lead in a circle")
            if spent > max_seconds:
                raise ListTooSlow(f"{response}, pages that take too long", cause=Cause.CANVAS_TIMEOUT)
            seen.add(url)
        raise response.unexpected(f"more than {max_pages} pages")

    def get(
        self, template: str, ids: Mapping[str, str] | None = None, **options: Unpack[RequestOptions]
    ) -> ApiResponse:
        """Return Canvas's response. Raises what `RemoteApi.send` raises."""
        return self.send("GET", template, ids, **options)

    def send(
        self, method: str, template: str, ids: Mapping[str, str] | None = None, **options: Unpack[RequestOptions]
    ) -> ApiResponse:
        """Return Canvas's response. Raises what `RemoteApi.send` raises."""
        try:
            response = self._api.send(method, template, ids, **options)
        except AccessDenied as error:
            raise (error if template == PROBE else self._narrowed(error)) from None
        self._record_origins(response)
        return response

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _next_url(self, response: ApiResponse) -> str | None:
        """Return the next page on the configured host.

        Canvas behind a proxy or with a vanity domain names its pages by another host or scheme. The token must not
        travel there.
        """
        if response.next_url is None:
            return None
        try:
            url = self._base_url.join(response.next_url)
            if url.scheme not in ("http", "https"):
                raise response.unexpected("a next page that is no web address")
            return str(self._base_url.copy_with(raw_path=url.raw_path))
        except httpx.InvalidURL:
            raise response.unexpected("a next page that is no web address") from None

    def _narrowed(self, error: AccessDenied) -> AccessDenied:
        """Return the refusal as one of the token, or of this request alone.

        Canvas says 401 for both: for a bad token, and as "user not authorized to perform that action" for one object
        (UMich canvas-course-manager-next #306, hypothesis/lms #4320), which newer versions answer with 403. A call that
        every valid token may make shows which it is. A key without that call's scope is valid as well.
        """
        if error.status != 401:
            return error
        if not lacks_scope(error):
            try:
                self._api.send("GET", PROBE)
            except AccessDenied as probe:
                if probe.status == 401 and not lacks_scope(probe):
                    return error
        return AccessDenied(error.message, cause=Cause.CANVAS_403, status=error.status, error_text=error.error_text)

    def _record_origins(self, response: ApiResponse) -> None:
        for link in (response.current_url, response.next_url):
            try:
                url = self._base_url if link is None else self._base_url.join(link)
            except httpx.InvalidURL:
                # `_next_url` raises where such a page is needed.
                continue
            if _origin(url) != _origin(self._base_url):
                self._other_origins.add(_origin(url))


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"


def lacks_scope(error: AccessDenied) -> bool:
    """Say whether Canvas refuses a valid key for its scopes alone."""
    return "scope" in error.error_text.lower()


T = TypeVar("T")
TooHeavy = TransientError | ResponseTooLarge

# Rows of a list, and submissions (students times assignments), that a page has at most.
MAX_ROWS = 100
MAX_CELLS = 10_000
MIN_ROWS = 5
MIN_CELLS = 10
# The smallest page is reached before the fifth failure in a row, which pauses Canvas for everybody.
SHRINK_FACTORS = (2, 8, 64)
GROWTH_FACTOR = 4
# Long enough not to fail at every sync, short enough after Canvas was slow for an hour.
PAGE_SIZE_TTL = timedelta(days=1)
MIN_STUDENTS = 10
# Where more assignments than these in one course seem too heavy, Canvas is slow.
MAX_UNREAD = 3
# The assignments that are too heavy by themselves, in Redis.
HEAVY = "canvas-heavy-assignments"


ROWS, CELLS = "rows", "cells"
_LIMITS = {ROWS: (MIN_ROWS, MAX_ROWS), CELLS: (MIN_CELLS, MAX_CELLS)}


class PageSizes:
    """How large a page of a list Canvas answers in time, by list and course, for all workers. Thread-safe.

    A page of many students and assignments ends in a 504 of the load balancer in front of Canvas (canvas-lms #1033), or
    in silence until passback gives the request up. The same page fails again; a smaller one does not.
    """

    def __init__(self, cache: JsonCache) -> None:
        self._cache = cache

    def pages_of(self, of: str, read: Callable[[int], Iterator[T]]) -> Iterator[T]:
        """Yield what `read` yields for pages of so many rows; from the start again where a page is too heavy."""
        size, failures = self._size(ROWS, of), 0
        while True:
            try:
                yield from read(size)
            except (TransientError, ResponseTooLarge) as error:
                failures += 1
                size = self._shrink(error, ROWS, of, size, failures)
            else:
                return

    def rows(self, of: str, read: Callable[[int], list[T]]) -> list[T]:
        """Return what `read` returns for pages of so many rows; it is called again where a page is too heavy."""
        size, failures = self._size(ROWS, of), 0
        while True:
            try:
                return read(size)
            except (TransientError, ResponseTooLarge) as error:
                failures += 1
                size = self._shrink(error, ROWS, of, size, failures)

    def cells(
        self, course_id: str, ids: Sequence[str], read: Callable[[Sequence[str], int], list[T]]
    ) -> tuple[list[T], dict[str, TransientError]]:
        """Return all that `read` returns for batches of the ids and pages of so many students, and the failures by id.

        Pages that shrank grow again as long as Canvas responds, to half of the size that failed. An assignment that is
        too heavy by itself fails alone: it is stored, and from then on read last and in the smallest pages, so that the
        others have larger ones. Raises the error where there are several of these: then Canvas is slow.
        """
        first = size = self._size(CELLS, course_id)
        heavy = self._heavy(course_id) & set(ids)
        rows: list[T] = []
        unread: dict[str, TransientError] = {}
        remaining: Sequence[str] = [one for one in ids if one not in heavy]
        failures, limit = 0, 0
        while remaining:
            batch, students = share(remaining, size)
            try:
                rows += read(batch, students)
            except (TransientError, ResponseTooLarge) as error:
                tried = min(size, len(batch) * students)
                failures += 1
                if tried > MIN_CELLS:
                    size, limit = self._shrink(error, CELLS, course_id, tried, failures), tried // 2
                    continue
                self._give_up(course_id, unread, batch[0], error)
                size, limit = self._save(CELLS, course_id, first), 0
            else:
                if size < limit:
                    size = self._save(CELLS, course_id, min(limit, size * GROWTH_FACTOR))
            failures = 0
            remaining = remaining[len(batch) :]
        for assignment_id in sorted(heavy):
            try:
                rows += read([assignment_id], MIN_CELLS)
            except (TransientError, ResponseTooLarge) as error:
                self._give_up(course_id, unread, assignment_id, error)
        return rows, unread

    def _give_up(self, course_id: str, unread: dict[str, TransientError], assignment_id: str, error: TooHeavy) -> None:
        """Record that the assignment cannot be read. Raises the error where the assignment is not its cause."""
        if not _has_time() or not is_too_heavy(error) or len(unread) == MAX_UNREAD:
            raise error
        if isinstance(error, ResponseTooLarge):
            error = TransientError(str(error), cause=error.cause)
        unread[assignment_id] = error
        self._cache.put(HEAVY, course_id, [*self._heavy(course_id), assignment_id], PAGE_SIZE_TTL)

    def _heavy(self, course_id: str) -> set[str]:
        listed = self._cache.get(HEAVY, course_id)
        return {str(one) for one in listed} if isinstance(listed, list) else set()

    def _size(self, unit: str, of: str) -> int:
        stored = self._cache.get(f"canvas-page-{unit}", of)
        smallest, largest = _LIMITS[unit]
        return max(smallest, min(largest, stored)) if isinstance(stored, int) else largest

    def _shrink(self, error: TooHeavy, unit: str, of: str, size: int, failures: int) -> int:
        """Store and return a smaller size: half of it after the first failure in a row, and less after the next ones.

        Raises the error where a smaller page would be no help.
        """
        smallest, _ = _LIMITS[unit]
        if not _has_time() or not is_too_heavy(error) or size <= smallest:
            raise error
        return self._save(unit, of, max(smallest, size // SHRINK_FACTORS[min(failures, len(SHRINK_FACTORS)) - 1]))

    def _save(self, unit: str, of: str, size: int) -> int:
        self._cache.put(f"canvas-page-{unit}", of, size, PAGE_SIZE_TTL)
        return size


def share(ids: Sequence[str], cells: int) -> tuple[Sequence[str], int]:
    """Return the assignments to ask for at once and how many students a page has, `cells` submissions in all.

    Canvas takes at most 100 of either.
    """
    batch = ids[: min(MAX_ROWS, max(1, cells // MIN_STUDENTS))]
    return batch, min(MAX_ROWS, max(1, cells // len(batch)))


def _has_time() -> bool:
    """Say whether the work may go on: a read that ended with its time was perhaps not too heavy."""
    context = current_context()
    return context is None or context.max_wait() > timedelta(0)


def is_too_heavy(error: TooHeavy) -> bool:
    """Say whether this request alone took too long, or its response was too large: a smaller page may help."""
    if isinstance(error, ResponseTooLarge):
        return True
    return (
        not isinstance(error, ListTooSlow)
        and error.cause == Cause.CANVAS_TIMEOUT
        and not isinstance(error, ServiceUnavailable)
    )
