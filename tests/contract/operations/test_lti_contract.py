"""The contract of `LtiStore`: what opens once, what ends by itself, and what is kept of installations."""

from datetime import UTC, datetime, timedelta

import pytest
import redis

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.operations.lti import (
    KEY_SET_LIFETIME,
    LAUNCH_LIFETIME,
    LINK_LIFETIME,
    LtiStore,
    Registration,
)

AT = datetime(2026, 10, 5, 12, tzinfo=UTC)
MINUTE, URL = timedelta(minutes=1), "https://canvas.example/jwks"


@pytest.fixture
def lti(client: redis.Redis, keys: Keys) -> LtiStore:
    return LtiStore(client, keys)


def registration(client_id: str, at: datetime = AT) -> Registration:
    return Registration(client_id=client_id, issuer="https://canvas.example", registered_at=at)


def test_a_state_is_used_once(lti: LtiStore) -> None:
    """The first use wins; another state is not concerned."""
    assert [lti.use("state", MINUTE), lti.use("state", MINUTE), lti.use("another", MINUTE)] == [True, False, True]


def test_a_launch_is_taken_once(lti: LtiStore) -> None:
    """It is gone with the first attempt, whoever makes it."""
    lti.save_launch("launch", "what it opens")
    assert [lti.take_launch(name) for name in ("another", "launch", "launch")] == [None, "what it opens", None]


def test_a_link_is_taken_once(lti: LtiStore) -> None:
    """It names who made it; a link makes the paths exist, and so does a registration."""
    assert not lti.is_installed()
    lti.add_link("secret", "engineer")
    assert lti.is_installed()
    assert [lti.take_link(name) for name in ("another", "secret", "secret")] == [None, "engineer", None]


def test_what_belongs_to_a_moment_ends_by_itself(client: redis.Redis, lti: LtiStore, keys: Keys) -> None:
    """Each has its lifetime, and no name holds what it is about."""
    lti.use("state-id", MINUTE)
    lti.save_launch("launch-id", "{}")
    lti.save_key_set(URL, '{"keys": []}', AT)
    assert lti.may_fetch(URL, MINUTE)
    lti.add_link("link-secret", "engineer")
    lifetimes = {
        "lti:used": MINUTE, "lti:launch": LAUNCH_LIFETIME, "lti:key-set": KEY_SET_LIFETIME, "lti:fetch": MINUTE,
        "lti:link": LINK_LIFETIME, "lti:open-links": LINK_LIFETIME,
    }  # fmt: skip
    names = [name.decode() for name in client.keys(f"{keys.prefix}:lti:*")]
    assert len(names) == len(lifetimes)
    for name in names:
        lifetime = lifetimes[":".join(name.split(":")[1:3])]
        assert 0 < client.pttl(name) <= lifetime.total_seconds() * 1000
        assert not [secret for secret in ("state-id", "launch-id", "canvas.example", "link-secret") if secret in name]


def test_a_key_set_is_fetched_by_one(lti: LtiStore) -> None:
    """For the interval nobody else may; a failed fetch shortens it."""
    assert lti.key_set(URL) is None
    assert [lti.may_fetch(URL, MINUTE), lti.may_fetch(URL, MINUTE), lti.may_fetch("another", MINUTE)] == [
        True, False, True,
    ]  # fmt: skip
    lti.save_key_set(URL, '{"keys": []}', AT)
    assert lti.key_set(URL) == ('{"keys": []}', AT)
    lti.allow_fetch_after(URL, timedelta(milliseconds=1))
    assert lti.key_set("another") is None


def test_deployments_are_learned(lti: LtiStore) -> None:
    """The first launch is told from later ones; the latest is listed first."""
    assert lti.record_launch("42", "1:a", AT)
    assert lti.record_launch("42", "2:b", AT + MINUTE)
    assert not lti.record_launch("42", "1:a", AT + 2 * MINUTE)
    first, second = lti.deployments()
    assert (first.deployment_id, first.first_launch_at, first.last_launch_at) == ("1:a", AT, AT + 2 * MINUTE)
    assert second.deployment_id == "2:b"


def test_registrations_are_kept_until_they_are_removed(lti: LtiStore) -> None:
    """The newest first; one of the same client replaces the earlier one."""
    lti.save_registration(registration("1"))
    lti.save_registration(registration("2", AT + MINUTE))
    lti.save_registration(registration("1").model_copy(update={"confirmed_at": AT, "confirmed_by": "operator"}))
    assert [(each.client_id, each.state) for each in lti.registrations()] == [("2", "pending"), ("1", "confirmed")]
    assert [lti.remove_registration("1"), lti.remove_registration("1")] == [True, False]
    assert [each.client_id for each in lti.registrations()] == ["2"]


def test_an_entry_that_cannot_be_read_opens_nothing(client: redis.Redis, lti: LtiStore, keys: Keys) -> None:
    """It is no registration and no deployment; the next launch writes the deployment anew."""
    client.hset(keys.lti_registrations, "1", "{}")
    client.hset(keys.lti_deployments, "42 1:a", "not JSON")
    assert lti.registrations() == []
    assert lti.deployments() == []
    assert lti.record_launch("42", "1:a", AT)
    assert len(lti.deployments()) == 1


def test_the_public_keys_are_those_of_the_first_process(lti: LtiStore) -> None:
    """A second process does not replace them."""
    assert lti.public_key_set() is None
    lti.add_public_key_set("first")
    lti.add_public_key_set("second")
    assert lti.public_key_set() == "first"
