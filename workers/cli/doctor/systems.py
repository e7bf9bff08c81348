"""Checks of Canvas and PowerSchool: tokens, rights, fields and ids."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import islice

from shared.adapters.canvas import canvas_sis_imports
from shared.adapters.powerschool.grants import GRANTS
from shared.adapters.powerschool.powerqueries import Args
from shared.adapters.powerschool.provisioning.rows import LISTS
from shared.adapters.powerschool.rosters.reader import INDEX, SECTIONS, STUDENTS
from shared.adapters.powerschool.rosters.sis_ids import ONLY_DCID
from shared.adapters.redis.remote_limits.remote_limiter import SystemRate
from shared.config import ConfigurationError
from shared.domain.causes import Cause
from shared.domain.passback.canvas import Course
from shared.domain.plugin_queries import STATE_QUERY
from shared.errors import AccessDenied, PassbackError, QueryUnavailable
from workers.cli.doctor.result import Check, CheckFailed, CheckResult, clock_check, http_date, run_check
from workers.container import Container
from workers.status import rates_of

# Enough courses that a few training courses among them do not decide, and the scores of fewer.
SAMPLE, SCORES_SAMPLE = 10, 3
MILLISECOND = timedelta(milliseconds=1)
CLOCK_FIX = "Synchronize this machine's clock (NTP)."
CANVAS_FIX = "Check PASSBACK_CANVAS_URL and PASSBACK_CANVAS_TOKEN."
POWERSCHOOL_FIX = (
    "Check PASSBACK_POWERSCHOOL_URL, PASSBACK_POWERSCHOOL_CLIENT_ID and PASSBACK_POWERSCHOOL_CLIENT_SECRET."
)
PLUGIN_FIX = "Install and enable deploy/powerschool-plugin of this version in PowerSchool."
FIELDS_FIX = (
    "Give the service user view_all_grades and read_sis; tick Allow Include Parameters where the key has scopes."
)
PAGES_FIX = "Set PASSBACK_CANVAS_URL to the address that Canvas gives itself, unless passback has to use another one."
IDS_FIX = "Compare a section's SIS id in Canvas with PASSBACK_SECTION_SIS_ID, a student's with PASSBACK_STUDENT_SIS_ID."


def checks(service: Container) -> Iterator[Check]:
    """Yield the checks of both systems. Each sends its own request, so that one failure does not hide another."""
    yield from _canvas(service)
    yield from _powerschool(service)
    yield from _both(service)
    yield from _provisioning(service)


def _canvas(service: Container) -> Iterator[Check]:
    yield run_check("canvas: token", lambda: _canvas_token(service), CANVAS_FIX)
    yield from _clock("canvas: clock", lambda: service.canvas.check_token().headers.get("Date"))


def _powerschool(service: Container) -> Iterator[Check]:
    yield run_check("powerschool: token", lambda: _powerschool_token(service), POWERSCHOOL_FIX)
    for query, args in _queries(service):
        yield run_check(f"powerschool: {query}", partial(_powerschool_query, service, query, args), PLUGIN_FIX)
    fix = "Add the missing field to the plugin's access_request, raise its version and install it again."
    yield run_check("powerschool: grants", lambda: _powerschool_grants(service), fix)
    yield from _clock("powerschool: clock", lambda: _powerschool_date(service))
    yield run_check("rates", lambda: _rates(service), "")


def _both(service: Container) -> Iterator[Check]:
    """Yield checks of a few real courses. A 200 alone proves nothing: the fields must be there and be valid."""
    courses: list[Course] = []
    yield run_check("canvas: fields", lambda: _canvas_fields(service, courses), FIELDS_FIX)
    yield run_check("canvas: page links", lambda: _page_links(service), PAGES_FIX, failure=CheckResult.WARN)
    if courses:
        yield run_check("ids: sections", lambda: _section_ids(service, courses), IDS_FIX)


def _provisioning(service: Container) -> Iterator[Check]:
    """Yield whether the token can import rosters, if there is a schedule. Listing imports needs the same rights."""
    if not service.settings.provision_schedule:
        return
    fix = (
        "Give the user of PASSBACK_CANVAS_PROVISIONING_TOKEN import_sis or manage_sis on the root account and turn SIS "
        "imports on there; or empty PASSBACK_PROVISION_SCHEDULE."
    )
    yield run_check("canvas: imports", lambda: _imports(service), fix, failure=CheckResult.WARN)


def _imports(service: Container) -> str:
    with closing(canvas_sis_imports(service.settings, service.redis, service.keys, service.clock)) as imports:
        imports.newest(1)
    return "allowed"


def _canvas_token(service: Container) -> str:
    """Read the token's own user. A scoped key cannot read it, but the error still proves that the token is valid."""
    try:
        service.canvas.check_token()
    except AccessDenied as error:
        if "scope" not in error.error_text.lower():
            raise
        return "accepted (a scoped key)"
    return "accepted"


