"""What a user may see: removes scores and names without a permission for them, and the sections of others."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

from shared.domain.passback.student_status import NOT_IN_COURSE, StudentStatus
from workers.grade_passback.explain.response import Json
from workers.web.auth.roles import User

# What remains of one student, and of a course of which a person sees some sections. A field that is not listed is
# withheld, whatever is added to an answer later.
STUDENT_FIELDS = frozenset({
    "user_id", "student_sis_id", "student_dcid", "section_sis_id", "standing", "do", "graded_by", "code", "message",
    "remedy", "who",
})  # fmt: skip
COURSE_FIELDS = frozenset({
    "course_id", "live", "as_of", "trouble", "last_event_at", "synced_at", "last_change", "paused", "activity",
    "sections", "assignments", "summary",
})  # fmt: skip
STUDENT_KEYS = frozenset({"student", "students", "scores"})
SCORE_FIELDS = frozenset({"points", "missing", "exempt"})
# The sentence about a student contains the score: these replace it.
STATUS_TEXTS = {
    StudentStatus.SENT: "Sent.",
    StudentStatus.WAITING: "Waiting: the next sync or the section's first score sends it.",
    StudentStatus.HELD: "Held: see the reasons of the assignment and of the student.",
    StudentStatus.NOTHING_TO_SEND: "Nothing to send.",
    StudentStatus.NOT_IN_COURSE: NOT_IN_COURSE.sentence,
}
ELSEWHERE = (
    "In PowerSchool this student is in another section of the course, which you do not teach. The score goes there."
)


def visible_to(user: User, found: Json) -> Json:
    """Return an answer about courses as this user may see it; `scores_withheld` says that something is missing."""
    return found if user.can_see_scores else {**_without_scores(found), "scores_withheld": True}


def visible_run(user: User, found: Json) -> Json:
    """Return a provisioning answer as this user may see it: rows and Canvas's own words contain names."""
    if user.can_see_scores:
        return found
    return {name: value for name, value in found.items() if name not in ("rows", "message")}


def _without_scores(found: Mapping[str, object]) -> Json:
    return {
        name: _student(value) if name in STUDENT_KEYS else _shown(value)
        for name, value in found.items()
        if not _is_score(value)
    }


def _shown(value: object) -> object:
    if isinstance(value, Mapping):
        return _without_scores(value)
    return [_shown(each) for each in value] if isinstance(value, list) else value


def _student(value: object) -> object:
    """Return a student, several students, or a number of them."""
    if isinstance(value, list):
        return [_student(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    student = {name: each for name, each in value.items() if name in STUDENT_FIELDS}
    return {**student, "sentence": STATUS_TEXTS[value["standing"]]} if "standing" in value else student


def _is_score(value: object) -> bool:
    return isinstance(value, Mapping) and value.keys() >= SCORE_FIELDS


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
    remaining = {name: value for name, value in found.items() if name in COURSE_FIELDS}
    return {**remaining, "sections": seen, "assignments": list(_assignments(assignments, sis_ids))}


def _assignments(assignments: list[dict[str, Any]], sis_ids: Collection[str | None]) -> Iterator[Json]:
    for assignment in assignments:
        sections = [_section_of(each) for each in assignment["sections"] if each["section_sis_id"] in sis_ids]
        if sections:
            student = assignment.get("student")
            shown = {"student": _student_of(student, sis_ids)} if student else {}
            yield {**assignment, "sections": sections, **shown}


def _section_of(section: dict[str, Any]) -> dict[str, Any]:
    # Sections without a SIS id cannot be told apart, and have no student whose score could be sent.
    return section if section["section_sis_id"] is not None else {**section, "students": []}


def _student_of(student: Mapping[str, Any], sis_ids: Collection[str | None]) -> Mapping[str, Any]:
    if student["section_sis_id"] is None or student["section_sis_id"] in sis_ids:
        return student
    return {**student, "section_sis_id": None, "standing": "held", "sentence": ELSEWHERE, "last_write": None}
