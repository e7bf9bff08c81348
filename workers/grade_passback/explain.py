"""The use case: why is it not there? A fresh look at both sides, joined with what passback remembers."""

from dataclasses import dataclass, replace

from shared.clock import Clock
from shared.domain.explanations import explain as explain_finding
from shared.domain.powerschool import ActualAssignment, RosteredStudent
from shared.domain.reasons import Finding, Reason
from shared.domain.records import AssignmentRecord, CourseRecord, SectionRecord, State, StudentRecord
from shared.ports import DeadLetters, Records
from workers.grade_passback.applying import Applied
from workers.grade_passback.recording import course_record, state_of
from workers.grade_passback.survey import Survey, Surveyor

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know; None asks about all."""

    course_id: str
    assignment_id: str | None = None
    student_sis_id: str | None = None


class Explain:
    """Answers questions. Reads only."""

    def __init__(self, surveyor: Surveyor, records: Records, dead_letters: DeadLetters, clock: Clock) -> None:
        self._surveyor = surveyor
        self._records = records
        self._dead_letters = dead_letters
        self._clock = clock

    def answer(self, question: Question) -> Json:
        """Return the answer in the shape of `explain --json`. Raises the errors of `shared.errors`."""
        survey = self._surveyor.survey(question.course_id, asked_for_by_person=False)
        remembered = self._records.course(question.course_id)
        record = course_record(survey, Applied(links=dict(survey.links)), remembered, self._clock.now())
        dead = {letter.assignment_id: letter.cause for letter in self._dead_letters.of_course(question.course_id)}
        assignments = [
            _assignment(self._joined(assignment, survey, remembered, dead), survey, question)
            for assignment in record.assignments
            if question.assignment_id in (None, assignment.assignment_id)
        ]
        return {
            "course_id": question.course_id,
            "synced_at": remembered.synced_at.isoformat() if remembered else None,
            "assignments": assignments,
        }

    def _joined(
        self,
        assignment: AssignmentRecord,
        survey: Survey,
        remembered: CourseRecord | None,
        dead: dict[str | None, str],
    ) -> AssignmentRecord:
        """Join what the rules say now with what is still to be done and what went wrong on the way."""
        before = {
            (a.assignment_id, s.section_sis_id): s
            for a in (remembered.assignments if remembered else ())
            for s in a.sections
        }
        sections = tuple(
            _section_now(
                assignment.assignment_id,
                section,
                before.get((assignment.assignment_id, section.section_sis_id)),
                survey,
                dead,
            )
            for section in assignment.sections
        )
        return replace(assignment, sections=sections)


def _section_now(
    assignment_id: str,
    section: SectionRecord,
    before: SectionRecord | None,
    survey: Survey,
    dead: dict[str | None, str],
) -> SectionRecord:
    if section.findings or not _has_writes(assignment_id, section, survey):
        return section
    cause = dead.get(assignment_id, dead.get(None))
    if cause is not None:
        found: tuple[Finding, ...] = (Finding(Reason.DEAD_LETTER, cause),)
    elif before is not None and before.state in (State.RETRYING, State.BLOCKED):
        found = before.findings
    else:
        found = ()
    return replace(section, findings=found, state=state_of(found) if found else State.WAITING)


def _has_writes(assignment_id: str, section: SectionRecord, survey: Survey) -> bool:
    return any(
        write.assignment_id == assignment_id
        and survey.rosters[write.section_dcid].sis_section_id == section.section_sis_id
        for write in survey.plan.writes
    )


def _assignment(assignment: AssignmentRecord, survey: Survey, question: Question) -> Json:
    return {
        "assignment_id": assignment.assignment_id,
        "name": assignment.name,
        "sections": [_section(assignment.assignment_id, section, survey, question) for section in assignment.sections],
    }


def _section(assignment_id: str, section: SectionRecord, survey: Survey, question: Question) -> Json:
    dcids = {roster.sis_section_id: roster.dcid for roster in survey.rosters.values()}
    dcid = dcids.get(section.section_sis_id or "")
    actual = None if dcid is None else survey.actual_of((assignment_id, dcid))
    wanted = question.student_sis_id
    return {
        "section_sis_id": section.section_sis_id,
        "state": section.state,
        "reasons": [reason(finding) for finding in section.findings],
        "students": [_student(s) for s in section.students if wanted in (None, s.student_sis_id)],
        "scores_wanted": section.scores_wanted,
        "written_at": section.written_at.isoformat() if section.written_at else None,
        "powerschool": None if actual is None else _powerschool(actual, survey, wanted),
    }


def _powerschool(actual: ActualAssignment, survey: Survey, student_sis_id: str | None) -> Json:
    held: Json = {
        "assignment_id": actual.assignment_id,
        "assignment_section_id": actual.assignment_section_id,
        "due_date": actual.due_date.isoformat(),
        "points": str(actual.points),
        "scores": len(actual.scores),
    }
    if student_sis_id is not None:
        held["score"] = _score(actual, survey.rosters[actual.section_dcid].students.get(student_sis_id))
    return held


def _score(actual: ActualAssignment, student: RosteredStudent | None) -> Json | None:
    score = actual.scores.get(student.dcid) if student else None
    if score is None:
        return None
    points = None if score.points is None else str(score.points)
    return {"points": points, "missing": score.missing, "exempt": score.exempt}


def _student(student: StudentRecord) -> Json:
    return {"user_id": student.user_id, "student_sis_id": student.student_sis_id, **reason(student.finding)}


def reason(finding: Finding) -> Json:
    """Return a finding in the contract's shape."""
    explained = explain_finding(finding)
    return {
        "code": explained.code,
        "message": explained.message,
        "remedy": explained.remedy,
        "who": explained.who,
    }
