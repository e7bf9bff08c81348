"""Why totals differ, for the operators' pages, the API and the page inside Canvas.

A page shows a student with the macro `totals_steps` of `course/totals.html`, and the causes with `totals_causes`.
"""

from collections.abc import Collection

from workers.container import Container
from workers.grade_passback.explain.response import Json
from workers.grade_passback.operations.totals_json import totals_json


def course_totals(
    service: Container,
    course_id: str,
    student_sis_id: str | None = None,
    section_sis_ids: Collection[str] | None = None,
) -> Json:
    """Return the totals of a course's students, or of one, with the causes of their differences.

    With `section_sis_ids`, return those alone whom PowerSchool has in one of these sections: what a teacher of some
    sections of the course may see. The caller checks that the user may see scores. Reads both systems, and raises the
    errors of `shared.errors`; nothing is stored.
    """
    totals = service.totals.read(course_id, student_sis_id)
    return totals_json(totals if section_sis_ids is None else totals.of_sections(section_sis_ids))
