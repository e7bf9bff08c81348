"""Removes a student from records, audit entries and links."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from shared.domain.passback.audit import AuditEntry, ScoreChange
from shared.domain.passback.course_state import CourseRecord, SectionRecord
from shared.domain.passback.planning.links import Link


@dataclass(frozen=True, slots=True)
class StudentIds:
    """The ids of a student: the SIS id, and each STUDENTS.DCID that is known."""

    sis_id: str
    dcids: frozenset[int] = frozenset()

    def with_dcids_of(self, entries: Collection[AuditEntry]) -> "StudentIds":
        """Return the student with every STUDENTS.DCID under which these entries know the SIS id."""
        known = {s.student_dcid for entry in entries for s in entry.scores if s.student_sis_id == self.sis_id}
        return replace(self, dcids=self.dcids | known)

    def matches(self, change: ScoreChange) -> bool:
        """Say whether a score is the student's."""
        return change.student_sis_id == self.sis_id or change.student_dcid in self.dcids


def remove_student_from_entry(entry: AuditEntry, student: StudentIds) -> AuditEntry | None:
    """Return the entry without the student's scores, None if nothing else is in it."""
    others = tuple(score for score in entry.scores if not student.matches(score))
    if len(others) == len(entry.scores):
        return entry
    return replace(entry, scores=others) if others or entry.fields else None


def remove_student_from_record(record: CourseRecord, student: StudentIds) -> CourseRecord:
    """Return the record without the student's reasons, and without the student on its rosters."""
    return replace(
        record,
        assignments=tuple(
            replace(assignment, sections=tuple(_section_without(section, student) for section in assignment.sections))
            for assignment in record.assignments
        ),
        rosters=tuple(
            replace(roster, student_sis_ids=tuple(id_ for id_ in roster.student_sis_ids if id_ != student.sis_id))
            for roster in record.rosters
        ),
    )


def remove_student_from_link(link: Link, student: StudentIds) -> Link:
    """Return the link as if nothing was ever sent for the student: a score emptied later is not reported."""
    dcids = {str(dcid) for dcid in student.dcids}
    echoes = {key: echo for key, echo in link.echoes.items() if key not in dcids}
    return replace(link, sent_to=link.sent_to - student.dcids, zeros=link.zeros - student.dcids, echoes=echoes)


def _section_without(section: SectionRecord, student: StudentIds) -> SectionRecord:
    others = tuple(record for record in section.students if record.student_sis_id != student.sis_id)
    return replace(section, students=others)
