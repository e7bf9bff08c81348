"""What passback inside Canvas stores: used launches, launches that wait, Canvas's keys, installations in Canvas."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeVar

import redis
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shared.adapters.redis.client import epoch_ms, text, time_at
from shared.adapters.redis.keys import Keys

T = TypeVar("T", bound=BaseModel)

LAUNCH_LIFETIME = timedelta(seconds=60)
KEY_SET_LIFETIME = timedelta(hours=24)
LINK_LIFETIME = timedelta(hours=24)


class Registration(BaseModel):
    """An installation that a Canvas made with a registration link. It counts once an operator confirmed it."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    issuer: str
    account_name: str = ""
    account_guid: str = ""
    registered_at: AwareDatetime
    link_made_by: str = ""
    confirmed_at: AwareDatetime | None = None
    confirmed_by: str = ""

    @property
    def state(self) -> Literal["pending", "confirmed"]:
        """Return whether somebody confirmed it."""
        return "pending" if self.confirmed_at is None else "confirmed"


class Deployment(BaseModel):
    """A place in Canvas where passback is installed, learned from its launches."""

    model_config = ConfigDict(frozen=True)

    client_id: str
    deployment_id: str
    first_launch_at: AwareDatetime
    last_launch_at: AwareDatetime


class LtiStore:
    """Redis as the LTI tool uses it. Secrets are stored as their SHA-256 only."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    # Launches.

    def use(self, state_id: str, lifetime: timedelta) -> bool:
        """Mark the state as used; False if it was before."""
        return bool(self._redis.set(self._keys.lti_used(_digest(state_id)), 1, nx=True, px=lifetime))

    def save_launch(self, launch_id: str, launch: str) -> None:
        """Store a verified launch for a minute."""
        self._redis.set(self._keys.lti_launch(_digest(launch_id)), launch, px=LAUNCH_LIFETIME)

    def take_launch(self, launch_id: str) -> str | None:
        """Return the launch and delete it; None if it was taken before, or its minute is over."""
        stored = self._redis.getdel(self._keys.lti_launch(_digest(launch_id)))
        return None if stored is None else text(stored)

    # Canvas's keys.

    def key_set(self, url: str) -> tuple[str, datetime] | None:
        """Return the key set as JSON and when it was fetched; None if it is older than a day."""
        stored = self._redis.hgetall(self._keys.lti_key_set(_digest(url)))
        return (text(stored[b"keys"]), time_at(stored[b"at"])) if stored else None

    def save_key_set(self, url: str, key_set: str, at: datetime) -> None:
        """Store a key set for a day."""
        key = self._keys.lti_key_set(_digest(url))
        pipeline = self._redis.pipeline()
        pipeline.hset(key, mapping={"keys": key_set, "at": epoch_ms(at)})
        pipeline.pexpire(key, KEY_SET_LIFETIME)
        pipeline.execute()

    def may_fetch(self, url: str, interval: timedelta) -> bool:
        """Say whether the key set may be fetched now; for the interval nobody else may."""
        return bool(self._redis.set(self._keys.lti_fetch(_digest(url)), 1, nx=True, px=interval))

    def allow_fetch_after(self, url: str, interval: timedelta) -> None:
        """Let the key set be fetched again after this interval: the last fetch failed."""
        self._redis.set(self._keys.lti_fetch(_digest(url)), 1, px=interval)

    # Installations.

    def record_launch(self, client_id: str, deployment_id: str, at: datetime) -> bool:
        """Record a launch of a deployment; True if it is the first one."""
        field = f"{client_id} {deployment_id}"
        stored = self._redis.hget(self._keys.lti_deployments, field)
        known = None if stored is None else _read(Deployment, stored)
        first = at if known is None else known.first_launch_at
        deployment = Deployment(
            client_id=client_id, deployment_id=deployment_id, first_launch_at=first, last_launch_at=at,
        )  # fmt: skip
        self._redis.hset(self._keys.lti_deployments, field, deployment.model_dump_json())
        return known is None

    def deployments(self) -> list[Deployment]:
        """Return every deployment that was launched, the latest launch first."""
        found = _read_all(Deployment, self._redis.hgetall(self._keys.lti_deployments))
        return sorted(found, key=lambda each: each.last_launch_at, reverse=True)

    def registrations(self) -> list[Registration]:
        """Return every registration, the newest first."""
        found = _read_all(Registration, self._redis.hgetall(self._keys.lti_registrations))
        return sorted(found, key=lambda each: each.registered_at, reverse=True)

    def save_registration(self, registration: Registration) -> None:
        """Store a registration, in place of an earlier one of the same client."""
        self._redis.hset(self._keys.lti_registrations, registration.client_id, registration.model_dump_json())

    def remove_registration(self, client_id: str) -> bool:
        """Delete a registration; False if there is none."""
        return bool(self._redis.hdel(self._keys.lti_registrations, client_id))

    def add_link(self, link_secret: str, made_by: str) -> None:
        """Store a registration link, which works once and for a day."""
        pipeline = self._redis.pipeline()
        pipeline.set(self._keys.lti_link(_digest(link_secret)), made_by, px=LINK_LIFETIME)
        pipeline.set(self._keys.lti_open_links, 1, px=LINK_LIFETIME)
        pipeline.execute()

    def take_link(self, link_secret: str) -> str | None:
        """Return who made the link, and delete it; None if it was used before, or its day is over."""
        stored = self._redis.getdel(self._keys.lti_link(_digest(link_secret)))
        return None if stored is None else text(stored)

    def is_installed(self) -> bool:
        """Say whether a Canvas has registered passback, or a link to do so was made within a day."""
        return bool(self._redis.exists(self._keys.lti_registrations, self._keys.lti_open_links))

    def public_key_set(self) -> str | None:
        """Return the own key set as JSON, None before there is one."""
        stored = self._redis.get(self._keys.lti_public_key)
        return None if stored is None else text(stored)

    def add_public_key_set(self, key_set: str) -> None:
        """Store the own key set, unless another process was first."""
        self._redis.set(self._keys.lti_public_key, key_set, nx=True)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _read(model: type[T], stored: bytes | str) -> T | None:
    """Return what is stored; None where it cannot be read, which is written anew."""
    try:
        return model.model_validate_json(stored)
    except ValidationError:
        return None


def _read_all(model: type[T], stored: Mapping[bytes | str, bytes | str]) -> list[T]:
    return [found for value in stored.values() if (found := _read(model, value)) is not None]
