"""Renders a course's state as `explain`, the API and the pages show it: read live, or as the last sync stored it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.domain.actions import Pause
from shared.domain.causes import Cause
from shared.domain.outcome import DeadLetter
from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, LastChange, SectionRecord, State
from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.domain.passback.student_status import NOT_IN_COURSE, StudentFacts, student_status

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class ExplainQuery:
    """Selects what is explained; None selects all assignments, or no student in particular."""

    course_id: str
    assignment_id: str | None = None
    student_sis_id: str | None = None


@dataclass(frozen=True, slots=True)
class StudentReading:
    """What is known of one student in one assignment. Without `facts`, no section of the course has the student."""

    section_sis_id: str | None = None
    facts: StudentFacts | None = None
    last_write: AuditEntry | None = None


@dataclass(frozen=True, slots=True)
class CourseReading:
    """The selected part of a course's state, with what is not part of the state.

    `powerschool` is the PowerSchool assignment by Canvas assignment id and section SIS id, absent where there is none;
    `students` is the selected student's reading by assignment id, empty if no student is selected.
    """

    state: CourseRecord
    powerschool: Mapping[tuple[str, str | None], Json]
    students: Mapping[str, StudentReading]


def selected_state(state: CourseRecord, query: ExplainQuery, dead_letters: Mapping[str | None, str]) -> CourseRecord:
    """Return the state of the selected assignments; what was retrying and has a dead letter by now is dead.

    `dead_letters` are the causes by assignment id, None for the whole course's.
    """
    return replace(
        state,
        assignments=tuple(
            _with_dead_letter(assignment, dead_letters.get(assignment.assignment_id, dead_letters.get(None)))
            for assignment in state.assignments
            if query.assignment_id in (None, assignment.assignment_id)
        ),
    )


def _with_dead_letter(assignment: AssignmentRecord, cause: str | None) -> AssignmentRecord:
    if cause is None:
        return assignment
    findings = (Finding(Reason.DEAD_LETTER, cause),)
    sections = tuple(
        replace(section, state=State.DEAD, findings=findings) if section.state is State.RETRYING else section
        for section in assignment.sections
    )
    return replace(assignment, sections=sections)


def assignments_json(reading: CourseReading, student_sis_id: str | None, changed: Collection[str]) -> list[Json]:
    """Return every assignment of the reading with its sections, and with the selected student's status.

    `changed` are the ids of the assignments of which a change waits for the next sync.
    """
    return [
        {**_assignment(assignment, reading, student_sis_id), "change_waits": assignment.assignment_id in changed}
        for assignment in reading.state.assignments
    ]


def _assignment(assignment: AssignmentRecord, reading: CourseReading, student_sis_id: str | None) -> Json:
    sections = [
        _section(section, reading.powerschool.get((assignment.assignment_id, section.section_sis_id)), student_sis_id)
        for section in assignment.sections
    ]
    rendered: Json = {"assignment_id": assignment.assignment_id, "name": assignment.name, "sections": sections}
    if student_sis_id is not None:
        rendered["student"] = _student(reading.students[assignment.assignment_id], student_sis_id)
    return rendered


def _section(section: SectionRecord, powerschool: Json | None, student_sis_id: str | None) -> Json:
    return {
        "section_sis_id": section.section_sis_id,
        "state": section.state,
        "reasons": [reason_json(finding) for finding in section.findings],
        "students": [
            {"user_id": s.user_id, "student_sis_id": s.student_sis_id, **reason_json(s.finding)}
            for s in section.students
            if student_sis_id in (None, s.student_sis_id)
        ],
        "scores_wanted": section.scores_wanted,
        "written_at": time_json(section.written_at),
        "powerschool": powerschool,
    }


def _student(reading: StudentReading, student_sis_id: str) -> Json:
    status = NOT_IN_COURSE if reading.facts is None else student_status(reading.facts)
    return {
        "student_sis_id": student_sis_id,
        "section_sis_id": reading.section_sis_id,
        "standing": status.status,
        "sentence": status.sentence,
        "last_write": None if reading.last_write is None else _write(reading.last_write),
    }


def _write(entry: AuditEntry) -> Json:
    score = entry.scores[0]
    return {
        "at": entry.at.isoformat(),
        "actor": entry.occasion.actor,
        "before": score_json(score.before),
        "after": score_json(score.after),
    }


def sections_json(record: CourseRecord) -> list[Json]:
    """Return the course's sections as Canvas has them."""
    return [{"section_id": s.section_id, "section_sis_id": s.sis_id, "name": s.name} for s in record.sections]


def last_change_json(change: LastChange | None) -> Json | None:
    """Return when the last change in Canvas was received, and when it was in PowerSchool."""
    if change is None:
        return None
    return {"changed_at": time_json(change.changed_at), "written_at": time_json(change.written_at)}


def pause_json(pause: Pause | None) -> Json | None:
    """Return a pause: its target, since when, by whom, and why."""
    if pause is None:
        return None
    return {"target": pause.target, "since": time_json(pause.since), "actor": pause.actor, "reason": pause.reason}


def open_job_json(dead_letter: DeadLetter) -> Json:
    """Return a dead letter of the course, with what its cause means."""
    cause = Cause(dead_letter.cause)
    return {
        "id": dead_letter.id,
        "assignment_id": dead_letter.assignment_id,
        "cause": dead_letter.cause,
        "message": cause.meaning,
        "remedy": cause.remedy,
        "attempts": dead_letter.attempts,
        "last_failed_at": time_json(dead_letter.last_failed_at),
        "retried_at": time_json(dead_letter.retried_at),
    }


def reason_json(finding: Finding) -> Json:
    """Return a finding in the contract's shape."""
    reason = finding.reason
    return {"code": reason, "message": finding.message, "remedy": reason.remedy, "who": reason.who}


def score_json(score: Score | None) -> Json | None:
    """Return a score; its points are text, to stay exact."""
    if score is None:
        return None
    points = None if score.points is None else str(score.points)
    return {"points": points, "missing": score.missing, "exempt": score.exempt}


def time_json(at: datetime | None) -> str | None:
    """Return a time in ISO 8601."""
    return None if at is None else at.isoformat()
