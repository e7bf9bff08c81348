"""Checks a whole district, a course at a time: paced, behind all other work, and continued where it was interrupted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from itertools import islice

import structlog

from shared.adapters.canvas.account import AccountCourse, CanvasAccount
from shared.adapters.canvas.grading import CanvasGrading
from shared.adapters.http.exchange import low_priority
from shared.adapters.redis.operations.readiness import ReadinessStore, Work
from shared.clock import Clock
from shared.domain.causes import Cause, Scope
from shared.domain.passback.powerschool import TeacherCategory
from shared.domain.passback.readiness.district import DistrictRead, is_near
from shared.domain.passback.readiness.findings import CourseReadiness, ReadinessRun, SystemFinding
from shared.domain.passback.totals.grading import TermFormula
from shared.errors import CourseGone, PermanentError, ServiceUnavailable, TransientError
from shared.log_events import LogEvent
from shared.ports.passback import RosterReader
from workers.grade_passback.compare import CourseData
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.readiness.course_findings import CourseWeights, course_readiness
from workers.grade_passback.readiness.district_findings import district_readiness, unseen_sections

log = structlog.get_logger()

# A request waits this long for its turn. After that, the check goes on at its next turn.
MAX_WAIT = timedelta(seconds=60)
# How old the checks of the systems may be while a check waits for one of them.
SYSTEMS_MAX_AGE = timedelta(minutes=30)
# PowerSchool's roster query takes as many sections at once.
SECTIONS_PER_READ = 500
# A course that fails so often, or ends its process, is reported as unread.
MAX_ATTEMPTS = 3
UNEXPECTED = "unexpected"
STOPPING = "stopping"
# The query of formulas is optional: a PowerSchool that does not run it is not asked for each course.
ASK_AGAIN_AFTER = timedelta(minutes=10)
ReadFormulas = Callable[
    [Sequence[int], Mapping[int, Sequence[TeacherCategory]]], Mapping[int, tuple[TermFormula, ...]] | None
]
POWERSCHOOL_LISTS, CANVAS_COURSES, COURSES = "powerschool_lists", "canvas_courses", "courses"
"""What could not be read. Then sections without a Canvas course are unknown; without PowerSchool's lists, terms too."""


@dataclass
class WeightReader:
    """Reads how courses and their sections calculate grades, where PowerSchool shows it to the plugin."""

    canvas: CanvasGrading
    formulas: ReadFormulas
    clock: Clock
    _ask_again_at: datetime | None = field(default=None, init=False)

    def read(self, data: CourseData) -> CourseWeights | None:
        """Return the weights; None where PowerSchool does not show any. Raises the errors of `shared.errors`."""
        now = self.clock.now()
        if not data.categories or (self._ask_again_at is not None and now < self._ask_again_at):
            return None
        formulas = self.formulas(sorted(data.categories), data.categories)
        if formulas is None:
            self._ask_again_at = now + ASK_AGAIN_AFTER
            return None
        # Canvas is asked only for a course that PowerSchool says something about.
        return CourseWeights(self.canvas.rules(data.course.id), formulas) if any(formulas.values()) else None


@dataclass(frozen=True, slots=True)
class ReadinessSources:
    """What a check reads; `zone` is the district's time zone.

    `district` reads PowerSchool's lists of sections, terms and teachers. Where the account's list cannot be read,
    `candidates` returns the ids of connected courses and of courses with synced work.
    """

    reader: CourseReader
    account: CanvasAccount
    district: Callable[[], DistrictRead]
    rosters: RosterReader
    weights: WeightReader
    candidates: Callable[[], Iterable[str]]
    zone: tzinfo


