"""The district's templates for SIS ids and logins: which text in Canvas stands for which PowerSchool record."""

import re
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass

SECTION_FIELDS = ("section_dcid", "section_id", "school_number", "term_id", "course_number", "section_number")
TEACHER_FIELDS = ("teacher_number", "users_dcid")
STUDENT_FIELDS = ("student_number", "student_dcid")
TERM_FIELDS = ("school_number", "term_id", "term_dcid")
COURSE_FIELDS = (*SECTION_FIELDS, *TEACHER_FIELDS)
STAFF_LOGIN_FIELDS = (*TEACHER_FIELDS, "email")
STUDENT_LOGIN_FIELDS = (*STUDENT_FIELDS, "email")
ACCOUNT_FIELDS = ("school_number",)


@dataclass(frozen=True, slots=True)
class SisIdTemplate:
    """A checked template. Its fields are filled with text, so `{student_number:0>6}` pads to six digits.

    SIS ids are compared exactly. PowerSchool's JSON loses the leading zeros of numbers; a district whose ids have
    some says so with such a width, which cannot confuse two students as ignoring zeros could.
    """

    text: str

    @property
    def fields(self) -> frozenset[str]:
        """The names of the fields that it fills."""
        return frozenset(field for _, field, _, _ in string.Formatter().parse(self.text) if field is not None)

    def render(self, values: Mapping[str, str]) -> str:
        """Return the SIS id."""
        return self.text.format_map(values)

    def missing(self, values: Mapping[str, str]) -> frozenset[str]:
        """Return the fields that it needs and that have no value, for which no id can be made."""
        return frozenset(field for field in self.fields if not values.get(field))


def checked_template(text: str, known: Collection[str]) -> SisIdTemplate:
    """Return the template. Raises `ValueError`, without the text, for one that has no field or an unknown one."""
    template = SisIdTemplate(text)
    refusal = f"is no template of {', '.join(f'{{{field}}}' for field in known)}"
    try:
        fields = template.fields
        template.render(dict.fromkeys(known, "1"))
    except (ValueError, KeyError, IndexError, AttributeError) as error:
        raise ValueError(refusal) from error
    if not fields or any(re.fullmatch(r"\w+", field) is None or field not in known for field in fields):
        raise ValueError(refusal)
    return template


def check_course_template(template: SisIdTemplate, *, per_teacher: bool) -> None:
    """Check that a course's SIS id names what the course is for, and nothing that changes while it stays the same.

    Raises `ValueError`. A course per section must not be named by its teacher: a change of teachers would make a new
    course and leave all work behind. A course per teacher must be named by teacher, course and term.
    """
    if not per_teacher:
        if not template.fields & {"section_dcid", "section_id", "section_number"}:
            raise ValueError("names no section: with a course per section, use {section_dcid}")
        if template.fields & set(TEACHER_FIELDS):
            raise ValueError("names a teacher: with a course per section, a new teacher would make a new course")
        return
    if template.fields & {"section_dcid", "section_id", "section_number"}:
        raise ValueError("names a section: with a course per teacher, several sections share a course")
    if not (template.fields & set(TEACHER_FIELDS) and {"course_number", "term_id"} <= template.fields):
        raise ValueError(
            "does not name {teacher_number}, {course_number} and {term_id}: with a course per teacher, it must"
        )
