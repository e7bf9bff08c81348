"""Checks of PowerSchool: whether it answers, a fresh token, grants, and what each query of the plugin returns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.adapters.http.response import ApiResponse, FailureKind, failure_of, problems_of
from shared.adapters.http.wire import Json
from shared.adapters.powerschool.client import METADATA
from shared.adapters.powerschool.gradebook.reader import StateRow
from shared.adapters.powerschool.gradebook.term_grades import FormulaRow, TermGradeRow
from shared.adapters.powerschool.pagination import QueryList, page_of
from shared.adapters.powerschool.powerqueries import MAX_IDS_PER_CALL, Args, query_path
from shared.adapters.powerschool.provisioning.rows import LISTS, SCHOOLS
from shared.adapters.powerschool.rosters.reader import INDEX, ONLY_DCID, SECTIONS, STUDENTS
from shared.config import PREFIX
from shared.domain.causes import Cause
from shared.domain.plugin import FORMULAS_QUERY, GRANTS, QUERY_FAULTS, STATE_QUERY, TERM_GRADES_QUERY
from shared.domain.wording import counted
from shared.errors import AccessDenied, RejectedRow, RequestRejected
from workers.doctor.canvas import CLOCK_FIX
from workers.doctor.network import check_response, endpoint_of, fetch
from workers.doctor.result import Check, CheckFailed, CheckResult, Step, clock_check, http_date, ok
from workers.doctor.systems import Systems

SETTINGS, CONNECTION, TOKEN = "settings: PowerSchool", "powerschool: connection", "powerschool: token"
GRANTS_CHECK = "powerschool: grants"
# So many rows show which columns a query returns.
ROWS = 10
NO_ID = 0
REFUSED_FIX = (
    "Enable the plugin in PowerSchool and copy its client id and secret again to PASSBACK_POWERSCHOOL_CLIENT_ID and "
    "PASSBACK_POWERSCHOOL_CLIENT_SECRET: a plugin that was installed again has new ones."
)
GRANTS_FIX = (
    "Install deploy/powerschool-plugin of this version and approve every field of its access request; add the missing "
    "ones to it if you changed it."
)
NO_TERM_GRADES = "`passback totals` does not show PowerSchool's own term grades"
NO_FORMULAS = "`passback totals` calculates without PowerSchool's weights, and readiness does not compare weights"
OPTIONAL_FIX = (
    "Install the files of deploy/powerschool-plugin/optional of this version and approve their fields, or remove them: "
    "deploy/guides/totals.md, PowerSchool's grade."
)
EMPTY_FIX = "See whether PowerSchool has rows of this school year, and whether the plugin may see every school."


@dataclass(frozen=True)
class Query:
    """A query with arguments that select few rows, and the type that its rows are read as.

    `optional` is what a district does without while an optional one does not run.
    """

    name: str
    args: Args
    row: type[BaseModel]
    listed: QueryList[Any] | None = None
    may_be_empty: bool = True
    optional: str = ""


# The results of the queries by the names of their checks.
Outcomes = dict[str, Check]


def steps(systems: Systems) -> Iterator[Step]:
    """Yield the checks of PowerSchool. The queries run before the grants are reported: a refused one names columns."""
    yield Step(CONNECTION, partial(_connection, systems), needs=(SETTINGS, "settings: CA bundle"))
    yield Step("powerschool: clock", partial(_clock, systems), needs=(CONNECTION,))
    yield Step(TOKEN, partial(_token, systems), REFUSED_FIX, needs=(CONNECTION,))
    outcomes: Outcomes = {}
    yield Step(GRANTS_CHECK, partial(_grants, systems, outcomes), GRANTS_FIX, needs=(TOKEN,))
    for query in _queries(systems):
        name = check_name(query.name)
        yield Step(name, partial(_outcome, outcomes, query), needs=(TOKEN,))


def check_name(query: str) -> str:
    """Return the name of a query's check."""
    return f"powerschool: {query}"


def _connection(systems: Systems) -> str:
    url = systems.settings.powerschool_url
    endpoint = endpoint_of(url, f"{PREFIX}POWERSCHOOL_URL")
    response = fetch(f"{url}{METADATA}", endpoint, systems.settings.ca_bundle)
    systems.dates["powerschool"] = http_date(response.headers.get("Date"))
    failure = failure_of(response)
    is_throttled = failure is not None and failure[0] is FailureKind.THROTTLED
    has_metadata = response.status == 200 and isinstance(response.body, dict) and "metadata" in response.body
    return check_response(
        response, "PowerSchool", endpoint, is_expected=is_throttled or has_metadata or response.status == 401
    )