@dataclass(frozen=True)
class ReadinessCheck:
    """Requests a check, and goes on with it. `sources` is called once there is something to read."""

    store: ReadinessStore
    sources: Callable[[], ReadinessSources]
    clock: Clock

    def request(self, actor: str) -> ReadinessRun:
        """Begin a check, or return the one that is not finished. Nothing is read yet."""
        run = self.store.run()
        if run is None or run.finished_at is not None:
            run = ReadinessRun(self.clock.now(), actor)
            self.store.save(run)
        return run

    def advance(
        self,
        systems: Callable[[], Sequence[SystemFinding]],
        is_time_up: Callable[[], bool],
        stopping: Callable[[], bool] = lambda: False,
    ) -> ReadinessRun | None:
        """Go on with an unfinished check until it is finished, or time is up, or a system is unavailable.

        At least one course is read in any case. Returns the check; None if there is none, or if another process is at
        it. Safe to repeat, and to kill at any point.
        """
        run = self.store.run()
        if run is None or run.finished_at is not None:
            return run
        with self.store.lock() as lock:
            # Another process may have gone on with it, or finished it, until the lock was there.
            run = self.store.run()
            if lock is None or run is None or run.finished_at is not None:
                return run if lock is not None else None
            check_stop = _stop_check(stopping)
            with low_priority(MAX_WAIT, check_stop, check_stop):

                def systems_now() -> tuple[SystemFinding, ...]:
                    found = tuple(systems())
                    # Checks that the end of this process interrupted are no finding of a system.
                    check_stop()
                    return found

                return self._advance(run, lock, systems_now, lambda: stopping() or is_time_up())

    def _advance(
        self,
        run: ReadinessRun,
        renew_lock: Callable[[], bool],
        systems: Callable[[], Sequence[SystemFinding]],
        has_to_stop: Callable[[], bool],
    ) -> ReadinessRun:
        try:
            if not run.is_prepared:
                run = self._with_systems(run, systems)
                run = self._prepare(run, self.sources())
            sources = self.sources()
            while run.finished_at is None:
                if not renew_lock():
                    return run
                work = self.store.next()
                if work is None:
                    # What failed when the check began may be mended by its end.
                    found = tuple(systems()) if run.systems else ()
                    return self._close(replace(run, systems=found), sources)
                run = self._read(run, work, sources)
                if run.waits_for or has_to_stop():
                    return run
        except TransientError as error:
            # A process that ends waits for nothing: another one goes on.
            run = replace(run, waits_for="" if error.cause == STOPPING else error.cause)
            self.store.save(run)
        except PermanentError as error:
            # Not one course's: what is read of the whole district, or refused for all courses alike.
            run = replace(run, waits_for=error.cause, finished_at=self.clock.now())
            self.store.save(run)
            log.error(LogEvent.READINESS_FAILED, cause=error.cause)  # noqa: TRY400  # expected; the cause says what to do
        return run

    def _with_systems(self, run: ReadinessRun, systems: Callable[[], Sequence[SystemFinding]]) -> ReadinessRun:
        """Return the check with the failed checks of Canvas and PowerSchool.

        They are stored at once: where nothing else can be read, they say why. They are not made again at each turn of
        a check that waits for a system: they do not wait for the shared rate.
        """
        now = self.clock.now()
        if run.systems_at is None or now - run.systems_at > SYSTEMS_MAX_AGE:
            run = replace(run, systems=tuple(systems()), systems_at=now)
            self.store.save(run)
        return run

    def _prepare(self, run: ReadinessRun, sources: ReadinessSources) -> ReadinessRun:
        """Store what there is to read: the sections of PowerSchool, whose rosters are read at once, and the courses."""
        now, without = self.clock.now(), list[str]()
        today = now.astimezone(sources.zone).date()
        district = self._lists(sources, without)
        sections = [s.sis_id for s in district.sections if is_near(s.term, today)] if district else []
        courses = self._courses(sources, now, without)
        work = [
            *(Work(sections=batch) for batch in _batches(dict.fromkeys(sections), SECTIONS_PER_READ)),
            *(Work(course_id=course.course_id, created_at=course.created_at) for course in courses),
        ]
        run = replace(run, is_prepared=True, courses=len(courses), without=tuple(without), waits_for="")
        self.store.begin(run, work)
        return run

    def _lists(self, sources: ReadinessSources, without: list[str]) -> DistrictRead | None:
        try:
            return sources.district()
        except PermanentError:
            # A plugin without the queries of provisioning: everything that a course shows is checked all the same.
            without.append(POWERSCHOOL_LISTS)
            return None

    def _courses(self, sources: ReadinessSources, now: datetime, without: list[str]) -> list[AccountCourse]:
        try:
            return list({course.course_id: course for course in sources.account.courses(now)}.values())
        except PermanentError:
            without.append(CANVAS_COURSES)
            return [AccountCourse(course_id) for course_id in dict.fromkeys(sources.candidates())]

    def _read(self, run: ReadinessRun, work: Work, sources: ReadinessSources) -> ReadinessRun:
        """Read one item. Raises: TransientError where the check has to wait."""
        done = replace(run, done=run.done + bool(work.course_id), attempts=0, waits_for="")
        if run.attempts >= MAX_ATTEMPTS:
            self.store.finish(work, done, self._unread(work, run.waits_for or UNEXPECTED))
            return done
        # Counted before it is read: work that ends the process is left out in the end, and does not end others.
        self.store.save(replace(run, attempts=run.attempts + 1, waits_for=""))
        try:
            if work.sections:
                sources.rosters.sections(work.sections, refresh=True)
                result = None
            else:
                result = self._course(work, sources)
        except CourseGone:
            result = None
        except ServiceUnavailable as error:
            # The system's, not the course's.
            self.store.save(replace(run, waits_for="" if error.cause == STOPPING else error.cause))
            raise
        except (TransientError, PermanentError) as error:
            if Cause(error.cause).scope is Scope.DISTRICT:
                raise
            if isinstance(error, TransientError):
                waiting = replace(run, attempts=run.attempts + 1, waits_for=error.cause)
                self.store.save(waiting)
                return waiting
            result = self._unread(work, error.cause)
        self.store.finish(work, done, result)
        return done

    def _course(self, work: Work, sources: ReadinessSources) -> CourseReadiness:
        data = sources.reader.read_ahead(work.course_id)
        now = self.clock.now()
        known = {roster.sis_section_id for roster in data.rosters.values()}
        has_unknown = any((s.sis_section_id or "") not in known for s in data.course.sections)
        sizes = sources.account.section_sizes(work.course_id) if has_unknown else {}
        today = now.astimezone(data.policy.zone_of(data.course)).date()
        weights = sources.weights.read(data)
        return course_readiness(data, work.created_at, sizes, today, now, weights)

    def _unread(self, work: Work, cause: str) -> CourseReadiness | None:
        if not work.course_id:
            # Rosters that are not cached are read with their courses.
            return None
        return CourseReadiness(work.course_id, self.clock.now(), unread=cause)

    def _close(self, run: ReadinessRun, sources: ReadinessSources) -> ReadinessRun:
        """Join what was read with PowerSchool's lists as they are now, and end the check."""
        now, without = self.clock.now(), [part for part in run.without if part != POWERSCHOOL_LISTS]
        today = now.astimezone(sources.zone).date()
        _, stored = self.store.results()
        courses = [course for course in stored if course.read_at >= run.started_at]
        if any(course.unread for course in courses):
            without.append(COURSES)
        district = self._lists(sources, without)
        students = {}
        if district is not None and not {CANVAS_COURSES, COURSES}.intersection(without):
            students = dict(self._students(sources, unseen_sections(district, courses, today)))
        found = district_readiness(district, courses, students, today, now)
        run = replace(run, finished_at=now, without=tuple(without), attempts=0, waits_for="")
        outdated = [course.course_id for course in stored if course.read_at < run.started_at]
        self.store.close(run, found, outdated)
        duration_ms = round((now - run.started_at) / timedelta(milliseconds=1))
        log.info(LogEvent.READINESS_CHECKED, courses=run.courses, duration_ms=duration_ms)
        return run

    def _students(self, sources: ReadinessSources, sis_ids: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield how many students each section has."""
        for batch in _batches(sis_ids, SECTIONS_PER_READ):
            for sis_id, section in sources.rosters.sections(batch).items():
                yield sis_id, sum(student.active for student in section.students.values())


def _stop_check(stopping: Callable[[], bool]) -> Callable[[], None]:
    def check() -> None:
        if stopping():
            raise ServiceUnavailable("the check of readiness stops", cause=STOPPING, delay=timedelta(0))

    return check


def _batches(ids: Iterable[str], size: int) -> Iterator[tuple[str, ...]]:
    remaining = iter(ids)
    while batch := tuple(islice(remaining, size)):
        yield batch
