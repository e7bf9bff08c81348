"""The SQL of the roster queries, run by SQLite: the sandbox answers the rows that it selects.

Dates are day numbers, and functions that only Oracle has are defined here. Limits of Oracle are not tested.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from shared.sandbox.district.generator import DistrictSize, unprovisioned_district
from shared.sandbox.powerschool.actions import RosterActions
from shared.sandbox.powerschool.queries import AFTER, PROVISIONING_QUERIES, QUERIES, section_teacher_id
from shared.sandbox.powerschool.query_routes import text
from shared.sandbox.powerschool.rows import ZERO_DATE, iso_day
from shared.sandbox.powerschool.state import PowerSchool
from tests.fault_injection.provisioning.random_days import make_changes
from tests.manual_clock import ManualClock

FOLDER = Path(__file__).parents[4] / "deploy" / "powerschool-plugin" / "queries_root"
FILES = [FOLDER / f"org.passback.sync.{name}.named_queries.xml" for name in ("provisioning", "roster")]
SQL = {query.attrib["name"]: query.findtext("sql", "") for file in FILES for query in ET.parse(file).getroot()}
TODAY = date(2026, 10, 5)
ZONE = ZoneInfo("America/Los_Angeles")

START = dict.fromkeys(AFTER, 0)
Values = tuple[object, ...]
COLUMNS = {
    "schools": "dcid, school_number, name",
    "terms": "dcid, id, schoolid, yearid, name, abbreviation, firstday, lastday",
    "courses": "dcid, course_number, course_name, schoolid",
    "users": "dcid, teachernumber, first_name, last_name, email_addr",
    "schoolstaff": "id, users_dcid, schoolid, status",
    "sections": "dcid, id, schoolid, termid, course_number, section_number, teacher",
    "sectionteacher": "id, sectionid, teacherid, roleid, start_date, end_date",
    "students": "dcid, id, student_number, first_name, last_name, schoolid, enroll_status, person_id",
    "personemailaddressassoc": "personid, emailaddressid, isprimaryemailaddress, emailaddresspriorityorder",
    "emailaddress": "emailaddressid, emailaddress",
    "cc": "dcid, sectionid, studentid, dateenrolled, dateleft",
}


def tables(state: PowerSchool) -> dict[str, Iterable[Values]]:
    """Return PowerSchool's tables, as its database holds them."""
    staff, students = state.staff.values(), state.students.values()
    sections = [(each, _staff_id(state, each.lead, each.school_number)) for each in state.sections.values()]
    emails = [(s, number, email) for s in students for number, email in enumerate(s.emails, 1)]
    stays = [(state.sections[key], row) for key, rows in state.rosters.items() for row in rows]
    return {
        "schools": [(s.dcid, s.number, s.name) for s in state.schools.values()],
        "terms": [
            (t.dcid, t.id, t.school_number, t.year_id, t.name, t.abbreviation, _day(t.first_day), _day(t.last_day))
            for t in state.terms.values()
        ],
        "courses": [(c.dcid, c.number, c.name, c.school_number) for c in state.courses.values()],
        "users": {s.dcid: (s.dcid, s.teacher_number, s.first_name, s.last_name, s.email) for s in staff}.values(),
        "schoolstaff": [(s.staff_id, s.dcid, s.school_number, 1 if s.active else 2) for s in staff],
        "sections": [
            (s.dcid, s.id, s.school_number, s.term_id, s.course_number, s.section_number, teacher)
            for s, teacher in sections
        ],
        "sectionteacher": [
            (
                section_teacher_id(section, number),
                section.id,
                _staff_id(state, teacher.users_dcid, section.school_number),
                teacher.role_id,
                _day(teacher.start_date),
                _day(teacher.end_date),
            )
            for section, _ in sections
            for number, teacher in enumerate(section.teachers)
        ],
        "students": [
            (
                s.dcid,
                s.id,
                s.number,
                s.first_name,
                s.shown_last_name,
                s.school_number,
                s.enroll_status,
                s.id + 5,
            )
            for s in students
        ],
        "personemailaddressassoc": [(s.id + 5, s.dcid * 10 + n, int(email == s.email), n) for s, n, email in emails],
        "emailaddress": [(s.dcid * 10 + number, email) for s, number, email in emails],
        "cc": [
            (
                row.dcid,
                -section.id if row.dropped else section.id,
                state.students[row.student_dcid].id,
                _day(row.entry_date),
                _day(row.exit_date),
            )
            for section, row in stays
        ],
    }


