"""Reports how links compare with PowerSchool: the use case behind `passback links check`."""

from dataclasses import dataclass

from shared.domain.causes import Cause
from shared.domain.passback.planning.links import LinkCheck, check_links
from shared.errors import PermanentError, TransientError
from workers.grade_passback.course_reader import CourseReader


@dataclass(frozen=True, slots=True)
class LinkError:
    """Why a course could not be read: a code and the error's text, without personal data."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class CourseCheck:
    """The status of a course's links; with `error`, the course could not be read."""

    course_id: str
    links: tuple[LinkCheck, ...] = ()
    error: LinkError | None = None

    @property
    def is_ok(self) -> bool:
        """Say whether every link is ok."""
        return self.error is None and all(link.is_ok for link in self.links)


def check_course_links(reader: CourseReader, course_id: str) -> CourseCheck:
    """Return how the course's links compare with PowerSchool. Reads only: a sync finds lost links by itself."""
    try:
        data = reader.read(course_id, asked_for_by_person=False)
    except (TransientError, PermanentError) as error:
        if error.cause == Cause.REDIS_UNAVAILABLE:
            # No other course can be checked either.
            raise
        return CourseCheck(course_id, error=LinkError(error.cause, str(error)))
    sections = frozenset(s.dcid for s in data.rosters.values() if s.teacher_users_dcid is not None)
    return CourseCheck(course_id, check_links(data.links, data.actual, sections, data.plugin_ids))
