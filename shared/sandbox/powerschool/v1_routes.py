"""`/ws/v1`: schools, courses, sections, enrollments, terms, staff and students, with every quirk of its JSON."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.answers import v1_message
from shared.sandbox.powerschool.current import knobs, powerschool, rosters
from shared.sandbox.powerschool.rows import School, Section
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.v1_json import Resource, Row, counted, filtered, listing, single
from shared.sandbox.powerschool.v1_rows import (
    COURSE,
    ENROLLMENT,
    SCHOOL,
    SECTION,
    STAFF,
    STUDENT,
    TERM,
    course_row,
    enrollment_row,
    school_row,
    section_row,
    staff_row,
    student_enrollment,
    student_row,
    term_row,
)

T = TypeVar("T")
RowsOf = Callable[[Request, PowerSchool], Sequence[Row]]
PAGE_SIZES = ("course", "school", "section", "section_enrollment", "staff", "student", "term", "schema_table_query")
POWERSCHOOL_VERSION = "25.2.0.0"


async def metadata(request: Request) -> Response:
    """Answer page caps, plugin id and time zone: to unauthenticated callers too (measured)."""
    state = powerschool(request)
    caps = {f"{name}_max_page_size": state.plugin.page_cap for name in PAGE_SIZES}
    about = {
        "plugin_id": state.plugin.id,
        "powerschool_version": POWERSCHOOL_VERSION,
        "state": "WA",
        "district_timezone": state.zone.key,
        "district_uuid": "00000000-5a4d-b0c5-0000-000000000000",
    }
    return JSONResponse({"metadata": caps | about})


async def time(request: Request) -> Response:
    """Answer the server's time; needs no OAuth (documented). The shape is inferred."""
    state = powerschool(request)
    return JSONResponse({"time": state.clock.now().astimezone(state.zone).isoformat()})


def no_extra(_row: Row) -> Row:
    """Return nothing: a client may filter by the row's own fields only."""
    return {}


def school_rows(_request: Request, state: PowerSchool) -> Sequence[Row]:
    """Return the district's schools."""
    return [school_row(school) for school in _by(state.schools.values(), "number")]


def course_rows(request: Request, state: PowerSchool) -> Sequence[Row]:
    """Return the school's courses by number; a district-level course is listed for every school (documented)."""
    owners = (_school(request, state).number, 0)
    courses = [course for course in state.courses.values() if course.school_number in owners]
    return filtered(request, [course_row(course) for course in _by(courses, "number")], no_extra)


def section_rows(request: Request, state: PowerSchool) -> Sequence[Row]:
    """Return the school's sections by id; without `q` those of the current year (inferred)."""
    number = _school(request, state).number
    sections = [s for s in _by(state.sections.values(), "dcid") if s.school_number == number]
    if "q" not in request.query_params:
        sections = [s for s in sections if state.term_of(s).year_id == _current_year(state, number)]

    def extra(row: Row) -> Row:
        return {"term.start_year": state.terms[row["term_id"]].start_year}

    return filtered(request, [section_row(state, section) for section in sections], extra)


def term_rows(request: Request, state: PowerSchool) -> Sequence[Row]:
    """Return the school's terms by portion and start date; without `q` those of the current year (inferred)."""
    number = _school(request, state).number
    terms = sorted(
        (term for term in state.terms.values() if term.school_number == number),
        key=lambda term: (term.portion, term.first_day, term.dcid),
    )
    if "q" not in request.query_params:
        terms = [term for term in terms if term.year_id == _current_year(state, number)]
    return filtered(request, [term_row(state, term) for term in terms], no_extra)


def staff_rows(request: Request, state: PowerSchool) -> Sequence[Row]:
    """Return the school's active staff by id: inactive staff vanish (documented)."""
    number = _school(request, state).number
    staff = [s for s in _by(state.staff.values(), "staff_dcid") if s.school_number == number and s.active]
    return filtered(request, [staff_row(state, member, _expansions(request)) for member in staff], no_extra)


def student_rows(request: Request, state: PowerSchool) -> Sequence[Row]:
    """Return the students of the school, or of the district, by id."""
    students = _by(state.students.values(), "dcid")
    if "dcid" in request.path_params:
        number = _school(request, state).number
        students = [student for student in students if student.school_number == number]

    def extra(row: Row) -> Row:
        return {"school_enrollment": student_enrollment(state, state.students[row["id"]])}

    return filtered(request, [student_row(state, student, _expansions(request)) for student in students], extra)