def _clock(systems: Systems) -> Check:
    return clock_check("powerschool: clock", systems.dates.get("powerschool"), CLOCK_FIX)


def _token(systems: Systems) -> str:
    """Fetch a token with the configured credentials: the stored one may be of others, which were right once."""
    try:
        systems.powerschool.api.send("GET", METADATA)
    except AccessDenied as error:
        found = f"PowerSchool gives no token for the client id and secret ({error})"
        raise CheckFailed(CheckResult.FAIL, found) from None
    return "a new one was given"


def _queries(systems: Systems) -> Iterator[Query]:
    """Yield the queries that this installation needs. Those about sections ask for the sample's, else for none."""
    by_dcid = systems.settings.section_sis_id == ONLY_DCID
    dcids = [int(sis_id) for sis_id in systems.section_sis_ids() if sis_id.isdecimal()] if by_dcid else []
    sections = {"section_dcids": dcids[:MAX_IDS_PER_CALL] or [NO_ID]}
    yield Query(STATE_QUERY, {**sections, "score_section_ids": [NO_ID]}, StateRow)
    for listed in (SECTIONS, STUDENTS):
        yield Query(listed.query, {**sections, **listed.args_after(listed.start)}, listed.row, listed)
    lists = [] if by_dcid else [INDEX]
    for listed in [*lists, *(LISTS if systems.settings.provision_schedule else ())]:
        yield Query(listed.query, listed.args_after(listed.start), listed.row, listed, may_be_empty=False)
    yield Query(TERM_GRADES_QUERY, sections, TermGradeRow, optional=NO_TERM_GRADES)
    yield Query(FORMULAS_QUERY, sections, FormulaRow, optional=NO_FORMULAS)


def _grants(systems: Systems, outcomes: Outcomes) -> str:
    """Run every query and read every column that writes need; name all columns that are refused, at once."""
    for query in _queries(systems):
        outcomes[check_name(query.name)] = _run_query(systems, outcomes, query)
    missing = set(systems.missing_grants)
    for table, columns in GRANTS.items():
        missing |= {f"{table}.{column}" for column in _refused_columns(systems, table, columns)}
    if missing:
        raise CheckFailed(CheckResult.FAIL, f"not granted: {', '.join(sorted(missing))}")
    count = sum(map(len, GRANTS.values()))
    return f"{count} columns of {len(GRANTS)} tables can be read; only a write shows whether they can be written"


def _refused_columns(systems: Systems, table: str, columns: Sequence[str]) -> set[str]:
    """Return the columns that are refused. PowerSchool may name some of them, or none: then each is asked for."""
    error = _refusal(systems, table, columns)
    if error is None:
        return set()
    named = {column for refused in named_columns(error.rows) if (column := refused.partition(".")[2]) in columns}
    if named:
        others = [column for column in columns if column not in named]
        return named | (_refused_columns(systems, table, others) if others else set())
    if len(columns) == 1:
        return set(columns)
    return {column for column in columns if _refusal(systems, table, [column]) is not None}


def _refusal(systems: Systems, table: str, columns: Sequence[str]) -> AccessDenied | None:
    params = [("projection", ",".join(columns)), ("pagesize", "1")]
    try:
        systems.powerschool.api.send("GET", "/ws/schema/table/{table}", {"table": table}, params=params)
    except AccessDenied as error:
        return error
    return None


def named_columns(rows: Sequence[RejectedRow]) -> set[str]:
    """Return the `table.column` that refused rows name: in one word, or as a field and its resource."""
    found = set()
    for row in rows:
        parts = [word for word in row.field.split() if word != "NoAccess"]
        qualified = next((word for word in parts if "." in word), None)
        if qualified or len(parts) == len(("field", "resource")):
            found.add((qualified or ".".join(reversed(parts))).lower())
    return found


def _outcome(outcomes: Outcomes, query: Query) -> Check:
    """Return the result of a query; none if the check of the grants ended before it, since PowerSchool failed."""
    name = check_name(query.name)
    return outcomes.get(name) or Check(name, CheckResult.SKIP, f"needs {GRANTS_CHECK}")


