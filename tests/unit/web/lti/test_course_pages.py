"""The pages inside Canvas, over an in-memory Redis: what a teacher reads, and what a form does."""

import re
from dataclasses import replace
from datetime import timedelta
from unittest.mock import Mock

import pytest

from shared.adapters.http.exchange import current_context, waits_at_most
from shared.adapters.redis.client import Lease
from shared.domain.passback.canvas import Course, Person
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.domain.passback.course_state import LastChange, SectionRecord, State, StudentRecord
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.errors import CourseGone, ServiceUnavailable
from tests.unit.domain.passback.baseline import graded
from tests.unit.web.lti.canvas_site import ROWS, CanvasSite
from workers.web.lti.pages.plain_text import without_codes
from workers.web.lti.session import LtiRole
from workers.web.views.live_reads import FOR_BOTH_SIDES, FOR_NAMES

COURSE_PAGES = (
    "/lti/course", "/lti/course/sync", "/lti/course/names", "/lti/course/preview", "/lti/course/student",
    "/lti/course/totals", "/lti/course/history", "/lti/post-grades", "/lti/assignment",
)  # fmt: skip


@pytest.fixture
def canvas() -> CanvasSite:
    canvas = CanvasSite()
    canvas.sync()
    return canvas


def test_one_sentence_then_what_needs_the_teacher(canvas: CanvasSite) -> None:
    """What needs the teacher comes with reason, remedy and the way to the assignment; what agrees is folded."""
    frame = canvas.frame()
    said = frame.text("/lti/course")
    assert "1 of 2 assignments agrees with PowerSchool; 1 needs you." in said
    assert said.index("Needs you (1) ") < said.index("Lab report") < said.index("Agrees with PowerSchool (1)")
    assert "The assignment has no due date for this section. Enter a due date in Canvas" in said
    assert "For you." in said
    page = frame.post("/lti/course").text
    address = "https://district.instructure.com/courses/1/assignments/12"
    assert f'href="{address}" rel="noreferrer" target="_top"' in page
    assert "Biology &lt;1" in page
    assert re.search(r"Agrees with PowerSchool.*<details><summary>", page, re.DOTALL)


def test_the_door_of_a_teacher_has_no_codes(canvas: CanvasSite) -> None:
    """Neither codes nor ids of PowerSchool, whatever state the course is in; an operator's page has them."""
    service = canvas.site.service
    service.dead_letters.add("1", "11", "powerschool_500", "", 6)
    service.pauses.pause("course:1", "rivera", "we move house")
    said = canvas.frame().text("/lti/course")
    assert "Somebody in your district has paused this since" in said
    assert "(we move house)" in said
    for word in ("powerschool_500", "rivera", "4001", "dead letter", "passback worker"):
        assert word not in said, word


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ("powerschool_unavailable", "PowerSchool has not answered"),
        ("powerschool_throttled", "PowerSchool has asked passback to wait"),
        ("powerschool_denied", "PowerSchool has not let passback in"),
    ],
)
def test_an_outage_is_on_top_of_each_page(canvas: CanvasSite, cause: str, words: str) -> None:
    """In words, and with what it means for the teacher."""
    service = canvas.site.service
    service.redis.set(service.keys.pause("powerschool"), cause, px=60_000)
    service.redis.set(service.keys.outage("powerschool"), round(service.clock.now().timestamp() * 1000))
    for path in ("/lti/course", "/lti/course/history", "/lti/post-grades"):
        said = canvas.frame().text(path)
        assert re.search(rf"{words} since [\d: ]+; nothing is lost", said), said
        assert cause not in said
    service.changes.request("1", ChangeCause.PERSON, actor="canvas-user:900")
    said = canvas.frame().text("/lti/course")
    assert said.count(words) == 1
    assert "1 change waits." in said


