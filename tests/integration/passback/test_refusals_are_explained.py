"""Whatever PowerSchool refuses comes out of `explain` as a cause that a person can read, with a remedy.

The titles are those of the PowerTeacher Pro part of Instructure's "SIS Error Code Dictionary". What the sandbox can
refuse by itself it refuses by itself; the rest is answered by its `fail_next`, since their bodies are not public.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import fakeredis
import httpx
import pytest

from shared.adapters.canvas import canvas_client
from shared.adapters.powerschool import powerschool
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.config import load
from shared.domain.passback.changes import ChangeCause, PendingChanges
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.district.small import small_district, student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from shared.sandbox.powerschool.app import create_app as powerschool_app
from tests.fakes import (
    FakeChanges,
    Stores,
    write_check,
)
from tests.integration.clients.test_clients_against_sandbox import served
from tests.manual_clock import ManualClock
from workers.grade_passback.apply.context import WriteTargets
from workers.grade_passback.compare import SyncPolicy, compare
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.course_sync import CourseSync
from workers.grade_passback.explain.activity import CourseActivity
from workers.grade_passback.explain.explainer import CourseExplainer
from workers.grade_passback.explain.response import ExplainQuery
from workers.grade_passback.sync_job import SyncOutcomeHandler

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
COURSE = str(Ids.HEALTHY_COURSE)
FIRST = Ids.HEALTHY_COURSE * 10 + 1
ONE, TWO = Ids.STUDENTS_HEALTHY[:2]
TERM_ID = 4101
CREATE = "/ws/xte/section/assignment"
SCORE = "/ws/xte/score"


@dataclass
class Town:
    """Both sandboxes over real sockets, the real clients, and the use cases between them."""

    canvas_url: str
    powerschool_url: str
    course_sync: CourseSync
    explainer: CourseExplainer
    outcome_handler: SyncOutcomeHandler
    changes: FakeChanges
    stores: Stores
    letters: DeadLetters
    links: Links
    clock: ManualClock
    reader: CourseReader

    def canvas(self, do: str, **arguments: object) -> None:
        """Do something in Canvas."""
        _ok(httpx.post(f"{self.canvas_url}/_sandbox/act", json={"do": do, "course_id": int(COURSE), **arguments}))

    def grade(self, number: int, score: float) -> None:
        """Enter a score for the first assignment."""
        self.canvas("grade", assignment_id=FIRST, user_id=user_id_of(number), score=score)

    def empty(self, number: int) -> None:
        """Take the score away again."""
        self.canvas("clear", assignment_id=FIRST, user_id=user_id_of(number))

    def powerschool(self, do: str, **arguments: object) -> None:
        """Do something in PowerSchool."""
        _ok(httpx.post(f"{self.powerschool_url}/_sandbox/act", json={"do": do, **arguments}))

    def faults(self, **knobs: object) -> None:
        """Set PowerSchool's knobs."""
        _ok(httpx.put(f"{self.powerschool_url}/_sandbox/faults", json=knobs))

    def canvas_faults(self, **knobs: object) -> None:
        """Set Canvas's knobs."""
        _ok(httpx.put(f"{self.canvas_url}/_sandbox/faults", json=knobs))

    def writes(self) -> list[str]:
        """Return the kinds of PowerSchool's accepted writes since the last look."""
        url = f"{self.powerschool_url}/_sandbox/writes"
        kinds = [write["kind"] for write in httpx.get(url).json()]
        _ok(httpx.delete(url))
        return kinds

    def score(self, number: int) -> Any:
        """Return what PowerSchool holds for the student in the first assignment."""
        (row,) = [r for r in httpx.get(f"{self.powerschool_url}/_sandbox/state").json() if r["name"] == "Warm-up 1"]
        return row["scores"][str(student_dcid_of(number))]

    def refused_puts(self) -> int:
        """Return how many score batches were refused."""
        log = httpx.get(f"{self.powerschool_url}/_sandbox/requests").json()
        return sum(each["path"] == SCORE and each["status"] == 409 for each in log)

    @property
    def there(self) -> int:
        """The assignment section id of the first assignment."""
        found = self.links.of_course(COURSE)[str(FIRST), Ids.HEALTHY_DCID].powerschool_assignment_section_id
        assert found is not None
        return found

    def sync(self, cause: ChangeCause = ChangeCause.EVENT) -> None:
        """Sync the course once, as the task does."""
        lease = self.changes.lease(COURSE)
        changes = PendingChanges(COURSE, NOON, NOON, 1, frozenset({cause}), frozenset({str(FIRST)}), 0)
        check = write_check(self.changes, lease, self.clock, timedelta(minutes=5))
        self.outcome_handler.run(lease, changes, lambda: self.course_sync.run(changes, check, lease.token))

    def explanation(self, student: int | None = None) -> Any:
        """Return the whole explanation about the first assignment."""
        return self.explainer.explain(ExplainQuery(COURSE, str(FIRST), None if student is None else str(student)))

    def section(self) -> Any:
        """Return what `explain` says of the first assignment in its section."""
        (assignment,) = self.explanation()["assignments"]
        (section,) = assignment["sections"]
        return section


