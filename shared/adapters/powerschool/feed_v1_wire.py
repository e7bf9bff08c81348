"""What the v1 API and the tables say about rosters: the fields that are used.

v1 is converted XML: empty elements are `""`, a list of one is an object, and text that looks like a number has become
one, without its leading zeros. Rows of tables are text throughout. SCHOOLID columns hold school numbers; v1's
`school_id` is SCHOOLS.DCID.
"""

from typing import Annotated

from pydantic import BeforeValidator

from shared.adapters.powerschool.enrollment import ENROLLED
from shared.adapters.powerschool.feed_rows import CURRENT, Number
from shared.adapters.powerschool.wire import Day, MaybeDay, MaybeId, Text, Wire, listed


def _empty_if_blank(value: object) -> object:
    return {} if value in (None, "") else value


class SchoolV1(Wire):
    """One of `GET /ws/v1/district/school`."""

    id: int
    school_number: int
    name: Text = ""


class CourseV1(Wire):
    """One of `GET /ws/v1/school/{id}/course`; its number may have lost leading zeros."""

    id: int
    course_number: Text = ""
    course_name: Text = ""


class SectionV1(Wire):
    """One of `GET /ws/v1/school/{id}/section`; `staff_id` is SCHOOLSTAFF.DCID of the lead teacher."""

    id: int
    course_id: MaybeId = None
    staff_id: MaybeId = None


class Name(Wire):
    """A person's name."""

    first_name: Text = ""
    last_name: Text = ""


class Affiliation(Wire):
    """That a person works, or worked, at a school; school 0 is the district office."""

    school_id: int
    status: Number = 0


class Affiliations(Wire):
    """The list, whichever way it was written."""

    school_affiliation: Annotated[tuple[Affiliation, ...], BeforeValidator(listed)] = ()


class Emails(Wire):
    """The addresses of a member of the staff."""

    work_email: Text = ""


class StaffV1(Wire):
    """One of `GET /ws/v1/school/{id}/staff`, with the expansions `emails` and `school_affiliations`."""

    id: int
    users_dcid: int
    local_id: Text = ""
    name: Annotated[Name, BeforeValidator(_empty_if_blank)] = Name()
    emails: Annotated[Emails, BeforeValidator(_empty_if_blank)] = Emails()
    school_affiliations: Annotated[Affiliations, BeforeValidator(_empty_if_blank)] = Affiliations()

    def at(self, school_dcid: int) -> "StaffV1":
        """Return the member; where the affiliations are not told, with one to the school whose list it is in."""
        if self.school_affiliations.school_affiliation:
            return self
        here = Affiliations.model_validate({"school_affiliation": {"school_id": school_dcid, "status": CURRENT}})
        return self.model_copy(update={"school_affiliations": here})


class ContactInfo(Wire):
    """How to reach a student."""

    email: Text = ""


class SchoolEnrollment(Wire):
    """A student's enrollment in a school."""

    enroll_status_code: int = ENROLLED
    school_number: Number = 0


class StudentV1(Wire):
    """A student, with the expansions `contact_info` and `school_enrollment`."""

    id: int
    local_id: Text = ""
    name: Annotated[Name, BeforeValidator(_empty_if_blank)] = Name()
    contact_info: Annotated[ContactInfo, BeforeValidator(_empty_if_blank)] = ContactInfo()
    school_enrollment: Annotated[SchoolEnrollment, BeforeValidator(_empty_if_blank)] = SchoolEnrollment()


class EnrollmentV1(Wire):
    """One of `GET /ws/v1/section/{id}/section_enrollment`."""

    id: int
    student_id: int
    entry_date: MaybeDay = None
    exit_date: MaybeDay = None
    dropped: bool = False


class TermColumns(Wire):
    """The columns of TERMS that v1 has, and the one that it has not: TERMS.ID."""

    dcid: int
    id: int
    schoolid: int
    yearid: int
    firstday: Day
    lastday: Day
    name: Text = ""
    abbreviation: Text = ""


class SectionColumns(Wire):
    """The columns of SECTIONS of which v1 has none, or only what a conversion left of them."""

    dcid: int
    id: int
    schoolid: int
    termid: int
    course_number: Text = ""
    section_number: Text = ""


class TermTables(Wire):
    """The tables of a record."""

    terms: TermColumns


class TermRecord(Wire):
    """One of `GET /ws/schema/table/terms`."""

    tables: TermTables


class SectionTables(Wire):
    """The tables of a record."""

    sections: SectionColumns


class SectionRecord(Wire):
    """One of `GET /ws/schema/table/sections`."""

    tables: SectionTables
