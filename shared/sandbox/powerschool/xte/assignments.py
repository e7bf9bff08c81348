"""`/ws/xte/section/assignment`: list, read, create and update assignments for a teacher."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

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
from shared.sandbox.powerschool.rows import Assignment, AssignmentSection, CategoryAssociation, Section
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.xte.assignment_rules import Draft, refusals
from shared.sandbox.powerschool.xte.bodies import (
    SECTION_VALUES,
    AssignmentBody,
    AssignmentSectionBody,
    AssociationBody,
    assignment_json,
    parsed,
    with_noise,
)
from shared.sandbox.powerschool.xte.score_values import derive

PATH = "/ws/xte/section/assignment"
TABLES = ("assignment", "assignmentsection", "assignmentcategoryassoc")
SIX_PLACES = Decimal("0.000001")
SCORING = ("scoreentrypoints", "weight", "extracreditpoints", "scoretype")
# All else must be the same in every section of an assignment (documented).
PER_SECTION = {"sectionsdcid", "assignmentsectionid", "duedate", "students", "categories"}


@dataclass(frozen=True, slots=True)
class _Call:
    """A write on behalf of a teacher."""

    state: PowerSchool
    users_dcid: int
    locked_term_ids: frozenset[int]
    faults: PowerSchoolFaults

    def draft(self, body: AssignmentSectionBody, own_id: int | None = None) -> Draft:
        section = self.state.sections[body.sectionsdcid]
        return Draft(self.state, section, self.users_dcid, body, self.locked_term_ids, own_id)


def _call(request: Request) -> _Call:
    """Return the call's teacher. Source: documented parameter; its absence as 400 is inferred."""
    need_grants(request, *TABLES)
    state = powerschool(request)
    faults = current_faults(request)
    locked = state.locked_terms.union(faults.lock_term_ids)
    return _Call(state, required(request, "users_dcid"), frozenset(locked), faults)


def _need_teacher(users_dcid: int, sections: Iterable[Section]) -> None:
    """Refuse a user who does not teach every one of the sections (measured)."""
    for section in sections:
        if not section.may_edit(users_dcid):
            raise does_not_teach(section.dcid)


def _assignment(request: Request, call: _Call) -> Assignment:
    """Return the addressed assignment. Source: documented 404; an assignment section id finds nothing either."""
    assignment = call.state.assignments.get(request.path_params["assignment_id"])
    if assignment is None:
        raise message(404, "Assignment not found")
    _need_teacher(call.users_dcid, (call.state.sections[row.section_dcid] for row in assignment.sections))
    return assignment


async def list_assignments(request: Request) -> Response:
    """Answer a plain array of every assignment of the sections: no paging, `pagesize` ignored (measured)."""
    call = _call(request)
    dcids = _section_ids(request)
    sections = [call.state.sections.get(dcid) for dcid in dcids]
    if None in sections:
        raise message(404, "Section not found")
    _need_teacher(call.users_dcid, [section for section in sections if section])
    ids = {row.assignment_id for dcid in dcids for row in call.state.gradebooks[dcid].values()}
    return JSONResponse(with_noise([assignment_json(call.state.assignments[key]) for key in sorted(ids)]))


def _section_ids(request: Request) -> list[int]:
    parts = request.query_params.get("section_ids", "").split(",")
    if not all(part.strip().isdigit() for part in parts):
        raise message(400, "Required parameter section_ids is missing or not a list of numbers")
    return [int(part) for part in parts]


async def read_assignment(request: Request) -> Response:
    """Answer one assignment with its sections; 200, although documented as 201."""
    return JSONResponse(assignment_json(_assignment(request, _call(request))))


async def create_assignment(request: Request) -> Response:
    """Create: 201, empty body, `Location` ending in the assignmentid.

    Source: measured. The header `AssignmentSectionIds` was seen for the browser only and is switchable.
    """
    body = parsed(AssignmentBody, await json_body(request))
    call = _call(request)
    _check_sections(call, body)
    _raise_any([row for section in body.sections for row in refusals(call.draft(section))], body)
    assignment = Assignment(next(call.state.assignment_ids), str(call.state.plugin.id))
    assignment.sections = [_new_row(call, assignment, section) for section in body.sections]
    call.state.add(assignment)
    for row in assignment.sections:
        call.state.record_write("create", row)
    return Response(status_code=201, headers=_created_headers(request, assignment))


def _created_headers(request: Request, assignment: Assignment) -> dict[str, str]:
    headers = {"Location": f"{request.url.scheme}://{request.url.netloc}{PATH}/{assignment.assignment_id}"}
    if current_faults(request).assignment_section_ids_header:
        headers["AssignmentSectionIds"] = str([row.assignment_section_id for row in assignment.sections])
    return headers


def _check_sections(call: _Call, body: AssignmentBody) -> None:
    """Refuse unknown sections (409, inferred) and sections of other teachers (403, measured)."""
    if not body.sections:
        raise validation_failed(ErrorRow("Section", "At least one section is required", "Assignment"))
    unknown = [row.sectionsdcid for row in body.sections if row.sectionsdcid not in call.state.sections]
    if unknown:
        raise validation_failed(
            *(ErrorRow("Section", f"Section [{dcid}] does not exist", "Assignment") for dcid in unknown)
        )
    _need_teacher(call.users_dcid, [call.state.sections[row.sectionsdcid] for row in body.sections])