def enrollment_rows(request: Request, state: PowerSchool) -> Sequence[Row]:
    """Return the section's enrollments by student and entry date, dropped ones included."""
    section: Section = _found(state.sections, request)
    rows = sorted(state.rosters[section.dcid], key=lambda row: (row.student_dcid, row.entry_date))
    return filtered(request, [enrollment_row(row) for row in rows], no_extra)


def _enrollment(request: Request, state: PowerSchool) -> Row:
    rows = {row.dcid: row for roster in state.rosters.values() for row in roster}
    return enrollment_row(_found(rows, request))


SINGLES: Mapping[str, tuple[Resource, Callable[[Request, PowerSchool], Row]]] = {
    "school": (SCHOOL, lambda request, state: school_row(_school(request, state))),
    "course": (COURSE, lambda request, state: course_row(_found(state.courses, request))),
    "section": (SECTION, lambda request, state: section_row(state, _found(state.sections, request))),
    "section_enrollment": (ENROLLMENT, _enrollment),
    "term": (TERM, lambda request, state: term_row(state, _found(state.terms, request))),
    "staff": (STAFF, lambda request, state: staff_row(state, _found(state.staff, request), _expansions(request))),
    "student": (
        STUDENT,
        lambda request, state: student_row(state, _found(state.students, request), _expansions(request)),
    ),
}
LISTS: Mapping[str, tuple[Resource, RowsOf]] = {
    "district/school": (SCHOOL, school_rows),
    "district/student": (STUDENT, student_rows),
    "school/{dcid:int}/course": (COURSE, course_rows),
    "school/{dcid:int}/section": (SECTION, section_rows),
    "school/{dcid:int}/staff": (STAFF, staff_rows),
    "school/{dcid:int}/student": (STUDENT, student_rows),
    "school/{dcid:int}/term": (TERM, term_rows),
    "section/{dcid:int}/section_enrollment": (ENROLLMENT, enrollment_rows),
}


def _school(request: Request, state: PowerSchool) -> School:
    return _found(state.schools, request)


def _found(table: Mapping[int, T], request: Request) -> T:
    """Return the addressed row. Raises: Refusal with 404; its words are inferred."""
    row = table.get(request.path_params["dcid"])
    if row is None:
        raise v1_message(404, "Resource not found")
    return row


def _expansions(request: Request) -> set[str]:
    """Return the expansions asked for; unknown ones are ignored."""
    return {name.strip() for name in request.query_params.get("expansions", "").split(",")}


def _current_year(state: PowerSchool, school_number: int) -> int | None:
    """Return the year id of the terms that hold today, else of the newest ones."""
    terms = [term for term in state.terms.values() if term.school_number == school_number]
    today = state.today()
    current = [term.year_id for term in terms if term.first_day <= today <= term.last_day]
    return max(current or [term.year_id for term in terms], default=None)


def _by(rows: Iterable[T], attribute: str) -> list[T]:
    def key(row: T) -> Any:
        return getattr(row, attribute)

    return sorted(rows, key=key)


def _list_route(path: str, resource: Resource, rows_of: RowsOf) -> Route:
    async def endpoint(request: Request) -> Response:
        state = rosters(request)
        rows = rows_of(request, state)
        return listing(request, resource, rows[: max(len(rows) - knobs(request).rows_lost, 0)], state.plugin.page_cap)

    return Route(f"/ws/v1/{path}", endpoint, methods=["GET"])


def _count_route(path: str, rows_of: RowsOf) -> Route:
    async def endpoint(request: Request) -> Response:
        return counted(request, rows_of(request, rosters(request)))

    return Route(f"/ws/v1/{path}/count", endpoint, methods=["GET"])


def _single_route(path: str, resource: Resource, row_of: Callable[[Request, PowerSchool], Row]) -> Route:
    async def endpoint(request: Request) -> Response:
        return single(request, resource, row_of(request, rosters(request)))

    return Route(f"/ws/v1/{path}/{{dcid:int}}", endpoint, methods=["GET"])


ROUTES = [
    Route("/ws/v1/metadata", metadata, methods=["GET"]),
    Route("/ws/v1/time", time, methods=["GET"]),
    *(_list_route(path, *resource) for path, resource in LISTS.items()),
    *(_count_route(path, rows_of) for path, (_, rows_of) in LISTS.items()),
    *(_single_route(path, *resource) for path, resource in SINGLES.items()),
]