def test_the_last_change_says_how_long_it_took(canvas: CanvasSite) -> None:
    """From the event to PowerSchool, with the assignment's name."""
    assert "Last sent: Reading 1, " in (said := canvas.frame().text("/lti/course"))
    assert "less than a second after the change in Canvas." in said
    records = canvas.site.service.records
    record = records.course("1")
    assert record is not None
    assert record.last_change is not None
    earlier = record.last_change.written_at - timedelta(seconds=4)
    records.save(replace(record, last_change=LastChange(earlier, record.last_change.written_at)))
    assert "4 seconds after the change in Canvas." in canvas.frame().text("/lti/course")
    # A newer write that no event caused has no such time.
    records.save(replace(record, last_change=LastChange(earlier, earlier)))
    said = canvas.frame().text("/lti/course")
    assert "Last sent: Reading 1" in said
    assert "after the change" not in said


def test_a_sync_is_requested_and_shown(canvas: CanvasSite) -> None:
    """It counts for the person, goes before others, and the page that answers says that it begins."""
    frame, service = canvas.frame(), canvas.site.service
    assert "Sync now" in frame.text("/lti/course")
    said = frame.text("/lti/course/sync")
    assert "1 change goes to PowerSchool within seconds." in said
    pending = service.changes.state_of("1").pending
    assert pending is not None
    assert (pending.causes, pending.actors) == ({ChangeCause.PERSON}, {"canvas-user:900"})
    action = service.actions.newest(1)[0]
    assert (action.actor, action.verb, action.target) == ("canvas-user:900", "sync", "course:1")


@pytest.mark.parametrize("path", ["/lti/course/names", "/lti/course/student", "/lti/course/preview"])
def test_a_page_waits_for_names_for_seconds(canvas: CanvasSite, path: str) -> None:
    """All requests for them together: a Canvas that hangs takes no thread from other pages for minutes."""
    found: list[timedelta] = []

    def read(*_: object, **__: object) -> tuple[Person, ...]:
        context = current_context()
        assert context is not None
        found.append(context.max_wait())
        return ()

    canvas.people.students = read  # type: ignore[method-assign]
    canvas.school.canvas.rows = tuple(replace(row, submissions={"11": graded("1")}) for row in ROWS)
    assert canvas.frame().post(path).status_code == 200
    assert found
    assert all(timedelta(0) < each <= FOR_NAMES for each in found)


LIVE_PAGES = ("/lti/course/preview", "/lti/course/student", "/lti/course/totals")


@pytest.mark.parametrize("path", LIVE_PAGES)
def test_a_page_of_both_gradebooks_waits_for_less_than_a_minute(canvas: CanvasSite, path: str) -> None:
    """All of its requests together, and for names within that; without an answer it says for how long it waits."""
    found: list[timedelta] = []

    def waits(*_: object, **__: object) -> Course:
        context = current_context()
        assert context is not None
        found.append(context.max_wait())
        raise ServiceUnavailable("no answer in time for a page", cause="page_deadline", delay=timedelta(0))

    canvas.school.canvas.course = waits  # type: ignore[method-assign]
    response = canvas.frame().post(path, student="S1")
    assert found
    assert all(timedelta(0) < each <= FOR_BOTH_SIDES for each in found)
    if response.status_code == 200:
        assert "This is as of the last sync." in response.text
    else:
        assert response.status_code == 503
        assert "This page waits for the two gradebooks for 45 seconds at most." in response.text


def test_what_waits_within_a_wait_has_no_more_time() -> None:
    """The names of a page have what the gradebooks left of its time."""
    with waits_at_most(timedelta(seconds=2)), waits_at_most(FOR_NAMES):
        context = current_context()
        assert context is not None
        assert context.max_wait() <= timedelta(seconds=2)


@pytest.mark.parametrize("path", LIVE_PAGES)
def test_a_course_that_was_deleted_says_so(canvas: CanvasSite, path: str) -> None:
    """Nobody is told to try again."""
    gone = CourseGone("GET /api/v1/courses/{course_id}: 404")
    canvas.school.canvas.faults.always("course", gone)
    response = canvas.frame().post(path)
    if path != "/lti/course/student":
        assert response.status_code == 404
        assert "Canvas has no such course any more" in response.text


