"""Checks of Canvas: whether it answers, the token, the district, fields, page links, and SIS imports."""

from collections.abc import Iterator
from contextlib import closing
from functools import partial

from shared.adapters.canvas.pagination import PROBE, lacks_scope
from shared.adapters.http.response import FailureKind, Payload, failure_of
from shared.adapters.private_clients import private_sis_imports
from shared.config import PREFIX
from shared.domain.passback.canvas import Course
from shared.domain.wording import counted, describe
from shared.errors import AccessDenied, PassbackError
from workers.alerts import RENEW_ACCESS, TOKEN_WARNING
from workers.doctor.network import check_response, endpoint_of, fetch
from workers.doctor.result import Check, CheckFailed, CheckResult, Step, clock_check, http_date
from workers.doctor.systems import SCORES_SAMPLE, Systems

SETTINGS, CONNECTION, TOKEN = "settings: Canvas", "canvas: connection", "canvas: token"  # names of checks
COURSES, FIELDS = "canvas: courses", "canvas: fields"
CLOCK_FIX = "Synchronize this machine's clock (NTP)."
REFUSED_FIX = (
    "Make a new access token for the service user in Canvas (Account, Settings) and set PASSBACK_CANVAS_TOKEN to it: "
    "this one is wrong, expired or deleted."
)
FIELDS_FIX = (
    "Give the service user view_all_grades and read_sis; tick Allow Include Parameters where the key has scopes."
)
SCOPES_FIX = "Add these scopes to the developer key: deploy/canvas/developer-key.json has all of them."
COURSES_FIX = (
    "Correct PASSBACK_CANVAS_ACCOUNT, give the service user read_sis there, and turn on Sync to SIS in the account's "
    "settings: new courses are not found otherwise."
)
ACCOUNT_FIX = "Set PASSBACK_CANVAS_ROOT_ACCOUNT_UUID to the account's uuid: every event is rejected otherwise."
PAGES_FIX = "Set PASSBACK_CANVAS_URL to the address that Canvas gives itself, unless passback has to use another one."
IMPORTS_FIX = (
    "Give the user of PASSBACK_CANVAS_PROVISIONING_TOKEN import_sis or manage_sis on the root account and turn SIS "
    "imports on there; or empty PASSBACK_PROVISION_SCHEDULE."
)


def steps(systems: Systems) -> Iterator[Step]:
    """Yield the checks of Canvas. Listing imports needs the same rights as starting one."""
    settings = systems.settings
    yield Step(CONNECTION, partial(_connection, systems), needs=(SETTINGS, "settings: CA bundle"))
    yield Step("canvas: clock", partial(_clock, systems), needs=(CONNECTION,))
    yield Step(TOKEN, partial(_token, systems), REFUSED_FIX, needs=(CONNECTION,))
    if settings.canvas_root_account_uuid:
        yield Step("canvas: root account", partial(_root_account, systems), needs=(TOKEN,))
    yield Step(COURSES, partial(_courses, systems), COURSES_FIX, needs=(TOKEN,))
    yield Step(FIELDS, partial(_fields, systems), FIELDS_FIX, needs=(COURSES,))
    yield Step("canvas: page links", partial(_page_links, systems), PAGES_FIX, needs=(FIELDS,))
    if settings.provision_schedule:
        has_import_token = settings.canvas_provisioning_token.get_secret_value()
        needs = (CONNECTION,) if has_import_token else (TOKEN,)
        yield Step("canvas: imports", partial(_imports, systems), IMPORTS_FIX, needs, CheckResult.WARN)


def _connection(systems: Systems) -> str:
    url = systems.settings.canvas_url
    endpoint = endpoint_of(url, f"{PREFIX}CANVAS_URL")
    response = fetch(f"{url}{PROBE}", endpoint, systems.settings.ca_bundle)
    systems.dates["canvas"] = http_date(response.headers.get("Date"))
    # Without a token Canvas answers 401 here.
    failure = failure_of(response)
    is_throttled = failure is not None and failure[0] is FailureKind.THROTTLED
    is_canvas = response.status in (200, 401, 403) and response.payload is Payload.JSON
    return check_response(response, "Canvas", endpoint, is_expected=is_throttled or is_canvas)


def _clock(systems: Systems) -> Check:
    return clock_check("canvas: clock", systems.dates.get("canvas"), CLOCK_FIX)


