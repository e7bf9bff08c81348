"""The JSON API over an in-memory Redis: who gets in, and what is answered."""

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path

import fakeredis
import httpx
import pytest

from shared.config import load
from shared.domain.passback.audit import (
    AuditEntry,
    ScoreChange,
    WriteContext,
    WriteKind,
)
from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.course_state import AssignmentRecord, CourseRecord, SectionRecord, SectionRoster, State
from shared.domain.passback.powerschool import Score
from shared.domain.passback.rules.reasons import Finding, Reason
from shared.errors import CourseGone, NotFound
from tests.unit.workers.grade_passback.school import School
from workers.container import Container
from workers.grade_passback.operations.history import COLUMNS
from workers.web.api.app import create_api
from workers.web.auth.sign_in import RequestAuthenticator
from workers.web.middleware import RequestLimits
from workers.web.receivers.rejections import RejectionLog

PASSWORD = "a long enough password é"
VIEWER_PASSWORD = "another long password"
NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
RECORD = CourseRecord(
    "101",
    NOON,
    (
        AssignmentRecord("7", "Lab 1", (SectionRecord("4711", State.SYNCED, (), (), 5, 6, 1, 1, NOON),)),
        AssignmentRecord("8", "Lab 2", (SectionRecord("4711", State.BLOCKED, (Finding(Reason.NOT_PUBLISHED),)),)),
    ),
    rosters=(SectionRoster("4711", 4711, ("S1",)),),
)
ENTRY = AuditEntry(
    NOON,
    "101",
    "7",
    4711,
    5,
    6,
    WriteKind.SCORES,
    WriteContext((ChangeCause.EVENT,), "passback", 3),
    Decimal(10),
    scores=(ScoreChange(31, "S1", None, Score(Decimal("7.5"))),),
)


class Web:
    """The API of one passback, and a caller who knows the password."""

    def __init__(self, password: str = PASSWORD) -> None:
        viewers = VIEWER_PASSWORD if password else ""
        given = {"PASSBACK_OPERATOR_PASSWORD": password, "PASSBACK_VIEWER_PASSWORD": viewers}
        settings = load(given, env_file=Path("no.env"))
        self.service = Container(settings, redis=fakeredis.FakeRedis(server=fakeredis.FakeServer()))
        # The limits stand before every route of the web process.
        rejections = RejectionLog(self.service.clock)
        self.app = RequestLimits(create_api(self.service, RequestAuthenticator(self.service)), rejections)

    def call(
        self, method: str, path: str, auth: tuple[str, str] | None = ("operator", PASSWORD), **given: object
    ) -> httpx.Response:
        """Return the answer to one request under `/api/v1`."""

        async def one() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://passback.test/api/v1") as client:
                basic = None if auth is None else httpx.BasicAuth(auth[0].encode(), auth[1].encode())
                return await client.request(method, path, auth=basic, **given)  # type: ignore[arg-type]

        return asyncio.run(one())


@pytest.fixture(scope="module")
def shared_web() -> Iterator[Web]:
    web = Web()
    yield web
    web.service.close()


@pytest.fixture
def web(shared_web: Web) -> Web:
    shared_web.service.redis.flushall()
    shared_web.service.records.save(RECORD)
    shared_web.service.audit.add(ENTRY)
    return shared_web


def code(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"code", "message"}
    return response.status_code, error["code"]


@pytest.mark.parametrize(
    "auth", [None, ("operator", "wrong"), ("somebody", PASSWORD), ("operator", ""), ("viewer", "")]
)
@pytest.mark.parametrize("path", ["/courses/101", "/dead-letters", "/provisioning/1"])
def test_nobody_gets_in_without_the_password(web: Web, path: str, auth: tuple[str, str] | None) -> None:
    """Every path asks for the operator's password, and says how."""
    response = web.call("GET", path, auth)
    assert code(response) == (401, "not_signed_in")
    assert response.headers["www-authenticate"].startswith("Basic")


def test_a_header_that_is_no_password_is_refused(web: Web) -> None:
    """What cannot be read is answered like a wrong password, in the same shape."""
    response = web.call("GET", "/status", None, headers={"Authorization": "Basic %%%"})
    assert code(response) == (401, "not_signed_in")


def test_without_a_password_configured_the_api_is_closed() -> None:
    """Nobody is let in by default, and the answer names the setting."""
    response = Web(password="").call("GET", "/status", ("operator", ""))
    assert code(response) == (403, "no_password_configured")
    assert "PASSBACK_OPERATOR_PASSWORD" in response.text