def _ok(response: httpx.Response) -> None:
    assert response.is_success, response.text


@contextmanager
def town(*, clear_scores: bool = False, **variables: str) -> Iterator[Town]:
    """Run a town; `variables` are settings without their prefix."""
    clock, keys, district = ManualClock(NOON), Keys("test"), small_district(NOON.date())
    with ExitStack() as stack:
        canvas_url = stack.enter_context(served(canvas_app(district.canvas.model_copy(deep=True), clock)))
        powerschool_url = stack.enter_context(served(powerschool_app(district.powerschool, clock)))
        redis = stack.enter_context(fakeredis.FakeRedis())
        plugin = district.powerschool.plugin
        settings = load(
            {
                "PASSBACK_CANVAS_URL": canvas_url,
                "PASSBACK_CANVAS_TOKEN": district.canvas.token,
                "PASSBACK_POWERSCHOOL_URL": powerschool_url,
                "PASSBACK_POWERSCHOOL_CLIENT_ID": plugin.client_id,
                "PASSBACK_POWERSCHOOL_CLIENT_SECRET": plugin.client_secret,
                **{f"PASSBACK_{name}": value for name, value in variables.items()},
            }
        )
        canvas = stack.enter_context(closing(canvas_client(settings, redis, keys, clock)))
        ps = stack.enter_context(closing(powerschool(settings, redis, keys, clock)))
        stores, changes = Stores(clock), FakeChanges()
        links, records, audit = stores.links, stores.records, stores.audit
        letters, associations = stores.dead_letters, stores.associations
        policy = SyncPolicy(ZoneInfo("America/Los_Angeles"), 14, "", clear_scores=clear_scores)
        reader = CourseReader(canvas, ps.roster, ps.gradebook, links, records, clock, policy, associations)
        yield Town(
            canvas_url=canvas_url,
            powerschool_url=powerschool_url,
            course_sync=CourseSync(
                reader,
                WriteTargets(ps.gradebook, links, audit, stores.takeovers, clock, 100),
                ps.roster,
                records,
                associations,
                letters,
            ),
            explainer=CourseExplainer(
                lambda: reader,
                records,
                letters,
                audit,
                changes,
                stores.pauses,
                clock,
                lambda _: CourseActivity(clock.now()),
            ),
            outcome_handler=SyncOutcomeHandler(changes, letters, (timedelta(seconds=30),), lambda: 0.0),
            changes=changes,
            stores=stores,
            letters=letters,
            links=links,
            clock=clock,
            reader=reader,
        )


@pytest.fixture
def here() -> Iterator[Town]:
    with town() as one:
        yield one


def answers(method: str, path: str, status: int, title: str) -> Callable[[Town], None]:
    """Let the next such request be answered with the title; the body's form is one of those measured."""
    errors = [{"code": title, "field": title, "resource": "Assignment"}]
    body = {"message": "Validation Failed", "errors": errors} if status == 409 else {"message": title}
    failure = {"method": method, "path_prefix": path, "status": status, "body": body}
    return lambda here: here.faults(fail_next=[failure])


def locked_unseen(here: Town) -> None:
    """Lock the assignment, where the read that tells of locks is not the one in use."""
    here.powerschool("change_assignment", assignment_section_id=here.there, locked=True)


def other_teacher(here: Town) -> None:
    """Let somebody else lead the section, of whom the remembered roster knows nothing."""
    here.powerschool("change_teacher", section_dcid=Ids.HEALTHY_DCID, users_dcid=Ids.OTHER_TEACHER)


def deactivated(here: Town) -> None:
    """Make every category that the remembered ones name useless."""
    here.powerschool("change_category", category_id=Ids.CATEGORY_HOMEWORK, active=False)


def locked_term(here: Town) -> None:
    """Lock the term."""
    here.powerschool("lock_term", term_id=TERM_ID)


