"""Restricts what is said about a course to the sections that a person may see."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from workers.grade_passback.explain.response import Json

# What remains of an answer. A field that is not listed is withheld, whatever is added to an answer later.
FIELDS = frozenset(
    {
        "course_id",
        "live",
        "as_of",
        "trouble",
        "last_event_at",
        "synced_at",
        "last_change",
        "paused",
        "activity",
        "sections",
        "assignments",
        "summary",
    }
)
ELSEWHERE = (
    "In PowerSchool this student is in another section of the course, which you do not teach. The score goes there."
)


def only_sections(found: Json, section_ids: Collection[str] | None) -> Json:
    """Return an explanation or a preview without the sections that are not among these Canvas sections; None for all.

    An assignment that is in none of them is left out.
    """
    if section_ids is None:
        return found
    sections = cast("list[dict[str, Any]]", found["sections"])
    seen = [section for section in sections if section["section_id"] in section_ids]
    sis_ids = {section["section_sis_id"] for section in seen}
    assignments = cast("list[dict[str, Any]]", found["assignments"])
    remaining = {name: value for name, value in found.items() if name in FIELDS}
    return {**remaining, "sections": seen, "assignments": list(_assignments(assignments, sis_ids))}


def _assignments(assignments: list[dict[str, Any]], sis_ids: Collection[str | None]) -> Iterator[Json]:
    for assignment in assignments:
        sections = [_section(each) for each in assignment["sections"] if each["section_sis_id"] in sis_ids]
        if sections:
            student = assignment.get("student")
            shown = {"student": _student(student, sis_ids)} if student else {}
            yield {**assignment, "sections": sections, **shown}


def _section(section: dict[str, Any]) -> dict[str, Any]:
    # Sections without a SIS id cannot be told apart, and have no student whose score could be sent.
    return section if section["section_sis_id"] is not None else {**section, "students": []}


def _student(student: Mapping[str, Any], sis_ids: Collection[str | None]) -> Mapping[str, Any]:
    if student["section_sis_id"] is None or student["section_sis_id"] in sis_ids:
        return student
    return {**student, "section_sis_id": None, "standing": "held", "sentence": ELSEWHERE, "last_write": None}