def test_a_course_is_explained_from_the_record(web: Web) -> None:
    """The answer has the contract's shape, says that it is not live, and may not be kept on the way."""
    response = web.call("GET", "/courses/101")
    found = response.json()
    assert (found["course_id"], found["live"], found["as_of"]) == ("101", False, NOON.isoformat())
    assert [a["sections"][0]["state"] for a in found["assignments"]] == ["synced", "blocked"]
    assert [r["code"] for r in found["assignments"][1]["sections"][0]["reasons"]] == ["not_published"]
    assert response.headers["cache-control"] == "no-store"


def test_a_student_is_answered_for(web: Web) -> None:
    """The student's sentence and last write are there."""
    found = web.call("GET", "/courses/101", params={"assignment_id": "7", "student_sis_id": "S1"}).json()
    (assignment,) = found["assignments"]
    assert assignment["student"]["sentence"] == "Sent: 7.5 of 10."
    assert assignment["student"]["last_write"]["at"] == NOON.isoformat()


def test_looking_live_without_settings_says_which_are_missing(web: Web) -> None:
    """The sentence names the settings."""
    response = web.call("GET", "/courses/101", params={"live": "true"})
    assert code(response) == (503, "not_configured")
    assert "PASSBACK_POWERSCHOOL_URL" in response.text


def test_a_course_that_was_never_synced_is_not_found(web: Web) -> None:
    """There is nothing to say about it."""
    assert code(web.call("GET", "/courses/404")) == (404, "course_not_synced")


@pytest.mark.parametrize("course_id", ["abc", "1%202", "9" * 30, "-1"])
def test_an_id_that_is_none_is_refused(web: Web, course_id: str) -> None:
    """The answer says where, and does not repeat what was sent."""
    response = web.call("GET", f"/courses/{course_id}")
    assert code(response) == (422, "not_valid")
    assert "course_id" in response.text


def test_the_history_is_told(web: Web) -> None:
    """An entry has what was written and what it replaced, points as text."""
    (entry,) = web.call("GET", "/courses/101/history").json()["entries"]
    assert entry["kind"] == "scores"
    assert entry["students"][0]["after"] == {"points": "7.5", "missing": False, "exempt": False}
    assert web.call("GET", "/courses/101/history", params={"student_sis_id": "S2"}).json()["entries"] == []
    assert web.call("GET", "/courses/101/history", params={"since": "2031-03-05"}).json()["entries"] == []


@pytest.mark.parametrize("since", ["0", "-1.9", "1930000000", " 7 "])
def test_seconds_are_no_time(web: Web, since: str) -> None:
    """A number is refused, not taken for seconds since 1970."""
    response = web.call("GET", "/courses/101/history", params={"since": since})
    assert code(response) == (422, "not_valid")
    assert "since" in response.text


def test_the_history_is_filtered_and_paged(web: Web) -> None:
    """Each filter of the page is one of the API, and `next` leads on."""
    asked = partial(web.call, "GET", "/courses/101/history")
    for query, count in (
        ({"field": "score"}, 1), ({"field": "name"}, 0), ({"trigger": "event"}, 1), ({"trigger": "person"}, 0),
        ({"actor": "passback"}, 1), ({"actor": "rivera"}, 0), ({"until": "2001-03-05"}, 0),
    ):  # fmt: skip
        assert len(asked(params=query).json()["entries"]) == count, query
    assert asked(params={"field": "grade"}).status_code == 422
    assert asked(params={"limit": "1"}).json()["next"] is None
    (entry,) = web.service.audit.of_course("101")
    web.service.audit.add(entry)
    assert asked(params={"limit": "1"}).json()["next"] == 1
    assert len(asked(params={"limit": "1", "start": "1"}).json()["entries"]) == 1


def test_the_history_is_a_file(web: Web) -> None:
    """With the columns of the command line's."""
    response = web.call("GET", "/courses/101/history.csv")
    assert response.headers["content-type"].startswith("text/csv")
    assert response.text.splitlines()[0] == ",".join(COLUMNS)
    assert ",7.5," in response.text


