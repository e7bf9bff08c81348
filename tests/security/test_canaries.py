"""Canaries through the whole system, with real processes: names, scores, e-mails and secrets are in no sink.

tests/unit/workers/grade_passback/test_privacy_canary.py searches what a sync does with every kind of failure, over
real adapters and stores; here are the sinks that only processes have.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import redis

from shared.queues import Queue
from shared.sandbox.district.small import Ids, user_id_of
from tests.security.canaries import MAIL, METRICS_TOKEN, PEOPLE, SCORE, SECRETS, SPOKEN, STUDENT, WORK, found
from tests.security.conftest import OPERATOR, GuardedTown
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("security")]

ASSIGNMENT = 1062
# These hold the data itself: records, links, audit, writes whose answer was lost, caches, the token that workers share,
# and malformed messages.
MAY_HOLD_DATA = {"record", "links", "audit", "writes-begun", "cache", "token", "malformed"}


@dataclass(frozen=True)
class Day:
    """The state after a day of canaries: the broker's messages, and every secret."""

    guarded: GuardedTown
    broker: list[str]
    secrets: tuple[str, ...]

    def canaries(self) -> tuple[str, ...]:
        return (*PEOPLE, *self.secrets)


@pytest.fixture(scope="module")
def day(guarded: GuardedTown) -> Day:
    environ = guarded.town.environ
    sandbox = tuple(environ[f"PASSBACK_{name}"] for name in ("CANVAS_TOKEN", "POWERSCHOOL_CLIENT_SECRET"))
    with broker_messages(guarded) as seen:
        _play(guarded)
        guarded.town.settle()
        poison(guarded)
        wait_until(lambda: guarded.town.service.dead_letter_queue.count() >= 2, what="no dead letters")
    token = guarded.town.service.redis.get(guarded.town.service.keys.powerschool_token)
    assert token is not None
    return Day(guarded, seen, (*SECRETS, *sandbox, token.decode()))


def _play(guarded: GuardedTown) -> None:
    """Name, score and fail with canaries, and send requests with canaries."""
    town = guarded.town
    town.stage.act(
        do="edit_assignment",
        course_id=Ids.OUTAGE_COURSE,
        assignment_id=ASSIGNMENT,
        changes={"name": WORK, "description": f"<p>{STUDENT} {MAIL}</p>"},
    )
    town.stage.grade("written", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[0]), SCORE)
    town.settle()
    refusals = [
        {"method": "PUT", "path_prefix": "/ws/xte/score", "status": 409, "body": {"message": SPOKEN}, "times": 1},
        {"method": "PUT", "path_prefix": "/ws/xte/score", "status": 500, "body": f"<html>{SPOKEN}</html>", "times": 4},
    ]
    town.stage.powerschool_faults(fail_next=refusals)
    for number in range(3):
        user = user_id_of(Ids.STUDENTS_OUTAGE[number])
        town.stage.grade("refused", Ids.OUTAGE_COURSE, ASSIGNMENT, user, SCORE + number / 8)
        town.settle()
    town.stage.powerschool_faults()
    _send_requests(town.web)
    names = {"name": f"{STUDENT} Quackenbush", "sortable_name": f"Quackenbush, {STUDENT}"}
    town.stage.act(do="edit_user", user_id=user_id_of(Ids.STUDENTS_HEALTHY[0]), changes=names)
    _open_pages(town.web)


def _open_pages(web: str) -> None:
    """Show the name on every page that shows names, and search for it."""
    course, student = f"/courses/{Ids.HEALTHY_COURSE}", Ids.STUDENTS_HEALTHY[0]
    with httpx.Client(base_url=web, timeout=30) as browser:
        signed_in = {"account": "operator", "password": OPERATOR[1], "token": _token(browser.get("/sign-in"))}
        assert browser.post("/sign-in", data=signed_in).status_code == 303
        for page in ("plan?assignment=1021", f"student?student={student}", f"totals?student={student}"):
            path = f"{course}/{page}"
            assert f"Quackenbush, {STUDENT}" in browser.get(path).text
        form = {"person": STUDENT, "token": _token(browser.get("/courses"))}
        found = browser.post("/courses/people", data=form).headers["location"]
        assert found == f"/courses?user={user_id_of(student)}"
        assert str(Ids.HEALTHY_COURSE) in browser.get(found).text


