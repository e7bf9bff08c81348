"""The database tables as the table API shows them: every column with the value of a row.

Column names are of a public schema dump and of measurements; a table here has the columns that matter, not all.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Any

from shared.sandbox.powerschool.errors import plain
from shared.sandbox.powerschool.state import PowerSchool
from shared.sandbox.powerschool.tables.rows import AssignmentSection, Score, Section, SectionTeacher, iso_day

Columns = Mapping[str, Callable[[PowerSchool, Any], object]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its rows in the order of their key, and its columns. `long_texts` cannot be filtered by."""

    name: str
    key: str
    rows: Callable[[PowerSchool], Iterable[Any]]
    columns: Columns
    long_texts: frozenset[str] = frozenset()


def text(value: object) -> str | None:
    """Return a value as PowerSchool's queries print it: always a string, flags "0" and "1"; None for a null."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return iso_day(value) if isinstance(value, date) else str(value)


def _attributes(**columns: str) -> Columns:
    """Return columns that are attributes of the row."""
    return {column: _column(attrgetter(name)) for column, name in columns.items()}


def _column(value: Callable[[Any], object]) -> Callable[[PowerSchool, Any], object]:
    return lambda _state, row: value(row)


def _nothing(_state: PowerSchool) -> Iterable[Any]:
    return ()


def _scores(state: PowerSchool) -> Iterable[tuple[AssignmentSection, int, Score]]:
    for row in state.assignment_sections.values():
        for student_dcid, score in row.scores.items():
            yield row, student_dcid, score


def _score_columns(**columns: str) -> Columns:
    """Return columns that are attributes of the score in a row of `_scores`."""
    return {column: _column(partial(_of_score, name)) for column, name in columns.items()}


def _of_score(name: str, row: tuple[AssignmentSection, int, Score]) -> object:
    return getattr(row[2], name)


def _section_year(state: PowerSchool, section_dcid: int) -> int:
    return state.term_of(state.sections[section_dcid]).year_id


def section_teacher_id(section: Section, number: int) -> int:
    """Return SECTIONTEACHER.ID of the section's teacher of that number."""
    return section.dcid * 100 + number


def _section_teachers(state: PowerSchool) -> Iterable[tuple[int, int, int, SectionTeacher]]:
    """Return ID, SECTIONS.ID, SCHOOLSTAFF.ID and the rest per teacher: joined by ID, not DCID (measured)."""
    for section in state.sections.values():
        for number, teacher in enumerate(section.teachers):
            staff = state.staff_of(teacher.users_dcid, section.school_number)
            if staff is not None:
                yield section_teacher_id(section, number), section.id, staff.staff_id, teacher


# The written tables have these, not null; who and when plays no part here.
AUDIT: Columns = {
    "whocreated": lambda _state, _row: "API",
    "whomodified": lambda _state, _row: "API",
    "whencreated": lambda state, _row: state.today(),
    "whenmodified": lambda state, _row: state.today(),
}