def test_a_sync_is_requested(web: Web) -> None:
    """202, and the course is due, asked for by the operator."""
    response = web.call("POST", "/courses/101/sync", json={"assignment_id": "7"})
    assert (response.status_code, response.json()) == (202, {"course_id": "101", "requested": True})
    pending = web.service.changes.state_of("101").pending
    assert pending is not None
    assert (pending.causes, pending.actors, pending.assignment_ids) == ({ChangeCause.PERSON}, {"operator"}, {"7"})


def test_a_sync_needs_no_body(web: Web) -> None:
    """The header against forgery is enough."""
    response = web.call("POST", "/courses/101/sync", headers={"X-Requested-With": "curl"})
    assert response.status_code == 202


class NoCourse:
    """A Canvas that has no course."""

    def check_course(self, course_id: str) -> None:
        raise CourseGone(f"GET /api/v1/courses/{{course_id}}: 404, course {course_id}")

    def close(self) -> None:
        pass


def test_a_course_that_canvas_never_had_leaves_nothing(web: Web) -> None:
    """It is refused by name, and nothing of it is in Redis."""
    web.service.canvas = NoCourse()  # type: ignore[assignment]
    try:
        response = web.call("POST", "/courses/999/sync", headers={"X-Requested-With": "curl"})
    finally:
        del web.service.canvas
    assert code(response) == (404, "course_unknown")
    assert "999" in response.text
    assert web.service.redis.keys("*999*") == []
    assert web.service.changes.state_of("999").pending is None
    assert not web.service.records.is_connected("999")


@pytest.mark.parametrize("given", [{}, {"content": b"{}", "headers": {"Content-Type": "text/plain"}}])
def test_what_a_form_of_another_site_can_send_is_refused(web: Web, given: dict[str, object]) -> None:
    """Without the header and without JSON nothing happens."""
    response = web.call("POST", "/courses/101/sync", **given)
    assert code(response) == (403, "maybe_forged")
    assert web.service.changes.state_of("101").pending is None


@pytest.mark.parametrize("body", [{"assignment": "7"}, {"assignment_id": "x"}, [1]])
def test_a_body_that_is_no_request_is_refused(web: Web, body: object) -> None:
    """Unknown and wrong fields are named."""
    assert code(web.call("POST", "/courses/101/sync", json=body)) == (422, "not_valid")


def test_a_large_body_is_not_read(web: Web) -> None:
    """Not even for somebody with a password."""
    assert code(web.call("POST", "/courses/101/sync", content=b"x" * 20_000)) == (413, "too_large")


def test_dead_letters_are_listed(web: Web) -> None:
    """An entry has the contract's fields."""
    web.service.dead_letters.add("101", "7", "powerschool_500", "PUT /ws/xte/score: 500", 3)
    (dead_letter,) = web.call("GET", "/dead-letters").json()
    assert (dead_letter["course_id"], dead_letter["cause"], dead_letter["attempts"]) == ("101", "powerschool_500", 3)
    assert set(dead_letter) >= {"id", "first_failed_at", "last_failed_at"}


def test_a_dead_letter_is_retried_as_a_fresh_sync(web: Web) -> None:
    """The course becomes due; the letter stays open until that succeeds; an unknown one is told."""
    dead_letter = web.service.dead_letters.add("101", "7", "powerschool_500", "PUT /ws/xte/score: 500", 3)
    headers = {"X-Requested-With": "test"}
    response = web.call("POST", f"/dead-letters/{dead_letter.id}/retry", headers=headers)
    assert (response.status_code, response.json()) == (202, {"id": dead_letter.id, "requested": True})
    assert web.service.changes.counts().due == 1
    assert [each.id for each in web.service.dead_letters.all()] == [dead_letter.id]
    assert code(web.call("POST", "/dead-letters/course-999/retry", headers=headers)) == (404, "dead_letter_unknown")


def test_the_status_is_told(web: Web) -> None:
    """It is what `passback status --json` prints."""
    assert web.call("GET", "/status").json()["courses"]["connected"] == 1


def test_the_description_names_every_path(web: Web) -> None:
    """OpenAPI is where the contract says."""
    paths = web.call("GET", "/openapi.json").json()["paths"]
    assert set(paths) >= {
        "/api/v1/courses/{course_id}", "/api/v1/courses/{course_id}/history", "/api/v1/courses/{course_id}/sync",
        "/api/v1/dead-letters", "/api/v1/status",
    }  # fmt: skip