def _canvas_fields(service: Container, courses: list[Course]) -> str:
    """Read a few courses like a sync does. A missing field is reported by its name."""
    courses += [service.canvas.course(course_id) for course_id in _sample_courses(service)]
    if not courses:
        raise CheckFailed(CheckResult.WARN, "no course has synced work yet", "Turn on Sync to SIS for an assignment.")
    sections = [section for course in courses for section in course.sections]
    if sections and not any(section.sis_section_id for section in sections):
        raise CheckFailed(CheckResult.FAIL, f"no SIS id on any of {len(sections)} sections")
    rows = [
        row
        for course in courses[:SCORES_SAMPLE]
        for row in service.canvas.gradebook(course.id, _first_assignment(course))
    ]
    if rows and not any(row.sis_user_id for row in rows):
        raise CheckFailed(CheckResult.FAIL, f"no SIS id on any of {len(rows)} students")
    return f"all there, in {len(courses)} courses with {len(sections)} sections and {len(rows)} students"


def _page_links(service: Container) -> str:
    """Check the host of Canvas's page links, in the lists that earlier checks read."""
    others = sorted(service.canvas.other_origins)
    if others:
        raise CheckFailed(
            CheckResult.WARN, f"Canvas links its pages on {', '.join(others)}; they are read from the configured host"
        )
    return "on the configured host"


def _first_assignment(course: Course) -> list[str]:
    return [assignment.id for assignment in course.assignments[:1]]


def _sample_courses(service: Container) -> list[str]:
    """Return connected courses; if there are none, some courses with SIS sync in Canvas."""
    now = service.clock.now()
    connected = service.records.least_recently_visited(now + timedelta(days=1), SAMPLE)
    return connected or list(dict.fromkeys(islice(service.canvas.courses_to_sync(now), SAMPLE)))


def _section_ids(service: Container, courses: list[Course]) -> str:
    """Find the sample's sections in PowerSchool, not in the cache, by their SIS ids."""
    wanted = {s.sis_section_id for course in courses for s in course.sections if s.sis_section_id}
    found = service.powerschool.roster.sections(sorted(wanted), refresh=True)
    found_text = f"{len(found)} of {len(wanted)} sections found in PowerSchool"
    if len(found) * 2 < len(wanted):
        raise CheckFailed(CheckResult.WARN if found else CheckResult.FAIL, found_text)
    return found_text


def _powerschool_token(service: Container) -> str:
    service.powerschool.api.send("GET", "/ws/v1/metadata")
    return "accepted"


def _queries(service: Container) -> Iterator[tuple[str, Args]]:
    """Yield the queries that this installation needs, with arguments that select few rows or none."""
    nothing = {"section_dcids": [0]}
    yield STATE_QUERY, {**nothing, "score_section_ids": [0]}
    for listed in (SECTIONS, STUDENTS):
        yield listed.query, {**nothing, **listed.args_after(listed.start)}
    lists = [INDEX] if service.settings.section_sis_id != ONLY_DCID else []
    for listed in [*lists, *(LISTS if service.settings.provision_schedule else ())]:
        yield listed.query, listed.args_after(listed.start)


def _powerschool_query(service: Container, query: str, args: Args) -> str:
    try:
        service.powerschool.queries.check(query, args)
    except QueryUnavailable as error:
        fault = Cause(error.cause)
        raise CheckFailed(CheckResult.FAIL, f"{error.status}: {fault.meaning}", fault.remedy) from error
    return "runs"


def _powerschool_grants(service: Container) -> str:
    for table, columns in GRANTS.items():
        projection = ",".join(columns)
        params = [("projection", projection), ("pagesize", "1")]
        service.powerschool.api.send("GET", "/ws/schema/table/{table}", {"table": table}, params=params)
    return f"{sum(map(len, GRANTS.values()))} columns of {len(GRANTS)} tables"


def _rates(service: Container) -> str:
    """Return the rate at which all workers together call each system. The other checks may have changed it."""
    return "; ".join(map(_check_rate, rates_of(service)))


def _check_rate(rate: SystemRate) -> str:
    configured = f"{rate.configured / MILLISECOND:.0f} ms configured" if rate.configured else "none configured"
    if not rate.is_learnt:
        return f"{rate.system}: {configured}, and nothing was throttled recently"
    return f"{rate.system}: a request per {rate.interval / MILLISECOND:.0f} ms, learned from throttling; {configured}"


def _powerschool_date(service: Container) -> str | None:
    date: str | None = service.powerschool.api.send("GET", "/ws/v1/metadata").headers.get("Date")
    return date


def _clock(name: str, ask: Callable[[], str | None]) -> Iterator[Check]:
    try:
        theirs = http_date(ask())
    except (PassbackError, ConfigurationError):
        # Reported by the check of its settings or its token.
        return
    yield clock_check(name, theirs, CLOCK_FIX)
