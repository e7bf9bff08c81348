"""Renders audit entries for `history --json` and the API."""

from shared.domain.passback.audit import AuditEntry, triggers_text
from shared.domain.passback.powerschool import WrittenField
from workers.grade_passback.explain.response import Json, score_json


def entry_json(entry: AuditEntry) -> Json:
    """Return the entry; points are text, to stay exact."""
    return {
        "at": entry.at.isoformat(),
        "course_id": entry.course_id,
        "assignment_id": entry.assignment_id,
        "section_dcid": entry.section_dcid,
        "powerschool_assignment_id": entry.powerschool_assignment_id,
        "powerschool_assignment_section_id": entry.powerschool_assignment_section_id,
        "kind": entry.kind,
        "answer_lost": entry.answer_lost,
        "arrival": entry.arrival,
        "causes": list(entry.occasion.causes),
        "trigger": triggers_text(entry),
        "actor": entry.occasion.actor,
        "token": entry.occasion.token,
        "points_possible": None if entry.points_possible is None else str(entry.points_possible),
        "fields": [
            {"field": f.field, "name": WrittenField(f.field).label, "before": f.before, "after": f.after}
            for f in entry.fields
        ],
        "students": [
            {
                "student_dcid": s.student_dcid,
                "student_sis_id": s.student_sis_id,
                "before": score_json(s.before),
                "after": score_json(s.after),
                "graded_by": s.graded_by,
            }
            for s in entry.scores
        ],
    }
