"""A remote system that answers what a test says, and remembers what it was asked."""

import json
from collections import defaultdict
from dataclasses import dataclass, field

import httpx

from shared.adapters.http.wire import loads


def answer(body: object = None, status: int = 200, **headers: str) -> httpx.Response:
    """Return a JSON answer; header names may be written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    # Escaped, so that half of a surrogate pair can be sent as well.
    content = "" if body is None else json.dumps(body)
    return httpx.Response(status, content=content, headers={"Content-Type": "application/json", **named})


def text(words: str, status: int, content_type: str = "text/plain", **headers: str) -> httpx.Response:
    """Return an answer that is no JSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=words.encode(), headers={"Content-Type": content_type, **named})


@dataclass
class ScriptedRemote:
    """Answers each route with its answers in turn, the last one again and again. Unknown routes fail the test."""

    requests: list[httpx.Request] = field(default_factory=list)
    answers: dict[tuple[str, str], list[httpx.Response | Exception]] = field(default_factory=lambda: defaultdict(list))

    def on(self, method: str, path: str, *answers: httpx.Response | Exception) -> "ScriptedRemote":
        """Script a route; its path without query. Scripting it again replaces what was there."""
        self.answers[method, path] = list(answers)
        return self

    @property
    def transport(self) -> httpx.MockTransport:
        """What an httpx client talks to."""
        return httpx.MockTransport(self._answer)

    def asked(self, method: str, path: str) -> list[httpx.Request]:
        """Return the requests of a route, in their order."""
        return [each for each in self.requests if (each.method, each.url.path) == (method, path)]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        script = self.answers[request.method, request.url.path]
        assert script, f"not scripted: {request.method} {request.url.path}"
        found = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)


def sent(request: httpx.Request) -> object:
    """Return the JSON body of a request, its numbers exact."""
    return loads(request.content)
