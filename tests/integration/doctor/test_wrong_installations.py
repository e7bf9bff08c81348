"""`doctor` on wrong installations, each wrong in one way: the first line names the cause, the second the fix."""

import os
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.canvas.rest.throttle import CanvasFaults
from shared.sandbox.district.small import LOS_ANGELES, District, small_district
from shared.sandbox.powerschool.app import create_app as powerschool_app
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from tests.integration.redis_deployment import FOLDER, make_certificates
from tests.integration.sandbox_server import served
from workers.cli.doctor import Check, CheckResult, run_checks
from workers.cli.doctor.report import report
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis

pytestmark = pytest.mark.slow

STUDENTS, STATE = "org.passback.sync.roster.students", "org.passback.sync.gradebook.state"
# Before the first start no process runs, and no event has come.
BEFORE_THE_START = re.compile("process: .*|live events: last")
SCOPES = [
    "url:GET|/api/sis/accounts/:account_id/assignments",
    "url:GET|/api/v1/courses/:id",
    "url:GET|/api/v1/courses/:course_id/assignments",
]


@dataclass(frozen=True)
class Wrong:
    """A wrong installation, and the beginnings of the two lines that say so. `{name}` stands for a place."""

    line: str
    fix: str
    settings: dict[str, str] = field(default_factory=dict)
    canvas: dict[str, Any] = field(default_factory=dict)
    powerschool: dict[str, Any] = field(default_factory=dict)
    scopes: list[str] | None = None
    redis_commands: tuple[str, ...] = ()
    proxy: str = ""


def of_redis(*rules: str) -> tuple[str, ...]:
    """Return the command that makes the user of the ACL rows."""
    return (" ".join(["ACL SETUSER passback reset on >right", *rules]),)


ACL_URL = "{redis}&username=passback&password=right"
USERS = (FOLDER / "users.acl.in").read_text()
DEPLOYED = next(line for line in USERS.splitlines() if line.startswith("user passback ")).partition("#PASSBACK# ")[2]
RULES = [rule for rule in DEPLOYED.split() if rule[0] in "+-"]
KEYS, CHANNELS = "~passback:*", "&passback:celery:*"

