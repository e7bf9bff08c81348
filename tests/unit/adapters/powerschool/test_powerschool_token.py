from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
import redis
from scripted_remote import ScriptedRemote, answer, text

from shared.adapters.http.client import RemoteApi
from shared.adapters.http.exchange import RequestContext, current_context, http_client, use_context
from shared.adapters.powerschool import PowerSchool, powerschool
from shared.adapters.powerschool.client import SharedToken
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.remote_limits.remote_limiter import RemoteLimiter
from shared.config import ConfigurationError, Settings
from shared.errors import AccessDenied, ServiceUnavailable
from tests.manual_clock import ManualClock

TOKEN_PATH = "/oauth/access_token"
EXPIRED = text("", 401, WWW_Authenticate='Bearer error="invalid_token",realm="PowerSchool"')
CATEGORIES = "/ws/xte/teacher_category"


def token(name: str, expires_in: object = "3600") -> object:
    return answer({"access_token": name, "token_type": "Bearer", "expires_in": expires_in})


def bearers(remote: ScriptedRemote, path: str = CATEGORIES) -> list[str]:
    return [request.headers["Authorization"] for request in remote.asked("GET", path)]


def test_one_token_serves_all_workers(powerschool_of: Callable[..., PowerSchool], remote: ScriptedRemote) -> None:
    """Two workers, four calls, one fetch, with the credentials and the form PowerSchool wants."""
    remote.on("GET", CATEGORIES, answer([]))
    for worker in (powerschool_of(), powerschool_of()):
        worker.gradebook.categories(501, 41, refresh=True)
        worker.gradebook.categories(502, 41, refresh=True)
    (fetch,) = remote.asked("POST", TOKEN_PATH)
    assert b64decode(fetch.headers["Authorization"].removeprefix("Basic ")) == b"client:secret"
    assert fetch.content == b"grant_type=client_credentials"
    assert fetch.headers["Content-Type"] == "application/x-www-form-urlencoded;charset=UTF-8"
    assert bearers(remote) == ["Bearer first-token"] * 4


def test_threads_that_start_together_fetch_one_token(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """The others wait for the one that fetches."""
    remote.on("GET", CATEGORIES, answer([]))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda users_dcid: ps.gradebook.categories(users_dcid, 41), range(8)))
    assert len(remote.asked("POST", TOKEN_PATH)) == 1
    assert len(bearers(remote)) == 8


@pytest.mark.parametrize(
    ("expires_in", "kept_s"), [("3600", 3540), (3600, 3540), ("2504956", 2504896), ("90", 45), ("20", 10), ("0", 1)]
)
def test_a_token_is_kept_until_shortly_before_its_end(
    ps: PowerSchool,
    remote: ScriptedRemote,
    redis_client: redis.Redis,
    keys: Keys,
    expires_in: object,
    kept_s: int,
) -> None:
    """A minute before; half of a very short life."""
    remote.on("POST", TOKEN_PATH, token("only", expires_in)).on("GET", CATEGORIES, answer([]))
    ps.gradebook.categories(501, 41)
    assert kept_s - 1 <= redis_client.ttl(keys.powerschool_token) <= kept_s


