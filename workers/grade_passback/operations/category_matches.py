"""Remembering by id which category a group was matched with by name, once PowerSchool has work in it."""

from collections.abc import Iterable

from shared.adapters.redis.course_data.category_matches import CategoryMatches
from shared.domain.passback.powerschool import TeacherCategory
from shared.domain.passback.rules.categories import FoundBy, stored_match
from workers.grade_passback.apply.result import ApplyResult
from workers.grade_passback.course_reader import AssignmentInSection, CourseComparison


def save_category_matches(survey: CourseComparison, applied: ApplyResult, associations: CategoryMatches) -> None:
    """Remember what was matched by name, so that later renames on either side change nothing.

    A group whose association a person changed since the survey is left to the next sync.

    Source: "by a case-insensitive name match among the teacher's active categories, which is then remembered by id".
    """
    new = dict(survey.associations)
    for group_id, category in _matched_by_name(survey.placements, applied):
        new[group_id] = stored_match(new.get(group_id), category)
    if new == survey.associations:
        return
    now = associations.of_course(survey.course.id)
    for group_id, association in new.items():
        before = survey.associations.get(group_id)
        if association != before == now.get(group_id):
            associations.save(survey.course.id, group_id, association)


def _matched_by_name(
    placements: Iterable[AssignmentInSection], applied: ApplyResult
) -> Iterable[tuple[str, TeacherCategory]]:
    for placement in placements:
        found = placement.category
        if found is not None and found.by is FoundBy.NAME and _is_there(placement, applied):
            yield placement.assignment.group_id, found.category


def _is_there(placement: AssignmentInSection, applied: ApplyResult) -> bool:
    """Say whether PowerSchool has the assignment, and in this category as far as is known."""
    link = None if placement.key is None else applied.links.get(placement.key)
    return placement.key is not None and link is not None and not link.is_claim and applied.is_open(placement.key)
