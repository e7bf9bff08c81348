"""Redirects, readiness, unknown ids and exports."""

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import redis
import typer

from shared.adapters.redis.dead_letters.dead_messages import DeadMessages
from shared.adapters.redis.keys import Keys
from shared.config import load
from tests.integration.receivers_kit import client, serving
from tests.unit.web.site_kit import PASSWORD, Browser, Site
from workers.cli.terminal.output import private_file
from workers.dev.embedded_redis import EmbeddedRedis
from workers.web.receivers.assembly import build

ODD_IDS = [
    "message-x",
    "message-",
    "message-1",
    "message-1-",
    "message--",
    "message-99999999999999999999-1",
    "message-0-0",
]


@pytest.mark.parametrize("path", ["/courses/", "/sign-in/", "/dead-letters/", "/api/v1/status/", "/api/v1/courses/1/"])
@pytest.mark.parametrize("account", [None, "operator"])
def test_no_redirect_leads_to_the_host_that_a_request_names(path: str, account: str | None) -> None:
    """A redirect leads to a path of this server."""
    site = Site()
    browser = site.browser(account)
    browser.headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    answer = browser.get(path)
    assert "evil.example" not in answer.headers.get("location", "")
    assert "evil.example" not in answer.text


@pytest.mark.redis
def test_an_unknown_dead_letter_is_not_found() -> None:
    """An id of any shape without a dead letter is not found, without an error of Redis."""
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as admin:
        messages = DeadMessages(admin, Keys())
        for letter_id in ODD_IDS:
            assert messages.find(letter_id) is None
            assert messages.content(letter_id) == {}
            assert messages.discard([letter_id]) == 0
            assert not messages.republish(letter_id)
            assert messages.page(letter_id, 10) == []


@pytest.mark.parametrize("letter_id", [*ODD_IDS, "1-2", "x", "course:1"])
def test_an_unknown_dead_letter_is_404(letter_id: str) -> None:
    """Pages and API answer 404, to read and to act."""
    site = Site()
    api = Browser(site.app, headers={"X-Requested-With": "test"})
    auth = ("operator", PASSWORD.encode())
    assert api.get(f"/api/v1/dead-letters/{letter_id}", auth=auth).status_code == 404
    assert api._send("POST", f"/api/v1/dead-letters/{letter_id}/retry", auth=auth).status_code == 404
    browser = site.browser("operator")
    assert browser.get(f"/dead-letters/{letter_id}").status_code == 404
    # A list's next page that never was is an empty one.
    assert browser.get("/dead-letters", params={"cause": "messages", "start": letter_id}).status_code == 200


def asked(url: str, meanwhile: Callable[[redis.Redis], object]) -> tuple[int, int]:
    """Return what `/readyz` answers before and after something is done to Redis."""
    app = build(load({"PASSBACK_REDIS_URL": url, "PASSBACK_CANVAS_ROOT_ACCOUNT_UUID": "a"}, Path("no.env")))

    async def ask() -> int:
        async with client(app) as http:
            return (await http.get("/readyz")).status_code

    async def both() -> tuple[int, int]:
        async with serving(app):
            before = await ask()
            with redis.Redis.from_url(url) as admin:
                meanwhile(admin)
            return before, await ask()

    return asyncio.run(both())


@pytest.mark.redis
@pytest.mark.parametrize("state", ["full", "read-only", "without replicas"])
def test_readiness_means_that_something_can_be_stored(state: str) -> None:
    """A Redis that accepts no write makes the process not ready."""

    def break_it(admin: redis.Redis) -> None:
        if state == "full":
            admin.config_set("maxmemory-policy", "noeviction")
            admin.config_set("maxmemory", 1)
        elif state == "read-only":
            admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        else:
            admin.config_set("min-replicas-to-write", 1)

    with EmbeddedRedis() as server:
        assert asked(server.url, break_it) == (200, 503)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("existing", [None, 0o644, 0o666])
def test_an_export_is_its_owner_s_alone(tmp_path: Path, existing: int | None) -> None:
    """An export has mode 600, also in place of a file that others could read."""
    path = tmp_path / "export.csv"
    if existing is not None:
        path.write_text("old")
        path.chmod(existing)
    held = path.open() if existing is not None else None
    with private_file(path) as out:
        out.write("new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    if held is not None:
        assert held.read() == "old", "who had the old file open reads the new one"
        held.close()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["link", "dangling link", "directory", "pipe"])
def test_an_export_follows_no_link(tmp_path: Path, kind: str) -> None:
    """An export refuses links, directories and pipes, and leaves a link's target alone."""
    path, elsewhere = tmp_path / "export.csv", tmp_path / "elsewhere"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(elsewhere)
    if kind == "link":
        elsewhere.write_text("theirs")
    with pytest.raises(typer.BadParameter, match="no plain file"), private_file(path):
        pass
    assert not elsewhere.exists() or elsewhere.read_text() == "theirs"


def test_an_export_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """A failed export leaves the old file."""
    path = tmp_path / "export.csv"
    path.write_text("old")

    def fail() -> None:
        with private_file(path) as out:
            out.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
