"""What of a roster could not go to Canvas as it is, and which PowerSchool record the registrar has to mend."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class RosterProblemCode(StrEnum):
    """The closed set of problems, each with its code, its sentence and what the registrar can do.

    `leaves_out` says whether the record stays out of Canvas, or as it was there.
    """

    sentence: str
    remedy: str
    leaves_out: bool

    def __new__(cls, code: str, sentence: str, remedy: str, leaves_out: bool = True) -> Self:
        """Return the member of this code with its texts."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence, member.remedy, member.leaves_out = sentence, remedy, leaves_out
        return member

    SECTION_WITHOUT_TERM = (
        "section_without_term",
        "The section's term is not among the terms of its school.",
        "Give the section a term of its school, or create the term for the school.",
    )
    SECTION_WITHOUT_COURSE = (
        "section_without_course",
        "The section has no course number.",
        "Give the section a course in PowerSchool.",
    )
    SECTION_ID_INCOMPLETE = (
        "section_id_incomplete",
        "The section lacks a field from which its SIS id is made.",
        "Fill the field in PowerSchool, or choose another template for the SIS ids of sections.",
    )
    SECTION_ID_TAKEN = (
        "section_id_taken",
        "Another section has the same SIS id.",
        "Choose a template for the SIS ids of sections that tells them apart, such as {section_dcid}.",
    )
    COURSE_ID_INCOMPLETE = (
        "course_id_incomplete",
        "The section's lead teacher lacks a field from which the course's SIS id is made.",
        "Fill the field in PowerSchool, or choose another template for the SIS ids of courses.",
    )
    COURSE_ID_TAKEN = (
        "course_id_taken",
        "The section's Canvas course would have the SIS id of another course.",
        "Choose a template for the SIS ids of courses that tells them apart.",
    )
    COURSE_NOT_IN_CATALOG = (
        "course_not_in_catalog",
        "The section's course is in no catalog of its school or the district, so that its number serves as its name.",
        "Create the course in PowerSchool, or correct the section's course number.",
        False,
    )
    SECTION_WITHOUT_TEACHER = (
        "section_without_teacher",
        "The section has no active lead teacher; it is in Canvas without one.",
        "Assign a lead teacher to the section in PowerSchool.",
        False,
    )
    SECTION_WAITS_FOR_TEACHER = (
        "section_waits_for_teacher",
        "The section has no active lead teacher, so that it is not known to whose Canvas course it belongs.",
        "Assign a lead teacher to the section in PowerSchool.",
    )
    TERM_DATES_REVERSED = (
        "term_dates_reversed",
        "The term ends before it begins.",
        "Correct the term's dates in PowerSchool.",
    )
    PERSON_ID_INCOMPLETE = (
        "person_id_incomplete",
        "The person lacks the number from which the SIS id is made.",
        "Enter the student number or teacher number in PowerSchool.",
    )
    PERSON_ID_TAKEN = (
        "person_id_taken",
        "Another person has the same SIS id.",
        "Give each person a number of their own in PowerSchool.",
    )
    PERSON_ID_REFUSED = (
        "person_id_refused",
        "The person has a new number, and Canvas did not take it as the SIS id: the old one stays, in every file.",
        (
            "Find in Canvas who has the new SIS id. If it is the same person, merge the two users there; else correct "
            "the number in PowerSchool."
        ),
        False,
    )
    LOGIN_INCOMPLETE = (
        "login_incomplete",
        "The person lacks a field from which the login is made.",
        "Enter it in PowerSchool: the e-mail address, where logins are made of it.",
    )
    LOGIN_TAKEN = (
        "login_taken",
        "Another person has the same login.",
        "Correct the field from which logins are made, for one of the two.",
    )
    NAME_MISSING = (
        "name_missing",
        "The person has neither a first nor a last name.",
        "Enter the name in PowerSchool.",
    )
    NAME_TOO_LONG = (
        "name_too_long",
        "A name is longer than Canvas takes, and is shortened.",
        "Shorten the name in PowerSchool.",
        False,
    )
    ENROLLMENT_DATES_IMPOSSIBLE = (
        "enrollment_dates_impossible",
        (
            "The dates of a student's enrollment cannot be meant: none, one in another age, or an exit before the "
            "entry. The enrollment stays in Canvas as it was last."
        ),
        "Correct the entry date and the exit date of the enrollment in PowerSchool.",
    )
    ROW_UNREADABLE = (
        "row_unreadable",
        (
            "A column of the record holds what it cannot mean: nothing, half a character, a date that is none. Canvas "
            "keeps what it has of the record."
        ),
        "Enter the column again in PowerSchool; its name is in brackets.",
    )
    STUDENT_UNKNOWN = (
        "student_unknown",
        "A student is enrolled of whom PowerSchool gave no record.",
        "Have the student's record and the enrollment checked in PowerSchool.",
    )
    STUDENT_NOT_PROVISIONED = (
        "student_not_provisioned",
        "An enrolled student cannot go to Canvas, for a reason that is listed with the student.",
        "Mend the student's own record.",
    )


@dataclass(frozen=True, slots=True, order=True)
class RosterProblem:
    """One record with a problem. `detail` holds ids and field names only, never what is in a field."""

    code: RosterProblemCode
    source: str
    detail: str = ""

    @property
    def sentence(self) -> str:
        """The sentence with the detail in brackets."""
        return f"{self.code.sentence.removesuffix('.')} ({self.detail})." if self.detail else self.code.sentence
