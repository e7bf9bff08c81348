"""Reads and writes PowerTeacher Pro: the port `PowerSchoolGradebook`."""

import re
from collections.abc import Collection, Sequence
from datetime import timedelta

import structlog
from pydantic import TypeAdapter

from shared.adapters.http.decimal_json import Json
from shared.adapters.http.response import ApiResponse, UnreadableRow
from shared.adapters.powerschool.api import PowerSchoolApi
from shared.adapters.powerschool.cache import JsonCache
from shared.adapters.powerschool.gradebook import payloads
from shared.adapters.powerschool.gradebook.payloads import JsonObject
from shared.adapters.powerschool.gradebook.reader import AssignmentReader
from shared.adapters.powerschool.metadata import MetadataReader
from shared.adapters.powerschool.wire import CategoryWire, XteAssignment
from shared.domain.passback.planning.desired import DesiredAssignment
from shared.domain.passback.powerschool import ActualAssignment, RosteredSection, TeacherCategory
from shared.errors import RequestRejected, TransientError
from shared.log_events import LogEvent
from shared.ports.passback import CreatedAssignment, ScoreRow

log = structlog.get_logger()

# How old a teacher's cached categories may be. A missing category refreshes them sooner.
CATEGORY_MAX_AGE = timedelta(minutes=10)
# The name in `deploy/powerschool-plugin/plugin.xml`. PowerSchool does not document whether `createdbyplugin` holds the
# name or the id of a plugin.
PLUGIN_NAME = "passback"
_CATEGORIES = TypeAdapter(list[CategoryWire])
_ASSIGNMENT = TypeAdapter(XteAssignment)
_ONE_ASSIGNMENT = "/ws/xte/section/assignment/{assignment_id}"
_LAST_NUMBER = re.compile(r"/(\d{1,19})/?$", re.ASCII)
_FIRST_NUMBER = re.compile(r"(?<!\d)\d{1,19}(?!\d)", re.ASCII)


class Gradebook:
    """Every call acts for a teacher, who must be able to edit the section. Thread-safe."""

    def __init__(
        self,
        api: PowerSchoolApi,
        reader: AssignmentReader,
        metadata: MetadataReader,
        cache: JsonCache,
    ) -> None:
        self._api = api
        self._reader = reader
        self._metadata = metadata
        self._cache = cache

    def plugin_ids(self) -> frozenset[str]:
        """Return the values of `createdbyplugin` that mean "made through this plugin"."""
        marks = {str(self._metadata.read().plugin_id), PLUGIN_NAME}
        return frozenset(mark for mark in marks if mark)

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
            log.warning(LogEvent.CATEGORY_SKIPPED, category_id=_category_id(row), fields=row.fields)
        # The parsed values are cached: text such as NaN is another one after a round trip through JSON.
        self._cache.put("categories", of, _CATEGORIES.dump_python(found, mode="json"), CATEGORY_MAX_AGE)
        return tuple(category.to_domain() for category in found)

    def assignments(
        self, sections: Sequence[RosteredSection], scores_of: Collection[int]
    ) -> tuple[ActualAssignment, ...]:
        """Return every assignment of the sections; with scores for the assignment sections in `scores_of`."""
        return self._reader.read(sections, scores_of)

    def create(self, users_dcid: int, desired: DesiredAssignment) -> CreatedAssignment:
        """Create the assignment. Not safe to repeat: claim the link first.

        Source: PowerSchool xte API, `POST /ws/xte/section/assignment/`: 201 without a body, the id in `Location`.
        """
        params = [("users_dcid", str(users_dcid))]
        body = payloads.new_assignment(desired)
        answer = self._api.send("POST", "/ws/xte/section/assignment/", params=params, body=body)
        location = _LAST_NUMBER.search(answer.headers.get("Location", ""))
        if location is None:
            raise answer.unexpected("no Location")
        assignment_id = int(location[1])
        # Browsers get this header; whether plugins do is not known.
        in_header = _FIRST_NUMBER.search(answer.headers.get("AssignmentSectionIds", ""))
        section_id = int(in_header[0]) if in_header else self._read_back(users_dcid, assignment_id, desired)
        return CreatedAssignment(assignment_id, section_id)

    def _read_back(self, users_dcid: int, assignment_id: int, desired: DesiredAssignment) -> int:
        """Return the new assignment's section id. The assignment exists by now: never raises `RequestRejected`."""
        try:
            return self._section_id(users_dcid, assignment_id, desired)
        except RequestRejected as refused:
            message = f"POST /ws/xte/section/assignment/: created, not readable ({refused})"
            raise TransientError(message, cause="powerschool_unexpected") from refused

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
        if not rows:
            return
        try:
            self._put_scores(users_dcid, rows)
        except RequestRejected as refused:
            # PowerSchool asks so, once, when its own state moved under the request.
            if not _asks_to_resubmit(refused):
                raise
            self._resubmit(users_dcid, rows)

    def _resubmit(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        try:
            self._put_scores(users_dcid, rows)
        except RequestRejected as refused:
            if _asks_to_resubmit(refused):
                raise TransientError(str(refused), cause="powerschool_resubmit") from refused
            raise

    def _put_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        params = [("users_dcid", str(users_dcid)), ("status", "A")]
        self._api.send("PUT", "/ws/xte/score", params=params, body=payloads.scores(rows))

    def clear_scores(self, users_dcid: int, rows: Sequence[ScoreRow]) -> None:
        """Empty the scores, all or none. Raises `RequestRejected`: PowerSchool may well not know this way to clear.

        Source: `PUT /ws/xte/score`; `payloads.scores` says what is inferred.
        """
        if rows:
            params = [("users_dcid", str(users_dcid)), ("status", "A")]
            self._api.send("PUT", "/ws/xte/score", params=params, body=payloads.scores(rows))

    def _section_id(self, users_dcid: int, assignment_id: int, desired: DesiredAssignment) -> int:
        answer, current = self._current(users_dcid, assignment_id)
        for section in answer.parse(_ASSIGNMENT, current).sections:
            if section.sectionsdcid == desired.section_dcid:
                return section.assignmentsectionid
        raise answer.unexpected("no section of the new assignment")

    def _current(self, users_dcid: int, assignment_id: int) -> tuple[ApiResponse, JsonObject]:
        """Return the assignment as PowerSchool has it; some versions wrap it in a list."""
        params = [("users_dcid", str(users_dcid))]
        answer = self._api.send("GET", _ONE_ASSIGNMENT, {"assignment_id": assignment_id}, params=params)
        found: Json = answer.body[0] if isinstance(answer.body, list) and answer.body else answer.body
        answer.parse(_ASSIGNMENT, found)
        if not isinstance(found, dict):
            raise answer.unexpected("no assignment")
        return answer, found


def _category_id(odd: UnreadableRow) -> str | None:
    return odd.id("teachercategoryid") or odd.id()


def _asks_to_resubmit(refused: RequestRejected) -> bool:
    return refused.status == 412 and "resubmit" in refused.error_text.lower()
