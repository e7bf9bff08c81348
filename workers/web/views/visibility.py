"""Removes the scores and names of students from what a user sees who has no permission for them."""

from collections.abc import Mapping

from shared.domain.passback.student_status import NOT_IN_COURSE, StudentStatus
from workers.grade_passback.explain.response import Json
from workers.web.auth.roles import User

# What remains of one student. A field that is not listed is withheld, whatever is added to an answer later.
STUDENT_FIELDS = frozenset(
    {
        "user_id",
        "student_sis_id",
        "student_dcid",
        "section_sis_id",
        "standing",
        "do",
        "graded_by",
        "code",
        "message",
        "remedy",
        "who",
    }
)
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