@dataclass(frozen=True)
class Case:
    """A title, what makes PowerSchool refuse so, and what is to be explained; `sent` if a first sync went well."""

    title: str
    refuse: Callable[[Town], None]
    reason: str
    state: str = "blocked"
    sent: bool = False


CASES = (
    Case("403 User Does Not Teach Section", other_teacher, "teacher_does_not_teach_section", sent=True),
    Case("409 Due Date Error", answers("POST", CREATE, 409, "Due Date Error"), "due_date_refused"),
    Case("409 Assignment is Locked", locked_unseen, "assignment_locked", sent=True),
    Case("409 Assignment is Locked, on creation", locked_term, "assignment_locked"),
    Case("409 Assignment is Locked, scores", answers("PUT", SCORE, 409, "Assignment is Locked"), "assignment_locked"),
    Case(
        "409 Score Entry Point Required", answers("POST", CREATE, 409, "Score Entry Point Required"), "points_refused"
    ),
    Case(
        "409 Actual Score Grade Scale ID",
        answers("PUT", SCORE, 409, "Actual Score Grade Scale ID"),
        "grade_scale_missing",
        sent=True,
    ),
    Case("409 Student ID, nobody named", answers("PUT", SCORE, 409, "Student ID"), "refused", sent=True),
    Case("409 Teacher Category ID", deactivated, "category_refused"),
    Case(
        "412 Assignment Update is Missing Record",
        answers("PUT", CREATE, 412, "Assignment Update is Missing Record"),
        "update_refused",
        sent=True,
    ),
    Case(
        "400 Unable to Create Assignment", answers("POST", CREATE, 400, "Unable to Create Assignment"), "create_refused"
    ),
    Case("404 Not Found", answers("POST", CREATE, 404, "Not Found"), "dead_letter", "dead"),
    Case("Assignment Already Exists", answers("POST", CREATE, 409, "Assignment Already Exists"), "duplicate_refused"),
    Case(
        "Assignment Cannot Be Created", answers("POST", CREATE, 409, "Assignment Cannot Be Created"), "create_refused"
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_refusal_is_a_plain_reason(here: Town, case: Case) -> None:
    """The reason has a sentence and a remedy, and the state says that somebody has to act."""
    if case.sent:
        here.grade(ONE, 7.5)
        here.sync()
        assert here.section()["state"] == "synced"
    else:
        compare(here.reader.read(COURSE, asked_for_by_person=False))  # The categories are remembered.
    here.grade(ONE, 8.5)
    if case.reason == "update_refused":
        here.canvas("edit_assignment", assignment_id=FIRST, changes={"points_possible": 30})
    case.refuse(here)
    here.sync()
    section = here.section()
    (reason,) = section["reasons"]
    assert (section["state"], reason["code"]) == (case.state, case.reason)
    assert reason["message"].endswith(".")
    assert reason["remedy"].endswith(".")


def test_a_throttled_write_is_sent_again_in_its_place(here: Town) -> None:
    """403 Forbidden Rate Limit: the sync waits for a moment and writes the score; no attempt is spent."""
    here.grade(ONE, 7.5)
    answers("PUT", SCORE, 403, "Rate Limit: too many requests")(here)
    here.sync()
    assert list(here.changes.later) == []
    assert here.score(ONE)["points"] == "7.5"


def test_a_long_throttling_is_waited_out_and_told(here: Town) -> None:
    """Asked to wait for minutes, the sync gives way: no attempt is spent, and the course says what it waits for."""
    here.grade(ONE, 7.5)
    answers("PUT", SCORE, 403, "Rate Limit: too many requests, wait 300 seconds")(here)
    here.sync()
    assert [(course, attempts) for course, _, attempts in here.changes.later] == [(COURSE, 0)]
    answer = here.explanation()
    (reason,) = answer["assignments"][0]["sections"][0]["reasons"]
    assert (reason["code"], answer["assignments"][0]["sections"][0]["state"]) == ("retrying", "retrying")
    assert "powerschool_throttled" in reason["message"]


def test_a_refused_student_is_named_and_the_class_is_written(here: Town) -> None:
    """409 Student ID: the others' scores are there, and this student's has its reason."""
    here.grade(ONE, 7.5)
    here.sync()
    here.powerschool("drop_student", section_dcid=Ids.HEALTHY_DCID, student_dcid=student_dcid_of(ONE))
    here.grade(ONE, 9)
    here.grade(TWO, 6)
    here.sync()
    students = {s["student_sis_id"]: s["code"] for s in here.section()["students"]}
    assert students.keys() == {str(ONE)}
    assert students[str(ONE)] in ("student_refused", "student_not_in_section")
    assert here.score(TWO)["points"] == "6"


def test_a_write_whose_answer_was_lost_is_in_the_audit(here: Town) -> None:
    """PowerSchool carried it out and the next sync finds nothing to write: the audit says that it was sent."""
    here.grade(ONE, 7.5)
    here.sync()
    here.writes()
    here.grade(ONE, 9)
    here.faults(lose_response_after_commit=1)
    here.sync()
    here.sync()
    assert here.writes() == ["scores"]
    last = here.stores.audit_entries(COURSE)[-1]
    assert (last.answer_lost, [score.after.points for score in last.scores if score.after]) == (True, [Decimal(9)])


def test_what_was_deleted_in_powerschool_is_made_again(here: Town) -> None:
    """404 Not Found, on an assignment that was sent: it is created again, with its scores."""
    here.grade(ONE, 7.5)
    here.sync()
    here.powerschool("delete", assignment_section_id=here.there)
    here.sync()
    assert here.section()["state"] == "synced"
    assert here.score(ONE)["points"] == "7.5"


def test_a_deleted_canvas_assignment_is_reported_with_its_old_name(here: Town) -> None:
    """It stays in PowerSchool, and somebody is told."""
    here.grade(ONE, 7.5)
    here.sync()
    here.writes()
    here.canvas("delete_assignment", assignment_id=FIRST)
    for _ in range(2):
        here.sync()
        (assignment,) = here.explanation()["assignments"]
        (section,) = assignment["sections"]
        assert (assignment["name"], section["state"]) == ("Warm-up 1", "blocked")
        assert [reason["code"] for reason in section["reasons"]] == ["deleted_in_canvas"]
        assert here.explanation(ONE)["assignments"][0]["student"]["standing"] == "held"
    assert here.writes() == []
    here.powerschool("delete", assignment_section_id=here.there)
    assert here.explanation()["assignments"] == []


def cleared(here: Town) -> None:
    """Send two scores, then empty one of them in Canvas."""
    here.grade(ONE, 7.5)
    here.grade(TWO, 6)
    here.sync()
    here.writes()
    here.empty(ONE)


def test_a_cleared_score_is_reported_and_kept(here: Town) -> None:
    """Unless the setting says more."""
    cleared(here)
    here.sync()
    assert [s["code"] for s in here.section()["students"]] == ["score_cleared"]
    assert (here.writes(), here.score(ONE)["points"]) == ([], "7.5")


def test_a_cleared_score_is_cleared_where_the_district_wants_it() -> None:
    """Once, with what it was in the audit; a new score can be sent and cleared again."""
    with town(clear_scores=True) as here:
        here.faults(accept_blank_scores=True)
        cleared(here)
        here.sync()
        assert (here.writes(), here.score(ONE)["points"]) == (["scores"], None)
        assert here.section()["students"] == []
        entry = here.stores.audit_entries(COURSE)[-1]
        assert (entry.kind, str(entry.scores[0].before and entry.scores[0].before.points)) == ("clear", "7.5")
        here.sync()
        assert here.writes() == []
        sent_to = here.links.of_course(COURSE)[str(FIRST), Ids.HEALTHY_DCID].sent_to
        assert sent_to == {student_dcid_of(TWO)}
        here.grade(ONE, 3)
        here.sync()
        assert here.score(ONE)["points"] == "3"


def test_one_refused_clearing_does_not_keep_the_others() -> None:
    """PowerSchool refuses a batch as a whole; whom it names is left out of the next one."""
    with town(clear_scores=True) as here:
        here.faults(accept_blank_scores=True)
        cleared(here)
        here.empty(TWO)
        here.powerschool("drop_student", section_dcid=Ids.HEALTHY_DCID, student_dcid=student_dcid_of(ONE))
        here.sync()
        assert (here.score(ONE)["points"], here.score(TWO)["points"]) == ("7.5", None)
        assert here.refused_puts() == 1


def test_a_refused_clearing_is_explained_and_not_repeated() -> None:
    """Until a person asks."""
    with town(clear_scores=True) as here:
        cleared(here)
        here.sync()
        assert here.refused_puts() == 1
        section = here.section()
        assert [s["code"] for s in section["students"]] == ["score_not_cleared"]
        assert "refused to have it cleared" in here.explanation(ONE)["assignments"][0]["student"]["sentence"]
        here.sync()
        here.sync()
        assert (here.refused_puts(), here.letters.all()) == (1, [])
        assert [s["code"] for s in here.section()["students"]] == ["score_not_cleared"]
        here.sync(ChangeCause.PERSON)
        assert here.refused_puts() == 2
