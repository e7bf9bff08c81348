"""The history of a course for people: what was written to PowerSchool, why, for whom, and what it replaced."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from itertools import islice
from urllib.parse import urlencode

from starlette.responses import Response

from shared.domain.passback.audit import (
    ARRIVAL_TEXTS,
    TRIGGER_LABELS,
    AuditEntry,
    HistoryQuery,
    actor_text,
    matching,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import CourseRecord, assignment_names
from shared.domain.passback.powerschool import WrittenField
from workers.container import Container
from workers.grade_passback.operations.history import csv_text
from workers.web.api.dependencies import CANVAS_ID, csv_file
from workers.web.errors import ApiError
from workers.web.pages.page_context import status_page_context
from workers.web.pages.page_handlers import PageRequest, Values
from workers.web.views.people import LivePeople, members_of

PAGE_SIZE = 50
MAX_FILTER_CHARS = 255
FILTERS = ("assignment", "student", "field", "actor", "trigger", "since", "until")


def show_history(request: PageRequest) -> Values:
    """The writes that match the filters, a page at a time, with the names of people read live."""
    course_id, start, service, user = request.course_id(), request.offset(), request.service, request.user
    record, given = service.records.course(course_id), given_filters(request.field)
    entries = list(islice(history_entries(service, course_id, given), start, start + PAGE_SIZE + 1))
    people = members_of(service, user, course_id) if any(entry.scores for entry in entries) else LivePeople()
    path, filters = f"/courses/{course_id}/history", urlencode(given)
    return {
        "course_id": course_id, "page_context": status_page_context(course_id), "can_see_scores": user.can_see_scores,
        "sections": {roster.section_dcid: roster.section_sis_id for roster in record.rosters} if record else {},
        "asked_for_by": actor_text, "start": start, "link": f"{path}?{filters}" if given else path,
        "csv_link": f"{path}.csv?{filters}", **history_values(entries, people, given, record, start),
    }  # fmt: skip


def history_values(
    entries: Sequence[AuditEntry], people: LivePeople, given: Mapping[str, str], record: CourseRecord | None, start: int
) -> dict[str, object]:
    """Return what a page of the history shows, here and inside Canvas; `entries` has one more where a page follows."""
    return {
        "entries": entries[:PAGE_SIZE],
        "next_start": start + PAGE_SIZE if len(entries) > PAGE_SIZE else None,
        "people": people,
        "by_sis_id": {person.sis_user_id: person.name for person in people.people if person.sis_user_id},
        "given": given,
        "assignments": assignment_names(record),
        "triggers": TRIGGER_LABELS,
        "fields": [(field.value, field.label) for field in WrittenField],
        "arrival_texts": ARRIVAL_TEXTS,
    }


def download(request: PageRequest) -> Response:
    """Every write that matches the filters, as a file."""
    course_id, service = request.course_id(), request.service
    entries = history_entries(service, course_id, given_filters(request.field))
    content = csv_text(entries, service.records.course(course_id), with_scores=request.user.can_see_scores)
    return csv_file(content, f"passback-{course_id}.csv")


def given_filters(read: Callable[[str], str], names: Sequence[str] = FILTERS) -> dict[str, str]:
    """Return the filters of a query or form, by name."""
    values = {name: read(name).strip()[:MAX_FILTER_CHARS] for name in names}
    return {name: value for name, value in values.items() if value}


def history_entries(service: Container, course_id: str, given: Mapping[str, str]) -> Iterator[AuditEntry]:
    """Yield the writes that match the filters, the newest first. Raises `ApiError` for a filter that is none."""
    query = _query(service, given)
    return matching(service.audit.of_course(course_id, query.since), query)


def _query(service: Container, given: Mapping[str, str]) -> HistoryQuery:
    assignment_id = given.get("assignment")
    if assignment_id is not None and not re.fullmatch(CANVAS_ID, assignment_id):
        raise ApiError(422, "not_valid", "An assignment is named by its Canvas id, a number.")
    try:
        return HistoryQuery(
            assignment_id,
            given.get("student"),
            WrittenField(given["field"]) if "field" in given else None,
            given.get("actor"),
            ChangeCause(given["trigger"]) if "trigger" in given else None,
            _day(service, given.get("since"), time.min),
            _day(service, given.get("until"), time.max),
        )
    except ValueError:
        raise ApiError(422, "not_valid", "One of the filters is none: choose from the lists, and give days.") from None


def _day(service: Container, given: str | None, at: time) -> datetime | None:
    """Return the beginning or the end of a day in the district's time zone."""
    if given is None:
        return None
    day = datetime.fromisoformat(given).date()
    return datetime.combine(day, at, service.settings.district_time_zone or UTC)
