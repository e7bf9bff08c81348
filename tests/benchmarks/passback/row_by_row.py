"""engine's naive twin: one row after the other, as a plain first implementation judges scores.

`json` makes objects of every field, pydantic a value of every row, the rules are asked for each row, and what
PowerSchool holds is looked up in a dict. The rules are passback's own: only how often they are asked differs.
"""

import json
from collections.abc import Mapping
from datetime import date, tzinfo

from shared.adapters.canvas.wire import SubmissionWire
from shared.adapters.powerschool.gradebook.reader import StateRow
from shared.domain.passback.canvas import Course
from shared.domain.passback.planning.links import Link
from shared.domain.passback.powerschool import RosteredSection, TeacherCategory
from shared.domain.passback.rules.categories import match_category
from shared.domain.passback.rules.eligibility import Facts, eligibility_findings


class RowByRow:
    """A course of one section, whose scores are judged one by one, from both systems' bytes."""

    def __init__(
        self,
        course: Course,
        roster: RosteredSection,
        categories: tuple[TeacherCategory, ...],
        links: Mapping[tuple[str, int], Link],
        today: date,
        zone: tzinfo,
    ) -> None:
        self._course, self._roster, self._categories = course, roster, categories
        self._assignments = {assignment.id: assignment for assignment in course.assignments}
        self._there = {key[0]: link.powerschool_assignment_section_id for key, link in links.items()}
        self._today, self._zone = today, zone

    def differing(self, canvas: bytes, powerschool: bytes) -> tuple[int, int]:
        """Return how many scores there are and how many would have to be sent."""
        held = {}
        for row in json.loads(powerschool)["record"]:
            there = StateRow.model_validate(row)
            held[there.assignment_section_id, there.student_dcid] = there
        rows = differing = 0
        for row in json.loads(canvas):
            for each in row["submissions"]:
                submission = SubmissionWire.model_validate(each)
                student = self._roster.students[row["sis_user_id"]]
                actual = held.get((self._there[submission.assignment_id] or 0, student.dcid))
                rows += 1
                differing += not self._is_blocked(submission.assignment_id) and not _agrees(submission, actual)
        return rows, differing

    def _is_blocked(self, assignment_id: str) -> bool:
        assignment = self._assignments[assignment_id]
        group = self._course.groups[assignment.group_id]
        category = match_category(group, self._roster.dcid, self._categories, {}, "", can_match_by_name=False)
        facts = Facts(
            course=self._course,
            section=self._course.sections[0],
            assignment=assignment,
            rostered=self._roster,
            category=category,
            today=self._today,
            zone=self._zone,
            grace_days=14,
        )
        return bool(eligibility_findings(facts))


def _agrees(submission: SubmissionWire, actual: StateRow | None) -> bool:
    return (
        actual is not None
        and actual.score_points == submission.score
        and actual.is_missing == bool(submission.missing)
        and actual.is_exempt == bool(submission.excused)
    )