TABLES = {
    table.name: table
    for table in (
        Table(
            "assignment",
            "assignmentid",
            lambda state: state.assignments.values(),
            {
                **_attributes(assignmentid="assignment_id", createdbyplugin="created_by_plugin"),
                "hasstandards": lambda _state, _row: False,
                "standardcalcdirection": lambda _state, _row: "NONE",
                **AUDIT,
            },
        ),
        Table(
            "assignmentsection",
            "assignmentsectionid",
            lambda state: state.assignment_sections.values(),
            {
                **_attributes(
                    assignmentsectionid="assignment_section_id",
                    assignmentid="assignment_id",
                    sectionsdcid="section_dcid",
                    name="name",
                    duedate="due_date",
                    description="description",
                    scoretype="score_type",
                    scoreentrypoints="points",
                    extracreditpoints="extra_points",
                    weight="weight",
                    totalpointvalue="total",
                    iscountedinfinalgrade="counted",
                    isscoringneeded="scoring_needed",
                    isscorespublish="scores_published",
                    publishoption="publish_option",
                ),
                "yearid": lambda state, row: _section_year(state, row.section_dcid),
                **AUDIT,
            },
            long_texts=frozenset({"description"}),
        ),
        Table(
            "assignmentscore",
            "assignmentscoreid",
            _scores,
            {
                **_score_columns(
                    assignmentscoreid="score_id",
                    islate="late",
                    iscollected="collected",
                    isexempt="exempt",
                    ismissing="missing",
                    isabsent="absent",
                    isincomplete="incomplete",
                    actualscoreentered="entered",
                    actualscorekind="kind",
                    actualscoregradescaledcid="grade_scale_dcid",
                    scorepercent="percent",
                    scorepoints="points",
                    scorelettergrade="letter",
                    scoreentrydate="entry_date",
                ),
                "assignmentsectionid": lambda _state, row: row[0].assignment_section_id,
                "studentsdcid": lambda _state, row: row[1],
                **AUDIT,
            },
        ),
        Table(
            "assignmentcategoryassoc",
            "assignmentcategoryassocid",
            lambda state: (
                (row, association) for row in state.assignment_sections.values() for association in row.categories
            ),
            {
                "assignmentcategoryassocid": lambda _state, row: row[1].id,
                "assignmentsectionid": lambda _state, row: row[0].assignment_section_id,
                "teachercategoryid": lambda _state, row: row[1].category_id,
                "isprimary": lambda _state, row: row[1].is_primary,
                **AUDIT,
            },
        ),
        Table(
            "teachercategory",
            "teachercategoryid",
            lambda state: state.categories.values(),
            _attributes(
                teachercategoryid="id",
                usersdcid="users_dcid",
                name="name",
                isactive="active",
                districtteachercategoryid="district_id",
                defaultpublishoption="default_publish_option",
                isinfinalgrades="in_final_grades",
                isdefaultpublishscores="default_publish_scores",
                description="description",
            ),
            long_texts=frozenset({"description"}),
        ),
        Table(
            "sections",
            "dcid",
            lambda state: state.sections.values(),
            _attributes(
                dcid="dcid",
                id="id",
                schoolid="school_number",
                course_number="course_number",
                section_number="section_number",
                termid="term_id",
                expression="expression",
            ),
        ),
        Table(
            "cc",
            "dcid",
            lambda state: (row for roster in state.rosters.values() for row in roster),
            {
                **_attributes(dcid="dcid", dateenrolled="entry_date", dateleft="exit_date"),
                # A dropped row carries its section and term negative (a comment in client code; inferred).
                "sectionid": lambda state, row: state.sections[row.section_dcid].id * (-1 if row.dropped else 1),
                "studentid": lambda state, row: state.students[row.student_dcid].id,
                "termid": lambda state, row: state.sections[row.section_dcid].term_id * (-1 if row.dropped else 1),
            },
        ),
        Table(
            "students",
            "dcid",
            lambda state: state.students.values(),
            _attributes(
                dcid="dcid", id="id", student_number="number", schoolid="school_number", enroll_status="enroll_status"
            ),
        ),
        Table(
            "sectionteacher",
            "id",
            _section_teachers,
            {
                "id": lambda _state, row: row[0],
                "sectionid": lambda _state, row: row[1],
                "teacherid": lambda _state, row: row[2],
                "roleid": lambda _state, row: row[3].role_id,
                "start_date": lambda _state, row: row[3].start_date,
                "end_date": lambda _state, row: row[3].end_date,
            },
        ),
        Table(
            "schoolstaff",
            "dcid",
            lambda state: state.staff.values(),
            {
                **_attributes(dcid="staff_dcid", id="staff_id", users_dcid="dcid", schoolid="school_number"),
                "status": lambda _state, row: 1 if row.active else 2,
            },
        ),
        Table(
            "users",
            "dcid",
            lambda state: {staff.dcid: staff for staff in state.staff.values()}.values(),
            _attributes(dcid="dcid", teachernumber="teacher_number", email_addr="email"),
        ),
        Table(
            "terms",
            "dcid",
            lambda state: state.terms.values(),
            _attributes(
                dcid="dcid",
                id="id",
                schoolid="school_number",
                yearid="year_id",
                firstday="first_day",
                lastday="last_day",
                name="name",
                abbreviation="abbreviation",
                portion="portion",
                isyearrec="is_year",
            ),
        ),
        Table(
            "courses",
            "dcid",
            lambda state: state.courses.values(),
            _attributes(dcid="dcid", course_number="number", course_name="name", schoolid="school_number"),
        ),
        # Measured on a production server: prefixed tables exist and are empty, the gradebook is in the tables above.
        Table("psm_assignment", "id", _nothing, {"id": lambda _state, _row: None, "name": lambda _state, _row: None}),
        Table("psm_assignmentscore", "id", _nothing, {"id": lambda _state, _row: None}),
        Table("psm_section", "id", _nothing, {"id": lambda _state, _row: None}),
    )
}

# Measured: the view answers 405, although a PowerQuery may join it.
CLOSED_TABLES = frozenset({"teachers"})
