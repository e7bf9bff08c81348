"""Reads and writes PowerTeacher Pro: the port `PowerSchoolGradebook`."""

import re
from collections.abc import Collection, Sequence
from datetime import timedelta
from decimal import Decimal

import structlog
from pydantic import AliasChoices, Field, TypeAdapter

from shared.adapters.http.decimal_json import Json
from shared.adapters.http.response import ApiResponse
from shared.adapters.http.wire import AnyText, Date, FirstId, Wire
from shared.adapters.powerschool.client import PowerSchoolApi
from shared.adapters.powerschool.gradebook import payloads
from shared.adapters.powerschool.gradebook.payloads import JsonObject
from shared.adapters.powerschool.gradebook.reader import read_assignments
from shared.adapters.powerschool.powerqueries import PowerQueries
from shared.adapters.redis.cache import JsonCache
from shared.domain.causes import Cause
from shared.domain.passback.powerschool import ActualAssignment, DesiredAssignment, RosteredSection, TeacherCategory
from shared.errors import RequestRejected, TransientError
from shared.log_events import LogEvent
from shared.ports.passback import CreatedAssignment, ScoreRow

log = structlog.get_logger()

# How old a teacher's cached categories may be. A missing category refreshes them sooner.
CATEGORY_MAX_AGE = timedelta(minutes=10)
# The name in `deploy/powerschool-plugin/plugin.xml`. PowerSchool does not document whether `createdbyplugin` holds the
# name or the id of a plugin.
PLUGIN_NAME = "passback"


class ExcludedSection(Wire):
    """A section in which a category is not offered."""

    sectionsdcid: int


class CategoryWire(Wire):
    """One of `GET /ws/xte/teacher_category`; the documented and the measured names differ."""

    id: int = Field(validation_alias=AliasChoices("teachercategoryid", "id"))
    name: AnyText
    isactive: bool
    districtteachercategoryid: int | None = None
    defaultpublishoption: str | None = None
    isinfinalgrades: bool | None = None
    isdefaultpublishscores: bool | None = None
    excluded: list[ExcludedSection] = Field(
        default_factory=list,
        validation_alias=AliasChoices(
            "_teachercategorysectionexcludeassociations", "_teachercategorysectionexcludeassocs"
        ),
    )

    def to_domain(self) -> TeacherCategory:
        """Return the category."""
        return TeacherCategory(
            id=self.id,
            name=self.name,
            active=self.isactive,
            district_category_id=self.districtteachercategoryid,
            excluded_section_dcids=frozenset(section.sectionsdcid for section in self.excluded),
            default_publish_option=self.defaultpublishoption or None,
            counted=self.isinfinalgrades,
            scores_published=self.isdefaultpublishscores,
        )


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


class SpanSection(Wire):
    """One of an assignment's `_assignmentsections`: which section it is in."""

    sectionsdcid: int


class AssignmentSpan(Wire):
    """One of `GET /ws/xte/section/assignment/`: in which sections the assignment is."""

    assignmentid: FirstId
    sections: list[SpanSection] = Field(validation_alias="_assignmentsections")


