"""What of a roster could not go to Canvas as it is, and which PowerSchool record the registrar has to mend."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class RosterProblemCode(StrEnum):
    """The closed set of problems."""

    SECTION_WITHOUT_TERM = "section_without_term"
    SECTION_WITHOUT_COURSE = "section_without_course"
    SECTION_ID_INCOMPLETE = "section_id_incomplete"
    SECTION_ID_TAKEN = "section_id_taken"
    COURSE_ID_INCOMPLETE = "course_id_incomplete"
    COURSE_ID_TAKEN = "course_id_taken"
    COURSE_NOT_IN_CATALOG = "course_not_in_catalog"
    SECTION_WITHOUT_TEACHER = "section_without_teacher"
    SECTION_WAITS_FOR_TEACHER = "section_waits_for_teacher"
    TERM_DATES_REVERSED = "term_dates_reversed"
    PERSON_ID_INCOMPLETE = "person_id_incomplete"
    PERSON_ID_TAKEN = "person_id_taken"
    PERSON_ID_REFUSED = "person_id_refused"
    LOGIN_INCOMPLETE = "login_incomplete"
    LOGIN_TAKEN = "login_taken"
    NAME_MISSING = "name_missing"
    NAME_TOO_LONG = "name_too_long"
    ENROLLMENT_DATES_IMPOSSIBLE = "enrollment_dates_impossible"
    ROW_UNREADABLE = "row_unreadable"
    STUDENT_UNKNOWN = "student_unknown"
    STUDENT_NOT_PROVISIONED = "student_not_provisioned"


@dataclass(frozen=True, slots=True)
class ProblemText:
    """What to tell the registrar. `leaves_out` says whether the record stays out of Canvas, or as it was there."""

    sentence: str
    remedy: str
    leaves_out: bool = True


@dataclass(frozen=True, slots=True, order=True)
class RosterProblem:
    """One record with a problem. `detail` holds ids and field names only, never what is in a field."""

    code: RosterProblemCode
    source: str
    detail: str = ""

    @property
    def text(self) -> ProblemText:
        """The sentence and the remedy."""
        return PROBLEM_TEXTS[self.code]

    @property
    def sentence(self) -> str:
        """The sentence with the detail in brackets."""
        return f"{self.text.sentence.removesuffix('.')} ({self.detail})." if self.detail else self.text.sentence


PROBLEM_TEXTS: Mapping[RosterProblemCode, ProblemText] = {
    RosterProblemCode.SECTION_WITHOUT_TERM: ProblemText(
        "The section's term is not among the terms of its school.",
        "Give the section a term of its school, or create the term for the school.",
    ),
    RosterProblemCode.SECTION_WITHOUT_COURSE: ProblemText(
        "The section has no course number.",
        "Give the section a course in PowerSchool.",
    ),
    RosterProblemCode.SECTION_ID_INCOMPLETE: ProblemText(
        "The section lacks a field from which its SIS id is made.",
        "Fill the field in PowerSchool, or choose another template for the SIS ids of sections.",
    ),
    RosterProblemCode.SECTION_ID_TAKEN: ProblemText(
        "Another section has the same SIS id.",
        "Choose a template for the SIS ids of sections that tells them apart, such as {section_dcid}.",
    ),
    RosterProblemCode.COURSE_ID_INCOMPLETE: ProblemText(
        "The section's lead teacher lacks a field from which the course's SIS id is made.",
        "Fill the field in PowerSchool, or choose another template for the SIS ids of courses.",
    ),
    RosterProblemCode.COURSE_ID_TAKEN: ProblemText(
        "The section's Canvas course would have the SIS id of another course.",
        "Choose a template for the SIS ids of courses that tells them apart.",
    ),
    RosterProblemCode.COURSE_NOT_IN_CATALOG: ProblemText(
        "The section's course is in no catalog of its school or the district, so that its number serves as its name.",
        "Create the course in PowerSchool, or correct the section's course number.",
        leaves_out=False,
    ),
    RosterProblemCode.SECTION_WITHOUT_TEACHER: ProblemText(
        "The section has no active lead teacher; it is in Canvas without one.",
        "Assign a lead teacher to the section in PowerSchool.",
        leaves_out=False,
    ),
    RosterProblemCode.SECTION_WAITS_FOR_TEACHER: ProblemText(
        "The section has no active lead teacher, so that it is not known to whose Canvas course it belongs.",
        "Assign a lead teacher to the section in PowerSchool.",
    ),
    RosterProblemCode.TERM_DATES_REVERSED: ProblemText(
        "The term ends before it begins.",
        "Correct the term's dates in PowerSchool.",
    ),
    RosterProblemCode.PERSON_ID_INCOMPLETE: ProblemText(
        "The person lacks the number from which the SIS id is made.",
        "Enter the student number or teacher number in PowerSchool.",
    ),
    RosterProblemCode.PERSON_ID_TAKEN: ProblemText(
        "Another person has the same SIS id.",
        "Give each person a number of their own in PowerSchool.",
    ),
    RosterProblemCode.PERSON_ID_REFUSED: ProblemText(
        "The person has a new number, and Canvas did not take it as the SIS id: the old one stays, in every file.",
        "Find in Canvas who has the new SIS id. If it is the same person, merge the two users there; else correct the "
        "number in PowerSchool.",
        leaves_out=False,
    ),
    RosterProblemCode.LOGIN_INCOMPLETE: ProblemText(
        "The person lacks a field from which the login is made.",
        "Enter it in PowerSchool: the e-mail address, where logins are made of it.",
    ),
    RosterProblemCode.LOGIN_TAKEN: ProblemText(
        "Another person has the same login.",
        "Correct the field from which logins are made, for one of the two.",
    ),
    RosterProblemCode.NAME_MISSING: ProblemText(
        "The person has neither a first nor a last name.",
        "Enter the name in PowerSchool.",
    ),
    RosterProblemCode.NAME_TOO_LONG: ProblemText(
        "A name is longer than Canvas takes, and is shortened.",
        "Shorten the name in PowerSchool.",
        leaves_out=False,
    ),
    RosterProblemCode.ENROLLMENT_DATES_IMPOSSIBLE: ProblemText(
        "The dates of a student's enrollment cannot be meant: none, one in another age, or an exit before the entry. "
        "The enrollment stays in Canvas as it was last.",
        "Correct the entry date and the exit date of the enrollment in PowerSchool.",
    ),
    RosterProblemCode.ROW_UNREADABLE: ProblemText(
        "A column of the record holds what it cannot mean: nothing, half a character, a date that is none. Canvas "
        "keeps what it has of the record.",
        "Enter the column again in PowerSchool; its name is in brackets.",
    ),
    RosterProblemCode.STUDENT_UNKNOWN: ProblemText(
        "A student is enrolled of whom PowerSchool gave no record.",
        "Have the student's record and the enrollment checked in PowerSchool.",
    ),
    RosterProblemCode.STUDENT_NOT_PROVISIONED: ProblemText(
        "An enrolled student cannot go to Canvas, for a reason that is listed with the student.",
        "Mend the student's own record.",
    ),
}