def test_a_sync_of_an_unknown_assignment_says_which(canvas: CanvasSite) -> None:
    """Nobody is told that a system does not answer, or to try again."""
    known = canvas.school.canvas
    known.check_course = lambda _course_id: None  # type: ignore[attr-defined]
    canvas.site.service.__dict__["canvas"] = known
    response = canvas.frame().post("/lti/course/sync", assignment="999")
    assert response.status_code == 404
    assert "Course 1 has no assignment 999." in response.text
    assert canvas.site.service.changes.state_of("1").pending is None


@pytest.mark.parametrize(
    ("path", "form", "status", "text"),
    [
        ("/lti/course/sync", {}, 404, "Canvas has no course 1."),
        ("/lti/course/sync", {"assignment": "x"}, 422, "An assignment is named by its Canvas id"),
        ("/lti/course/student", {"student": "S3"}, 404, "No student with this SIS id is in your sections"),
    ],
)
def test_what_is_refused_leaves_the_way_on(
    canvas: CanvasSite, path: str, form: dict[str, str], status: int, text: str
) -> None:
    """Such as the sync of a course that was deleted since its page was made. A page of another course shows nothing."""
    known, service = canvas.school.canvas, canvas.site.service
    service.redis.zrem(service.keys.courses, "1")
    known.check_course = Mock(side_effect=CourseGone("GET /api/v1/courses/{course_id}: 404"))  # type: ignore[attr-defined]
    service.__dict__["canvas"] = known
    response = canvas.frame().post(path, **form)
    assert response.status_code == status
    assert text in response.text
    assert "/lti/course/history" in response.text
    other = canvas.frame().post(path, **form, course_id="2")
    assert other.status_code == 403
    assert "/lti/course/history" not in other.text


@pytest.mark.parametrize("path", ["/lti/course", "/lti/post-grades", "/lti/assignment"])
def test_a_sync_that_is_held_up_is_noted(canvas: CanvasSite, path: str) -> None:
    """The page says so while it waits, in each tab, and says when it is done."""
    frame, service = canvas.frame(), canvas.site.service
    service.redis.set(service.keys.pause("powerschool"), "powerschool_unavailable", px=60_000)
    service.redis.set(service.keys.outage("powerschool"), round(service.clock.now().timestamp() * 1000))
    page = frame.post("/lti/course/sync", **{"from": path.rpartition("/")[2].replace("-", "_")}).text
    asked = re.search(r'name="asked" value="(\d+)"', page)
    assert asked is not None
    noted = r"The sync that you asked for at \d+:\d\d is noted, and runs by itself as soon as it can."
    assert re.search(noted, page)
    assert re.search(noted, frame.text(path, asked=asked[1]))
    assert "The sync that you asked for is noted" in frame.text(path)
    assert "A sync that somebody asked for is noted" in canvas.frame(user_id="901").text(path)
    lease, _ = started(canvas)
    assert re.search(r"The sync that you asked for at \d+:\d\d runs now\.", frame.text(path, asked=asked[1]))
    record = service.records.course("1")
    assert record is not None
    service.records.save(replace(record, synced_at=service.clock.now()))
    service.changes.release(lease)
    assert re.search(r"The sync that you asked for at \d+:\d\d is done\.", frame.text(path, asked=asked[1]))
    assert "The sync that you asked for" not in frame.text(path)


def test_a_sync_that_was_given_up_is_not_done(canvas: CanvasSite) -> None:
    """And a field that is no time is ignored."""
    frame, service = canvas.frame(), canvas.site.service
    asked = str(int(service.clock.now().timestamp()) + 60)
    assert "was not carried out. Ask again." in frame.text("/lti/course", asked=asked)
    service.dead_letters.add("1", None, "powerschool_500", "", 6)
    assert "was not carried out. If this lasts, tell" in frame.text("/lti/course", asked=asked)
    for wrong in ("", "x", "99999999999999999999", "-1", "\u0661" * 10):
        assert "asked for" not in frame.text("/lti/course", asked=wrong)


def started(canvas: CanvasSite) -> tuple[Lease, PendingChanges]:
    """Begin the sync that is due, as a worker does."""
    changes = canvas.site.service.changes
    assert changes.claim_due(10) == ["1"]
    begun = changes.start_sync("1")
    assert begun is not None
    return begun