def _staff_id(state: PowerSchool, users_dcid: int | None, school_number: int) -> int | None:
    own = [staff for staff in state.staff.values() if staff.dcid == users_dcid]
    at_school = [staff for staff in own if staff.school_number == school_number]
    return next((staff.staff_id for staff in (*at_school, *own)), None)


def _day(day: date | None) -> int | None:
    return None if day is None else day.toordinal()


def _to_char(day: int | None, form: str) -> str | None:
    assert form == "YYYY-MM-DD"
    return None if day is None else iso_day(date.fromordinal(day))


def _distort(state: PowerSchool) -> None:
    """Give two students rows such as extracts show: a zero date, and 1926 for 2026 in a negated row."""
    (section_dcid, rows) = next((key, rows) for key, rows in state.rosters.items() if len(rows) > 1)
    for row, exit_date in zip(rows, (ZERO_DATE, date(1926, 11, 2)), strict=False):
        RosterActions(state).edit_enrollment(section_dcid, row.student_dcid, exit_date=exit_date, dropped=True)


@pytest.fixture(scope="module")
def state() -> PowerSchool:
    """A district after three hundred changes and with the next year set up."""
    clock = ManualClock(datetime(2026, 10, 5, 19, tzinfo=UTC))
    size = DistrictSize(schools=3, students=150, sections=60, seed=6)
    state = unprovisioned_district(size, TODAY, ZONE).powerschool.build(clock)
    make_changes(state, seed=1, count=300)
    RosterActions(state).roll_over()
    _distort(state)
    return state


@pytest.fixture(scope="module")
def database(state: PowerSchool) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.create_function("to_char", 2, _to_char)
        made.create_function("trunc", 1, int)
        made.create_function("least", 2, min)
        made.create_function("nvl", 2, lambda value, other: other if value is None else value)
        for name, rows in tables(state).items():
            places = ", ".join("?" * len(COLUMNS[name].split(",")))
            made.execute(f"create table {name} ({COLUMNS[name]})")
            made.executemany(f"insert into {name} values ({places})", rows)
        yield made


@pytest.mark.parametrize("name", PROVISIONING_QUERIES)
def test_the_sandbox_answers_what_the_sql_selects(name: str, state: PowerSchool, database: sqlite3.Connection) -> None:
    """Sandbox and SQL give the same rows in the same order."""
    selected = selects(database, name, START)
    assert selected
    assert answers(state, name, {}) == selected


@pytest.mark.parametrize("name", PROVISIONING_QUERIES)
def test_the_sql_begins_after_any_row(name: str, state: PowerSchool, database: sqlite3.Connection) -> None:
    """A query after any row gives the rest of the list, also in the middle of a record."""
    query, whole = PROVISIONING_QUERIES[name], selects(database, name, START)
    positions = [query.position(row) for row in whole]
    assert positions == sorted(set(positions))
    for number in range(0, len(whole), max(1, len(whole) // 40)):
        after = dict(zip(query.positions, positions[number], strict=True))
        assert selects(database, name, after) == whole[number + 1 :]


@pytest.mark.parametrize("name", [name for name in SQL if ".roster." in name])
def test_so_do_the_queries_of_single_sections(name: str, state: PowerSchool, database: sqlite3.Connection) -> None:
    """The same for the queries of single sections, with dropped rows and impossible dates."""
    asked = sorted(state.sections)[::2]
    selected = selects(database, name, START, asked)
    assert selected
    assert answers(state, name, {"section_dcids": frozenset(asked)}) == selected
    middle = QUERIES[name].position(selected[len(selected) // 2])
    rest = selects(database, name, dict(zip(AFTER, middle, strict=False)), asked)
    assert rest == selected[len(selected) // 2 + 1 :]


def selects(
    database: sqlite3.Connection, name: str, after: Mapping[str, int], section_dcids: Sequence[int] = ()
) -> list[dict[str, str | None]]:
    """Return the rows that the query's SQL selects, as PowerSchool prints them."""
    sql = SQL[name].replace("sysdate", str(TODAY.toordinal()))
    sql = sql.replace(":section_dcids", ", ".join(map(str, section_dcids)))
    cursor = database.execute(sql, {argument: after.get(argument, 0) for argument in AFTER})
    aliases = [column[0] for column in cursor.description]
    return [{alias: text(value) for alias, value in zip(aliases, row, strict=True)} for row in cursor]


def answers(state: PowerSchool, name: str, arguments: Mapping[str, frozenset[int]]) -> list[dict[str, str | None]]:
    """Return the rows that the sandbox answers."""
    query = QUERIES[name]
    return [{alias: text(row.get(alias)) for alias in query.grants} for row in query.rows(state, arguments)]
