"""Dead letters with real processes: a flood of failures, found by cause, retried, discarded."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.queues import Queue
from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.town import Town, town
from workers.celery.app import make_app

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("town")]

COURSES = (
    (Ids.COURSE, Ids.ESSAY_DRAFT, Ids.STUDENTS_A[0]),
    (Ids.HEALTHY_COURSE, 1021, Ids.STUDENTS_HEALTHY[0]),
    (Ids.OUTAGE_COURSE, 1061, Ids.STUDENTS_OUTAGE[0]),
)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("logs"), QUIET_PERIOD_S="0.2", MAX_WAIT_S="2", RETRY_WAITS_S="0.1") as one:
        yield one


def fail_every_score(running: Town, *, times: int = 1000) -> None:
    failure = {"method": "PUT", "path_prefix": "/ws/xte/score", "status": 500, "body": "{}", "times": times}
    running.stage.powerschool_faults(fail_next=[failure] if times else [])


def flood(running: Town, score: float) -> int:
    """Let the scores of every course fail until they are dead letters; return how many there are."""
    fail_every_score(running)
    for course_id, assignment_id, student in COURSES:
        running.stage.grade("flood", course_id, assignment_id, user_id_of(student), score)
    until = time.monotonic() + 30
    while len(courses_with_letters(running)) < len(COURSES) or not running.is_idle():
        assert time.monotonic() < until, running.service.dead_letters.all()
        time.sleep(0.05)
    return running.service.dead_letters.count()


def courses_with_letters(running: Town) -> set[str]:
    return {letter.course_id for letter in running.service.dead_letters.all()}


def test_a_flood_is_retried_by_its_cause(running: Town) -> None:
    """A flood of failures groups by cause; a retry of that cause empties the list."""
    letters = flood(running, 3.5)
    groups = json.loads(running.passback("dlq", "list", "--group-by", "cause", "--json").stdout)
    assert [(g["cause"], g["letters"], g["courses"]) for g in groups] == [("powerschool_error", letters, len(COURSES))]
    [first, *_] = json.loads(running.passback("dlq", "list", "--json").stdout)
    assert first["attempts"] == 2
    assert len(first["attempt_times"]) == 2
    fail_every_score(running, times=0)

    assert running.passback("dlq", "retry", "--all", "--cause", "powerschool_error").returncode == 0
    running.settle()
    assert running.service.dead_letters.all() == []


def test_a_dry_run_does_nothing_and_a_discard_forgets(running: Town, tmp_path: Path) -> None:
    """A dry run lists what is meant; an export holds it all; discarded letters are gone and nothing is synced."""
    letters = flood(running, 4.5)
    meant = json.loads(running.passback("dlq", "retry", "--since", "1h", "--dry-run", "--json").stdout)
    assert len(meant["would_retry"]) == letters
    file = tmp_path / "letters.jsonl"
    assert running.passback("dlq", "export", str(file)).returncode == 0
    assert len(file.read_text().splitlines()) == letters
    assert running.is_idle()
    asked = running.passback("dlq", "discard", "--all")
    assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
    assert f"{letters} dead letter" in asked.stderr
    assert len(running.service.dead_letters.all()) == letters
    assert running.passback("dlq", "discard", "--all", "--yes").returncode == 0
    assert running.service.dead_letters.all() == []
    assert running.is_idle()
    fail_every_score(running, times=0)


def test_poison_is_kept_and_the_worker_goes_on(running: Town) -> None:
    """What no worker can make out becomes a dead letter, an entry that is no message at all among it."""
    app = make_app(running.service.settings)
    app.send_task("passback.of_a_later_version", args=["1"], queue=Queue.HOUSEKEEPING)
    with app.producer_pool.acquire() as producer:
        producer.publish(
            b"\xff", routing_key=Queue.HOUSEKEEPING, content_type="application/x-nobody", content_encoding="binary"
        )
    queue = f"{running.service.settings.redis_prefix}:celery:{Queue.HOUSEKEEPING}"
    running.service.redis.lpush(queue, "no JSON", '{"some": "JSON"}')
    until = time.monotonic() + 20
    while running.service.dead_messages.count() < 4:
        running.processes.check()
        assert time.monotonic() < until
        time.sleep(0.05)
    letters = json.loads(running.passback("dlq", "list", "--json").stdout)
    assert sorted((each["source"], each["cause"]) for each in letters) == [
        *[("housekeeping", "message_undecodable")] * 3,
        ("housekeeping", "task_unknown"),
    ]
    [unknown] = [each["id"] for each in letters if each["cause"] == "task_unknown"]
    assert running.passback("dlq", "retry", unknown).returncode == 0
    until = time.monotonic() + 20
    while unknown in (held := [each.id for each in running.service.dead_messages.all()]) or len(held) < 4:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert running.passback("dlq", "discard", "--all", "--yes").returncode == 0
    app.close()


def test_a_paused_course_waits(running: Town) -> None:
    """A paused course keeps its changes, says so in `status` and `explain`, and is synced once it is resumed."""
    course = str(Ids.HEALTHY_COURSE)
    assert running.passback("pause", "course", course, "--reason", "under repair").returncode == 0
    running.stage.grade("paused", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[1]), 2.5)
    until = time.monotonic() + 20
    while running.service.changes.counts().due == 0:
        assert time.monotonic() < until
        time.sleep(0.05)
    [pause] = json.loads(running.passback("status", "--json").stdout)["paused"]
    assert (pause["target"], pause["reason"]) == (f"course:{course}", "under repair")
    assert json.loads(running.passback("explain", course, "--json").stdout)["paused"] == pause
    assert running.service.changes.counts().due == 1
    assert running.passback("resume", "course", course).returncode == 0
    running.settle()
