"""What a district decided about provisioning, and its templates for SIS ids and logins."""

import re
import string
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum
from fnmatch import fnmatchcase

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


DEFAULT_COURSE_SIS_IDS = {
    "section": "{section_dcid}",
    "teacher": "{school_number}-{term_id}-{course_number}-T{teacher_number}",
}


class CoursePer(StrEnum):
    """What gets a Canvas course of its own: each section, or each teacher's sections of a course in a term."""

    SECTION = "section"
    TEACHER = "teacher"


class DroppedStatus(StrEnum):
    """What becomes of the enrollment of a student who left: read only, or out of sight."""

    COMPLETED = "completed"
    INACTIVE = "inactive"


class ReplacedStatus(StrEnum):
    """What becomes of the enrollment of a teacher who does not teach a section any more."""

    INACTIVE = "inactive"
    COMPLETED = "completed"
    DELETED = "deleted"


class PreRegistered(StrEnum):
    """What becomes of students who are registered for a school and not in it yet (ENROLL_STATUS -1).

    They may be scheduled into classes from the first day: they go to Canvas like their classmates, or not yet.
    """

    ACTIVE = "active"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class ProvisioningPolicy:
    """Templates and choices. `zone` is the district's: a term's days begin and end on its clocks.

    `teacher_roles` are the Canvas roles of co-teachers by SECTIONTEACHER.ROLEID; who is not in it is a teacher.
    `schools`, `courses` and `sections` are patterns as `is_selected` takes them.
    """

    zone: tzinfo
    section_sis_id: SisIdTemplate
    course_sis_id: SisIdTemplate
    student_sis_id: SisIdTemplate
    staff_sis_id: SisIdTemplate
    term_sis_id: SisIdTemplate
    student_login_id: SisIdTemplate
    staff_login_id: SisIdTemplate
    account_sis_id: SisIdTemplate | None = None
    course_per: CoursePer = CoursePer.SECTION
    publish_courses: bool = False
    dropped_status: DroppedStatus = DroppedStatus.COMPLETED
    pre_registered: PreRegistered = PreRegistered.ACTIVE
    replaced_teacher_status: ReplacedStatus = ReplacedStatus.INACTIVE
    teacher_roles: Mapping[int, str] = field(default_factory=dict)
    schools: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    empty_sections: bool = True

    def term_id_of(self, school_number: int, term_id: int, term_dcid: int) -> str:
        """Return the SIS id of a school's term."""
        fields = {"school_number": school_number, "term_id": term_id, "term_dcid": term_dcid}
        return self.term_sis_id.render({name: str(number) for name, number in fields.items()})


def is_selected(patterns: Sequence[str], *names: str) -> bool:
    """Say whether something of these names goes to Canvas.

    Patterns such as `LUNCH*` are compared without regard to case; those that begin with a minus leave out. Where any
    pattern takes in, what none of them takes in is left out.
    """
    included = [pattern for pattern in patterns if not pattern.startswith("-")]
    excluded = [pattern.removeprefix("-") for pattern in patterns if pattern.startswith("-")]
    return (not included or _matches(included, names)) and not _matches(excluded, names)


def _matches(patterns: Iterable[str], names: Sequence[str]) -> bool:
    return any(fnmatchcase(name.casefold(), each.strip().casefold()) for each in patterns for name in names)
