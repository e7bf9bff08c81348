"""Takes over the assignments of many courses, one course after the other.

Reads let all other work go first. As long as it is not known whether PowerSchool lets passback change what somebody
else made, the next course waits for the sync of the one before: the first refusal stops the run.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from shared.adapters.http.exchange import low_priority
from shared.adapters.redis.course_data.course_index import CourseIndex
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.takeovers import TakeoverRuns, Takeovers
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.operations.actions import Pauses
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.causes import Cause, Scope
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_search import CourseSearch
from shared.domain.passback.rules.apart import Apart
from shared.domain.passback.takeover import TEACHER, maker_of
from shared.domain.passback.takeover_run import (
    CourseCounts,
    TakeoverMode,
    TakeoverRequest,
    TakeoverRun,
    TakeoverState,
)
from shared.domain.wording import counted
from shared.errors import PermanentError, ServiceUnavailable, TransientError
from shared.log_events import LogEvent
from workers.grade_passback.operations.takeover import CourseTakeover, TakeoverPlan, UndoResult
from workers.grade_passback.operations.takeover_json import overwritten, plan_json

log = structlog.get_logger()

MAX_REQUEST_WAIT = timedelta(seconds=60)
# How long a run waits for the sync that shows whether PowerSchool permits the change.
MAX_RESPONSE_WAIT = timedelta(minutes=5)
# How often a course is tried while a system does not answer.
MAX_TRIES = 10
MAX_DELAY = timedelta(seconds=30)
POLL_S = 0.25

Report = Callable[[TakeoverRun], None]


class RunStopped(Exception):
    """The run ends before its courses do; the message says why and what to do."""


class TakeoverUnderWay(Exception):
    """Another run has not ended."""


@dataclass
class TakeoverRunner:
    """Carries out a run. What is done already is not done again, so that a run may be repeated at any time."""

    takeover: CourseTakeover
    takeovers: Takeovers
    runs: TakeoverRuns
    records: CourseStates
    course_lists: CourseIndex
    changes: SyncQueue
    pauses: Pauses
    dead_letters: DeadLetters
    clock: Clock
    sleep: Callable[[float], None] = time.sleep

    def start(self, request: TakeoverRequest, actor: str) -> TakeoverRun:
        """Begin a run, or go on with the same one that did not end. Raises: TakeoverUnderWay.

        A dry run begins anew: its counts are to be of one reading.
        """
        now = self.clock.now()
        last = self.runs.newest()
        run = TakeoverRun(request, actor, now, now)
        may_go_on = request.mode is not TakeoverMode.DRY_RUN
        if may_go_on and last is not None and last.request == request and last.state is not TakeoverState.DONE:
            run = replace(last, actor=actor, started_at=now, state=TakeoverState.RUNNING, message="")
        if not self.runs.begin(run):
            raise TakeoverUnderWay("a takeover is running already: see its progress, or cancel it")
        return run

    def carry_out(self, run: TakeoverRun, report: Report = lambda _: None) -> TakeoverRun:
        """Visit the courses, report after each, and return how the run ended. Raises as `_visit`."""
        courses = self._courses(run.request.school)
        remaining = [course for course in courses if not run.course_id or _by_id(course) > _by_id(run.course_id)]
        run = replace(run, total=len(courses), done=len(courses) - len(remaining))
        try:
            for course_id in remaining:
                if not self.runs.save(run):
                    return self._end(run, TakeoverState.CANCELLED, "Somebody cancelled it. It can go on later.")
                self._stop_if_refused(run)
                run = self._visit(course_id, run, is_first=course_id == remaining[0])
                report(run)
        except RunStopped as stop:
            return self._end(run, TakeoverState.STOPPED, str(stop))
        except (TransientError, PermanentError) as error:
            self._end(run, TakeoverState.STOPPED, str(error))
            raise
        return self._end(run, TakeoverState.DONE, "")

    def _end(self, run: TakeoverRun, state: TakeoverState, message: str) -> TakeoverRun:
        ended = replace(run, state=state, message=message)
        self.runs.save(ended)
        log.info(
            LogEvent.TAKEOVER_RUN_ENDED,
            mode=run.request.mode,
            state=state,
            courses=run.done,
            linked=run.counts.linked,
            actor=run.actor,
        )
        return ended

    def _courses(self, school: int | None) -> list[str]:
        """Return the ids of the connected courses, or of those of a school, in the order of the run."""
        found = self.records.connected() if school is None else self.course_lists.ids(CourseSearch(school=school))
        return sorted(found, key=_by_id)

    def _visit(self, course_id: str, run: TakeoverRun, *, is_first: bool) -> TakeoverRun:
        """Do one course; a failure that concerns it alone is noted.

        Raises: RunStopped; at the first course, the error of a system that does not answer or refuses credentials.
        """
        for _ in range(MAX_TRIES):
            try:
                with low_priority(MAX_REQUEST_WAIT, lambda: self.runs.record_alive(run)):
                    counts = self._course(course_id, run)
            except ServiceUnavailable as error:
                if is_first:
                    raise
                self._pause(run, min(error.delay, MAX_DELAY))
            except (TransientError, PermanentError) as error:
                concerns_all = Cause(error.cause).scope is Scope.DISTRICT
                if error.cause == Cause.REDIS_UNAVAILABLE or (concerns_all and is_first):
                    raise
                if concerns_all:
                    raise RunStopped(f"{Cause(error.cause).meaning} {Cause(error.cause).fix}") from error
                return run.after(course_id, CourseCounts(), str(error))
            else:
                return run.after(course_id, counts)
        raise RunStopped("Canvas or PowerSchool does not answer. Start it again later: it goes on here.")

    def _course(self, course_id: str, run: TakeoverRun) -> CourseCounts:
        request = run.request
        if request.mode is TakeoverMode.UNDO:
            result = self.takeover.undo(course_id)
            if result.undone:
                self._request_sync(course_id, run)
            return CourseCounts(len(result.undone), len(result.written))
        if request.mode is TakeoverMode.DRY_RUN:
            return self._counts(self.takeover.plan(course_id, request.selection, by_person=False))
        plan = self.takeover.take_over(course_id, request.selection, by_person=False, with_scores=True)
        counts = self._counts(plan)
        if plan.links:
            linked_at = self.clock.now()
            self._request_sync(course_id, run)
            log.info(LogEvent.TAKEN_OVER, course_id=course_id, linked=counts.linked, actor=run.actor)
            if plan.would_write and not self._permitted(run) >= _makers(plan):
                self._wait_for_response(course_id, run, linked_at)
        return counts

    def _counts(self, plan: TakeoverPlan) -> CourseCounts:
        shown = plan_json(plan, UndoResult((), ()), self.clock.now())
        fields, scores, new_scores = overwritten(shown["candidates"])  # type: ignore[arg-type]
        # Makers that were not selected are counted as well: a dry run shows whom there is to select.
        shown_makers = [c for c in plan.candidates if not c.apart or c.apart == (Apart.OTHER_MAKER,)]
        makers = Counter(maker_of(c.found[0]) for c in shown_makers)
        apart = Counter(reason.value for c in plan.candidates for reason in c.apart[:1])
        return CourseCounts(len(plan.links), 0, fields, scores, new_scores, dict(makers), dict(apart))

    def _request_sync(self, course_id: str, run: TakeoverRun) -> None:
        """Make the course due, behind courses that changed. Finished terms stay as they are."""
        self.changes.request(course_id, ChangeCause.RECONCILE, actor=run.actor, origin=ChangeCause.TAKEOVER)
        self.records.register(course_id)

    def _permitted(self, run: TakeoverRun) -> frozenset[str]:
        """Return the makers whose assignments PowerSchool let passback change since the run began."""
        responses = self.takeovers.responses()
        return frozenset(
            maker for maker, response in responses.items() if not response.is_refusal and response.at >= run.started_at
        )

    def _stop_if_refused(self, run: TakeoverRun) -> None:
        """Raise `RunStopped` if PowerSchool refused a change since the run began."""
        for maker, response in self.takeovers.responses().items():
            if response.is_refusal and response.at >= run.started_at:
                whose = f"plugin {maker}" if maker else f"a {TEACHER}"
                said = f" ({response.error_text})" if response.error_text else ""
                raise RunStopped(
                    f"PowerSchool does not let passback change what {whose} made: it refused assignment "
                    f"{response.assignment_id} of course {response.course_id}{said}. Nothing of it was changed, and "
                    f"the remaining {counted(run.total - run.done, 'course')} are untouched. Ask whether the plugin "
                    "may be allowed to; until then `passback takeover --all --undo` gives back what was only linked."
                )

    def _wait_for_response(self, course_id: str, run: TakeoverRun, since: datetime) -> None:
        """Wait for the sync of the course, unless it is paused. Raises: RunStopped if it does not come."""
        until = self.clock.now() + MAX_RESPONSE_WAIT
        while self.clock.now() < until:
            record = self.records.course(course_id)
            if self.pauses.of_course(course_id) or (record is not None and record.synced_at >= since):
                return
            if self.dead_letters.of_course(course_id):
                return
            self._pause(run, timedelta(seconds=POLL_S))
            self._stop_if_refused(run)
        raise RunStopped(
            f"Course {course_id} was linked and has not been synced for {MAX_RESPONSE_WAIT.seconds // 60} minutes, so "
            "that it is not known whether PowerSchool permits the change. See `passback status`; then start it again: "
            "it goes on here."
        )

    def _pause(self, run: TakeoverRun, delay: timedelta) -> None:
        self.runs.save(run)
        self.sleep(delay.total_seconds())


def _makers(plan: TakeoverPlan) -> frozenset[str]:
    return frozenset(link.taken_over.made_by for link in plan.links.values() if link.taken_over is not None)


def _by_id(course_id: str) -> tuple[int, str]:
    """Canvas ids are numbers, written as text."""
    return len(course_id), course_id