def _raise_any(rows: list[ErrorRow], body: AssignmentBody) -> None:
    first, *others = (section.model_dump(exclude=PER_SECTION) for section in body.sections)
    if any(other != first for other in others):
        sentence = "All values but the due date must be the same in all sections"
        rows = [*rows, ErrorRow("Section", sentence, "Assignment")]
    if len({section.sectionsdcid for section in body.sections}) < len(body.sections):
        rows = [*rows, ErrorRow("Section", "A section is listed twice", "Assignment")]
    if rows:
        raise validation_failed(*rows)


def _new_row(call: _Call, assignment: Assignment, body: AssignmentSectionBody) -> AssignmentSection:
    row = AssignmentSection(
        assignment_section_id=next(call.state.assignment_section_ids),
        assignment_id=assignment.assignment_id,
        section_dcid=body.sectionsdcid,
        name="",
        due_date=date.min,
        points=Decimal(0),
    )
    _overwrite(call, row, body)
    return row


def _overwrite(call: _Call, row: AssignmentSection, body: AssignmentSectionBody) -> None:
    """Give the row every value of the body, defaults where it says nothing: an update replaces fully (documented)."""
    assert body.duedate is not None
    assert body.scoreentrypoints is not None
    for key, field in SECTION_VALUES.items():
        setattr(row, field, getattr(body, key))
    row.due_date = date.fromisoformat(body.duedate)
    row.points, row.weight = body.scoreentrypoints.quantize(SIX_PLACES), body.weight.quantize(SIX_PLACES)
    row.student_dcids = [student.studentsdcid for student in body.students]
    row.categories = [_association(call.state, association) for association in body.categories or ()]
    call.faults.change_stored_assignment(row)


def _association(state: PowerSchool, body: AssociationBody) -> CategoryAssociation:
    sent_id = body.assignmentcategoryassocid
    association_id = next(state.association_ids) if sent_id is None else sent_id
    return CategoryAssociation(association_id, body.teachercategoryid, body.isprimary)


async def update_assignment(request: Request) -> Response:
    """Replace an assignment fully: 201 and an empty body (documented status).

    Incomplete bodies are answered 412, a scoring change without `update_scores` 409; both are inferred from a published
    title and from the documentation's demand.
    """
    body = parsed(AssignmentBody, await json_body(request))
    call = _call(request)
    assignment = _assignment(request, call)
    if not call.state.plugin_may_change(assignment, "assignment"):
        raise made_by_others(call.state.plugin.foreign_refusal)
    pairs = _matched(assignment, body)
    _raise_any([row for own, new in pairs for row in refusals(call.draft(new, own.assignment_section_id))], body)
    update_scores = _update_scores(request, pairs)
    for own, new in pairs:
        _overwrite(call, own, new)
        if update_scores:
            # Percents and letters are derived anew. That entered points stay is inferred.
            for score in own.scores.values():
                derive(score, own)
        call.state.touch("assignmentsection", own.assignment_section_id)
        call.state.record_write("update", own)
    return Response(status_code=201)


def _matched(assignment: Assignment, body: AssignmentBody) -> Sequence[tuple[AssignmentSection, AssignmentSectionBody]]:
    """Return the assignment's sections with their new values. Raises: Refusal with 412 if one lacks a record."""
    incomplete = message(412, "Assignment Update is Missing Record")
    new = {row.assignmentsectionid: row for row in body.sections}
    if set(new) != {row.assignment_section_id for row in assignment.sections}:
        raise incomplete
    pairs = [(row, new[row.assignment_section_id]) for row in assignment.sections]
    for own, body_row in pairs:
        known = {association.id for association in own.categories}
        sent = {association.assignmentcategoryassocid for association in body_row.categories or ()} - {None}
        if own.section_dcid != body_row.sectionsdcid or not body_row.categories or not sent <= known:
            raise incomplete
    return pairs


def _update_scores(request: Request, pairs: Sequence[tuple[AssignmentSection, AssignmentSectionBody]]) -> bool:
    """Return `update_scores`. Source: documented as required once scores exist and the scoring changes."""
    answer = request.query_params.get("update_scores")
    changed = any(
        own.scores and getattr(own, SECTION_VALUES[key]) != getattr(new, key) for own, new in pairs for key in SCORING
    )
    if changed and answer not in ("true", "false"):
        raise validation_failed(
            ErrorRow("update_scores", "Scores exist: update_scores must be true or false", "Assignment")
        )
    return answer == "true"


ROUTES = [
    *(Route(path, list_assignments, methods=["GET"]) for path in (PATH, f"{PATH}/")),
    *(Route(path, create_assignment, methods=["POST"]) for path in (PATH, f"{PATH}/")),
    Route(f"{PATH}/{{assignment_id:int}}", read_assignment, methods=["GET"]),
    Route(f"{PATH}/{{assignment_id:int}}", update_assignment, methods=["PUT"]),
]
