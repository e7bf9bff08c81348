"""A canary wherever a name, score, e-mail or token comes from, searched wherever none of them may get to.

The real adapters and the real stores are used; only the network and Redis are in memory.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fakeredis
import httpx
import pytest
import redis
from structlog.testing import capture_logs

from shared.adapters.canvas import canvas_client
from shared.adapters.powerschool import powerschool
from shared.adapters.redis.course_data.audit import MAX_ENTRIES, Audit
from shared.adapters.redis.course_data.course_states import CourseStates
from shared.adapters.redis.course_data.links import CategoryMatches, Links
from shared.adapters.redis.course_data.takeovers import Takeovers
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.sync_queue.store import SyncQueue
from shared.adapters.redis.sync_queue.streams import STREAM_OF, encode
from shared.config import Settings, load
from shared.domain.outcome import Outcome
from shared.domain.passback.changes import ChangeCause, DebounceWindow, PendingChanges
from shared.events import parse, to_change
from shared.queues import Queue, Stream, Task
from tests.fakes import write_check
from tests.manual_clock import ManualClock
from tests.unit.adapters.scripted_remote import ScriptedRemote, answer, text
from tests.unit.domain.passback.baseline import CHICAGO
from tests.unit.events.event_samples import event
from workers.celery.app import make_app
from workers.grade_passback.apply.context import WriteTargets
from workers.grade_passback.compare import SyncPolicy
from workers.grade_passback.course_reader import CourseReader
from workers.grade_passback.course_sync import CourseSync
from workers.grade_passback.sync_job import SyncOutcomeHandler

NOON = datetime(2031, 10, 6, 19, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WAITS = (SECOND,)

NAME, WORK, MAIL, SCORE = "Zephyrine Quackenbush", "Quackenbush essay", "zephyrine@canary.example", "7.4242"
SECRETS = ("canary-canvas-token", "canary-client-secret", "canary-access-token")
CANARIES = ("Zephyrine", "Quackenbush", "canary.example", SCORE, *SECRETS)

COURSE = "/api/v1/courses/41"
CREATE, SCORES, QUERY = "/ws/xte/section/assignment/", "/ws/xte/score", "/ws/schema/query/org.passback.sync."
SPOKEN = f"Score {SCORE} of '{NAME}' <{MAIL}> is not allowed for Student.id [8101]"

# These hold the data itself: what was found and written, the courses' names for those who look for one, a reader's
# cache, and the token that all workers share.
MAY_HOLD_DATA = ("record", "summaries", "course-words", "links", "audit", "writes-begun", "cache", "token")


@dataclass
class Sinks:
    """Everything a run leaves behind that other people or programs read."""

    service: redis.Redis
    keys: Keys
    outcomes: list[Outcome]
    lines: list[Any]

    def text(self, caplog: pytest.LogCaptureFixture) -> str:
        """Return all of it as one text."""
        letters = DeadLetters(self.service, self.keys).all()
        return "\n".join([repr(self.lines), repr(self.outcomes), repr(letters), caplog.text, *self._redis()])

    def _redis(self) -> Iterator[str]:
        for key in map(bytes.decode, self.service.scan_iter()):
            if not set(MAY_HOLD_DATA) & set(key.split(":")):
                yield f"{key} {self._content(key)!r}"

    def _content(self, key: str) -> object:
        match self.service.type(key):
            case b"hash":
                return self.service.hgetall(key)
            case b"zset":
                return self.service.zrange(key, 0, -1)
            case b"set":
                return self.service.smembers(key)
            case b"stream":
                return self.service.xrange(key)
            case _:
                return self.service.get(key)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    values = {
        "CANVAS_URL": "https://canvas.test",
        "CANVAS_TOKEN": SECRETS[0],
        "POWERSCHOOL_URL": "https://powerschool.test",
        "POWERSCHOOL_CLIENT_ID": "client",
        "POWERSCHOOL_CLIENT_SECRET": SECRETS[1],
    }
    return load({f"PASSBACK_{name}": value for name, value in values.items()}, tmp_path / "no.env")


@pytest.fixture
def remote() -> ScriptedRemote:
    """Canvas and PowerSchool with one course, one assignment and one student, all canaries."""
    remote = ScriptedRemote()
    remote.on("GET", COURSE, answer({"id": "41", "name": NAME}))
    sections = [{"id": "51", "name": NAME, "sis_section_id": "6100", "sis_course_id": "6100"}]
    remote.on("GET", f"{COURSE}/sections", answer(sections))
    remote.on("GET", f"{COURSE}/assignment_groups", answer([{"id": "61", "name": "Homework"}]))
    remote.on("GET", f"{COURSE}/assignments", answer([assignment()]))
    remote.on("GET", f"{COURSE}/students/submissions", answer([row()]))
    remote.on("POST", "/oauth/access_token", answer({"access_token": SECRETS[2], "expires_in": "3600"}))
    metadata = {"plugin_id": 411, "district_timezone": "America/Chicago"}
    remote.on("GET", "/ws/v1/metadata", answer({"metadata": metadata}))
    remote.on("POST", f"{QUERY}roster.sections", answer({"record": [section()], "count": 1}))
    remote.on("POST", f"{QUERY}roster.students", answer({"record": [student()], "count": 1}))
    remote.on("POST", f"{QUERY}gradebook.state", answer({"name": "state"}))
    remote.on(
        "GET", "/ws/xte/teacher_category", answer([{"teachercategoryid": 1, "name": "Homework", "isactive": True}])
    )
    location = f"https://powerschool.test{CREATE}9001"
    created = httpx.Response(201, headers={"Location": location, "AssignmentSectionIds": "[5501]"})
    return remote.on("POST", CREATE, created).on("PUT", SCORES, answer({}))


def assignment(**changes: object) -> dict[str, object]:
    return {
        "id": "71",
        "name": WORK,
        "description": f"<p>{NAME}</p>",
        "due_at": "2031-10-08T04:59:59Z",
        "points_possible": 10,
        "grading_type": "points",
        "published": True,
        "post_to_sis": True,
        "visible_to_everyone": True,
        "assignment_group_id": "61",
        "overrides": [],
        "submission_types": ["online_upload"],
        **changes,
    }


def row(**changes: object) -> dict[str, object]:
    submission = {"assignment_id": "71", "score": float(SCORE), "workflow_state": "graded"}
    of = {"user_id": "81", "section_id": "51", "sis_user_id": "3001", "user": {"name": NAME, "email": MAIL}}
    return {**of, "submissions": [submission], **changes}


def section() -> dict[str, str]:
    return {
        "section_dcid": "6100",
        "section_id": "77",
        "school_number": "12",
        "term_id": "4100",
        "year_id": "41",
        "first_day": "2031-08-20",
        "last_day": "2032-06-01",
        "teacher_users_dcid": "501",
    }


def student() -> dict[str, str]:
    return {
        "enrollment_dcid": "1",
        "section_dcid": "6100",
        "student_dcid": "8101",
        "student_number": "3001",
        "last_name": NAME,
        "entry_date": "2031-08-20",
        "exit_date": "2032-06-02",
        "enroll_status": "0",
    }


def run(settings: Settings, remote: ScriptedRemote, client: redis.Redis) -> Sinks:
    """Sync the course with its first attempt and its last, and keep everything that comes of it."""
    keys, clock = Keys("test"), ManualClock(NOON)
    links, records = Links(client, keys), CourseStates(client, keys)
    changes = SyncQueue(client, keys, DebounceWindow(SECOND, SECOND), 60 * SECOND, 60 * SECOND)
    canvas = canvas_client(settings, client, keys, clock, transport=remote.transport)
    ps = powerschool(settings, client, keys, clock, transport=remote.transport)
    audit = Audit(client, keys, timedelta(days=settings.audit_days), MAX_ENTRIES)
    policy = SyncPolicy(CHICAGO, 14, "")
    associations = CategoryMatches(client, keys)
    reader = CourseReader(canvas, ps.roster, ps.gradebook, links, records, clock, policy, associations)
    letters = DeadLetters(client, keys)
    targets = WriteTargets(ps.gradebook, links, audit, Takeovers(client, keys), clock, 100)
    sync = CourseSync(reader, targets, ps.roster, records, associations, letters)
    outcome_handler = SyncOutcomeHandler(changes, letters, WAITS, lambda: 0.0)
    sinks = Sinks(client, keys, [], [])
    with capture_logs() as sinks.lines:
        for attempts in range(len(WAITS) + 1):
            _hear(client, keys)
            changes.aggregate("worker", 10, timedelta(0))
            clock.advance(timedelta(hours=2))
            sinks.outcomes.append(_sync(changes, outcome_handler, sync, clock, attempts))
    return sinks


def _hear(client: redis.Redis, keys: Keys) -> None:
    """Let the receiver's way lead a Live Event about the canary onto its stream."""
    heard = event(
        metadata={"context_id": "41", "user_login": MAIL, "url": f"https://canvas.test/?q={NAME}"},
        body={"assignment_id": "71", "student_sis_id": NAME, "score": float(SCORE), "title": WORK},
    )
    change = to_change(parse(json.dumps(heard).encode()))
    assert change is not None
    client.xadd(keys.stream(STREAM_OF[change.kind]), encode(change))


