"""What a district decided about provisioning, as a value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from enum import StrEnum

from shared.domain.provisioning.rows.sis_ids import SisIdTemplate

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
