"""Takeovers for the pages and the API: what a form or a request selects, and runs in a thread of the web process."""

import re
import threading
from collections.abc import Iterable

import structlog
from redis.exceptions import RedisError

from shared.domain.passback.takeover_run import TakeoverRequest, TakeoverRun
from shared.errors import PassbackError
from shared.log_events import LogEvent
from workers.container import Container
from workers.grade_passback.operations.takeover_run import TakeoverUnderWay
from workers.recorded_actions import RecordedActions
from workers.web.errors import ApiError

MAKER = r"[^\x00-\x1f,]{1,100}"
MAX_MAKERS = 20

log = structlog.get_logger()


def makers(given: Iterable[str]) -> frozenset[str]:
    """Return the selected makers, each by itself or with commas between them. Raises `ApiError` for what is none."""
    named = [one.strip() for each in given for one in each.split(",") if one.strip()]
    if len(named) > MAX_MAKERS or not all(re.fullmatch(MAKER, one) for one in named):
        raise ApiError(422, "not_valid", "A maker is teacher, or a plugin as PowerSchool names it.")
    return frozenset(named)


def start_run(service: Container, actions: RecordedActions, request: TakeoverRequest) -> TakeoverRun:
    """Begin a takeover of many courses in a thread of this process.

    Raises `ApiError` while another one runs, and for a school of which no course is known: it would do nothing.

    If the process ends, the run is interrupted, and goes on where it was when the same is asked for again.
    """
    schools = service.course_lists.totals().schools
    if request.school is not None and request.school not in schools:
        known = ", ".join(map(str, schools)) or "none is known before the first syncs"
        raise ApiError(404, "school_unknown", f"No course is of school {request.school}; those of courses: {known}.")
    try:
        run = actions.take_over_many(request)
    except TakeoverUnderWay as error:
        raise ApiError(409, "takeover_under_way", str(error)) from None
    threading.Thread(target=_carry_out, args=(service, run), name="takeover", daemon=True).start()
    return run


def _carry_out(service: Container, run: TakeoverRun) -> None:
    try:
        service.takeover_runner.carry_out(run)
    except (PassbackError, RedisError) as error:
        # The run says so itself, unless Redis is away: then it is interrupted.
        log.warning(LogEvent.TAKEOVER_RUN_ERROR, error=type(error).__name__)
