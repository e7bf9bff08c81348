"""What refuses an unknown id: only that Canvas says so, in a time that somebody can wait."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import cast

import pytest

from shared.adapters.http import exchange
from shared.adapters.http.exchange import current_context, waits_at_most
from shared.config import ConfigurationError
from shared.errors import AccessDenied, CourseGone, NotInCourse, ServiceUnavailable, UnexpectedResponse
from workers.container import Container
from workers.known_ids import PATIENCE, require_assignment, require_course


def a_service(ask: Callable[[], object]) -> Container:
    """Return services that store nothing of any course, and ask Canvas so."""
    records = SimpleNamespace(course=lambda _: None, is_connected=lambda _: False)
    canvas = SimpleNamespace(course=lambda *_: ask(), check_course=lambda _: ask())
    return cast("Container", SimpleNamespace(records=records, canvas=canvas))


def failing(error: Exception) -> Callable[[], object]:
    """Return a Canvas that answers so."""

    def ask() -> object:
        raise error

    return ask


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("no token"),
        ServiceUnavailable("away", cause="canvas_unavailable", delay=timedelta(seconds=1)),
        AccessDenied("GET: 403", cause="canvas_rejected", status=403),
        UnexpectedResponse("GET: 200 without ids", cause="canvas_unexpected_response"),
    ],
)
def test_an_answer_that_says_nothing_of_the_id_refuses_nothing(error: Exception) -> None:
    """Canvas away, a token without rights, an answer that nobody can read: the sync finds out."""
    service = a_service(failing(error))
    require_course(service, "101")
    require_assignment(service, "101", "1")


def test_what_canvas_does_not_have_is_refused() -> None:
    """A course that it does not know, an assignment that is not in the course."""
    gone = a_service(failing(CourseGone("GET: 404", status=404)))
    for require in (lambda: require_course(gone, "101"), lambda: require_assignment(gone, "101", "1")):
        with pytest.raises(CourseGone):
            require()
    empty = SimpleNamespace(assignments=())
    with pytest.raises(NotInCourse):
        require_assignment(a_service(lambda: empty), "101", "1")


def test_all_requests_of_a_check_wait_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first took is missing to the second; a bound around the check holds as well."""
    now, left = [1000.0], list[timedelta]()
    monkeypatch.setattr(exchange, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def ask() -> object:
        for _ in range(2):
            context = current_context()
            assert context is not None
            left.append(context.max_wait())
            now[0] += 3
        raise UnexpectedResponse("no answer", cause="canvas_unexpected_response")

    require_assignment(a_service(ask), "101", "1")
    with waits_at_most(timedelta(seconds=5)):
        require_assignment(a_service(ask), "101", "1")
    assert left == [PATIENCE, PATIENCE - timedelta(seconds=3), timedelta(seconds=5), timedelta(seconds=2)]
