"""What `explain`, the API and the pages answer: the question, the memory it is answered from, and the shape in JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.redis.course_data.audit import Audit
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.operations.pauses import Pauses
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.domain.passback.audit import AuditEntry, ScoreValue, last_scores, scores_of_student
from shared.domain.passback.course_state import CourseRecord
from shared.domain.passback.rules.reason_texts import explain as explain_finding
from shared.domain.passback.rules.reasons import Finding
from shared.domain.passback.student_status import StudentExplanation
from shared.domain.pauses import Pause

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class ExplainQuery:
    """What somebody wants to know; None asks about all."""

    course_id: str
    assignment_id: str | None = None
    student_sis_id: str | None = None


@dataclass(frozen=True, slots=True)
class ExplainError:
    """Why an answer could not be looked up and comes from memory."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class StoredCourseData:
    """Where passback looks things up about a course without asking Canvas or PowerSchool."""

    records: CourseStates
    dead_letters: DeadLetters
    audit: Audit
    changes: SyncQueue
    pauses: Pauses

    def dead(self, course_id: str) -> dict[str | None, str]:
        """Return the causes of the course's dead letters by assignment, None for the whole course's."""
        return {letter.assignment_id: letter.cause for letter in self.dead_letters.of_course(course_id)}

    def last_writes(self, question: ExplainQuery) -> dict[tuple[str, int], AuditEntry]:
        """Return the last write for the student asked about, by assignment and SECTIONS.DCID."""
        if question.student_sis_id is None:
            return {}
        return last_scores(self.audit.of_course(question.course_id), question.student_sis_id)


@dataclass(frozen=True, slots=True)
class PlacedExplanation:
    """A student's answer about one assignment, with the section it is about and the last write of the student's."""

    answer: StudentExplanation
    section_sis_id: str | None = None
    last_write: AuditEntry | None = None

    def as_json(self, student_sis_id: str) -> Json:
        """Return the answer as `explain --student` has it."""
        return {
            "student_sis_id": student_sis_id,
            "section_sis_id": self.section_sis_id,
            "standing": self.answer.standing,
            "sentence": self.answer.sentence,
            "last_write": None if self.last_write is None else _write(self.last_write, student_sis_id),
        }


def explanation_json(
    question: ExplainQuery,
    memory: StoredCourseData,
    remembered: CourseRecord | None,
    assignments: Sequence[Json],
    *,
    as_of: datetime | None,
    trouble: ExplainError | None = None,
    live: bool,
) -> Json:
    """Return the answer. `as_of` is when both sides were looked at: now, or at the last sync; None for never."""
    return {
        "course_id": question.course_id,
        "live": live,
        "as_of": _time(as_of),
        "trouble": None if trouble is None else {"code": trouble.code, "message": trouble.message},
        "last_event_at": _time(memory.changes.last_event_of(question.course_id)),
        "synced_at": _time(remembered.synced_at if remembered else None),
        "paused": pause_json(memory.pauses.of_course(question.course_id)),
        "assignments": list(assignments),
    }


def pause_json(pause: Pause | None) -> Json | None:
    """Return what holds something back: the target, since when, by whom, and why."""
    if pause is None:
        return None
    return {"target": pause.target, "since": _time(pause.since), "actor": pause.actor, "reason": pause.reason}


def reason(finding: Finding) -> Json:
    """Return a finding in the contract's shape."""
    explained = explain_finding(finding)
    return {
        "code": explained.code,
        "message": explained.message,
        "remedy": explained.remedy,
        "who": explained.who,
    }


def score_json(score: ScoreValue | None) -> Json | None:
    """Return a score; its points are text, to stay exact."""
    if score is None:
        return None
    points = None if score.points is None else str(score.points)
    return {"points": points, "missing": score.missing, "exempt": score.exempt}


def _write(entry: AuditEntry, student_sis_id: str) -> Json:
    (own, *_) = scores_of_student(entry, student_sis_id)
    return {
        "at": entry.at.isoformat(),
        "actor": entry.occasion.actor,
        "before": score_json(own.before),
        "after": score_json(own.after),
    }


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
