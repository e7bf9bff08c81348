"""Reading Canvas page by page, and slower before its bucket is full."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import httpx

from shared.adapters.http.client import Params, RemoteApi
from shared.adapters.http.response import ApiResponse, Decoder
from shared.errors import AccessDenied, TransientError

# What every valid token may ask for, whatever its user may see.
PROBE = "/api/v1/users/self"
PER_PAGE = ("per_page", "100")
# Canvas (request_throttle.rb) drains a token's bucket by 10 a second; near its end requests are to become fewer.
COMFORTABLE_REMAINING = 150
DRAINED_PER_SECOND = 10
MAX_ADVISED = timedelta(seconds=2)
# Canvas leaves out of a page what the token may not see; many empty ones in a row are no list.
MAX_EMPTY_PAGES = 20


@dataclass(frozen=True, slots=True)
class ListBounds:
    """How many pages a list may have, and how long Canvas may take for all, without what passback waits in between."""

    pages: int
    seconds: float


# More than a course has in pages of five rows, and than a large district has in pages of a hundred.
OF_A_COURSE = ListBounds(2_000, 240)
OF_AN_ACCOUNT = ListBounds(20_000, 3600)


class ListTooSlow(TransientError):
    """The pages of a list took too long in all; smaller pages would take longer."""


def advised_interval(answer: ApiResponse) -> timedelta | None:
    """Return the interval between all requests that lets the token's bucket drain, None while it has room.

    With COMFORTABLE_REMAINING left, as much drains in it as the request cost; with less left, more does.
    Source: Canvas REST API, Throttling: `X-Request-Cost`, `X-Rate-Limit-Remaining`.
    """
    remaining, cost = _number(answer, "X-Rate-Limit-Remaining"), _number(answer, "X-Request-Cost")
    if remaining is None or remaining >= COMFORTABLE_REMAINING:
        return None
    drained = (1.0 if cost is None else cost) * COMFORTABLE_REMAINING / max(remaining, 1.0)
    return min(timedelta(seconds=drained / DRAINED_PER_SECOND), MAX_ADVISED)


def _number(answer: ApiResponse, header: str) -> float | None:
    """Return the header's value, 0 for a negative one; None where it is no finite number."""
    try:
        number = float(answer.headers.get(header, ""))
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
    def other_origins(self) -> frozenset[str]:
        """The schemes and hosts, not the configured ones, that Canvas has named its own pages on so far."""
        return frozenset(self._other_origins)

    def pages(
        self,
        template: str,
        ids: Mapping[str, str],
        params: Params = (),
        decoder: Decoder | None = None,
        bounds: ListBounds = OF_A_COURSE,
    ) -> Iterator[ApiResponse]:
        """Yield the pages of a list. Raises: UnexpectedResponse, ListTooSlow and what `RemoteApi.send` raises."""
        seen = set[str]()
        spent, empty = 0.0, 0
        following: str | None = None
        for _ in range(bounds.pages):
            answer = self.get(template, ids, () if following else params, url=following, decoder=decoder)
            yield answer
            following = self._following(answer)
            if following is None:
                return
            spent += answer.seconds
            empty = 0 if answer.has_content else empty + 1
            if following in seen or empty > MAX_EMPTY_PAGES:
                raise answer.unexpected("pages that lead in a circle")
            if spent > bounds.seconds:
                raise ListTooSlow(f"{answer}, pages that take too long", cause="canvas_timeout")
            seen.add(following)
        raise answer.unexpected(f"more than {bounds.pages} pages")

    def get(
        self,
        template: str,
        ids: Mapping[str, str] | None = None,
        params: Params = (),
        url: str | None = None,
        decoder: Decoder | None = None,
    ) -> ApiResponse:
        """Return what Canvas answers. Raises what `RemoteApi.send` raises."""
        try:
            answer = self._api.send("GET", template, ids, params=params, url=url, decoder=decoder)
        except AccessDenied as refused:
            raise (refused if template == PROBE else self._as_far_as_it_goes(refused)) from None
        self._record_origins(answer)
        return answer

    def upload(
        self, template: str, ids: Mapping[str, str], params: Params, content: bytes, media_type: str
    ) -> ApiResponse:
        """Post a file as the body, once: it is not safe to repeat. Raises what `RemoteApi.send` raises."""
        headers = {"Content-Type": media_type}
        try:
            return self._api.send("POST", template, ids, params=params, content=content, headers=headers)
        except AccessDenied as refused:
            raise self._as_far_as_it_goes(refused) from None

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _following(self, answer: ApiResponse) -> str | None:
        """Return the next page's path and query on the configured host.

        Canvas behind a proxy or with a vanity domain names its pages by another host or scheme. The token must not
        travel there.
        """
        if answer.next_url is None:
            return None
        try:
            url = self._base_url.join(answer.next_url)
            if url.scheme not in ("http", "https"):
                raise answer.unexpected("a next page that is no web address")
            return str(self._base_url.copy_with(raw_path=url.raw_path))
        except httpx.InvalidURL:
            raise answer.unexpected("a next page that is no web address") from None

    def _as_far_as_it_goes(self, refused: AccessDenied) -> AccessDenied:
        """Return the refusal as one of the token, or of what was asked about alone.

        Canvas says 401 for both: for a bad token, and as "user not authorized to perform that action" for one object
        (UMich canvas-course-manager-next #306, hypothesis/lms #4320), which newer versions answer with 403. A call that
        every valid token may make shows which it is. A key without that call's scope is valid as well.
        """
        if refused.status != 401:
            return refused
        if not _lacks_scope(refused):
            try:
                self._api.send("GET", PROBE)
            except AccessDenied as probe:
                if probe.status == 401 and not _lacks_scope(probe):
                    return refused
        return AccessDenied(refused.message, cause="canvas_403", status=refused.status, error_text=refused.error_text)

    def _record_origins(self, answer: ApiResponse) -> None:
        for link in (answer.own_url, answer.next_url):
            try:
                url = self._base_url if link is None else self._base_url.join(link)
            except httpx.InvalidURL:
                # `_following` raises where such a page is needed.
                continue
            if _origin(url) != _origin(self._base_url):
                self._other_origins.add(_origin(url))


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"


def _lacks_scope(refused: AccessDenied) -> bool:
    """Say whether Canvas refused a valid key for its scopes alone."""
    return "scope" in refused.error_text.lower()