def _token(systems: Systems) -> str:
    """Read the token's own user. A scoped key cannot read it, but the error still proves that the token is valid."""
    try:
        systems.canvas.check_token()
    except AccessDenied as error:
        if lacks_scope(error):
            return "accepted (a scoped key)"
        raise CheckFailed(CheckResult.FAIL, f"Canvas refuses the token ({error})") from None
    return _accepted(systems)


def _accepted(systems: Systems) -> str:
    """Return until when the token is accepted, where Canvas says it."""
    try:
        ends_at = systems.canvas.token_ends_at(systems.settings.canvas_token.get_secret_value())
    except PassbackError:
        return "accepted"
    if ends_at is None:
        return "accepted"
    remaining = ends_at - systems.clock.now()
    if remaining < TOKEN_WARNING:
        raise CheckFailed(CheckResult.WARN, f"accepted, and ends in {describe(remaining)}", RENEW_ACCESS)
    return f"accepted, until {ends_at:%Y-%m-%d}"


def _root_account(systems: Systems) -> str:
    """Compare the district's id with the account's own: events of any other district are rejected."""
    theirs = systems.canvas.root_account_uuid()
    if theirs is None:
        found = "not known: the token may not read the account; compare the uuid with root_account_uuid in an event"
        raise CheckFailed(CheckResult.SKIP, found)
    if theirs != systems.settings.canvas_root_account_uuid:
        raise CheckFailed(CheckResult.FAIL, "the setting is not the uuid of this Canvas's root account", ACCOUNT_FIX)
    return "the uuid is this Canvas's"


def _courses(systems: Systems) -> str:
    """Read the list in which new courses are found, also where courses are connected already."""
    try:
        first = next(systems.canvas.courses_to_sync(systems.clock.now()), None)
    except AccessDenied as error:
        raise _without_scopes(systems, error) or error from None
    if first is None:
        raise CheckFailed(CheckResult.WARN, "no course has synced work yet", "Turn on Sync to SIS for an assignment.")
    return "those with synced work are listed"


def _without_scopes(systems: Systems, error: AccessDenied) -> CheckFailed | None:
    """Return every request that the key has no scope for, at once; None if scopes are not the reason."""
    missing = systems.canvas.missing_scopes() if lacks_scope(error) else []
    if not missing:
        return None
    return CheckFailed(CheckResult.FAIL, f"the key has no scope for GET {', '.join(missing)}", SCOPES_FIX)


def _fields(systems: Systems) -> str:
    """Read a few courses like a sync does. A 200 alone proves nothing: the fields must be there and be valid."""
    try:
        systems.courses = [systems.canvas.course(course_id) for course_id in systems.sample_ids()]
        rows = {course.id: _students(systems, course) for course in systems.courses[:SCORES_SAMPLE]}
    except AccessDenied as error:
        raise _without_scopes(systems, error) or error from None
    systems.students = {course_id: {sis_id for sis_id in ids if sis_id} for course_id, ids in rows.items()}
    if not systems.courses:
        raise CheckFailed(CheckResult.SKIP, "no course to read yet")
    sections, students = sum(len(c.sections) for c in systems.courses), sum(map(len, rows.values()))
    without = [
        counted(count, what)
        for count, what, ids in (
            (sections, "section", systems.section_sis_ids()),
            (students, "student", [sis_id for ids in systems.students.values() for sis_id in ids]),
        )
        if count and not ids
    ]
    if without:
        raise CheckFailed(CheckResult.FAIL, f"no SIS id on any of {' and '.join(without)}")
    counts = counted(len(systems.courses), "course"), counted(sections, "section"), counted(students, "student")
    return f"all there, in {', '.join(counts)}"


def _students(systems: Systems, course: Course) -> list[str | None]:
    return [
        row.sis_user_id for row in systems.canvas.gradebook(course.id, [each.id for each in course.assignments[:1]])
    ]


def _page_links(systems: Systems) -> str:
    """Check the host of Canvas's page links, in the lists that earlier checks read."""
    others = sorted(systems.canvas.other_origins)
    if others:
        raise CheckFailed(
            CheckResult.WARN, f"Canvas links its pages on {', '.join(others)}; they are read from the configured host"
        )
    return "on the configured host"


def _imports(systems: Systems) -> str:
    with closing(private_sis_imports(systems.settings, systems.clock)) as imports:
        imports.newest(1)
    return "allowed"
