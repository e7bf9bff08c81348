"""Writes PowerTeacher Pro's gradebook, and reads it: the port `PowerSchoolGradebook`. Bodies are values.

Source: PowerSchool xte API; measured against a test server.
"""

import re
from collections.abc import Collection, Sequence
from decimal import Decimal

from pydantic import Field, TypeAdapter

from shared.adapters.http.response import ApiResponse
from shared.adapters.http.wire import Date, FirstId, Json, Wire, plain
from shared.adapters.powerschool.client import PowerSchoolApi
from shared.adapters.powerschool.gradebook.reader import read_assignments, read_categories, read_sections_of_assignments
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.redis.cache import JsonCache
from shared.domain.causes import Cause
from shared.domain.passback.planning.diff import truncate_html
from shared.domain.passback.powerschool import (
    ActualAssignment,
    DesiredAssignment,
    Mark,
    RosteredSection,
    Score,
    TeacherCategory,
)
from shared.errors import RequestRejected, TransientError
from shared.ports.passback import CreatedAssignment, ScoreRow

# The name in `deploy/powerschool-plugin/plugin.xml`. PowerSchool does not document whether `createdbyplugin` holds the
# name or the id of a plugin.
PLUGIN_NAME = "passback"


class AssignmentSectionWire(Wire):
    """One of an assignment's `_assignmentsections`. All but the ids shows that the response is an assignment."""

    assignmentsectionid: FirstId
    sectionsdcid: int
    name: str
    duedate: Date
    scoreentrypoints: Decimal


class XteAssignment(Wire):
    """`GET /ws/xte/section/assignment/{id}`."""

    assignmentid: FirstId
    sections: list[AssignmentSectionWire] = Field(validation_alias="_assignmentsections")


_ASSIGNMENT = TypeAdapter(XteAssignment)
JsonObject = dict[str, Json]
_ONE_ASSIGNMENT = "/ws/xte/section/assignment/{assignment_id}"
_LAST_NUMBER = re.compile(r"/(\d{1,19})/?$", re.ASCII)
_FIRST_NUMBER = re.compile(r"(?<!\d)\d{1,19}(?!\d)", re.ASCII)


