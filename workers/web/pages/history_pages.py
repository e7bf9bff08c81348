"""The history of a course for people: what was written to PowerSchool, why, for whom, and what it replaced."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, time
from itertools import islice
from urllib.parse import urlencode

from starlette.responses import Response

from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import CourseRecord
from shared.domain.passback.history import ARRIVAL_TEXTS, TRIGGER_LABELS, HistoryField, HistoryQuery, matching
from workers.grade_passback.operations.history_csv import csv_text
from workers.web.api.dependencies import CANVAS_ID
from workers.web.errors import ApiError
from workers.web.pages.page_handlers import PageHandlers, PageRequest
from workers.web.views.people import LivePeople, members_of

PAGE_SIZE = 50
MAX_FILTER_CHARS = 255
FILTERS = ("assignment", "student", "field", "actor", "trigger", "since", "until")


def show_history(pages: PageHandlers, request: PageRequest) -> Response:
    """`…/history`: the writes that match the filters, a page at a time, with the names of people read live."""
    course_id, start = request.course_id(), request.offset()
    record, given = pages.service.records.course(course_id), _given(request)
    entries = list(islice(_entries(pages, course_id, given), start, start + PAGE_SIZE + 1))
    people = members_of(pages.service, request.user, course_id) if _has_students(entries) else LivePeople()
    path = f"/courses/{course_id}/history"
    return pages.page(
        "history.html", request, course_id=course_id, entries=entries[:PAGE_SIZE], people=people, given=given,
        assignments=_assignments(record), sections=_sections(record), triggers=TRIGGER_LABELS,
        fields=[(field.value, field.label) for field in HistoryField],
        by_sis_id={person.sis_user_id: person.name for person in people.people if person.sis_user_id},
        arrival_texts=ARRIVAL_TEXTS, link=f"{path}?{urlencode(given)}" if given else path,
        csv_link=f"{path}.csv?{urlencode(given)}", start=start,
        next_start=start + PAGE_SIZE if len(entries) > PAGE_SIZE else None,
    )  # fmt: skip


def download(pages: PageHandlers, request: PageRequest) -> Response:
    """`…/history.csv`: every write that matches the filters."""
    course_id = request.course_id()
    entries = _entries(pages, course_id, _given(request))
    record, with_scores = pages.service.records.course(course_id), request.user.can_see_scores
    return csv_response(course_id, csv_text(entries, record, with_scores=with_scores))


def csv_response(course_id: str, content: str) -> Response:
    """Return the history as a file that a browser saves."""
    headers = {"Content-Disposition": f'attachment; filename="passback-{course_id}.csv"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def _given(request: PageRequest) -> dict[str, str]:
    values = {name: request.query(name).strip()[:MAX_FILTER_CHARS] for name in FILTERS}
    return {name: value for name, value in values.items() if value}


def _entries(pages: PageHandlers, course_id: str, given: dict[str, str]) -> Iterator[AuditEntry]:
    query = _query(pages, given)
    return matching(pages.service.audit.of_course(course_id, query.since), query)


def _query(pages: PageHandlers, given: dict[str, str]) -> HistoryQuery:
    """Return the filters. Raises `ApiError` for one that is none."""
    assignment_id = given.get("assignment")
    if assignment_id is not None and not re.fullmatch(CANVAS_ID, assignment_id):
        raise ApiError(422, "not_valid", "An assignment is named by its Canvas id, a number.")
    try:
        return HistoryQuery(
            assignment_id,
            given.get("student"),
            HistoryField(given["field"]) if "field" in given else None,
            given.get("actor"),
            ChangeCause(given["trigger"]) if "trigger" in given else None,
            _day(pages, given.get("since"), time.min),
            _day(pages, given.get("until"), time.max),
        )
    except ValueError:
        raise ApiError(422, "not_valid", "One of the filters is none: choose from the lists, and give days.") from None


def _day(pages: PageHandlers, given: str | None, at: time) -> datetime | None:
    """Return the beginning or the end of a day in the district's time zone."""
    if given is None:
        return None
    day = datetime.fromisoformat(given).date()
    return datetime.combine(day, at, pages.service.settings.district_time_zone or UTC)


def _has_students(entries: list[AuditEntry]) -> bool:
    return any(entry.scores for entry in entries)


def _assignments(record: CourseRecord | None) -> dict[str, str]:
    return {assignment.assignment_id: assignment.name for assignment in record.assignments} if record else {}


def _sections(record: CourseRecord | None) -> dict[int, str]:
    return {roster.section_dcid: roster.section_sis_id for roster in record.rosters} if record else {}


GET = {"/courses/{course_id}/history": show_history, "/courses/{course_id}/history.csv": download}
