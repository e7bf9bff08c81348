"""Refuses ids that name nothing, for the command line, the API and the pages.

What passback has stored is known. Canvas is asked about the rest; where it cannot be asked, nothing is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from shared.adapters.http.exchange import waits_at_most
from shared.config import ConfigurationError
from shared.errors import NotFound, NotInCourse, PassbackError
from shared.ports.passback import CachePolicy
from workers.container import Container
from workers.grade_passback.course_reader import refuse_unknown_course

PATIENCE = timedelta(seconds=8)


@contextmanager
def _asking() -> Iterator[None]:
    """Bound the requests of the block together, since somebody waits; only "there is none" of Canvas refuses."""
    try:
        with waits_at_most(PATIENCE):
            yield
    except NotFound:
        raise
    except (ConfigurationError, PassbackError):
        return


def require_course(service: Container, course_id: str) -> None:
    """Raise `CourseGone` for a course of which nothing is stored and that Canvas does not have."""
    if service.records.course(course_id) is None:
        with _asking():
            refuse_unknown_course(service.canvas.check_course, service.records, course_id)


def require_assignment(service: Container, course_id: str, assignment_id: str) -> None:
    """Raise `NotInCourse` for an assignment that neither the last sync nor Canvas has in the course."""
    record = service.records.course(course_id)
    if record is not None and any(each.assignment_id == assignment_id for each in record.assignments):
        return
    with _asking():
        course = service.canvas.course(course_id, CachePolicy.BYPASS)
        if all(each.id != assignment_id for each in course.assignments):
            raise NotInCourse(f"course {course_id} has no assignment {assignment_id}")


def require_student(service: Container, course_id: str, sis_id: str) -> None:
    """Raise `PersonUnknown` for a SIS id that nobody has in Canvas, `NotInCourse` for one of other courses only."""
    with _asking():
        if course_id not in service.canvas_account.courses_of(sis_id=sis_id):
            raise NotInCourse(f"course {course_id} has nobody with the SIS id {sis_id}")


def require_selected(
    service: Container, course_id: str, assignment_id: str | None = None, student_sis_id: str | None = None
) -> None:
    """Raise for the first of these that is unknown. For a selection that found nothing: it may ask Canvas."""
    require_course(service, course_id)
    if assignment_id is not None:
        require_assignment(service, course_id, assignment_id)
    if student_sis_id is not None:
        require_student(service, course_id, student_sis_id)


def unknown_part(service: Container, school: int | None, term: str) -> tuple[str, str] | None:
    """Return "school" or "term", whichever no course is known to be of, and a sentence; None where both are known.

    For a selection that found nothing: it reads the summary of every course.
    """
    if school is None and not term:
        return None
    totals = service.course_lists.totals()
    for kind, given, there in (("school", school, totals.schools), ("term", term or None, totals.terms)):
        if given is not None and given not in there:
            known = ", ".join(map(str, there)) or "none is known before the first syncs"
            return kind, f"no course is of {kind} {given}; those of courses: {known}"
    return None