def test_a_sync_of_sections_that_are_not_shown_is_said(canvas: CanvasSite) -> None:
    """The button is for the whole course; nothing of other sections is shown after it."""
    whole = "Sync now is for the whole course: your sections, and those of others"
    for path in ("/lti/course", "/lti/post-grades", "/lti/course/preview", "/lti/course/sync"):
        assert whole in canvas.frame().text(path)
        assert whole not in canvas.frame(("21", "22")).text(path)
        assert whole not in canvas.frame((), role=LtiRole.ADMIN).text(path)
    assert whole not in canvas.frame(may_sync=False).text("/lti/course")


def test_an_assignment_of_a_course_that_was_never_synced() -> None:
    """No last sync is named where there was none."""
    said = CanvasSite().frame().text("/lti/assignment", assignment="11")
    assert "Nothing of this course was sent yet" in said
    assert "last sync" not in said


def test_whoever_acts_as_another_only_looks(canvas: CanvasSite) -> None:
    """Without the button, and refused where the form is sent all the same."""
    frame = canvas.frame(real_user_id="5")
    said = frame.text("/lti/course")
    assert "You act as another user in Canvas" in said
    assert "Sync now" not in said + frame.text("/lti/course/preview") + frame.text("/lti/post-grades")
    assert frame.post("/lti/course/sync").status_code == 403
    assert canvas.site.service.changes.state_of("1").pending is None


def test_a_district_may_keep_the_button_from_teachers(canvas: CanvasSite) -> None:
    """The form is refused as well, and so it is for a page that was opened before the district chose so."""
    frame = canvas.frame(may_sync=False)
    assert "Sync now" not in frame.text("/lti/course") + frame.text("/lti/course/preview")
    assert frame.post("/lti/course/sync").status_code == 403
    settings = canvas.site.service.settings
    canvas.site.service.settings = settings.model_copy(update={"lti_teachers_may_sync": False})
    assert "Sync now" not in canvas.frame().text("/lti/course") + canvas.frame().text("/lti/course/preview")
    assert canvas.frame().post("/lti/course/sync").status_code == 403
    assert "Sync now" in canvas.frame((), role=LtiRole.ADMIN).text("/lti/course")
    assert canvas.site.service.changes.state_of("1").pending is None


def test_the_preview_is_a_table_of_students(canvas: CanvasSite) -> None:
    """Student, what PowerSchool has, and what it has afterwards; of the sections of this teacher."""
    canvas.school.powerschool.assignments_there.clear()
    said = canvas.frame().text("/lti/course/preview")
    assert "A sync would create 1 assignment and send 2 scores. Nothing was written." in said
    assert "Student In PowerSchool Afterwards" in said
    assert "Zimt, Ada · S1" in said
    assert "8 of 10" in said


def test_the_gradebook_gets_a_way_back(canvas: CanvasSite) -> None:
    """Done leads to Canvas; a return address elsewhere is none."""
    page = canvas.frame().post("/lti/post-grades").text
    assert 'href="https://district.instructure.com/courses/1/external_content/success"' in page
    assert "Left out: needs you (1)" in canvas.frame().text("/lti/post-grades")
    for elsewhere in (
        "https://evil.example/x",
        "javascript:alert(1)",
        "http://district.instructure.com/",
        "//evil.example",
    ):
        assert "Done" not in canvas.frame(return_url=elsewhere).text("/lti/post-grades")


def test_an_assignment_is_answered(canvas: CanvasSite) -> None:
    """By a sentence and its reasons; another assignment is not there."""
    said = canvas.frame(placement="assignment_menu", assignment_id="12").text("/lti/assignment")
    assert "Lab report Not sent as it is: this assignment needs you." in said
    assert "Reading 1" not in said.replace("Last sent: Reading 1", "")
    assert "PowerSchool agrees with Canvas." in canvas.frame(assignment_id="11").text("/lti/assignment")
    assert "not to be sent to PowerSchool" in canvas.frame(assignment_id="13").text("/lti/assignment")
    assert "Nothing is known of it yet" in canvas.frame(assignment_id="99").text("/lti/assignment")
    assert "Canvas lists no such assignment" in canvas.frame().text("/lti/course/preview", assignment="99")
    assert "Agrees with PowerSchool" in canvas.frame().text("/lti/assignment")
    assert canvas.frame().post("/lti/assignment", assignment="x").status_code == 422


