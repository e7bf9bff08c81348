"""Why totals differ, for the operators' pages, the API and the page inside Canvas.

Pages show the course and a student with the macros of `course/totals_students.html`.
"""

from collections.abc import Collection

from workers.container import Container
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.totals_json import totals_json


def course_totals(
    service: Container,
    course_id: str,
    student_sis_id: str | None = None,
    section_ids: Collection[str] | None = None,
) -> Json:
    """Return the totals of a course's students, or of one, with the causes of their differences.

    With `section_ids`, return those alone who are in one of these Canvas sections: what a teacher of some sections of
    the course may see. Which section is which is read with the totals, since SIS ids can move. The caller checks that
    the user may see scores. Reads both systems, and raises the errors of `shared.errors`; nothing is stored.
    """
    totals = service.totals.read(course_id, student_sis_id)
    return totals_json(totals if section_ids is None else totals.of_sections(section_ids))
