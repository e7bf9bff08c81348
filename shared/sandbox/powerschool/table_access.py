"""`GET /ws/schema/table/{table}`: whether the plugin may read columns of a table.

The statuses and sentences are measured on a production server. Passback asks only for its grants, never for rows:
no answer has any.
"""

import re
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shared.sandbox.powerschool.errors import columns_not_granted, message
from shared.sandbox.powerschool.request_context import current_faults

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


ROUTES = [Route("/ws/schema/table/{table}", read_table, methods=["GET"])]
