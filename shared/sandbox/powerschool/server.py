"""What the server says of itself, and what it grants: metadata, its time, data versions, and columns of tables.

Of `GET /ws/schema/table/{table}` the statuses and sentences are measured on a production server. Passback asks only
for its grants, never for rows: no answer has any.
"""

import re
from collections import defaultdict
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.request import columns_not_granted, current_faults, message, powerschool

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


async def read_changes(request: Request) -> Response:
    """Answer the newest version, as a string, and per table the ids of the rows that changed since (documented).

    How an application subscribes is not public: every application name is taken, for every table.
    """
    state, since = powerschool(request), request.path_params["version"]
    tables: dict[str, list[int]] = defaultdict(list)
    for version, table, row_id in state.changes:
        if version > since and row_id not in tables[table]:
            tables[table].append(row_id)
    return JSONResponse({"$dataversion": str(state.data_version), "tables": tables})


AUDIT = " whocreated whomodified whencreated whenmodified"
TABLES: Mapping[str, frozenset[str]] = {
    table: frozenset(columns.split())
    for table, columns in {
        "assignment": "assignmentid createdbyplugin hasstandards standardcalcdirection" + AUDIT,
        "assignmentsection": (
            "assignmentsectionid assignmentid sectionsdcid name duedate description scoretype "
            "scoreentrypoints extracreditpoints weight totalpointvalue iscountedinfinalgrade "
            "isscoringneeded isscorespublish publishoption yearid"
        )
        + AUDIT,
        "assignmentscore": (
            "assignmentscoreid islate iscollected isexempt ismissing isabsent isincomplete "
            "actualscoreentered actualscorekind actualscoregradescaledcid scorepercent scorepoints "
            "scorelettergrade scoreentrydate assignmentsectionid studentsdcid"
        )
        + AUDIT,
        "assignmentcategoryassoc": "assignmentcategoryassocid assignmentsectionid teachercategoryid isprimary" + AUDIT,
        "teachercategory": (
            "teachercategoryid usersdcid name isactive districtteachercategoryid defaultpublishoption "
            "isinfinalgrades isdefaultpublishscores description"
        ),
        "sections": "dcid id schoolid course_number section_number termid expression",
        "cc": "dcid dateenrolled dateleft sectionid studentid termid",
        "students": "dcid id student_number schoolid enroll_status",
        "sectionteacher": "id sectionid teacherid roleid start_date end_date",
        "schoolstaff": "dcid id users_dcid schoolid status",
        "users": "dcid teachernumber email_addr",
        "terms": "dcid id schoolid yearid firstday lastday name abbreviation portion isyearrec",
        "courses": "dcid course_number course_name schoolid",
        "psm_assignment": "id name",
        "psm_assignmentscore": "id",
        "psm_section": "id",
    }.items()
}
"""The columns that matter of each table, of a public schema dump and of measurements.

Measured on a production server: tables with a prefix exist, although the gradebook is in those without.
"""
# Measured: the view answers 405, although a PowerQuery may join it.
CLOSED_TABLES = frozenset({"teachers"})


async def read_table(request: Request) -> Response:
    """Check the table and the columns of `projection`; all columns where there is none.

    Raises: Refusal with 405 for a closed table, 404 for an unknown table, 400 for an unknown column and 403 for a
    column without a grant. All are measured.
    """
    table = request.path_params["table"].lower()
    if table in CLOSED_TABLES:
        raise message(405, "GET, POST and PUT are not allowed on table")
    if table not in TABLES:
        raise message(404, f"Table {table} not found")
    projection = request.query_params.get("projection", "*").lower()
    columns = sorted(TABLES[table]) if projection == "*" else [name.strip() for name in re.split("[,;]", projection)]
    for column in columns:
        if column not in TABLES[table]:
            raise message(400, f"Invalid field specified: {column} is not valid column for table: {table}")
    if lacking := [(table, column) for column in columns if current_faults(request).lacks(table, column)]:
        raise columns_not_granted(lacking)
    return JSONResponse({"name": table})


ROUTES = [
    Route("/ws/v1/metadata", metadata, methods=["GET"]),
    Route("/ws/v1/time", time, methods=["GET"]),
    Route("/ws/dataversion/{application}/{version:int}", read_changes, methods=["GET"]),
    Route("/ws/schema/table/{table}", read_table, methods=["GET"]),
]
