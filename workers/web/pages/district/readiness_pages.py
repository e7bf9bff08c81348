"""Readiness: what would keep grades back, before anything is graded, and who can mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from shared.domain.passback.readiness.findings import ROWS
from shared.domain.passback.rules.reasons import Actor
from workers.grade_passback.readiness.report import ListedFinding, ReadinessQuery, readiness_csv, readiness_report
from workers.web.errors import ApiError
from workers.web.pages.page_context import WHO
from workers.web.pages.page_handlers import PageHandlers, PageRequest, redirect

PAGE_SIZE = 50
MAX_FILTER_CHARS = 255
MAX_SECTIONS = 5
FILTERS = ("school", "term", "teacher", "who", "code")


def show_readiness(pages: PageHandlers, request: PageRequest) -> Response:
    """`/readiness`: the findings of the newest check, what holds most grades back first."""
    given, start = _given(request), request.offset()
    report = readiness_report(pages.service.readiness, _query(given))
    shown = report.findings[start : start + PAGE_SIZE]
    link = f"/readiness?{urlencode(given)}" if given else "/readiness"
    return pages.page(
        "district/readiness.html", request, report=report, shown=shown, given=given, rows=ROWS,
        names=_names(pages, shown), locations=_locations, who=WHO,
        schools=[(str(school), str(school)) for school in report.schools],
        terms=[(term, term.replace("/", " to ")) for term in report.terms],
        menders=[(actor.value, WHO[actor]) for actor in Actor if actor is not Actor.NOBODY], link=link,
        csv_link=f"/readiness.csv?{urlencode(given)}", start=start,
        next_start=start + PAGE_SIZE if len(report.findings) > start + PAGE_SIZE else None,
    )  # fmt: skip


def download(pages: PageHandlers, request: PageRequest) -> Response:
    """`/readiness.csv`: every finding that the filters select, by school and teacher."""
    content = readiness_csv(readiness_report(pages.service.readiness, _query(_given(request))).findings)
    headers = {"Content-Disposition": 'attachment; filename="passback-readiness.csv"', "Cache-Control": "no-store"}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


def check(_pages: PageHandlers, request: PageRequest) -> Response:
    """Request a check; a worker goes on with it."""
    request.actions.check_readiness()
    return redirect("/readiness")


def _given(request: PageRequest) -> dict[str, str]:
    values = {name: request.query(name).strip()[:MAX_FILTER_CHARS] for name in FILTERS}
    return {name: value for name, value in values.items() if value}


def _query(given: dict[str, str]) -> ReadinessQuery:
    """Return the filters. Raises `ApiError` for one that is none."""
    try:
        return ReadinessQuery(
            int(given["school"]) if "school" in given else None,
            given.get("term", ""),
            given.get("teacher", ""),
            Actor(given["who"]) if "who" in given else None,
            given.get("code", ""),
        )
    except ValueError:
        raise ApiError(422, "not_valid", "One of the filters is none: choose from the lists.") from None


@dataclass(frozen=True, slots=True)
class Names:
    """The names of connected courses, and of their assignments, by id; as the last syncs stored them."""

    courses: dict[str, str]
    assignments: dict[str, str]


def _names(pages: PageHandlers, shown: Sequence[ListedFinding]) -> Names:
    records = pages.service.records
    ids = dict.fromkeys(each.finding.course_id for each in shown if each.finding.course_id)
    known = [record for record in map(records.course, ids) if record is not None]
    assignments = {a.assignment_id: a.name for record in known for a in record.assignments}
    return Names({record.course_id: record.name for record in known}, assignments)


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


GET = {"/readiness": show_readiness, "/readiness.csv": download}
POST = {"/readiness": check}
