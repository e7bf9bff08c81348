"""`doctor` on wrong installations, each wrong in one way: the first line names the cause, the second the fix."""

import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from rich.console import Console
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from shared.adapters.redis.client import connect
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.rights import MissingRights, missing_rights
from shared.clock import SystemClock
from shared.config import ConfigurationError, load
from shared.domain.plugin import FORMULAS_QUERY, TERM_GRADES_QUERY
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.canvas.rest.throttle import CanvasFaults
from shared.sandbox.district.small import LOS_ANGELES, District, small_district
from shared.sandbox.powerschool.app import create_app as powerschool_app
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from tests.integration.doctor.wrong_installations import ACL_URL, DEPLOYED, WRONG, Wrong, of_redis
from tests.integration.redis_deployment import make_certificates
from tests.integration.sandbox_server import served
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.doctor import Check, CheckResult, run_checks
from workers.doctor.report import report

pytestmark = pytest.mark.slow

# Before the first start no process runs, and no event has come.
BEFORE_THE_START = re.compile("process: .*|live events: last")


@dataclass
class Installation:
    """A right installation, and what is wrong with some others."""

    district: District
    canvas: Starlette
    powerschool: Starlette
    environ: dict[str, str]
    places: dict[str, str]

    def checks(self, settings: Mapping[str, str]) -> list[Check]:
        """Return the results with these settings beside the right ones."""
        known = {f"{{{name}}}": place for name, place in self.places.items()}
        environ = dict(self.environ)
        for name, value in settings.items():
            environ[f"PASSBACK_{name}"] = re.sub(r"\{\w+\}", lambda word: known.get(word[0], word[0]), value)
        with closing(Container(load(environ, Path("no.env")))) as service:
            return run_checks(service)

    def admin(self) -> redis.Redis:
        """Return a client that may do everything."""
        return redis.Redis.from_url(self.environ["PASSBACK_REDIS_URL"])


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    tls = {"ssl_certfile": folder / "server.crt", "ssl_keyfile": folder / "server.key"}
    today = SystemClock().now().astimezone(LOS_ANGELES).date()
    district = small_district(today)
    canvas, powerschool = canvas_app(district.canvas), powerschool_app(district.powerschool)
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis())
        canvas_url, powerschool_url = (stack.enter_context(served(app)) for app in (canvas, powerschool))
        web = stack.enter_context(served(strange_web()))
        places = {
            "redis": server.url,
            "redis0": server.url.partition("?")[0],
            "web": web.partition("//")[2],
            "tls": stack.enter_context(served(strange_web(), **tls)).partition("//")[2],
            "silent": stack.enter_context(silent()),
            "proxy": stack.enter_context(silent(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")),
        }
        plugin = district.powerschool.plugin
        environ = {
            "REDIS_URL": server.url,
            "CANVAS_URL": canvas_url,
            "CANVAS_TOKEN": district.canvas.token,
            "CANVAS_ROOT_ACCOUNT_UUID": district.canvas.root_account_uuid,
            "LIVE_EVENTS_JWKS_URL": f"{canvas_url}/_sandbox/jwks",
            "POWERSCHOOL_URL": powerschool_url,
            "POWERSCHOOL_CLIENT_ID": plugin.client_id,
            "POWERSCHOOL_CLIENT_SECRET": plugin.client_secret,
            "DISTRICT_TIME_ZONE": LOS_ANGELES.key,
            "OPERATOR_PASSWORD": "canary-password-of-length",
        }
        named = {f"PASSBACK_{name}": value for name, value in environ.items()}
        yield Installation(district, canvas, powerschool, named, places)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


def strange_web() -> Starlette:
    """Return a web server that is neither Canvas nor PowerSchool."""

    async def page(_: Request) -> Response:
        return HTMLResponse("<html></html>")

    async def moved(request: Request) -> Response:
        return RedirectResponse(f"https://canvas.test{request.url.path}", 301)

    return Starlette(routes=[Route("/page/{rest:path}", page), Route("/moved/{rest:path}", moved)])


@contextmanager
def silent(answer: bytes = b"") -> Iterator[str]:
    """Serve connections that get this answer whatever they send, or none; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                if answer:
                    connection.recv(4096)
                    connection.sendall(answer)
                held.append(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for connection in held:
            connection.close()
        thread.join(5)


@contextmanager
def made_wrong(right: Installation, wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make both systems and Redis wrong, and right again afterwards."""
    board, theirs = right.canvas.state.sandbox.switchboard, right.powerschool.state.switchboard
    board.set(CanvasFaults.model_validate(wrong.canvas))
    theirs.set(PowerSchoolFaults.model_validate(wrong.powerschool))
    right.canvas.state.sandbox.seed.scopes = wrong.scopes
    if wrong.proxy:
        monkeypatch.setenv("HTTPS_PROXY", wrong.proxy.format(**right.places))
    with right.admin() as admin:
        for command in wrong.redis_commands:
            admin.execute_command(*command.split())
        try:
            yield
        finally:
            right.canvas.state.sandbox.seed.scopes = None
            board.set(CanvasFaults())
            theirs.set(PowerSchoolFaults())
            for command in (
                "CONFIG SET requirepass", "CONFIG SET maxmemory-policy noeviction", "CONFIG SET appendonly yes",
                "REPLICAOF NO ONE", "ACL DELUSER passback",
            ):  # fmt: skip
                words = command.split()
                admin.execute_command(*words, *([""] if words[-1] == "requirepass" else []))


def lines(checks: list[Check]) -> list[str]:
    """Return what `doctor` prints in a very wide terminal, without what is so before the first start."""
    shown = [check.as_json() for check in checks if not BEFORE_THE_START.fullmatch(check.name)]
    console = Console(width=600, color_system=None)
    with console.capture() as capture:
        console.print(report(shown))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_a_right_installation_has_no_problem(right: Installation) -> None:
    """Nothing fails, and nothing is skipped, before the first process is started."""
    checks = right.checks({})
    bad = [check for check in checks if check.verdict is not CheckResult.OK]
    assert [check for check in bad if not BEFORE_THE_START.fullmatch(check.name)] == []
    assert {check.verdict for check in bad} == {CheckResult.WARN}


def test_an_optional_query_that_is_not_installed_is_no_problem(
    right: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what the district does without."""
    missing = [TERM_GRADES_QUERY, FORMULAS_QUERY]
    with made_wrong(right, Wrong("", "", powerschool={"missing_queries": missing}), monkeypatch):
        found = {check.name: check for check in right.checks({})}
    assert {found[f"powerschool: {query}"].verdict for query in missing} == {CheckResult.OK}
    assert "not installed: `passback totals` does not show" in found[f"powerschool: {TERM_GRADES_QUERY}"].found
    assert "does not compare weights" in found[f"powerschool: {FORMULAS_QUERY}"].found


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_installation_gets_the_right_first_line(
    right: Installation, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line names the cause, the second the fix; nothing else fails, and no secret is printed."""
    wrong = WRONG[name]
    with made_wrong(right, wrong, monkeypatch):
        checks = right.checks(wrong.settings)
    first, second, *_ = lines(checks)
    pattern = re.sub(r"\{(\w+_id)\}", r"\{\1\}", wrong.line)
    assert re.match(pattern, first), first
    assert re.match(f" +Fix: (?:{wrong.fix})", second), second
    assert [check.name for check in checks if check.verdict is CheckResult.FAIL][1:] == []
    assert "canary" not in repr(checks)


def test_the_deployed_rights_are_enough(right: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule in `deploy/redis` lacks nothing, and looking for what it lacks runs none of the commands."""
    deployed = Wrong("", "", redis_commands=of_redis("resetchannels", DEPLOYED))
    url = ACL_URL.format(**right.places)
    with made_wrong(right, deployed, monkeypatch), closing(connect(load({"PASSBACK_REDIS_URL": url}))) as client:
        before = set(right.admin().scan_iter())
        assert missing_rights(client, "passback") == MissingRights()
        assert client.ping()
        assert set(right.admin().scan_iter()) == before


def test_what_depends_on_a_cause_is_skipped_and_names_it(right: Installation) -> None:
    """Without PowerSchool, its checks and the comparisons are skipped for one reason; Canvas and Redis are checked."""
    checks = right.checks({"POWERSCHOOL_URL": "http://127.0.0.1:1"})
    skipped = {check.name: check.found for check in checks if check.verdict is CheckResult.SKIP}
    assert {"powerschool: token", "powerschool: grants", "ids: sections", "ids: students", "categories"} <= set(skipped)
    assert set(skipped.values()) == {"needs powerschool: connection"}
    assert {"redis: rights", "canvas: fields"} <= {check.name for check in checks if check.verdict is CheckResult.OK}


def test_without_redis_the_systems_are_checked_all_the_same(right: Installation) -> None:
    """What needs Redis is skipped; Canvas and PowerSchool do not need it."""
    checks = right.checks({"REDIS_URL": "redis://127.0.0.1:1/0"})
    skipped = {check.name for check in checks if check.verdict is CheckResult.SKIP}
    assert {"dead letters", "process: worker", "live events: last", "rates", "redis: role"} <= skipped
    assert {"canvas: fields", "ids: students", "categories"} <= {c.name for c in checks if c.verdict is CheckResult.OK}


def test_a_stored_token_does_not_hide_a_wrong_secret(right: Installation) -> None:
    """A token that workers use is neither used nor replaced."""
    key = Keys().powerschool_token
    with right.admin() as admin:
        right.powerschool.state.powerschool.tokens["of-workers"] = datetime(9999, 1, 1, tzinfo=UTC)
        admin.set(key, "of-workers")
        try:
            checks = right.checks({"POWERSCHOOL_CLIENT_SECRET": "wrong"})
            assert admin.get(key) == b"of-workers"
        finally:
            admin.delete(key)
    assert {c.name for c in checks if c.verdict is CheckResult.FAIL} == {"powerschool: token"}


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"CANVAS_URL": "http://127.0.0.1:1", "POWERSCHOOL_URL": "http://127.0.0.1:1"},
        {"CANVAS_TOKEN": "wrong", "POWERSCHOOL_CLIENT_SECRET": "wrong"},
        {"POWERSCHOOL_URL": "http://{silent}"},
    ],
    ids=["right", "away", "refused", "silent"],
)
def test_nothing_changes_in_redis(right: Installation, broken: dict[str, str]) -> None:
    """Whatever `doctor` finds, no key is written, changed or removed: no pause, rate, token, cache or failure."""
    with right.admin() as admin:
        admin.flushall()
        admin.hset(Keys().rate("powerschool"), mapping={"interval": "20.0", "limit": "18.0"})
        before = {key: (admin.type(key), admin.dump(key)) for key in admin.scan_iter()}
        right.checks(broken)
        assert {key: (admin.type(key), admin.dump(key)) for key in admin.scan_iter()} == before
        admin.flushall()


def test_refused_queries_of_one_cause_fail_once(right: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no query is installed, the first one fails, and each of the others is skipped for it."""
    wrong = WRONG["the plugin has no queries"]
    with made_wrong(right, wrong, monkeypatch):
        checks = [check for check in right.checks({}) if check.name.startswith("powerschool: org.")]
    first, *others = checks
    assert (first.verdict, {check.verdict for check in others}) == (CheckResult.FAIL, {CheckResult.SKIP})
    assert {check.found for check in others} == {f"as {first.name} (404)"}


def test_what_queries_return_is_told(right: Installation) -> None:
    """Each query is named with its rows and columns; nobody has a term grade yet."""
    found = {check.name: check.found for check in right.checks({}) if check.name.startswith("powerschool: org.")}
    assert len(found) == 12
    assert found.pop(f"powerschool: {TERM_GRADES_QUERY}") == "runs; no rows"
    assert all(re.fullmatch(r"(1 row|\d+ rows), every column there", each) for each in found.values()), found


@pytest.mark.parametrize(
    ("setting", "template"),
    [
        ("SECTION_SIS_ID", "{student_number}"),
        ("STUDENT_SIS_ID", "{student_id}"),
        ("STUDENT_SIS_ID", "{student_number.real}"),
        ("STUDENT_SIS_ID", "no field"),
        ("COURSE_SIS_ID", "{section}"),
        ("STAFF_SIS_ID", "{teacher}"),
        ("TERM_SIS_ID", "{term}"),
        ("LOGIN_IDS", "student:{mail}"),
        ("PROVISION_ACCOUNT_SIS_ID", "{school}"),
    ],
)
def test_a_template_with_an_unknown_field_is_refused_at_start(right: Installation, setting: str, template: str) -> None:
    """By the setting's name, with the fields that there are."""
    with pytest.raises(ConfigurationError, match=rf"^PASSBACK_{setting}: is no template of \{{"):
        right.checks({setting: template})
