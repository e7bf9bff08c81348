"""Readiness: what would keep grades back, before anything is graded, and who can mend it."""

from urllib.parse import urlencode

from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from shared.domain.passback.course_state import assignment_names
from shared.domain.passback.readiness.findings import ROWS
from shared.domain.passback.rules.reasons import Actor
from workers.grade_passback.readiness.report import ListedFinding, ReadinessQuery, readiness_csv, readiness_report
from workers.web.api.dependencies import csv_file
from workers.web.errors import ApiError
from workers.web.pages.history_pages import given_filters
from workers.web.pages.page_context import WHO
from workers.web.pages.page_handlers import PageRequest, Values

PAGE_SIZE = 50
MAX_SECTIONS = 5
FILTERS = ("school", "term", "teacher", "who", "code")
QUERY = TypeAdapter(ReadinessQuery)


def show_readiness(request: PageRequest) -> Values:
    """The findings of the newest check, what holds most grades back first."""
    given, start, records = given_filters(request.field, FILTERS), request.offset(), request.service.records
    report, filters = readiness_report(request.service.readiness, _query(given)), urlencode(given)
    shown = report.findings[start : start + PAGE_SIZE]
    ids = dict.fromkeys(each.finding.course_id for each in shown if each.finding.course_id)
    known = [record for record in map(records.course, ids) if record is not None]
    return {
        "report": report, "shown": shown, "given": given, "rows": ROWS, "who": WHO, "locations": _locations,
        # As the last syncs stored them.
        "course_names": {record.course_id: record.name for record in known},
        "assignment_names": {id_: name for record in known for id_, name in assignment_names(record).items()},
        "schools": [(str(school), str(school)) for school in report.schools],
        "terms": [(term, term.replace("/", " to ")) for term in report.terms],
        "menders": [(actor.value, WHO[actor]) for actor in Actor if actor is not Actor.NOBODY],
        "link": f"/readiness?{filters}" if given else "/readiness", "csv_link": f"/readiness.csv?{filters}",
        "start": start, "next_start": start + PAGE_SIZE if len(report.findings) > start + PAGE_SIZE else None,
    }  # fmt: skip


def download(request: PageRequest) -> Response:
    """Every finding that the filters select, by school and teacher."""
    content = readiness_csv(
        readiness_report(request.service.readiness, _query(given_filters(request.field, FILTERS))).findings
    )
    return csv_file(content, "passback-readiness.csv")


def check(request: PageRequest) -> str:
    """Request a check; a worker goes on with it."""
    request.actions.check_readiness()
    return "/readiness"


def _query(given: dict[str, str]) -> ReadinessQuery:
    """Return the filters. Raises `ApiError` for one that is none."""
    try:
        return QUERY.validate_python(given)
    except ValidationError:
        raise ApiError(422, "not_valid", "One of the filters is none: choose from the lists.") from None


def _locations(listed: ListedFinding) -> list[str]:
    """Return where something is not ready: school, teacher and sections."""
    f = listed.finding
    more = " …" if len(f.section_sis_ids) > MAX_SECTIONS else ""
    teacher = listed.teacher_sis_id or (f"USERS.DCID {f.teacher_users_dcid}" if f.teacher_users_dcid else "")
    parts = {
        "School": "" if f.school_number is None else str(f.school_number),
        "teacher": teacher,
        "section": ", ".join(f.section_sis_ids[:MAX_SECTIONS]) + more,
    }
    return [f"{name} {value}" for name, value in parts.items() if value]
