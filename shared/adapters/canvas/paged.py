"""Reading Canvas page by page, and slower before its bucket is full."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import httpx

from shared.adapters.http.answers import Answer, Decoder
from shared.adapters.http.api import JsonApi, Params
from shared.clock import Clock

PER_PAGE = ("per_page", "100")
# Canvas (request_throttle.rb) drains a token's bucket by 10 a second; near its end it is slower to be refused.
COMFORTABLE_REMAINING = 150
DRAINED_PER_SECOND = 10
LONGEST_SLOWDOWN = timedelta(seconds=5)


class PagedApi:
    """Thread-safe: one instance serves all threads of a process."""

    def __init__(self, api: JsonApi, base_url: httpx.URL, clock: Clock) -> None:
        self._api = api
        self._base_url = base_url
        self._clock = clock

    def pages(
        self, template: str, ids: Mapping[str, str], params: Params = (), decoder: Decoder | None = None
    ) -> Iterator[Answer]:
        """Yield the pages of a list. Raises what `JsonApi.send` raises."""
        answer = self.get(template, ids, params, decoder=decoder)
        yield answer
        seen = set[str]()
        while following := self._following(answer):
            if following in seen:
                raise answer.unexpected("pages that lead in a circle")
            seen.add(following)
            answer = self.get(template, ids, (), url=following, decoder=decoder)
            yield answer

    def get(
        self,
        template: str,
        ids: Mapping[str, str] | None = None,
        params: Params = (),
        url: str | None = None,
        decoder: Decoder | None = None,
    ) -> Answer:
        """Return what Canvas answers. Raises what `JsonApi.send` raises."""
        answer = self._api.send("GET", template, ids, params=params, url=url, decoder=decoder)
        self._slow_down(answer)
        return answer

    def upload(self, template: str, ids: Mapping[str, str], params: Params, content: bytes, media_type: str) -> Answer:
        """Post a file as the body, once: it is not safe to repeat. Raises what `JsonApi.send` raises."""
        headers = {"Content-Type": media_type}
        return self._api.send("POST", template, ids, params=params, content=content, headers=headers)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _following(self, answer: Answer) -> str | None:
        """Return the next page's URL. Only on the configured host: the token must not travel anywhere else."""
        if answer.next_url is None:
            return None
        url = self._base_url.join(answer.next_url)
        if (url.scheme, url.host, url.port) != (self._base_url.scheme, self._base_url.host, self._base_url.port):
            raise answer.unexpected("a next page on another host")
        return str(url)

    def _slow_down(self, answer: Answer) -> None:
        remaining = answer.headers.get("X-Rate-Limit-Remaining")
        try:
            short_of = COMFORTABLE_REMAINING - float(remaining) if remaining else 0.0
        except ValueError:
            return
        if short_of > 0:
            self._clock.sleep(min(timedelta(seconds=short_of / DRAINED_PER_SECOND), LONGEST_SLOWDOWN))
