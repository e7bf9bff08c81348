"""Canvas's pagination: pages named by opaque URLs in the `Link` header.

Source: canvas-lms doc/api/pagination.md: default 10, at the most 100, larger is clamped; `last` may be absent.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from starlette.requests import Request

DEFAULT_PER_PAGE: Final = 10
MAX_PER_PAGE: Final = 100
BOOKMARK: Final = "bookmark:"

T = TypeVar("T")


class PageTooHeavy(Exception):
    """The page takes longer than the load balancer waits for it."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, with the header that leads to the others."""

    items: Sequence[T]
    link: str


def page_of(request: Request, items: Sequence[T], *, has_last: bool = True) -> Page[T]:
    """Return the page that the request asks for."""
    per_page, number = _per_page(request), _number(request.query_params.get("page", ""))
    items_there = items[(number - 1) * per_page : number * per_page]
    faults = request.app.state.sandbox.switchboard.faults
    if 0 < faults.max_page_rows < len(items_there):
        raise PageTooHeavy
    last = max(1, -(-len(items) // per_page))
    numbers = {"current": number, "next": number + 1, "prev": number - 1, "first": 1, "last": last}
    if not has_last:
        del numbers["last"]
    address = request.url
    if origin := faults.link_origin:
        scheme, _, netloc = origin.partition("://")
        address = address.replace(scheme=scheme, netloc=netloc)
    links = [
        f'<{address.include_query_params(page=_token(target), per_page=per_page)}>; rel="{relation}"'
        for relation, target in numbers.items()
        if 1 <= target <= last
    ]
    return Page(items_there, ",".join(links))


def _per_page(request: Request) -> int:
    asked = request.query_params.get("per_page", "")
    return min(MAX_PER_PAGE, int(asked)) if asked.isdigit() and int(asked) else DEFAULT_PER_PAGE


def _token(number: int) -> str:
    return BOOKMARK + base64.urlsafe_b64encode(f"page {number}".encode()).decode().rstrip("=")


def _number(token: str) -> int:
    """Return the page's number; anything unreadable is the first page."""
    if token.startswith(BOOKMARK):
        coded = token.removeprefix(BOOKMARK)
        try:
            token = base64.urlsafe_b64decode(coded + "=" * (-len(coded) % 4)).decode().removeprefix("page ")
        except (binascii.Error, UnicodeDecodeError):
            return 1
    return max(1, int(token)) if token.isdigit() else 1