def test_a_refused_token_is_replaced_once(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """The call is repeated with a fresh one."""
    remote.on("POST", TOKEN_PATH, token("old"), token("new"))
    remote.on("GET", CATEGORIES, EXPIRED, answer([]))
    assert ps.gradebook.categories(501, 41) == ()
    assert bearers(remote) == ["Bearer old", "Bearer new"]


def test_refused_again_it_is_the_credentials(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """No loop of fetching tokens, which PowerSchool answers with 429."""
    remote.on("GET", CATEGORIES, EXPIRED).on("GET", "/ws/v1/metadata", EXPIRED)
    with pytest.raises(AccessDenied) as caught:
        ps.gradebook.categories(501, 41)
    assert caught.value.cause == "powerschool_401"
    assert len(remote.asked("GET", CATEGORIES)) == 2


def test_refused_for_one_call_alone_it_is_not_the_credentials(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """A call that any valid token may make is answered: what was asked about is to blame."""
    remote.on("GET", CATEGORIES, EXPIRED)
    with pytest.raises(AccessDenied) as caught:
        ps.gradebook.categories(501, 41)
    assert (caught.value.cause, caught.value.status) == ("powerschool_403", 401)


@pytest.mark.parametrize(("status", "cause"), [(403, "powerschool_grant_missing"), (200, "powerschool_403")])
def test_a_missing_grant_is_one_where_the_field_cannot_be_read_at_all(
    ps: PowerSchool, remote: ScriptedRemote, status: int, cause: str
) -> None:
    """The field that PowerSchool names is asked for by itself."""
    errors = [{"field": "assignmentscore.scorepoints"}]
    remote.on("GET", CATEGORIES, answer({"message": "No access to field", "errors": errors}, 403))
    remote.on("GET", "/ws/schema/table/assignmentscore", answer({"message": "No access to field"}, status))
    with pytest.raises(AccessDenied) as caught:
        ps.gradebook.categories(501, 41)
    assert caught.value.cause == cause
    (asked,) = remote.asked("GET", "/ws/schema/table/assignmentscore")
    assert dict(asked.url.params) == {"projection": "scorepoints", "pagesize": "1"}


def test_only_the_refused_token_is_dropped(
    ps: PowerSchool, remote: ScriptedRemote, redis_client: redis.Redis, keys: Keys
) -> None:
    """Another worker may have fetched a new one meanwhile."""
    remote.on("GET", CATEGORIES, EXPIRED, answer([]))
    ps.api._token.current()
    redis_client.set(keys.powerschool_token, "newer")
    ps.api._token.drop("first-token")
    assert redis_client.get(keys.powerschool_token) == b"newer"


def test_a_missing_access_level_is_no_token_problem(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """PowerSchool answers it with a 401 too, whatever the token."""
    words = "Plugin is missing required accessLevelV1Api READ permission"
    remote.on("GET", "/ws/v1/section/6100", answer({"errorMessage": {"message": words}}, 401))
    with pytest.raises(AccessDenied) as caught:
        ps.api.send("GET", "/ws/v1/section/{id}", {"id": 6100})
    assert "accessLevelV1Api" in caught.value.error_text
    assert len(remote.asked("POST", TOKEN_PATH)) == 1


@pytest.mark.parametrize("status", [400, 401])
def test_wrong_credentials_are_denied(ps: PowerSchool, remote: ScriptedRemote, status: int) -> None:
    """At once, and PowerSchool is left alone for a while by all workers: no course spends an attempt on it."""
    remote.on("POST", TOKEN_PATH, answer({"error": "invalid_client"}, status))
    with pytest.raises(AccessDenied) as denied:
        ps.gradebook.categories(501, 41)
    assert denied.value.cause == "powerschool_token_refused"
    with pytest.raises(ServiceUnavailable) as paused:
        ps.gradebook.categories(501, 41)
    assert paused.value.cause == "powerschool_token_refused"
    assert len(remote.asked("POST", TOKEN_PATH)) == 1


def test_too_many_fetches_pause_all(ps: PowerSchool, remote: ScriptedRemote) -> None:
    """A throttled token endpoint is a throttled PowerSchool."""
    remote.on("POST", TOKEN_PATH, text("", 429))
    with pytest.raises(ServiceUnavailable) as caught:
        ps.gradebook.categories(501, 41)
    assert caught.value.cause == "powerschool_throttled"


@pytest.mark.parametrize(
    ("setting", "template"),
    [
        ("section_sis_id", "{0}"),
        ("section_sis_id", "{}"),
        ("section_sis_id", "{section_dcid.real}"),
        ("section_sis_id", "{section_dcid"),
        ("section_sis_id", "{student_number}"),
        ("student_sis_id", "{student_number[0]}"),
        ("student_sis_id", "always the same"),
    ],
)
def test_templates_are_checked_at_start(
    powerschool_of: Callable[..., PowerSchool], setting: str, template: str
) -> None:
    """A template is made of known names and nothing else; the error names the setting."""
    with pytest.raises(ConfigurationError, match=setting.upper()):
        powerschool_of(**{setting: template})


def test_a_fetch_that_hangs_spends_no_attempt(redis_client: redis.Redis, keys: Keys, clock: ManualClock) -> None:
    """Whoever fetches the token waits for PowerSchool; those who wait for it go on later."""
    redis_client.set(keys.powerschool_token_lock, "somebody", px=60_000)
    gate = RemoteLimiter(redis_client, keys, "powerschool", clock, timedelta(0))
    api = RemoteApi("powerschool", http_client("https://powerschool.test", 5), gate, clock)
    # The lock is waited for for six seconds longer than a fetch may take.
    token = SharedToken(api, redis_client, keys, "client", "secret", max_fetch=timedelta(seconds=-4.9))
    with pytest.raises(ServiceUnavailable) as caught:
        token.current()
    assert (caught.value.cause, caught.value.outcome_unknown) == ("powerschool_timeout", False)
    assert caught.value.delay > timedelta(0)


def test_the_token_is_fetched_before_anything_else(
    settings_of: Callable[..., Settings], clock: ManualClock, redis_client: redis.Redis
) -> None:
    """Everybody waits for it, so that it goes to the front of the line, whoever fetches it."""
    seen: list[int | None] = []
    given = {"access_token": "token", "expires_in": "3600"}

    def answered(request: httpx.Request) -> httpx.Response:
        context = current_context()
        seen.append(context.began_ms if context else None)
        is_token = request.url.path == TOKEN_PATH
        return httpx.Response(200, json=given if is_token else {"metadata": {"plugin_id": 411}})

    transport = httpx.MockTransport(answered)
    client = powerschool(settings_of(), redis_client, Keys("test"), clock, transport=transport)
    with use_context(RequestContext(1234, lambda: timedelta(seconds=9))):
        client.api.send("GET", "/ws/v1/metadata")
    assert seen == [0, 1234]