@pytest.mark.parametrize(("method", "path", "found"), [("GET", "/nothing", 404), ("DELETE", "/status", 405)])
def test_other_paths_and_methods_have_the_same_shape(web: Web, method: str, path: str, found: int) -> None:
    """Whatever is not done is told alike."""
    assert code(web.call(method, path))[0] == found


HEADERS = {"X-Requested-With": "test"}


def test_a_viewer_looks_and_does_nothing(web: Web) -> None:
    """Every action asks for an operator; every question is answered, without a score."""
    viewer = ("viewer", VIEWER_PASSWORD)
    ids = {"course_id": "101", "letter_id": "course-1", "batch_id": "0" * 16, "run_id": "1"}
    for template, methods in web.call("GET", "/openapi.json").json()["paths"].items():
        path = template.removeprefix("/api/v1").format(**ids)
        if "post" in methods:
            body = {"all": True} if path in ("/dead-letters/retry", "/dead-letters/discard") else {}
            assert code(web.call("POST", path, viewer, json=body)) == (403, "not_operator"), path
        elif "plan" not in path and "totals" not in path:
            response = web.call("GET", path, viewer)
            assert response.status_code in (200, 404), path
            assert "7.5" not in response.text, path
    assert web.service.actions.newest(1) == []


def test_a_viewer_sees_no_score(web: Web) -> None:
    """Ids, states and reasons remain, and the answer says that something is withheld; an operator sees the scores."""
    web.service.course_reader = School().reader  # type: ignore[misc]  # in place of the one over HTTP
    for path in (
        "/courses/101/history", "/courses/101?student_sis_id=S1", "/courses/1?live=true&student_sis_id=S1",
        "/courses/1/plan",
    ):  # fmt: skip
        seen, withheld = web.call("GET", path), web.call("GET", path, ("viewer", VIEWER_PASSWORD))
        assert withheld.json()["scores_withheld"] is True, path
        assert "scores_withheld" not in seen.json(), path
        assert "7.5" not in withheld.text, path
        assert '"exempt"' not in withheld.text, path
    history = web.call("GET", "/courses/101/history", ("viewer", VIEWER_PASSWORD)).json()
    assert history["entries"][0]["students"] == [{"student_dcid": 31, "student_sis_id": "S1", "graded_by": None}]
    assert "7.5" in web.call("GET", "/courses/101/history").text
    (first, _) = web.call("GET", "/courses/101?student_sis_id=S1").json()["assignments"]
    (hidden, _) = web.call("GET", "/courses/101?student_sis_id=S1", ("viewer", VIEWER_PASSWORD)).json()["assignments"]
    assert (first["student"]["sentence"], hidden["student"]["sentence"]) == ("Sent: 7.5 of 10.", "Sent.")
    assert first["sections"][0]["state"] == hidden["sections"][0]["state"] == "synced"


def test_courses_are_listed_and_found(web: Web) -> None:
    """A page at a time, with what the last sync found."""
    web.service.records.register("202")
    found = web.call("GET", "/courses", params={"limit": 1}).json()
    assert [course["course_id"] for course in found["courses"]] == ["101"]
    assert found["courses"][0]["assignments"]["synced"] == 1
    (other,) = web.call("GET", "/courses", params={"start": found["next"]}).json()["courses"]
    assert (other["course_id"], other["assignments"]) == ("202", None)
    assert [c["course_id"] for c in web.call("GET", "/courses", params={"q": "10"}).json()["courses"]] == ["101"]


def test_some_dead_letters_are_retried(web: Web) -> None:
    """A dry run says which; then a batch tells how far it is; its actor is known."""
    for course in ("101", "102", "103"):
        web.service.dead_letters.add(course, None, "canvas_500", "", 6)
    asked = {"cause": "canvas_500", "ids": ["course-101", "course-102"]}
    selected = web.call("POST", "/dead-letters/retry", json={**asked, "dry_run": True}).json()
    assert selected == {"would_retry": ["course-101", "course-102"]}
    assert web.service.changes.counts().due == 0
    begun = web.call("POST", "/dead-letters/retry", json=asked)
    assert begun.status_code == 202
    until = time.monotonic() + 10
    while (batch := web.call("GET", f"/dead-letters/batches/{begun.json()['batch_id']}").json())["state"] == "running":
        assert time.monotonic() < until
    assert (batch["state"], batch["done"], batch["total"], batch["actor"]) == ("done", 2, 2, "operator")
    assert web.service.changes.counts().due == 2
    (action,) = web.call("GET", "/actions").json()
    assert (action["verb"], action["count"], action["actor"]) == ("retry", 2, "operator")


