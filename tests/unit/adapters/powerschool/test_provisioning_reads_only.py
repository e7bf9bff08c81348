"""Nothing that can be reached from provisioning's PowerSchool can write to it."""

import gc
from collections.abc import Callable, Iterator
from types import FunctionType, MethodType, ModuleType
from typing import Any

import httpx
import pytest
import redis
from scripted_remote import ScriptedRemote, answer

from shared.adapters.http.client import RemoteApi
from shared.adapters.powerschool import roster_feed
from shared.adapters.powerschool.client import PowerSchoolApi
from shared.adapters.powerschool.provisioning.reader import PowerSchoolRosterFeed
from shared.adapters.powerschool.read_only import ReadOnlyPowerSchool, ReadOnlyViolation
from shared.adapters.redis.keys import Keys
from shared.config import Settings
from shared.ports.provisioning import RosterFeed
from tests.manual_clock import ManualClock

WRITES = [
    ("PUT", "/ws/xte/score"),
    ("POST", "/ws/xte/section/assignment/"),
    ("DELETE", "/ws/xte/section/assignment/1"),
    ("PATCH", "/ws/v1/student/1"),
    ("POST", "/ws/v1/student"),
    ("PUT", "/ws/v1/event_subscription"),
    ("PUT", "/ws/schema/table/students/1"),
    ("POST", "/ws/schema/table/students"),
    ("POST", "/ws/schema/query/../table/students"),
    ("POST", "/ws/schema/query/a%2F..%2F..%2Ftable%2Fstudents"),
    ("PUT", "/ws/schema/query/a"),
    ("DELETE", "/oauth/access_token"),
]


@pytest.fixture
def feed(
    settings_of: Callable[..., Settings],
    redis_client: redis.Redis,
    keys: Keys,
    clock: ManualClock,
    remote: ScriptedRemote,
) -> PowerSchoolRosterFeed:
    token = {"access_token": "first-token", "token_type": "Bearer", "expires_in": "3600"}
    remote.on("POST", "/oauth/access_token", answer(token))
    return roster_feed(settings_of(), redis_client, keys, clock, transport=remote.transport)


def reachable(root: object) -> Iterator[object]:
    """Return all objects that the root holds, directly or not: attributes, items, closures, bound methods."""
    seen, waiting = {id(root)}, [root]
    while waiting:
        found = waiting.pop()
        yield found
        # A function leads to its closure; its module's globals are no part of the object.
        parts = (found.__closure__ or ()) if isinstance(found, FunctionType) else gc.get_referents(found)
        for part in parts:
            if id(part) not in seen and not isinstance(part, ModuleType | type | redis.Redis | ScriptedRemote):
                seen.add(id(part))
                waiting.append(part)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_no_reachable_client_sends_a_write(
    feed: PowerSchoolRosterFeed, remote: ScriptedRemote, method: str, path: str
) -> None:
    """Neither the HTTP client nor what is above it; PowerSchool is not even called."""
    sent = senders(feed)
    assert {type(sender.__self__) for sender in sent} == {httpx.Client, RemoteApi, PowerSchoolApi}
    for sender in sent:
        with pytest.raises(ReadOnlyViolation):
            sender(method, path)
    assert {request.url.path for request in remote.requests} <= {"/oauth/access_token"}
    assert all(request.method == "POST" for request in remote.requests)


def senders(feed: PowerSchoolRosterFeed) -> list[Any]:
    """Return the ways to send any request at all, of every object that can be reached."""
    found = list(reachable(feed))
    apis = [each.send for each in found if isinstance(each, RemoteApi | PowerSchoolApi)]
    return apis + [each.request for each in found if isinstance(each, httpx.Client)]


def test_a_written_request_is_refused_as_well(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """However it was built."""
    (client,) = (each for each in reachable(feed) if isinstance(each, httpx.Client))
    with pytest.raises(ReadOnlyViolation):
        client.send(httpx.Request("PUT", "https://powerschool.test/ws/xte/score", json={}))
    assert remote.requests == []


def test_the_feed_has_no_method_that_writes(feed: PowerSchoolRosterFeed) -> None:
    """It reads, says what changed and where the district is, and closes; the client below it gets and queries."""
    assert public_methods(feed) == {"read", "changes_since", "time_zone", "close"}
    (reader,) = {each for each in reachable(feed) if isinstance(each, ReadOnlyPowerSchool)}
    assert public_methods(reader) == {"get", "query", "close"}


def public_methods(value: object) -> set[str]:
    return {name for name in dir(value) if name[0] != "_" and isinstance(getattr(value, name), MethodType)}


def test_a_query_by_another_name_is_refused(feed: PowerSchoolRosterFeed, remote: ScriptedRemote) -> None:
    """A name is no path."""
    (reader,) = {each for each in reachable(feed) if isinstance(each, ReadOnlyPowerSchool)}
    with pytest.raises(ReadOnlyViolation):
        reader.query("/ws/schema/query/../table/students", (), {})
    assert {request.url.path for request in remote.requests} <= {"/oauth/access_token"}


def test_the_feed_is_the_port(feed: PowerSchoolRosterFeed) -> None:
    """What provisioning asks for."""
    port: RosterFeed = feed
    assert port is feed