def _sync(
    changes: SyncQueue, outcome_handler: SyncOutcomeHandler, sync: CourseSync, clock: ManualClock, attempts: int
) -> Outcome:
    changes.request("41", ChangeCause.PERSON)
    changes.claim_due(10)
    taken = changes.start_sync("41")
    assert taken is not None
    lease, _ = taken
    check = write_check(changes, lease, clock, timedelta(minutes=5))
    return outcome_handler.run(lease, _set(attempts), lambda: sync.run(_set(attempts), check, lease.token)).outcome


def _set(attempts: int) -> PendingChanges:
    return PendingChanges("41", NOON, NOON, 1, frozenset({ChangeCause.PERSON}), frozenset(), attempts)


def refusal(status: int, words: str = SPOKEN) -> httpx.Response:
    return answer({"message": words, "errors": [{"field": "score", "message": words}]}, status)


FAILURES: dict[str, tuple[str, str, httpx.Response | Exception]] = {
    "nothing fails": ("PUT", SCORES, answer({})),
    "a score is refused for its student": ("PUT", SCORES, refusal(409)),
    "a score is refused for no known reason": ("PUT", SCORES, refusal(409, f"'{NAME}' has '{SCORE}'")),
    "a score is malformed": ("PUT", SCORES, refusal(400)),
    "a teacher may not": ("PUT", SCORES, refusal(403, f"Teacher '{NAME}' does not teach this section")),
    "an assignment is refused": ("POST", CREATE, refusal(409, f"Assignment '{WORK}' has a bad due date")),
    "an assignment is refused for no known reason": ("POST", CREATE, refusal(422, f"'{WORK}' by {MAIL}")),
    "a create answers oddly": ("POST", CREATE, answer({"name": WORK, "student": NAME}, 201)),
    "scores break": ("PUT", SCORES, refusal(500)),
    "scores break as a page": ("PUT", SCORES, text(f"<html>{NAME} {SCORE}</html>", 500, "text/html")),
    "scores meet a maintenance page": ("PUT", SCORES, text(f"<html>{NAME}</html>", 200, "text/html")),
    "PowerSchool throttles": ("PUT", SCORES, refusal(429)),
    "PowerSchool is silent": ("PUT", SCORES, httpx.ReadTimeout(f"{NAME} {SECRETS[2]}")),
    "PowerSchool is unreachable": ("PUT", SCORES, httpx.ConnectError(f"{NAME} {SECRETS[2]}")),
    "the client secret is refused": ("POST", "/oauth/access_token", refusal(401, f"bad secret '{SECRETS[1]}'")),
    "the Canvas token is refused": (
        "GET",
        f"{COURSE}/assignments",
        refusal(401, f"Invalid access token '{SECRETS[0]}'"),
    ),
    "the course is gone": ("GET", f"{COURSE}/assignments", refusal(404, f"'{NAME}' does not exist")),
    "Canvas's scores are malformed": ("GET", f"{COURSE}/students/submissions", answer([row(submissions=NAME)])),
    "Canvas's assignments are malformed": ("GET", f"{COURSE}/assignments", answer([assignment(due_at=NAME)])),
    "Canvas's JSON is cut off": ("GET", f"{COURSE}/assignments", text(f'[{{"name": "{WORK}', 200, "application/json")),
    "a roster is malformed": ("POST", f"{QUERY}roster.students", answer({"record": [{"student_dcid": NAME}]})),
    "passback has a defect": ("PUT", SCORES, ValueError(f"{NAME} {SCORE} {SECRETS[2]}")),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_no_canary_gets_out(
    settings: Settings, remote: ScriptedRemote, caplog: pytest.LogCaptureFixture, failure: str
) -> None:
    """Whatever fails, no name, score, e-mail or token is in a log line, an outcome, a dead letter or a message."""
    method, path, broken = FAILURES[failure]
    remote.on(method, path, broken)
    with caplog.at_level(logging.INFO), fakeredis.FakeRedis() as client:
        sinks = run(settings, remote, client)
        left_behind = sinks.text(caplog)
    assert remote.asked(method, path), "the failure was not met"
    assert [canary for canary in CANARIES if canary in left_behind] == []


def test_the_canary_is_there_to_be_found(settings: Settings, remote: ScriptedRemote) -> None:
    """The search would find something: what is written to PowerSchool and recorded does hold the canaries."""
    with fakeredis.FakeRedis() as client:
        sinks = run(settings, remote, client)
        scores, *_ = remote.asked("PUT", SCORES)
        assert SCORE in scores.content.decode()
        assert WORK.encode() in client.get(sinks.keys.record("41"))
        assert any(client.xlen(sinks.keys.stream(stream)) for stream in Stream)


def test_a_wake_up_carries_an_id_alone(settings: Settings) -> None:
    """A Celery message holds the course's id; what Flower shows of it, too."""
    app = make_app(settings)
    message = app.amqp.create_task_message("1", Task.SYNC_COURSE, args=["41"], kwargs={})
    assert app.amqp.router.route({}, Task.SYNC_COURSE)["queue"].name == Queue.COURSE_SYNCS
    assert (message.headers["argsrepr"], message.headers["kwargsrepr"]) == ("['41']", "{}")
    assert [secret for secret in SECRETS if secret in repr(message)] == []
