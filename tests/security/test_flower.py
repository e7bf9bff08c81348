"""The real Flower: access, content, and that it controls nothing."""

import os
from pathlib import Path

import httpx
import psutil
import pytest
from celery import Celery
from playwright.sync_api import expect

from shared.config import ConfigurationError
from shared.queues import Task
from shared.sandbox.district.small import Ids, user_id_of
from tests.integration.chromium import Watch, chromium
from tests.security.canaries import PASSWORD
from tests.security.conftest import GuardedTown
from tests.security.wire import command_of, rejection
from tests.waiting import wait_until
from workers.web import flower

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("security")]


@pytest.fixture(autouse=True)
def unguessed(guarded: GuardedTown) -> None:
    """Wrong passwords of one test do not count in the next."""
    redis, keys = guarded.town.service.redis, guarded.town.service.keys
    for key in redis.scan_iter(keys.guesses("*")):
        redis.delete(key)


PAGES = ("/", "/tasks", "/broker", "/api/tasks", "/api/workers", "/metrics", "/healthcheck", "/static/css/flower.css")


@pytest.mark.parametrize("auth", [None, ("operator", "wrong"), ("somebody", PASSWORD), ("operator", ""), ("é", "é")])
def test_nobody_gets_in_without_the_password(guarded: GuardedTown, auth: tuple[str, str] | None) -> None:
    """Every page answers 401, also those that Flower itself leaves open."""
    given = None if auth is None else tuple(part.encode() for part in auth)
    assert {guarded.ask_flower(page, auth=given).status_code for page in PAGES} == {401}  # type: ignore[arg-type]


def test_the_operator_gets_in(guarded: GuardedTown) -> None:
    """With the password every reading page answers."""
    assert {page: guarded.ask_flower(page).status_code for page in PAGES[:-1]} == dict.fromkeys(PAGES[:-1], 200)


def worker_of(guarded: GuardedTown) -> str:
    [worker] = guarded.ask_flower("/workers?json=1").json()["data"]
    return str(worker["hostname"])


def controls(worker: str) -> list[str]:
    task = Task.SYNC_COURSE
    return [
        f"/api/worker/shutdown/{worker}",
        f"/api/worker/pool/restart/{worker}",
        f"/api/worker/pool/grow/{worker}?n=3",
        f"/api/worker/pool/shrink/{worker}?n=1",
        f"/api/worker/pool/autoscale/{worker}?min=1&max=2",
        f"/api/worker/queue/add-consumer/{worker}?queue=other",
        f"/api/worker/queue/cancel-consumer/{worker}?queue=course-syncs",
        f"/api/task/apply/{task}",
        f"/api/task/async-apply/{task}",
        f"/api/task/send-task/{task}",
        "/api/task/abort/1",
        f"/api/task/timeout/{task}?workername={worker}&hard=1",
        f"/api/task/rate-limit/{task}?workername={worker}&ratelimit=1",
        "/api/task/revoke/1?terminate=true",
    ]


def test_nothing_can_be_controlled(guarded: GuardedTown) -> None:
    """Every control URL and every method but reading is 405, also for the operator."""
    worker = worker_of(guarded)
    answers = {(path, m): guarded.ask_flower(path, m).status_code for path in controls(worker) for m in ("POST", "GET")}
    assert set(answers.values()) == {405}, answers
    assert guarded.ask_flower("/", "OPTIONS").status_code == 405
    others = ("/tasks", "/tasks/datatable/", "//tasks/datatable", "/tasks%2Fdatatable", "/tasks/datatable/../../x")
    assert {guarded.ask_flower(path, "POST").status_code for path in others} == {405}
    methods = ("PUT", "PATCH", "DELETE")
    assert {guarded.ask_flower("/tasks/datatable", method).status_code for method in methods} == {405}
    guarded.town.processes.check()
    assert worker_of(guarded) == worker


def test_flowers_own_lock_is_locked_too(guarded: GuardedTown) -> None:
    """The pages of a worker offer no action, since Flower itself is read-only."""
    page = guarded.ask_flower(f"/worker/{worker_of(guarded)}").text
    assert "course-syncs" in page
    assert "Shut Down" not in page
    assert "btn-danger" not in page