class Gradebook:
    """Acts for a teacher, who must be able to edit the section. Thread-safe."""

    def __init__(self, api: PowerSchoolApi, queries: PowerQueries, cache: JsonCache) -> None:
        self._api = api
        self._queries = queries
        self._cache = cache

    def plugin_ids(self) -> frozenset[str]:
        """Return the values of `createdbyplugin` that mean "made through this plugin"."""
        return frozenset((str(self._api.metadata().plugin_id), PLUGIN_NAME))

    def categories(self, users_dcid: int, year_id: int, *, refresh: bool = False) -> tuple[TeacherCategory, ...]:
        """Return the teacher's categories, inactive ones included. One that cannot be read is left out and logged."""
        return read_categories(self._api, self._cache, users_dcid, year_id, refresh=refresh)

    def assignments(
        self, sections: Sequence[RosteredSection], scores_of: Collection[int]
    ) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections; with scores for the assignment sections in `scores_of`."""
        return read_assignments(self._queries, sections, scores_of)

    def sections_of_assignments(self, users_dcid: int, section_dcids: Sequence[int]) -> dict[int, frozenset[int]]:
        """Return every section (SECTIONS.DCID) of each assignment of these sections; unreadable ones are left out."""
        return read_sections_of_assignments(self._api, users_dcid, section_dcids)

    def create(self, users_dcid: int, desired: DesiredAssignment) -> CreatedAssignment:
        """Create the assignment. Not safe to repeat: claim the link first.

        Source: PowerSchool xte API, `POST /ws/xte/section/assignment/`: 201 without a body, the id in `Location`.
        """
        params = [("users_dcid", str(users_dcid))]
        body = new_assignment(desired)
        response = self._api.send("POST", "/ws/xte/section/assignment/", params=params, body=body)
        location = _LAST_NUMBER.search(response.headers.get("Location", ""))
        if location is None:
            raise response.unexpected("no Location")
        assignment_id = int(location[1])
        # Browsers get this header; whether plugins do is not known.
        in_header = _FIRST_NUMBER.search(response.headers.get("AssignmentSectionIds", ""))
        section_id = int(in_header[0]) if in_header else self._read_back(users_dcid, assignment_id, desired)
        return CreatedAssignment(assignment_id, section_id)

    def _read_back(self, users_dcid: int, assignment_id: int, desired: DesiredAssignment) -> int:
        """Return the new assignment's section id. The assignment exists by now: never raises `RequestRejected`."""
        try:
            response, current = self._current(users_dcid, assignment_id)
        except RequestRejected as error:
            message = f"POST /ws/xte/section/assignment/: created, not readable ({error})"
            raise TransientError(message, cause=Cause.POWERSCHOOL_UNEXPECTED) from error
        for section in response.parse(_ASSIGNMENT, current).sections:
            if section.sectionsdcid == desired.section_dcid:
                return section.assignmentsectionid
        raise response.unexpected("no section of the new assignment")

    def update(self, users_dcid: int, actual: ActualAssignment, desired: DesiredAssignment) -> None:
        """Make the assignment's own fields equal `desired`, keeping what passback does not own.

        Source: PowerSchool xte API, `PUT /ws/xte/section/assignment/{id}`: all values submitted overwrite; where
        points change, whether to rescale the scores has to be said.
        """
        _, current = self._current(users_dcid, actual.assignment_id)
        params = [("users_dcid", str(users_dcid))]
        if actual.points != desired.points:
            params.append(("update_scores", "false"))
        body = changed_assignment(current, actual.assignment_section_id, desired)
        self._api.send("PUT", _ONE_ASSIGNMENT, {"assignment_id": actual.assignment_id}, params=params, body=body)

    def write_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Write the rows, all or none. Safe to repeat. Raises `RequestRejected` whose `rows` name the bad ones.

        Source: PowerSchool xte API, `PUT /ws/xte/score`.
        """
        for is_last in (False, True):
            try:
                self._put_scores(users_dcid, rows)
            except RequestRejected as error:
                # PowerSchool asks for this, once, when its own state moved under the request.
                if error.status != 412 or "resubmit" not in error.error_text.lower():
                    raise
                if is_last:
                    raise TransientError(str(error), cause=Cause.POWERSCHOOL_RESUBMIT) from error
            else:
                return

    def clear_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Empty the scores, all or none. Raises `RequestRejected`: it is not documented how to clear.

        Source: `PUT /ws/xte/score`; `score_batch` says what is inferred.
        """
        self._put_scores(users_dcid, rows)

    def _put_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        if rows:
            params = [("users_dcid", str(users_dcid)), ("status", "A")]
            self._api.send("PUT", "/ws/xte/score", params=params, body=score_batch(rows))

    def _current(self, users_dcid: int, assignment_id: int) -> tuple[ApiResponse, JsonObject]:
        """Return the assignment as PowerSchool has it; some versions wrap it in a list."""
        params = [("users_dcid", str(users_dcid))]
        response = self._api.send("GET", _ONE_ASSIGNMENT, {"assignment_id": assignment_id}, params=params)
        found: Json = response.body[0] if isinstance(response.body, list) and response.body else response.body
        response.parse(_ASSIGNMENT, found)
        if not isinstance(found, dict):
            raise response.unexpected("no assignment")
        return response, found


# PowerSchool tags what it sends with these; they are no columns.
_TAGS = ("_name", "_id")


def new_assignment(desired: DesiredAssignment) -> JsonObject:
    """Return the body that creates the assignment in its one section; nothing in it that PowerSchool can default."""
    section: JsonObject = {
        "sectionsdcid": desired.section_dcid,
        "name": desired.name,
        "duedate": desired.due_date.isoformat(),
        "scoretype": "POINTS",
        "scoreentrypoints": desired.points,
        "totalpointvalue": desired.points,
        "weight": 1,
        "iscountedinfinalgrade": desired.counted is not False,
        "isscoringneeded": True,
        "_assignmentcategoryassociations": [{"teachercategoryid": desired.category_id, "isprimary": True}],
    }
    if desired.description:
        section["description"] = truncate_html(desired.description)
    if desired.publish_option is not None:
        section["publishoption"] = desired.publish_option
    if desired.scores_published is not None:
        section["isscorespublish"] = desired.scores_published
    return {"_assignmentsections": [section]}


