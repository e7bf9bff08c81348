"""The use case of a person who cares for links: compare them with PowerSchool, and find lost ones again."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta, tzinfo

import structlog

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.clock import Clock
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.planning.assignment_matching import Key
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.planning.link_maintenance import (
    LinkCheck,
    Rebuilding,
    Rebuilt,
    Sought,
    check_links,
    rebuild_links,
    with_recipients,
)
from shared.domain.passback.powerschool import ActualAssignment, RosteredSection
from shared.domain.passback.rules.due_dates import effective_due_at, local_due_date
from shared.errors import PermanentError, TransientError
from shared.log_events import LogEvent
from shared.ports.passback import PowerSchoolGradebook
from workers.grade_passback.course_reader import CourseComparer, CourseComparison

log = structlog.get_logger()

BEING_SYNCED = "being_synced"


@dataclass(frozen=True, slots=True)
class LinkError:
    """Why a course was left out: a code and what was answered, without personal data."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class CourseCheck:
    """How a course's links stand; with `trouble`, it could not be told."""

    course_id: str
    links: tuple[LinkCheck, ...] = ()
    trouble: LinkError | None = None

    @property
    def is_ok(self) -> bool:
        """Say whether every link is as it should be."""
        return self.trouble is None and all(link.is_ok for link in self.links)


@dataclass(frozen=True, slots=True)
class CourseRebuild:
    """What became of a course's assignments without a link; `kept` counts the links that were there and stay."""

    course_id: str
    kept: int = 0
    found: tuple[Rebuilt, ...] = ()
    trouble: LinkError | None = None

    @property
    def is_ok(self) -> bool:
        """Say whether every assignment of ours has its link now."""
        return self.trouble is None and all(one.rebuilding is Rebuilding.RESTORED for one in self.found)

    @property
    def restored(self) -> tuple[Link, ...]:
        """The links that were found again."""
        return tuple(one.link for one in self.found if one.link is not None)


class LinkMaintenance:
    """Checks and rebuilds links, course by course. Writes nothing to Canvas or PowerSchool.

    `is_being_synced` says whether a worker has, or is about to have, a course.
    """

    def __init__(
        self,
        surveyor: CourseComparer,
        powerschool: PowerSchoolGradebook,
        links: Links,
        records: CourseStates,
        changes: SyncQueue,
        is_being_synced: Callable[[str], bool],
        clock: Clock,
        zone: tzinfo,
    ) -> None:
        self._surveyor = surveyor
        self._powerschool = powerschool
        self._links = links
        self._records = records
        self._changes = changes
        self._is_being_synced = is_being_synced
        self._clock = clock
        self._zone = zone

    def connected(self) -> list[str]:
        """Return the ids of all connected courses."""
        # No course had its turn tomorrow, so that every one of them is stale by then.
        return self._records.stale_courses(self._clock.now() + timedelta(days=1), self._records.count())

    def check(self, course_id: str) -> CourseCheck:
        """Return how the course's links compare with PowerSchool. Reads only."""
        try:
            survey = self._surveyor.survey(course_id, asked_for_by_person=False)
            marks = self._powerschool.plugin_marks()
        except (TransientError, PermanentError) as error:
            return CourseCheck(course_id, trouble=LinkError(error.cause, str(error)))
        return CourseCheck(course_id, check_links(survey.links, survey.actual, _read(survey), marks))

    def rebuild(self, course_id: str, *, dry_run: bool) -> CourseRebuild:
        """Restore the course's lost links, connect it and make it due; with `dry_run`, say what would be restored.

        A course that is being synced is left out, since the sync moves its links itself. May be repeated.
        """
        started = self._clock.now()
        try:
            survey = self._surveyor.survey(course_id, asked_for_by_person=False)
            found = self._found(survey)
        except (TransientError, PermanentError) as error:
            return CourseRebuild(course_id, trouble=LinkError(error.cause, str(error)))
        if not self._is_at_rest(survey):
            return CourseRebuild(course_id, trouble=LinkError(BEING_SYNCED, "the course is being synced: try again"))
        rebuilt = CourseRebuild(course_id, len(_links(survey.links, found)), found)
        if not dry_run:
            self._keep(rebuilt)
            duration = round((self._clock.now() - started).total_seconds() * 1000)
            left = len(found) - len(rebuilt.restored)
            log.info(
                LogEvent.LINKS_REBUILT,
                course_id=course_id,
                restored=len(rebuilt.restored),
                left=left,
                duration_ms=duration,
            )
        return rebuilt

    def _found(self, survey: CourseComparison) -> tuple[Rebuilt, ...]:
        marks = self._powerschool.plugin_marks()
        found = rebuild_links(self._sought(survey), survey.links, survey.actual, _read(survey), marks)
        return self._with_recipients(survey, found)

    def _sought(self, survey: CourseComparison) -> Iterator[Sought]:
        """Yield every assignment in every section, also what a rule keeps back now: it may have been sent before."""
        for placement in survey.placements:
            due_at = effective_due_at(placement.assignment, placement.section.id)
            if placement.key is not None and due_at is not None:
                zone = survey.course.time_zone or self._zone
                yield Sought(placement.key, placement.assignment.name, local_due_date(due_at, zone))

    def _with_recipients(self, survey: CourseComparison, found: Sequence[Rebuilt]) -> tuple[Rebuilt, ...]:
        """Read the scores of what is restored, and let its links say to whom they were sent."""
        targets = {one.actual.assignment_section_id for one in found if one.link is not None}
        if not targets:
            return tuple(found)
        scored = {a.assignment_section_id: a for a in self._powerschool.assignments(_taught(survey), targets)}
        return tuple(_with_scores(one, scored.get(one.actual.assignment_section_id, one.actual)) for one in found)

    def _is_at_rest(self, survey: CourseComparison) -> bool:
        """Say whether no sync has the course, nor had it while it was looked at and moved its links."""
        course_id = survey.course.id
        return not self._is_being_synced(course_id) and self._links.of_course(course_id) == survey.links

    def _keep(self, rebuilt: CourseRebuild) -> None:
        for link in rebuilt.restored:
            self._links.save(rebuilt.course_id, link)
        self._records.connect(rebuilt.course_id)
        self._changes.request(rebuilt.course_id, ChangeCause.RECONCILE)


def _with_scores(rebuilt: Rebuilt, scored: ActualAssignment) -> Rebuilt:
    return rebuilt if rebuilt.link is None else replace(rebuilt, link=with_recipients(rebuilt.link, scored))


def _links(links: Mapping[Key, Link], found: Sequence[Rebuilt]) -> set[Key]:
    replaced = {(one.link.assignment_id, one.link.section_dcid) for one in found if one.link is not None}
    return links.keys() - replaced


def _taught(survey: CourseComparison) -> list[RosteredSection]:
    return [section for section in survey.rosters.values() if section.teacher_users_dcid is not None]


def _read(survey: CourseComparison) -> frozenset[int]:
    return frozenset(section.dcid for section in _taught(survey))