def _token(page: httpx.Response) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page.text)
    assert found
    return found[1]


def _send_requests(web: str) -> None:
    """Send accepted and rejected requests with canaries in every field."""
    metadata = {
        "event_name": "grade_change",
        "context_type": "Course",
        "context_id": str(Ids.HEALTHY_COURSE),
        "root_account_uuid": "another district",
        "user_login": MAIL,
        "url": f"https://canvas.example/?name={STUDENT}&access_token={SECRETS[0]}",
    }
    body = {"assignment_id": "1021", "student_sis_id": STUDENT, "score": SCORE, "title": WORK}
    event = {"metadata": metadata, "body": body}
    for content in (event, {**event, "body": [STUDENT]}, {"metadata": {STUDENT: MAIL}}, f"{STUDENT} {SCORE}"):
        httpx.post(f"{web}/events/canvas", content=json.dumps(content))
    headers = {"webhook-id": STUDENT, "webhook-timestamp": "1", "webhook-signature": f"v1,{STUDENT}"}
    httpx.post(f"{web}/webhooks/changes", content=SPOKEN, headers=headers)
    httpx.post(f"{web}/events/powerschool", content=SPOKEN)
    for path in (f"/{STUDENT}", f"/metrics?{STUDENT}", f"/api/v1/courses/{STUDENT}", f"/livez?{MAIL}"):
        httpx.get(f"{web}{path}", headers={"Authorization": f"Bearer {SECRETS[0]}", "User-Agent": STUDENT})


def poison(guarded: GuardedTown) -> None:
    """Put a message of an unknown task into a queue of Celery."""
    service = guarded.town.service
    properties = {
        "delivery_info": {"exchange": "", "routing_key": Queue.HOUSEKEEPING},
        "delivery_tag": "1",
        "body_encoding": "utf-8",
        "delivery_mode": 2,
        "priority": 0,
    }
    message = {
        "body": json.dumps([[SPOKEN], {}, {}]),
        "headers": {"task": "someone.elses", "id": "1", "lang": "py", "argsrepr": SPOKEN},
        "properties": properties,
        "content-type": "application/json",
        "content-encoding": "utf-8",
    }
    service.redis.lpush(f"{service.keys.prefix}:celery:{Queue.HOUSEKEEPING}", json.dumps(message))


@contextmanager
def broker_messages(guarded: GuardedTown) -> Iterator[list[str]]:
    """Collect every command that passes Celery's keys of Redis, until the block ends."""
    service, seen, ended = guarded.town.service, list[str](), threading.Event()
    celery = f"{service.keys.prefix}:celery:"

    def watch() -> None:
        with redis.Redis.from_url(guarded.town.environ["PASSBACK_REDIS_URL"]) as client, client.monitor() as monitor:
            while not ended.is_set():
                command = str(monitor.next_command()["command"])
                if celery in command or "celeryev" in command:
                    seen.append(command)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield seen
    ended.set()
    service.redis.ping()
    watcher.join(timeout=10)


def test_the_canaries_are_there_to_be_found(day: Day) -> None:
    """PowerSchool has the name and the score, and there are two dead letters."""
    town = day.guarded.town
    held = json.dumps(town.stage.gradebook())
    assert WORK in held
    assert str(SCORE) in held
    causes = {letter.cause for letter in town.service.dead_letter_queue.all()}
    assert causes & {"task_unknown", "message_undecodable"}
    assert "powerschool_error" in causes


def test_no_log_has_any(day: Day) -> None:
    """No line of any process at DEBUG holds a canary."""
    logs = {path.name: path.read_text() for path in day.guarded.logs.glob("*.log") if "sandbox" not in path.name}
    assert set(logs) == {"web.log", "worker.log", "beat.log", "flower.log"}
    assert all(logs.values())
    assert {name: hits for name, text in logs.items() if (hits := found(text, day.canaries()))} == {}


