"""`PUT /ws/xte/score`: a batch of scores, all written or none."""

from collections import Counter
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.request import (
    ErrorRow,
    current_faults,
    does_not_teach,
    json_body,
    made_by_others,
    message,
    need_grants,
    powerschool,
    required,
    validation_failed,
)
from shared.sandbox.powerschool.rows import AssignmentSection, Score
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.xte.bodies import ScoreBatchBody, ScoreBody, parsed
from shared.sandbox.powerschool.xte.score_values import broken_rules, overwrite


async def write_scores(request: Request) -> Response:
    """Write a batch: 200, without score ids (measured); the empty object as body is inferred."""
    rows = parsed(ScoreBatchBody, await json_body(request)).assignment_scores
    need_grants(request, "assignmentscore", *(["assignmentscorecomment"] if any(row.comment for row in rows) else []))
    state, faults, users_dcid = powerschool(request), current_faults(request), required(request, "users_dcid")
    if faults.resubmit_once:
        faults.resubmit_once = False
        raise message(412, "Resubmit")
    targets = [_target(state, users_dcid, row) for row in rows]
    locked = state.locked_terms.union(faults.lock_term_ids)
    errors = [
        error
        for row, target in zip(rows, targets, strict=True)
        for error in _errors(state, row, target, locked, faults)
    ]
    if errors or (errors := _repeated(rows)):
        raise message(409, "Validation Failed") if faults.nameless_refusals else validation_failed(*errors)
    for row, target in zip(rows, targets, strict=True):
        _write(state, row, target, faults)
    for key in dict.fromkeys(row.section.assignmentsectionid for row in rows):
        students = tuple(row.studentsdcid for row in rows if row.section.assignmentsectionid == key)
        state.record_write("scores", state.assignment_sections[key], students)
    request.state.rows = len(rows)
    return JSONResponse({})


def _target(state: PowerSchool, users_dcid: int, row: ScoreBody) -> AssignmentSection:
    """Return the assignment section that a row addresses.

    Source: measured: a deleted one is answered with this very 500, a wrong or foreign id with 403.
    """
    key = row.section.assignmentsectionid
    if key in state.deleted_assignment_sections:
        raise message(500, f"Unable to find com.pearson.powerschool.xte.model.AssignmentSection with id {key}")
    target = state.assignment_sections.get(key)
    if target is None:
        raise does_not_teach(None)
    if not state.sections[target.section_dcid].may_edit(users_dcid):
        raise does_not_teach(target.section_dcid)
    if not state.plugin_may_change(state.assignments[target.assignment_id], "scores"):
        raise made_by_others(state.plugin.foreign_refusal)
    return target


def _errors(
    state: PowerSchool, row: ScoreBody, target: AssignmentSection, locked: set[int], faults: PowerSchoolFaults
) -> list[ErrorRow]:
    """Return why the row is refused, each reason with the ids that `errors[].params` names (measured keys)."""
    params = {"assignment_section_id": target.assignment_section_id, "student_dcid": row.studentsdcid}
    broken = [] if _empties(row, faults) else broken_rules(row, target)
    found = [(rule.code, rule.sentence) for rule in broken]
    if not _associated(state, row, target, faults):
        # Measured: `Student.id [n] does not have an AssignmentStudentAssociation`; how the sentence ends is not public.
        sentence = f"Student.id [{row.studentsdcid}] does not have an AssignmentStudentAssociation with the section"
        found.append(("Student ID", sentence))
    if faults.refuse_negative_scores and (row.scorepoints or 0) < 0:
        found.append(("Score Points", "Score points are below zero"))
    if target.locked:
        found.append(("Assignment is Locked", "The assignment is locked"))
    if state.sections[target.section_dcid].term_id in locked:
        found.append(("Locked Term", "The term is locked"))
    if _foreign_score_id(row, target):
        found.append(("Score ID", "The assignment score id is not this score's"))
    return [ErrorRow(code, sentence, "AssignmentScore", params) for code, sentence in found]


def _empties(row: ScoreBody, faults: PowerSchoolFaults) -> bool:
    """Say whether the row is one that a fault lets empty the score, or at least be taken for that."""
    return (faults.accept_blank_scores or faults.ignore_blank_scores) and row.is_blank


def _associated(state: PowerSchool, row: ScoreBody, target: AssignmentSection, faults: PowerSchoolFaults) -> bool:
    chosen = not target.student_dcids or row.studentsdcid in target.student_dcids
    departed = faults.refuse_departed
    return chosen and state.is_enrolled(target.section_dcid, row.studentsdcid, refuse_departed=departed)


def _foreign_score_id(row: ScoreBody, target: AssignmentSection) -> bool:
    """Say whether the row names another row's id; the id is optional, an upsert needs none (measured)."""
    existing = target.scores.get(row.studentsdcid)
    return row.assignmentscoreid is not None and (existing is None or existing.score_id != row.assignmentscoreid)


def _repeated(rows: Sequence[ScoreBody]) -> list[ErrorRow]:
    """Refuse a score listed twice: there is one row per assignment section and student (schema dump; inferred)."""
    times = Counter(row.address for row in rows)
    return [
        ErrorRow("Student ID", f"Student.id [{student}] is listed twice", "AssignmentScore")
        for (_, student), listed in times.items()
        if listed > 1
    ]


def _write(state: PowerSchool, row: ScoreBody, target: AssignmentSection, faults: PowerSchoolFaults) -> None:
    score = target.scores.get(row.studentsdcid)
    if score is None:
        score = target.scores[row.studentsdcid] = Score(next(state.score_ids), state.clock.now())
    score.entry_date = state.clock.now()
    if not (faults.ignore_blank_scores and row.is_blank):
        overwrite(score, row, target, keep_omitted_flags=faults.keep_omitted_flags)
        faults.change_stored_score(score, target)
    state.touch("assignmentscore", score.score_id)


ROUTES = [Route("/ws/xte/score", write_scores, methods=["PUT"])]