def test_a_sync_of_one_assignment_names_it(canvas: CanvasSite) -> None:
    """And shows the assignment's page again."""
    frame = canvas.frame(assignment_id="12")
    assert "Lab report" in frame.text("/lti/course/sync", **{"from": "assignment", "assignment": "12"})
    pending = canvas.site.service.changes.state_of("1").pending
    assert pending is not None
    assert pending.assignment_ids == {"12"}


def test_an_assignment_s_launch_also_shows_the_whole_course(canvas: CanvasSite) -> None:
    """Its preview names the assignment in its form; without that, preview and sync are about the course."""
    frame = canvas.frame(placement="assignment_menu", assignment_id="12")
    page = frame.post("/lti/assignment").text
    assert page.count('name="assignment" value="12"') == 2
    assert "One assignment alone." in frame.text("/lti/course/preview", assignment="12")
    said = frame.text("/lti/course/preview")
    assert "Reading 1" in said
    assert "One assignment alone." not in said
    frame.post("/lti/course/sync")
    pending = canvas.site.service.changes.state_of("1").pending
    assert pending is not None
    assert not pending.assignment_ids


def test_a_course_that_was_never_synced_says_so() -> None:
    """With what makes passback find it."""
    said = CanvasSite().frame().text("/lti/course")
    assert "Nothing of this course was sent yet" in said
    assert "Sync to SIS" in said


def test_the_totals_are_explained(canvas: CanvasSite) -> None:
    """The course's students with both totals, and what differs; a student step by step, from either page."""
    frame = canvas.frame()
    canvas.school.grade("S1", "11", "9")
    said = frame.text("/lti/course/totals")
    assert "Another score in PowerSchool: 1 student." in said
    assert "Zimt, Ada Period 1" in said
    page = frame.post("/lti/course/student", student="S1").text
    assert "Why the student&#39;s totals differ" in page or "Why the student's totals differ" in page
    said = frame.text("/lti/course/totals", student="S1")
    assert "Zimt, Ada · S1 · Period 1" in said
    for words in ("Canvas's total", "9 of 10 in Canvas, 8 of 10 in PowerSchool", "PowerSchool's gradebook", "80.00"):
        assert words in said
    assert 'action="/lti/course/totals"' in frame.post("/lti/course").text


def test_totals_without_powerschool_lead_on(canvas: CanvasSite) -> None:
    """As the preview does: nothing is half there, and no number of before."""
    unavailable = ServiceUnavailable("GET /ws: 503", cause="powerschool_unavailable", delay=timedelta(seconds=5))
    canvas.school.canvas.faults.always("course", unavailable)
    response = canvas.frame().post("/lti/course/totals")
    assert response.status_code == 503
    assert "does not answer now" in response.text
    assert "80.00" not in response.text


def test_the_proof_is_on_the_course_page(canvas: CanvasSite) -> None:
    """When and what, and that it is about the whole course; nothing before the first time."""
    service = canvas.site.service
    assert "Verified" not in canvas.frame().text("/lti/course")
    service.verifier.verify("1", "rivera", patience=timedelta(0))
    said = canvas.frame().text("/lti/course")
    whole = "This is about the whole course, with all its sections"
    proof = re.search(rf"Verified [A-Z][a-z]+day \d\d:\d\d : (.*?)\. {whole}", said)
    assert proof is not None, said
    assert proof[1].startswith("3 scores, all equal")
    said = canvas.frame((), role=LtiRole.ADMIN).text("/lti/course")
    assert "3 scores, all equal" in said
    assert whole not in said