def test_every_line_of_every_log_is_json(day: Day) -> None:
    """Every line of passback, Celery, uvicorn and Flower has event, level and timestamp."""
    lines = [
        (path.name, line)
        for path in day.guarded.logs.glob("*.log")
        if "sandbox" not in path.name
        for line in path.read_text().splitlines()
    ]
    odd = [(name, line) for name, line in lines if not line.startswith('{"event"') and '"event"' not in line]
    assert odd == []
    parsed = [(name, json.loads(line)) for name, line in lines]
    assert all({"event", "level", "timestamp"} <= set(fields) for _, fields in parsed)
    loggers = {str(fields.get("logger", "passback")).partition(".")[0] for _, fields in parsed}
    assert loggers >= {"passback", "celery", "uvicorn"}


def test_no_message_of_the_broker_has_any(day: Day) -> None:
    """Messages, results and worker events carry ids only; the foreign message is excepted."""
    ours = [command for command in day.broker if "someone.elses" not in command]
    assert any("passback.sync_course" in command for command in ours)
    assert any("task-succeeded" in command or "celeryev" in command for command in ours)
    assert found("\n".join(ours), day.canaries()) == []


def test_no_page_of_flower_has_any(day: Day) -> None:
    """No page and no response of Flower's API holds a canary."""
    guarded = day.guarded
    tasks: dict[str, Any] = guarded.ask_flower("/api/tasks").json()
    workers: list[Any] = guarded.ask_flower("/workers?json=1").json()["data"]
    paths = ["/", "/tasks", "/broker", "/api/workers?refresh=1", "/api/task/types", "/api/queues/length", "/metrics"]
    paths += [f"/worker/{worker['hostname']}" for worker in workers]
    paths += [f"/{kind}/{uuid}" for uuid in list(tasks)[-10:] for kind in ("task", "api/task/info")]
    pages = {path: guarded.ask_flower(path).text for path in paths}
    assert len(tasks) > 2
    assert {path: hits for path, page in pages.items() if (hits := found(page, day.canaries()))} == {}
    assert found(json.dumps(tasks), day.canaries()) == []


def test_no_metric_has_any(day: Day) -> None:
    """Labels of metrics are codes and templates."""
    answer = httpx.get(f"{day.guarded.town.web}/metrics", headers={"Authorization": f"Bearer {METRICS_TOKEN}"})
    assert 'passback_dead_letters{cause="' in answer.text
    assert found(answer.text, day.canaries()) == []


def test_nothing_in_redis_has_any_but_what_must(day: Day) -> None:
    """Keys and values are ids, codes and times, except in records, links, audit, caches and the shared token."""
    service = day.guarded.town.service
    held = {
        key: _content(service.redis, key)
        for key in map(bytes.decode, service.redis.scan_iter())
        if not MAY_HOLD_DATA & set(key.split(":"))
    }
    assert any("dead-letter" in key for key in held)
    assert {key: hits for key, text in held.items() if (hits := found(f"{key} {text}", day.canaries()))} == {}


def _content(client: redis.Redis, key: str) -> str:
    read = {
        b"hash": client.hgetall,
        b"set": client.smembers,
        b"zset": lambda name: client.zrange(name, 0, -1),
        b"list": lambda name: client.lrange(name, 0, -1),
        b"stream": client.xrange,
        b"string": client.get,
    }
    return repr(read[client.type(key)](key))


@pytest.mark.parametrize("path", ["status", "dead-letters", "courses/x", "courses/102/history?since=Zephyrine"])
def test_no_answer_about_the_installation_has_any(day: Day, path: str) -> None:
    """Status, dead letters and errors of the API hold no canary; a course's own response may name its assignments."""
    answer = httpx.get(f"{day.guarded.town.web}/api/v1/{path}", auth=OPERATOR)
    assert found(answer.text, day.canaries()) == []


@pytest.mark.parametrize("command", ["status", "doctor", "dlq list"])
def test_no_command_about_the_installation_prints_any(day: Day, command: str) -> None:
    """The output holds no name, score or secret."""
    done = day.guarded.town.passback(*command.split(), "--json")
    assert done.stdout
    assert found(done.stdout + done.stderr, day.canaries()) == []
