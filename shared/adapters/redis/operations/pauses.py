"""What a person holds back, in Redis. `claim_due.lua` heeds it."""

import redis
from pydantic import AwareDatetime, BaseModel, ValidationError

from shared.adapters.redis.client import EPOCH, text
from shared.adapters.redis.keys import Keys
from shared.clock import Clock
from shared.domain.pauses import EVERYTHING, Pause, course_target

UNKNOWN_ACTOR = "unknown"


class _StoredPause(BaseModel):
    """A pause as JSON."""

    since: AwareDatetime
    actor: str
    reason: str


class Pauses:
    """Stores what a person paused. Changes are collected meanwhile, and nothing that is paused is claimed."""

    def __init__(self, client: redis.Redis, keys: Keys, clock: Clock) -> None:
        self._redis = client
        self._key = keys.paused
        self._clock = clock

    def pause(self, target: str, actor: str, reason: str = "") -> bool:
        """Hold the target back; False if it was already, and then its first pause stays."""
        stored = _StoredPause(since=self._clock.now(), actor=actor, reason=reason)
        return bool(self._redis.hsetnx(self._key, target, stored.model_dump_json()))

    def resume(self, target: str) -> bool:
        """Let the target go on; False if it was not held back."""
        return bool(self._redis.hdel(self._key, target))

    def all(self) -> list[Pause]:
        """Return what is held back, the longest first."""
        stored = self._redis.hgetall(self._key)
        return sorted((_pause(text(target), value) for target, value in stored.items()), key=lambda pause: pause.since)

    def of_course(self, course_id: str) -> Pause | None:
        """Return what holds the course back: its own pause, else everything's."""
        for target in (course_target(course_id), EVERYTHING):
            stored = self._redis.hget(self._key, target)
            if stored is not None:
                return _pause(target, stored)
        return None


def _pause(target: str, value: bytes | str) -> Pause:
    try:
        stored = _StoredPause.model_validate_json(value)
    except ValidationError:
        # It holds its target back all the same, so that it has to be seen and can be resumed.
        return Pause(target, EPOCH, UNKNOWN_ACTOR, "")
    return Pause(target, stored.since, stored.actor, stored.reason)
