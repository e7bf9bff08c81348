"""How a course's record is kept: as JSON, in lists instead of objects, so that no name of a field stands there again.

    [course id, name, synced at, next due at, [roster, …], [assignment, …]]
    roster      [section's SIS id, SECTIONS.DCID, [student's SIS id, …]]
    assignment  [id, name, [section, …]]
    section     [SIS id, PowerSchool's two ids, scores wanted and there, written at, state, [finding, …], [student, …]]
    student     [user id, SIS id, finding]
    finding     [reason, detail]

What ends a section or a finding and is as usual is left out. Names and ids stay as they are: an erasure searches them.
"""

from datetime import datetime

import msgspec
from pydantic import TypeAdapter

from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, State, StudentRecord
from shared.domain.passback.rules.reasons import Finding, Reason

# What records were until there was this form: an object with every field's name. A course keeps it until its next sync.
_OBJECT = TypeAdapter(CourseRecord)


class _Finding(msgspec.Struct, array_like=True, frozen=True, gc=False):
    reason: Reason
    detail: str = ""


class _Student(msgspec.Struct, array_like=True, frozen=True, gc=False):
    user_id: str
    student_sis_id: str | None
    finding: _Finding


class _Section(msgspec.Struct, array_like=True, frozen=True):
    section_sis_id: str | None
    powerschool_assignment_id: int | None = None
    powerschool_assignment_section_id: int | None = None
    scores_wanted: int = 0
    scores_there: int = 0
    written_at: datetime | None = None
    state: State = State.SYNCED
    findings: tuple[_Finding, ...] = ()
    students: tuple[_Student, ...] = ()


class _Assignment(msgspec.Struct, array_like=True, frozen=True):
    assignment_id: str
    name: str
    sections: tuple[_Section, ...]


class _Roster(msgspec.Struct, array_like=True, frozen=True):
    section_sis_id: str
    section_dcid: int
    student_sis_ids: tuple[str, ...]


class _Course(msgspec.Struct, array_like=True, frozen=True):
    course_id: str
    name: str
    synced_at: datetime
    next_due_at: datetime | None
    rosters: tuple[_Roster, ...]
    assignments: tuple[_Assignment, ...]


_DECODER = msgspec.json.Decoder(_Course)
_ENCODER = msgspec.json.Encoder()
_USUAL = tuple(_Section.__struct_defaults__)


def encode_record(record: CourseRecord) -> bytes:
    """Return the record as it is kept."""
    rosters = [(roster.section_sis_id, roster.section_dcid, roster.student_sis_ids) for roster in record.rosters]
    assignments = [_assignment(assignment) for assignment in record.assignments]
    return _ENCODER.encode((record.course_id, record.name, record.synced_at, record.next_due_at, rosters, assignments))


def record_of(kept: bytes) -> CourseRecord:
    """Return the record that was kept, in this form or the earlier one. Raises `ValueError` for anything else."""
    if kept.startswith(b"{"):
        return _OBJECT.validate_json(kept)
    return msgspec.convert(_DECODER.decode(kept), CourseRecord, from_attributes=True)


def _assignment(assignment: AssignmentRecord) -> tuple[object, ...]:
    return (assignment.assignment_id, assignment.name, [_section(section) for section in assignment.sections])


def _section(section: SectionRecord) -> list[object]:
    values: list[object] = [
        section.section_sis_id,
        section.powerschool_assignment_id,
        section.powerschool_assignment_section_id,
        section.scores_wanted,
        section.scores_there,
        section.written_at,
        section.state,
        tuple(map(_finding, section.findings)),
        tuple(map(_student, section.students)),
    ]
    while len(values) > 1 and values[-1] == _USUAL[len(values) - 2]:
        values.pop()
    return values


def _student(student: StudentRecord) -> tuple[object, ...]:
    return (student.user_id, student.student_sis_id, _finding(student.finding))


def _finding(finding: Finding) -> tuple[str, ...]:
    return (finding.reason, finding.detail) if finding.detail else (finding.reason,)
