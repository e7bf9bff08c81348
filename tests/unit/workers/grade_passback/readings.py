"""What the verifier reads of any course: both sides of a synced school, or an error."""

from dataclasses import replace
from decimal import Decimal

from shared.domain.passback.powerschool import Score
from tests.unit.workers.grade_passback.school import School
from workers.grade_passback.compare import CourseData


class Readings:
    """Stands for the `CourseReader` of a container; `errors` are by course."""

    def __init__(self) -> None:
        self.school = School()
        self.school.sync()
        self.errors: dict[str, Exception] = {}
        self.read_ids: list[str] = []

    def read(self, course_id: str, **_options: object) -> CourseData:
        """Return the school's only course, whichever is asked for."""
        self.read_ids.append(course_id)
        if course_id in self.errors:
            raise self.errors[course_id]
        return self.school.reader.read("1", asked_for_by_person=True)

    def plant(self) -> None:
        """Change a score in PowerSchool by hand, from 8 to 8.1."""
        there = self.school.powerschool.assignments_there
        section_id, actual = next(iter(there.items()))
        there[section_id] = replace(actual, scores={**actual.scores, 501: Score(Decimal("8.1"))})
