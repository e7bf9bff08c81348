"""Reports how links compare with PowerSchool: the use case behind `passback links check`."""

from dataclasses import dataclass
from datetime import timedelta

from shared.adapters.redis.course_data.course_states import CourseStates
from shared.clock import Clock
from shared.domain.passback.planning.link_maintenance import LinkCheck, check_links
from shared.errors import PermanentError, TransientError
from shared.ports.passback import PowerSchoolGradebook
from workers.grade_passback.course_reader import CourseComparer, CourseComparison


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


class LinkMaintenance:
    """Compares links with PowerSchool, course by course. Reads only: a sync finds lost links by itself."""

    def __init__(
        self,
        comparer: CourseComparer,
        powerschool: PowerSchoolGradebook,
        records: CourseStates,
        clock: Clock,
    ) -> None:
        self._comparer = comparer
        self._powerschool = powerschool
        self._records = records
        self._clock = clock

    def connected(self) -> list[str]:
        """Return the ids of all connected courses."""
        # No course had its turn tomorrow, so that every one of them is stale by then.
        return self._records.least_recently_visited(self._clock.now() + timedelta(days=1), self._records.count())

    def check(self, course_id: str) -> CourseCheck:
        """Return how the course's links compare with PowerSchool. Reads only."""
        try:
            comparison = self._comparer.compare(course_id, asked_for_by_person=False)
            marks = self._powerschool.plugin_ids()
        except (TransientError, PermanentError) as error:
            return CourseCheck(course_id, trouble=LinkError(error.cause, str(error)))
        return CourseCheck(course_id, check_links(comparison.links, comparison.actual, _read(comparison), marks))


def _read(comparison: CourseComparison) -> frozenset[int]:
    return frozenset(section.dcid for section in comparison.rosters.values() if section.teacher_users_dcid is not None)
