"""Handles requests for pages inside Canvas: who asks is in the token of the launch."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.adapters.http.exchange import waits_at_most
from shared.config import ConfigurationError
from shared.errors import CourseGone, NotInCourse, PassbackError
from workers.web.errors import ApiError, redis_unavailable
from workers.web.lti.pages import account_pages, course_pages, student_pages
from workers.web.lti.pages.page_request import TOKEN_FIELD, TOKEN_HEADER, LtiPages, LtiRequest, View
from workers.web.lti.session import LtiRole, LtiSession
from workers.web.pages.page_handlers import Form, first, parse_form, with_retry_after
from workers.web.views.live_reads import FOR_BOTH_SIDES

TOO_OLD = (
    "This page was opened more than an hour ago, or passback was set up anew since. Open it again from its link in "
    "Canvas."
)

VIEWS: Mapping[str, View] = {**course_pages.POST, **student_pages.POST, **account_pages.POST}
LANDING: Mapping[str, View] = {
    "post_grades": course_pages.show_post_grades,
    "assignment_menu": course_pages.show_assignment,
    "assignment_view": course_pages.show_assignment,
}
"""The first page of a launch, by the placement; for others the course's."""


@dataclass(eq=False)
class _Waiting:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0


class Turns:
    """Bounds what one person can ask of Canvas and PowerSchool: of the pages that read both, one is made at a time.

    Whoever asks again waits until the first page is there, and takes up no thread. Of several that wait the newest
    alone is made: nobody looks at the others any more. Nothing is kept of who does not wait.
    """

    def __init__(self) -> None:
        self._waiting: WeakValueDictionary[str, _Waiting] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, person: str) -> AsyncIterator[bool]:
        """Wait for the person's turn, and hold it. Yield whether this is still what the person asked for last."""
        waiting = self._waiting.setdefault(person, _Waiting())
        waiting.asked += 1
        number = waiting.asked
        async with waiting.lock:
            yield number == waiting.asked


def landing_page(pages: LtiPages, session: LtiSession) -> Response:
    """Return the first page of a launch."""
    is_account = session.role is LtiRole.ADMIN and session.course_id is None
    view = account_pages.show_account if is_account else LANDING.get(session.placement, course_pages.show_course)
    return view(pages, LtiRequest(session, pages.sessions.issue(session), {}))


def page_routes(pages: LtiPages) -> list[Route]:
    """Return the routes of all pages."""
    turns = Turns()
    return [Route(path, _endpoint(pages, turns, view), methods=["POST"]) for path, view in VIEWS.items()]


def _endpoint(pages: LtiPages, turns: Turns, view: View) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a page, which a form or a script of another page inside Canvas asks for."""

    async def endpoint(request: Request) -> Response:
        if request.url.query:
            # Nothing of a page inside Canvas is in its address: what is there was added by somebody else.
            raise ApiError(422, "not_valid", "This page has no such address.")
        form = parse_form(await request.body())
        token = request.headers.get(TOKEN_HEADER) or first(form, TOKEN_FIELD)
        if view not in student_pages.READ_LIVE:
            return await run_in_threadpool(_respond, pages, view, token, form)
        session = await run_in_threadpool(_session, pages, token)
        async with turns.of(session.actor) as is_newest:
            return await run_in_threadpool(
                _respond, pages, view if is_newest else course_pages.asked_again, token, form
            )

    return endpoint


def _session(pages: LtiPages, token: str) -> LtiSession:
    try:
        session = pages.sessions.read(token)
    except RedisError:
        raise redis_unavailable() from None
    if session is None:
        raise ApiError(403, "too_old", TOO_OLD)
    return session


def _respond(pages: LtiPages, view: View, token: str, form: Form) -> Response:
    request = LtiRequest(_session(pages, token), token, form)
    try:
        try:
            with waits_at_most(FOR_BOTH_SIDES):
                return view(pages, request)
        except CourseGone:
            return course_pages.course_gone(pages, request)
        except NotInCourse as error:
            return course_pages.not_in_course(pages, request, error)
        except ApiError as error:
            return with_retry_after(course_pages.not_done(pages, request, error), error)
        except (PassbackError, ConfigurationError):
            return course_pages.no_response(pages, request)
    except RedisError:
        raise redis_unavailable() from None