_SPANS = TypeAdapter(list[AssignmentSpan])
_CATEGORIES = TypeAdapter(list[CategoryWire])
_ASSIGNMENT = TypeAdapter(XteAssignment)
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
        """Return the teacher's categories, inactive ones included. One that cannot be read is left out and logged.

        Source: PowerSchool xte API, `GET /ws/xte/teacher_category`.
        """
        of = f"{users_dcid}-{year_id}"
        cached = None if refresh else self._cache.get("categories", of)
        if cached is not None:
            return tuple(category.to_domain() for category in _CATEGORIES.validate_python(cached, by_name=True))
        params = [("users_dcid", str(users_dcid)), ("year_id", str(year_id))]
        found, unreadable = self._api.send("GET", "/ws/xte/teacher_category", params=params).rows(_CATEGORIES)
        for row in unreadable:
            category_id = row.id("teachercategoryid") or row.id()
            log.warning(LogEvent.CATEGORY_SKIPPED, category_id=category_id, fields=row.fields)
        # The parsed values are cached: text such as NaN is another one after a round trip through JSON.
        self._cache.put("categories", of, _CATEGORIES.dump_python(found, mode="json"), CATEGORY_MAX_AGE)
        return tuple(category.to_domain() for category in found)

    def assignments(
        self, sections: Sequence[RosteredSection], scores_of: Collection[int]
    ) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections; with scores for the assignment sections in `scores_of`."""
        return read_assignments(self._queries, sections, scores_of)

    def sections_of_assignments(self, users_dcid: int, section_dcids: Sequence[int]) -> dict[int, frozenset[int]]:
        """Return every section (SECTIONS.DCID) of each assignment of these sections; unreadable ones are left out.

        Source: PowerSchool xte API, `GET /ws/xte/section/assignment/`: a plain array. That an assignment is listed with
        all of its sections is inferred from the update, which must include them.
        """
        params = [("users_dcid", str(users_dcid)), ("section_ids", ",".join(map(str, section_dcids)))]
        spans, _ = self._api.send("GET", "/ws/xte/section/assignment/", params=params).rows(_SPANS)
        return {span.assignmentid: frozenset(section.sectionsdcid for section in span.sections) for span in spans}

    def create(self, users_dcid: int, desired: DesiredAssignment) -> CreatedAssignment:
        """Create the assignment. Not safe to repeat: claim the link first.

        Source: PowerSchool xte API, `POST /ws/xte/section/assignment/`: 201 without a body, the id in `Location`.
        """
        params = [("users_dcid", str(users_dcid))]
        body = payloads.new_assignment(desired)
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
            return self._section_id(users_dcid, assignment_id, desired)
        except RequestRejected as error:
            message = f"POST /ws/xte/section/assignment/: created, not readable ({error})"
            raise TransientError(message, cause=Cause.POWERSCHOOL_UNEXPECTED) from error

    def update(self, users_dcid: int, actual: ActualAssignment, desired: DesiredAssignment) -> None:
        """Make the assignment's own fields equal `desired`, keeping what passback does not own.

        Source: PowerSchool xte API, `PUT /ws/xte/section/assignment/{id}`: all values submitted overwrite; where
        points change, whether to rescale the scores has to be said.
        """
        _, current = self._current(users_dcid, actual.assignment_id)
        params = [("users_dcid", str(users_dcid))]
        if actual.points != desired.points:
            params.append(("update_scores", "false"))
        body = payloads.changed_assignment(current, actual.assignment_section_id, desired)
        self._api.send("PUT", _ONE_ASSIGNMENT, {"assignment_id": actual.assignment_id}, params=params, body=body)

    def write_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Write the rows, all or none. Safe to repeat. Raises `RequestRejected` whose `rows` name the bad ones.

        Source: PowerSchool xte API, `PUT /ws/xte/score`.
        """
        body = payloads.scores(rows) if rows else None
        try:
            self._put_scores(users_dcid, body)
        except RequestRejected as error:
            # PowerSchool asks for this, once, when its own state moved under the request.
            if not _asks_to_resubmit(error):
                raise
            try:
                self._put_scores(users_dcid, body)
            except RequestRejected as again:
                if _asks_to_resubmit(again):
                    raise TransientError(str(again), cause=Cause.POWERSCHOOL_RESUBMIT) from again
                raise

    def _put_scores(self, users_dcid: int, body: Json) -> None:
        if body is not None:
            params = [("users_dcid", str(users_dcid)), ("status", "A")]
            self._api.send("PUT", "/ws/xte/score", params=params, body=body)

    def clear_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Empty the scores, all or none. Raises `RequestRejected`: it is not documented how to clear.

        Source: `PUT /ws/xte/score`; `payloads.scores` says what is inferred.
        """
        self._put_scores(users_dcid, payloads.scores(rows) if rows else None)

    def _section_id(self, users_dcid: int, assignment_id: int, desired: DesiredAssignment) -> int:
        response, current = self._current(users_dcid, assignment_id)
        for section in response.parse(_ASSIGNMENT, current).sections:
            if section.sectionsdcid == desired.section_dcid:
                return section.assignmentsectionid
        raise response.unexpected("no section of the new assignment")

    def _current(self, users_dcid: int, assignment_id: int) -> tuple[ApiResponse, JsonObject]:
        """Return the assignment as PowerSchool has it; some versions wrap it in a list."""
        params = [("users_dcid", str(users_dcid))]
        response = self._api.send("GET", _ONE_ASSIGNMENT, {"assignment_id": assignment_id}, params=params)
        found: Json = response.body[0] if isinstance(response.body, list) and response.body else response.body
        response.parse(_ASSIGNMENT, found)
        if not isinstance(found, dict):
            raise response.unexpected("no assignment")
        return response, found


def _asks_to_resubmit(error: RequestRejected) -> bool:
    return error.status == 412 and "resubmit" in error.error_text.lower()