WRONG = {
    "no Canvas token": Wrong(
        "fail settings: Canvas: not set: PASSBACK_CANVAS_TOKEN", "Set it in the environment", {"CANVAS_TOKEN": ""}
    ),
    "no PowerSchool credentials": Wrong(
        "fail settings: PowerSchool: not set: PASSBACK_POWERSCHOOL_CLIENT_ID, PASSBACK_POWERSCHOOL_CLIENT_SECRET",
        "Set it in the environment",
        {"POWERSCHOOL_CLIENT_ID": "", "POWERSCHOOL_CLIENT_SECRET": ""},
    ),
    "no district": Wrong(
        "fail settings: Live Events: events of any Canvas customer would pass",
        "Set PASSBACK_CANVAS_ROOT_ACCOUNT_UUID",
        {"CANVAS_ROOT_ACCOUNT_UUID": ""},
    ),
    "unsigned events": Wrong(
        "warn settings: Live Events: unsigned events are accepted",
        "Sign payloads in Canvas's data stream",
        {"LIVE_EVENTS_ALLOW_UNSIGNED": "yes"},
    ),
    "a webhook secret that is no Base64": Wrong(
        "fail settings: webhooks: the secret is not Base64", "Set PASSBACK_WEBHOOK_SECRET", {"WEBHOOK_SECRET": "n0!"}
    ),
    "no file of authorities": Wrong(
        "fail settings: CA bundle: /nowhere/ca.pem cannot be read",
        "Set PASSBACK_CA_BUNDLE",
        {"CA_BUNDLE": "/nowhere/ca.pem"},
    ),
    "nobody can sign in": Wrong(
        "warn web: sign-in: nobody can sign in", "Set PASSBACK_OPERATOR_PASSWORD", {"OPERATOR_PASSWORD": ""}
    ),
    "Redis is away": Wrong(
        "fail redis: refused: nothing listens at 127.0.0.1:1",
        "Start it, or correct PASSBACK_REDIS_URL",
        {"REDIS_URL": "redis://127.0.0.1:1/0"},
    ),
    "Redis's socket is not there": Wrong(
        "fail redis: there is no socket /nowhere/redis.sock",
        "Start it, or correct PASSBACK_REDIS_URL",
        {"REDIS_URL": "unix:///nowhere/redis.sock"},
    ),
    "Redis's name is unknown": Wrong(
        "fail redis: DNS: the name of redis.invalid:6379",
        "Correct PASSBACK_REDIS_URL",
        {"REDIS_URL": "redis://redis.invalid/0"},
    ),
    "Redis is silent": Wrong(
        "fail redis: timeout: 127.0.0.1:", "See whether it is overloaded", {"REDIS_URL": "redis://{silent}/0"}
    ),
    "Redis has no TLS": Wrong(
        "fail redis: TLS: 127.0.0.1:",
        "Correct scheme and port of PASSBACK_REDIS_URL",
        {"REDIS_URL": "rediss://{web}/0"},
    ),
    "a web server in place of Redis": Wrong(
        "fail redis: 127.0.0.1:\\d+ is no Redis", "Correct PASSBACK_REDIS_URL", {"REDIS_URL": "redis://{web}/0"}
    ),
    "Redis's password is wrong": Wrong(
        "fail redis: .*redis.sock refuses the user or the password",
        "Correct the user in PASSBACK_REDIS_URL",
        {"REDIS_URL": "{redis}&username=passback&password=wrong"},
        redis_commands=of_redis(*RULES, KEYS, CHANNELS),
    ),
    "Redis's password is missing": Wrong(
        "fail redis: .*redis.sock asks for a password, and none is set",
        "Correct the user in PASSBACK_REDIS_URL",
        redis_commands=("CONFIG SET requirepass right",),
    ),
    "Redis refuses commands": Wrong(
        r"fail redis: rights: the user may not run expire, eval, evalsha$",
        "Give the user of passback the commands",
        {"REDIS_URL": ACL_URL},
        redis_commands=of_redis(*RULES, "-eval", "-evalsha", "-expire", KEYS, CHANNELS),
    ),
    "Redis refuses the prefix": Wrong(
        "fail redis: rights: the user may not use keys that begin with second:; the user may not use channels",
        "Add ~second:",
        {"REDIS_URL": ACL_URL, "REDIS_PREFIX": "second"},
        redis_commands=of_redis(*RULES, KEYS, CHANNELS),
    ),
    "Redis has no such database": Wrong(
        "fail redis: .*redis.sock has no such database", "Correct the number", {"REDIS_URL": "{redis0}?db=99"}
    ),
    "Redis evicts": Wrong(
        "fail redis: maxmemory-policy: allkeys-lru: Redis may drop changes",
        "Set maxmemory-policy noeviction",
        redis_commands=("CONFIG SET maxmemory-policy allkeys-lru",),
    ),
    "Redis is volatile": Wrong(
        "fail redis: appendonly: no: a restart of Redis loses",
        "Set appendonly yes",
        redis_commands=("CONFIG SET appendonly no",),
    ),
    "Redis is a replica": Wrong(
        "fail redis: role: a replica",
        "Point PASSBACK_REDIS_URL to the primary",
        redis_commands=("REPLICAOF 127.0.0.1 1",),
    ),
    "Canvas refuses connections": Wrong(
        "fail canvas: connection: refused: nothing listens at 127.0.0.1:1",
        "Start it, or correct PASSBACK_CANVAS_URL",
        {"CANVAS_URL": "http://127.0.0.1:1"},
    ),
    "Canvas's name is unknown": Wrong(
        "fail canvas: connection: DNS: the name of canvas.invalid:443",
        "Correct PASSBACK_CANVAS_URL",
        {"CANVAS_URL": "https://canvas.invalid"},
    ),
    "Canvas's certificate": Wrong(
        "fail canvas: connection: TLS: the certificate of 127.0.0.1:\\d+ is not trusted",
        "Install a certificate of a public authority",
        {"CANVAS_URL": "https://{tls}"},
    ),
    "Canvas has no TLS": Wrong(
        "fail canvas: connection: TLS: 127.0.0.1:\\d+ does not speak it",
        "Correct scheme and port of PASSBACK_CANVAS_URL",
        {"CANVAS_URL": "https://{web}"},
    ),
    "Canvas is silent": Wrong(
        "fail canvas: connection: timeout: 127.0.0.1:\\d+ does not answer",
        "See whether it is overloaded",
        {"CANVAS_URL": "http://{silent}"},
    ),
    "not Canvas": Wrong(
        "fail canvas: connection: 127.0.0.1:\\d+ answers, but not as Canvas does \\(200, text/html\\)",
        "Correct PASSBACK_CANVAS_URL",
        {"CANVAS_URL": "http://{web}/page"},
    ),
    "Canvas is elsewhere": Wrong(
        "fail canvas: connection: 127.0.0.1:\\d+ redirects to https://canvas.test",
        "Set PASSBACK_CANVAS_URL to https://canvas.test",
        {"CANVAS_URL": "http://{web}/moved"},
    ),
    "Canvas is down": Wrong(
        "fail canvas: connection: 127.0.0.1:\\d+ answers 503: Canvas is unavailable",
        "See whether Canvas is up",
        canvas={"down": True},
    ),
    "the proxy is away": Wrong(
        "fail canvas: connection: refused: nothing listens at the proxy 127.0.0.1:1",
        "Start it, or correct HTTPS_PROXY",
        {"CANVAS_URL": "https://canvas.test"},
        proxy="http://127.0.0.1:1",
    ),
    "the proxy wants a password": Wrong(
        "fail canvas: connection: proxy: the proxy 127.0.0.1:\\d+ does not connect to canvas.test:443 \\(407\\)",
        "Allow the host in the proxy, or correct HTTPS_PROXY",
        {"CANVAS_URL": "https://canvas.test"},
        proxy="http://{proxy}",
    ),
    "Canvas's token is wrong": Wrong(
        "fail canvas: token: Canvas refuses the token \\(GET /api/v1/users/self: 401\\)",
        "Make a new access token",
        {"CANVAS_TOKEN": "canary-wrong"},
    ),
    "another district": Wrong(
        "fail canvas: root account: the setting is not the uuid",
        "Set PASSBACK_CANVAS_ROOT_ACCOUNT_UUID",
        {"CANVAS_ROOT_ACCOUNT_UUID": "of-another-district"},
    ),
    "another account": Wrong(
        "fail canvas: courses: GET /api/sis/accounts/{account_id}/assignments: 404",
        "Correct PASSBACK_CANVAS_ACCOUNT",
        canvas={"fail_next": [{"path_prefix": "/api/sis", "status": 404, "body": {"message": "no such account"}}]},
    ),
    "Canvas has no Sync to SIS": Wrong(
        "fail canvas: courses: GET /api/sis/accounts/{account_id}/assignments: 400",
        "Correct PASSBACK_CANVAS_ACCOUNT, .* turn on Sync to SIS",
        canvas={"fail_next": [{"path_prefix": "/api/sis", "status": 400, "body": {"message": "not enabled"}}]},
    ),
    "the key lacks scopes": Wrong(
        "fail canvas: fields: the key has no scope for GET /api/v1/courses/{course_id}/assignment_groups, "
        "/api/v1/courses/{course_id}/sections, /api/v1/courses/{course_id}/students/submissions, "
        "/api/v1/courses/{course_id}/enrollments",
        "Add these scopes to the developer key",
        {"PROVISION_SCHEDULE": ""},
        scopes=SCOPES,
    ),
    "the token may not read SIS ids": Wrong(
        "fail canvas: fields: no SIS id on any of \\d+ sections and \\d+ students",
        "Give the service user view_all_grades and read_sis",
        canvas={
            "odd_values": [
                {"path_suffix": "/sections", "where": {}, "put": {"sis_section_id": None}},
                {"path_suffix": "/submissions", "where": {}, "put": {"sis_user_id": None}},
            ]
        },
    ),
    "the token may not import": Wrong(
        "warn canvas: imports: GET .*: 401",
        "Give the user of PASSBACK_CANVAS_PROVISIONING_TOKEN import_sis",
        {"CANVAS_PROVISIONING_TOKEN": "canary-of-nobody"},
    ),
    "PowerSchool refuses connections": Wrong(
        "fail powerschool: connection: refused: nothing listens at 127.0.0.1:1",
        "Start it, or correct PASSBACK_POWERSCHOOL_URL",
        {"POWERSCHOOL_URL": "http://127.0.0.1:1"},
    ),
    "PowerSchool's certificate": Wrong(
        "fail powerschool: connection: TLS: the certificate of 127.0.0.1:\\d+ is not trusted",
        "Name the authority's PEM file in PASSBACK_CA_BUNDLE",
        {"POWERSCHOOL_URL": "https://{tls}"},
    ),
    "PowerSchool is in maintenance": Wrong(
        "fail powerschool: connection: 127.0.0.1:\\d+ redirects to a page \\(302\\): PowerSchool is in maintenance",
        "Wait for the end of the maintenance",
        powerschool={"maintenance": True},
    ),
    "PowerSchool's secret is wrong": Wrong(
        "fail powerschool: token: PowerSchool gives no token for the client id and secret",
        "Enable the plugin in PowerSchool and copy its client id and secret again",
        {"POWERSCHOOL_CLIENT_SECRET": "canary-wrong"},
    ),
    "PowerSchool gives no more tokens": Wrong(
        "fail powerschool: token: not known: .*throttled; it asks to wait for 60 s",
        "Run `passback doctor` again",
        powerschool={"fail_next": [{"path_prefix": "/oauth", "status": 429, "headers": {"Retry-After": "60"}}]},
    ),
    "the plugin has no queries": Wrong(
        f"fail powerschool: {STATE}: 404: PowerSchool does not have a query of the plugin",
        "Install deploy/powerschool-plugin",
        powerschool={"fail_next": [{"path_prefix": "/ws/schema/query", "status": 404, "times": 20}]},
    ),
    "the plugin lacks a query": Wrong(
        f"fail powerschool: {STUDENTS}: 404: PowerSchool does not have a query of the plugin",
        "Install deploy/powerschool-plugin",
        powerschool={"missing_queries": [STUDENTS]},
    ),
    "the plugin is outdated": Wrong(
        f"fail powerschool: {STATE}: 400: PowerSchool has a query of another version",
        "Update deploy/powerschool-plugin",
        powerschool={"fail_next": [{"path_prefix": f"/ws/schema/query/{STATE}", "status": 400}]},
    ),
    "grants are missing": Wrong(
        "fail powerschool: grants: not granted: assignment.createdbyplugin, assignmentscore.islate, cc.dateleft, "
        "users.email_addr",
        "Install deploy/powerschool-plugin of this version and approve every field",
        powerschool={
            "missing_grants": [
                "assignment.createdbyplugin",
                "assignmentscore.islate",
                "cc.dateleft",
                "users.email_addr",
            ]
        },
    ),
    "a query lacks a column": Wrong(
        f"fail powerschool: {STUDENTS}: \\d+ rows without a usable student_number",
        "Update deploy/powerschool-plugin",
        powerschool={
            "odd_values": [
                {"path_suffix": STUDENTS, "where": {"_name": "students"}, "put": {"student_number": None}},
            ]
        },
    ),
    "the plugin sees no rows": Wrong(
        "fail powerschool: org.passback.sync.provisioning.schools: runs; no rows",
        "See whether PowerSchool has rows",
        {"PROVISION_SCHEDULE": "0 4 * * *"},
        powerschool={"empty_rosters": True},
    ),
    "another template of sections": Wrong(
        "fail ids: sections: 0 of \\d+ sections found in PowerSchool: Canvas has ids such as 41011",
        "Compare a section's SIS id in Canvas with PASSBACK_SECTION_SIS_ID",
        {"SECTION_SIS_ID": "X{section_dcid}"},
    ),
    "another template of students": Wrong(
        "fail ids: students: 0 of \\d+ students found in PowerSchool: Canvas has ids such as 10501, the template makes",
        "Compare a student's SIS id in Canvas with PASSBACK_STUDENT_SIS_ID",
        {"STUDENT_SIS_ID": "{student_dcid}"},
    ),
    "a default category that nobody has": Wrong(
        "fail categories: 2 of 2 teachers without a usable category Labs",
        "Correct PASSBACK_DEFAULT_CATEGORY",
        {"DEFAULT_CATEGORY": "Labs"},
    ),
    "a default category that one teacher lacks": Wrong(
        "warn categories: 1 of 2 teachers without a usable category quiz",
        "Correct PASSBACK_DEFAULT_CATEGORY",
        {"DEFAULT_CATEGORY": "quiz"},
    ),
    "no keys of events": Wrong(
        "fail live events: keys: refused: nothing listens at 127.0.0.1:1",
        "Correct PASSBACK_LIVE_EVENTS_JWKS_URL|Start it, or correct PASSBACK_LIVE_EVENTS_JWKS_URL",
        {"LIVE_EVENTS_JWKS_URL": "http://127.0.0.1:1/jwks"},
    ),
}


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
    """Each query is named with its rows and columns."""
    found = {check.name: check.found for check in right.checks({}) if check.name.startswith("powerschool: org.")}
    assert len(found) == 10
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
