"""The wrong installations that `doctor` is tried on, each wrong in one way, with the two lines that say so."""

from dataclasses import dataclass, field
from typing import Any

from tests.integration.redis_deployment import FOLDER

STUDENTS, STATE = "org.passback.sync.roster.students", "org.passback.sync.gradebook.state"
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

FORMULAS = "org.passback.sync.totals.formulas"
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
        "Name the authority's PEM file in PASSBACK_CA_BUNDLE",
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
    "an optional query is not granted": Wrong(
        "warn powerschool: org.passback.sync.totals.term_grades: 403: .* does not show PowerSchool's own term grades",
        "Install the files of deploy/powerschool-plugin/optional of this version",
        powerschool={"missing_grants": ["pgfinalgrades.percent"]},
    ),
    "an optional query is outdated": Wrong(
        f"warn powerschool: {FORMULAS}: 400: .* readiness does not compare weights",
        "Install the files of deploy/powerschool-plugin/optional of this version",
        powerschool={"fail_next": [{"path_prefix": f"/ws/schema/query/{FORMULAS}", "status": 400}]},
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