def _run_query(systems: Systems, outcomes: Outcomes, query: Query) -> Check:
    name = check_name(query.name)
    params = [("page", "1"), ("pagesize", str(ROWS)), ("count", "true")]
    body: Json = {key: value if isinstance(value, int) else list(value) for key, value in query.args.items()}
    try:
        response = systems.powerschool.api.query(query_path(query.name), params, body)
    except RequestRejected as error:
        return _refused(systems, outcomes, query, error)
    return _returned(name, query, response, outcomes)


def _optional(name: str, query: Query, fault: Cause, error: RequestRejected) -> Check:
    """Return what is missing without an optional query; a problem only where the district has installed it."""
    if fault is Cause.QUERY_MISSING:
        return ok(name, f"optional, and not installed: {query.optional}")
    columns = ", ".join(sorted(named_columns(error.rows)))
    named = f" ({columns})" if columns else ""
    return Check(name, CheckResult.WARN, f"{error.status}: {fault.meaning}{named} So {query.optional}", OPTIONAL_FIX)


def _refused(systems: Systems, outcomes: Outcomes, query: Query, error: RequestRejected) -> Check:
    name, columns = check_name(query.name), named_columns(error.rows) if isinstance(error, AccessDenied) else set()
    if columns and not query.optional:
        systems.missing_grants |= columns
        return Check(name, CheckResult.SKIP, f"needs {GRANTS_CHECK}: {', '.join(sorted(columns))}")
    fault = QUERY_FAULTS.get(error.status)
    if fault is None:
        return Check(name, CheckResult.FAIL, f"{error} {error.error_text}".strip(), GRANTS_FIX)
    check = Check(name, CheckResult.FAIL, f"{error.status}: {fault.meaning}", fault.remedy)
    # A cause is reported once: for the first query that it stops.
    first = next((each.name for each in outcomes.values() if replace(each, name=name) == check), None)
    if first is not None:
        return Check(name, CheckResult.SKIP, f"as {first} ({error.status})")
    return _optional(name, query, fault, error) if query.optional else check


def _returned(name: str, query: Query, response: ApiResponse, outcomes: Outcomes) -> Check:
    """Return how many rows there are, and whether they have every column that passback needs."""
    rows, all_rows = page_of(response)
    if not rows:
        return _empty(name, query, outcomes)
    problems = _problems(query, rows)
    total = len(rows) if all_rows is None else all_rows
    total_rows = counted(total, "row")
    if not problems:
        return ok(name, f"{total_rows}, every column there")
    columns = ", ".join(problems)
    if min(problems.values()) < len(rows):
        found = f"{total_rows}; some cannot be read: {columns}"
        return Check(name, CheckResult.WARN, found, "Correct these values in PowerSchool: such rows are left out.")
    found = f"{total_rows} without a usable {columns}"
    if query.optional:
        return Check(name, CheckResult.WARN, f"{found}: {query.optional}", OPTIONAL_FIX)
    return Check(name, CheckResult.FAIL, found, Cause.QUERY_OUTDATED.remedy)


def _empty(name: str, query: Query, outcomes: Outcomes) -> Check:
    """Return the result of a query without rows. Every district has schools; the other lists may be empty in summer."""
    schools = check_name(SCHOOLS.query)
    if query.listed is SCHOOLS:
        return Check(name, CheckResult.FAIL, "runs; no rows", EMPTY_FIX)
    if query.may_be_empty:
        return ok(name, "runs; no rows")
    if schools in outcomes and outcomes[schools].verdict is CheckResult.FAIL:
        return Check(name, CheckResult.SKIP, f"as {schools} (no rows)")
    return Check(name, CheckResult.WARN, "runs; no rows", EMPTY_FIX)


def _problems(query: Query, rows: Sequence[Any]) -> Mapping[str, int]:
    """Return in how many rows a column is missing or unusable, by column."""
    wire, counts = TypeAdapter(query.row), dict[str, int]()
    for row in rows:
        try:
            wire.validate_python(row)
            names = set[str]()
        except ValidationError as error:
            names = {str(problem["loc"][0]) if problem["loc"] else "row" for problem in problems_of(error)}
        try:
            if query.listed is not None:
                query.listed.position(row)
        except ValueError:
            names.add(query.listed.key[0] if query.listed is not None else "")
        for each in names:
            counts[each] = counts.get(each, 0) + 1
    # What every row lacks is what matters.
    lacking = {column: count for column, count in counts.items() if count == len(rows)}
    return lacking or counts