@pytest.mark.parametrize("body", [{}, {"ids": []}, {"all": True, "cause": "x"}, {"all": True, "per_minute": 60}])
def test_which_letters_has_to_be_said(web: Web, body: dict[str, object]) -> None:
    """Nothing is chosen by leaving something out."""
    assert code(web.call("POST", "/dead-letters/discard", json=body)) == (422, "not_valid")


def test_a_dead_letter_is_shown_and_discarded(web: Web) -> None:
    """Then it is unknown."""
    dead_letter = web.service.dead_letters.add("101", "7", "powerschool_500", "", 3)
    assert web.call("GET", "/dead-letters/groups").json()[0]["letters"] == 1
    assert web.call("GET", f"/dead-letters/{dead_letter.id}").json()["attempts"] == 3
    assert web.call("POST", f"/dead-letters/{dead_letter.id}/discard", headers=HEADERS).status_code == 202
    assert code(web.call("GET", f"/dead-letters/{dead_letter.id}")) == (404, "dead_letter_unknown")


def test_dead_letters_come_in_pages(web: Web) -> None:
    """The header says where the next one starts, and is missing on the last."""
    for number in range(5):
        web.service.dead_letters.add(str(100 + number), None, "canvas_500", "", 6)
    first = web.call("GET", "/dead-letters", params={"cause": "canvas_500", "limit": 3})
    start = first.headers["x-next"]
    rest = web.call("GET", "/dead-letters", params={"cause": "canvas_500", "limit": 3, "start": start})
    assert [len(first.json()), len(rest.json())] == [3, 2]
    assert "x-next" not in rest.headers


def test_pauses_are_set_and_lifted(web: Web) -> None:
    """Both may be repeated, and say whether anything changed."""
    asked = {"target": "course:101", "reason": "repair"}
    assert [web.call("POST", "/pauses", json=asked).json()["paused"] for _ in range(2)] == [True, False]
    (pause,) = web.call("GET", "/pauses").json()
    assert (pause["target"], pause["actor"], pause["reason"]) == ("course:101", "operator", "repair")
    assert code(web.call("POST", "/pauses", json={"target": "passback"})) == (422, "not_valid")
    resume = {"target": "course:101"}
    assert [web.call("POST", "/pauses/resume", json=resume).json()["resumed"] for _ in range(2)] == [True, False]


def test_what_canvas_refuses_is_told(web: Web) -> None:
    """A plan of a course that Canvas does not know is not found, and the answer says who said so."""
    school = School()
    school.canvas.faults.always("course", NotFound("GET /courses/{id}: 404", cause="canvas_404", status=404))
    web.service.course_reader = school.reader
    assert code(web.call("GET", "/courses/404/plan")) == (404, "canvas_404")


def test_the_status_says_what_is_wrong(web: Web) -> None:
    """Problems come with a code and a remedy."""
    problems = web.call("GET", "/status").json()["problems"]
    assert [problem["code"] for problem in problems] == ["no_worker", "no_beat"]
    assert all(problem["remedy"] for problem in problems)


def test_a_course_that_was_never_synced_says_what_it_waits_for(web: Web) -> None:
    """It is unknown only where nothing of it waits."""
    assert code(web.call("GET", "/courses/303")) == (404, "course_not_synced")
    web.service.changes.request("303", ChangeCause.EVENT, ["7"])
    found = web.call("GET", "/courses/303").json()
    assert (found["as_of"], found["assignments"], found["dead_letters"]) == (None, [], [])
    assert (found["activity"]["state"], found["activity"]["changes"]) == ("no_worker", 1)
    assert found["activity"]["sentence"] == "No worker is running; 1 change waits."


def test_a_course_names_its_dead_letters_and_changed_assignments(web: Web) -> None:
    """With cause and remedy; each assignment says whether a change of it waits."""
    web.service.dead_letters.add("101", "8", "canvas_500", "", 6)
    web.service.changes.request("101", ChangeCause.EVENT, ["7"])
    found = web.call("GET", "/courses/101").json()
    (dead_letter,) = found["dead_letters"]
    assert (dead_letter["id"], dead_letter["cause"], dead_letter["attempts"]) == ("assignment-101-8", "canvas_500", 6)
    assert [(each["assignment_id"], each["change_waits"]) for each in found["assignments"]] == [
        ("7", True),
        ("8", False),
    ]