def changed_assignment(current: JsonObject, assignment_section_id: int, desired: DesiredAssignment) -> JsonObject:
    """Return the assignment as PowerSchool sent it, with passback's own fields made equal to `desired`.

    An update replaces the whole assignment, so every section and id is sent back. Where an assignment spans
    sections, all but the due date must be equal in them.
    """
    changed = _untagged(current)
    sections = _objects(changed.get("_assignmentsections"))
    changed["_assignmentsections"] = [_changed_section(one, assignment_section_id, desired) for one in sections]
    return changed


def score_batch(rows: Sequence[ScoreRow]) -> JsonObject:
    """Return the body of a score batch, which may empty scores.

    All six flags are sent: passback's own, so that a withdrawn one is withdrawn, and the teacher's as they were read.
    Whether PowerSchool keeps a flag that is left out is not publicly known. A comment is a record of its own
    (ASSIGNMENTSCORECOMMENT) and is left out.

    Inferred: how to empty a score is not publicly known. PowerTeacher Pro's own page sends empty values like this, so
    that the row is written as a score would be, with nothing in it.
    """
    return {
        "assignment_scores": [
            {
                "_assignmentsection": {"assignmentsectionid": row.assignment_section_id},
                "studentsdcid": row.student_dcid,
                **_score(row.score),
                **_marks(row.marks),
            }
            for row in rows
        ]
    }


def _score(score: Score | None) -> dict[str, Json]:
    if score is None or score.points is None:
        return {"actualscoreentered": "", "scorepoints": None, "ismissing": False, "isexempt": False}
    return {
        "actualscoreentered": plain(score.points),
        "actualscorekind": "REAL_SCORE",
        "scoretype": "POINTS",
        "scorepoints": score.points,
        "ismissing": score.missing,
        "isexempt": score.exempt,
    }


def _marks(marks: frozenset[Mark] | None) -> dict[str, Json]:
    return {} if marks is None else {f"is{mark.value}": mark in marks for mark in Mark}


def _changed_section(section: JsonObject, assignment_section_id: int, desired: DesiredAssignment) -> JsonObject:
    addressed = section.get("assignmentsectionid") in (assignment_section_id, [assignment_section_id])
    changed: JsonObject = {
        **section,
        "name": desired.name,
        "duedate": desired.due_date.isoformat() if addressed else section.get("duedate"),
        "scoreentrypoints": desired.points,
        "totalpointvalue": desired.points * _weight(section),
        "_assignmentcategoryassociations": _recategorized(section, desired.category_id),
    }
    if desired.description is not None:
        changed["description"] = truncate_html(desired.description)
    if desired.counted is not None:
        changed["iscountedinfinalgrade"] = desired.counted
    if desired.scores_published is not None:
        changed["isscorespublish"] = desired.scores_published
    return changed


def _weight(section: JsonObject) -> Decimal:
    weight = section.get("weight")
    return Decimal(weight) if isinstance(weight, int | Decimal) else Decimal(1)


def _recategorized(section: JsonObject, category_id: int) -> list[Json]:
    """Return the section's categories with the primary one replaced, its association's id kept."""
    associations = _objects(section.get("_assignmentcategoryassociations"))
    primary = [association for association in associations if association.get("isprimary", True)]
    for association in primary:
        association.pop("_teachercategory", None)
        association["teachercategoryid"] = category_id
    if not primary:
        associations.append({"teachercategoryid": category_id, "isprimary": True})
    return [*associations]


def _objects(value: Json) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _untagged(value: JsonObject) -> JsonObject:
    return {key: _without_tags(item) for key, item in value.items() if key not in _TAGS and not key.startswith("$")}


def _without_tags(value: Json) -> Json:
    match value:
        case dict():
            return _untagged(value)
        case list():
            return [_without_tags(item) for item in value]
        case _:
            return value