@pytest.mark.parametrize("path", COURSE_PAGES)
def test_another_course_is_refused(canvas: CanvasSite, path: str) -> None:
    """A teacher of course 1 with the page of course 1 cannot reach course 2 by form, address or token."""
    frame = canvas.frame(assignment_id="11")
    assert frame.post(path, course_id="2").status_code == 403
    assert frame.post(path, address="?course_id=2").status_code == 422
    assert frame.post(f"{path}/2").status_code == 404
    assert canvas.frame(role=LtiRole.TEACHER, course_id=None).post(path, course_id="2").status_code == 403
    for token in ("", "x", frame.token[:-2], frame.token.swapcase()):
        frame.token = token
        assert frame.post(path).status_code == 403
    assert canvas.frame(expires_at=canvas.site.service.clock.now() - timedelta(seconds=1)).post(path).status_code == 403
    service = canvas.site.service
    assert service.changes.state_of("1").pending is None
    assert service.changes.state_of("2").pending is None


@pytest.mark.parametrize("path", COURSE_PAGES)
def test_a_page_has_no_address_for_a_link(canvas: CanvasSite, path: str) -> None:
    """Nothing can be opened by a link with a token in it."""
    frame = canvas.frame()
    assert canvas.site.browser().get(path).status_code in (404, 405)
    assert canvas.site.browser().get(f"{path}?lti_token={frame.token}").status_code in (404, 405)


def test_no_address_on_a_page_has_the_token(canvas: CanvasSite) -> None:
    """It is in forms and in the element that the script reads, and in no link."""
    for path in ("/lti/course", "/lti/course/preview", "/lti/course/history", "/lti/post-grades"):
        page = canvas.frame().post(path).text
        assert not re.findall(r'(?:href|src|action)="[^"]*(?:lti_token|eyJ|token=)', page), path


def test_a_preview_without_powerschool_leads_on(canvas: CanvasSite) -> None:
    """It says so in words, and the stored pages stay within reach."""
    unavailable = ServiceUnavailable("GET /ws: 503", cause="powerschool_unavailable", delay=timedelta(seconds=5))
    canvas.school.canvas.faults.always("course", unavailable)
    response = canvas.frame().post("/lti/course/preview")
    assert response.status_code == 503
    assert "does not answer now" in response.text
    assert 'action="/lti/course/history"' in response.text
    assert "/ws" not in response.text


def test_a_student_is_explained_without_codes(canvas: CanvasSite) -> None:
    """What was given up says so, without the code of its cause and without what only an operator can do."""
    canvas.school.powerschool.assignments_there.clear()
    canvas.site.service.dead_letters.add("1", "11", "powerschool_500", "", 6)
    for path in ("/lti/course/student", "/lti/course", "/lti/assignment"):
        said = canvas.frame().text(path, student="S1", assignment="11")
        assert "powerschool_500" not in said


@pytest.mark.parametrize(
    ("message", "plain"),
    [
        ("Passback gave up (powerschool_unavailable).", "Passback gave up."),
        ("A name (PowerSchool assignment section 7001).", "A name."),
        ("The name is too long (31 characters).", "The name is too long (31 characters)."),
        ("No category (active categories: Homework, Quiz).", "No category (active categories: Homework, Quiz)."),
    ],
)
def test_codes_are_for_operators(message: str, plain: str) -> None:
    """Facts that a teacher can use stay."""
    found = {"assignments": [{"name": message, "reasons": [{"message": message}], "student": {"sentence": message}}]}
    assert without_codes(found) == {
        "assignments": [{"name": message, "reasons": [{"message": plain}], "student": {"sentence": plain}}]
    }


def test_a_page_of_a_large_course_stays_small(canvas: CanvasSite) -> None:
    """200 assignments and 150 students, each score held back: every student is listed once for a reason."""
    records = canvas.site.service.records
    record = records.course("1")
    assert record is not None
    held = tuple(StudentRecord(str(900 + n), f"S{n}", Finding(Reason.STUDENT_UNKNOWN)) for n in range(150))
    section = SectionRecord("4001", State.SYNCED, (), held, 5, 6, 150)
    work = tuple(replace(record.assignments[0], assignment_id=str(n), sections=(section,)) for n in range(200))
    records.save(replace(record, assignments=work))
    page = canvas.frame().post("/lti/course").text
    assert "140 more" in page
    assert all(f"Student S{n}<" in page for n in range(150))
    assert len(page) < 2_000_000
