"""What `passback sandbox` says of the two sandboxes: what is in them, and how to change it."""

from collections.abc import Iterator
from textwrap import wrap

from shared.sandbox.canvas.seed import CanvasSeed
from shared.sandbox.ids import Ids
from shared.sandbox.powerschool.seed import PowerSchoolSeed

WIDTH = 79

HELP = (
    "Run a sandbox Canvas or PowerSchool, and enter grades in it.\n\n"
    "They behave like the real systems, listen on this machine only and forget everything when they end. "
    "`passback up` runs both, with passback between them.\n\n"
    "In the small district, course 101 has 58 students and an assignment for each reason that keeps grades back. "
    "Courses 102 and 106 are in order, the term of 103 is over, 104 and 105 are not connected to PowerSchool."
)

COURSES = {
    Ids.COURSE: "58 students, an assignment for each reason that keeps grades back",
    Ids.HEALTHY_COURSE: "12 students, all in order",
    Ids.CLOSED_COURSE: "its term is over",
    Ids.COURSE_WITHOUT_SIS_ID: "not connected: the course has no SIS id",
    Ids.COURSE_WITH_UNKNOWN_SECTIONS: "not connected: PowerSchool has no such section",
    Ids.OUTAGE_COURSE: "8 students, all in order",
}


def about_canvas(url: str, district: CanvasSeed, events: str) -> Iterator[str]:
    """Yield lines about the sandbox Canvas. `events` is the web process that gets its Live Events, empty for none."""
    yield f"Sandbox Canvas at {url}. Ctrl-C ends it."
    yield f"  token         {district.token}"
    if events:
        yield f"  Live Events   are sent to {events}, signed"
        yield f"  their keys    {url}/_sandbox/jwks"
    else:
        yield "  Live Events   are not sent; --events http://127.0.0.1:8080 sends them"
    example = '{"do": "change_theme", "theme": "blue"}'
    if not district.courses:
        yield "  courses       none yet; passback provision run brings them from PowerSchool"
    else:
        # Posting its grades ends the reason that keeps this assignment back.
        example = f'{{"do": "post", "course_id": {Ids.COURSE}, "assignment_id": {Ids.ANONYMOUS}}}'
        yield "  courses"
        yield from (f"    {course.id}  {COURSES[course.id]}" for course in district.courses)
        yield f"  as a teacher  {url}/courses/{Ids.COURSE}?as={Ids.CANVAS_TEACHER}, in a browser"
        yield "  enter a grade"
        yield f"    passback sandbox grade {Ids.COURSE} {Ids.ESSAY_DRAFT} {Ids.STUDENTS_A[0]} 18"
    yield from _control(url, example, _canvas_actions())


def about_powerschool(url: str, district: PowerSchoolSeed) -> Iterator[str]:
    """Yield lines about the sandbox PowerSchool."""
    plugin = district.plugin
    counts = {
        "school": len(district.schools),
        "section": len(district.sections),
        "student": len(district.students),
        "teacher": len({user.dcid for user in district.users}),
        "enrollment": len(district.enrollments),
    }
    yield f"Sandbox PowerSchool at {url}. Ctrl-C ends it."
    yield f"  client id     {plugin.client_id}"
    yield f"  secret        {plugin.client_secret}"
    listed = [f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items()]
    yield f"  in it         {', '.join(listed)}"
    yield f"  writes        {url}/_sandbox/writes"
    yield from _control(url, f'{{"do": "lock_term", "term_id": {district.terms[0].id}}}', _powerschool_actions())


def _control(url: str, action: str, actions: frozenset[str]) -> Iterator[str]:
    """Yield how to look inside, act as the people who use the system, and let it fail."""
    yield "  look inside"
    yield f"    curl {url}/_sandbox/state"
    yield f"    curl {url}/_sandbox/requests"
    yield "  act in it; an action without its arguments names them"
    yield f"    curl {url}/_sandbox/act \\"
    yield f"      -d '{action}'"
    yield from (f"    {line}" for line in wrap(", ".join(sorted(actions)), WIDTH - 4))
    yield "  let it fail, and work again"
    yield f"    curl -X PUT {url}/_sandbox/faults \\"
    yield "      -d '{\"maintenance\": true}'"
    yield f"    curl -X DELETE {url}/_sandbox/faults"


def _canvas_actions() -> frozenset[str]:
    from shared.sandbox.canvas.control import ACTIONS  # noqa: PLC0415  # the help needs no server

    return ACTIONS


def _powerschool_actions() -> frozenset[str]:
    from shared.sandbox.powerschool.actions import ACTIONS  # noqa: PLC0415

    return ACTIONS