def test_tasks_and_queues_read_well(guarded: GuardedTown) -> None:
    """A sync shows with its task's name, its course's id and its state; queues by their names."""
    guarded.town.stage.grade("seen", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[1]), 4)
    guarded.town.settle()
    args = f"['{Ids.HEALTHY_COURSE}']"

    def is_seen() -> bool:
        tasks = guarded.ask_flower(f"/api/tasks?taskname={Task.SYNC_COURSE}").json().values()
        return any(task["args"] == args and task["state"] == "SUCCESS" for task in tasks)

    wait_until(is_seen, 10)
    queues = guarded.ask_flower("/api/queues/length").json()["active_queues"]
    assert {queue["name"] for queue in queues} == {"course-syncs", "housekeeping"}


def test_its_pages_fill_in_a_browser(guarded: GuardedTown) -> None:
    """The page of tasks lists them with their states, and one leads to its own page; workers are listed with theirs."""
    guarded.town.stage.grade("in a browser", Ids.HEALTHY_COURSE, 1021, user_id_of(Ids.STUDENTS_HEALTHY[1]), 5)
    guarded.town.settle()
    watch = Watch()
    account = {"username": "operator", "password": PASSWORD}
    with chromium() as browser, browser.new_context(http_credentials=account) as context:  # type: ignore[arg-type]
        watch.over(context)
        page = context.new_page()
        page.goto(f"{guarded.flower}/workers")
        expect(page.get_by_role("link", name=worker_of(guarded))).to_be_visible()
        page.goto(f"{guarded.flower}/tasks")
        row = page.get_by_role("row").filter(has_text=Task.SYNC_COURSE).filter(has_text="SUCCESS").first
        expect(row).to_contain_text(str(Ids.HEALTHY_COURSE))
        row.locator("a[href*='/task/']").first.click()
        expect(page.get_by_text("SUCCESS").first).to_be_visible()
        assert "/task/" in page.url
    assert watch.problems == []
    assert [url for url in watch.urls if not url.startswith(guarded.flower)] == []


def test_no_password_is_in_an_argument_list(guarded: GuardedTown) -> None:
    """No argument list of a process holds a secret."""
    children = psutil.Process(os.getpid()).children(recursive=True)
    lines = [" ".join(command_of(child)) for child in children]
    assert any("flower" in line for line in lines)
    assert [line for line in lines if "canary" in line] == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "passback.example"])
def test_without_a_password_it_is_for_this_machine_only(host: str) -> None:
    """Without a password Flower refuses to start on any other address."""
    with pytest.raises(ConfigurationError, match="PASSBACK_OPERATOR_PASSWORD"):
        flower.flower(Celery(broker="memory://"), host, 0, None)


def test_no_stray_file_configures_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `flowerconfig.py` where it is started, and Flower's own variables, change nothing."""
    (tmp_path / "flowerconfig.py").write_text("raise SystemExit(77)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("FLOWER_READ_ONLY", "false")
    made = flower.flower(Celery(broker="memory://"), "127.0.0.1", 0, None)
    assert (made.options.address, made.options.read_only) == ("127.0.0.1", True)


def test_a_page_elsewhere_cannot_pretend_to_be_here() -> None:
    """Without a password a request must name this machine, so that no web site reads Flower by a false name."""
    guard = flower.AuthGuard(None, "Basic inner")
    assert [rejection(guard, host) for host in ("127.0.0.1:5555", "localhost:5555", "[::1]:5555")] == [None] * 3
    assert rejection(guard, "flower.attacker.example") == 403


def test_flower_is_seen_alive(guarded: GuardedTown) -> None:
    """Flower has a heartbeat like every process."""
    kinds = {beat.process.partition("@")[0] for beat in guarded.town.service.heartbeats.all() if not beat.is_stale}
    assert kinds >= {"web", "worker", "beat", "flower"}


def test_the_refusal_names_its_realm(guarded: GuardedTown) -> None:
    """The 401 names a realm, so that a browser asks for the password."""
    answer = httpx.get(f"{guarded.flower}/")
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="passback"')
