"""Which PowerSchool category each assignment group stands for, in Redis."""

from collections.abc import Mapping

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import text
from shared.domain.passback.rules.categories import CategoryAssociation

_ASSOCIATION = TypeAdapter(CategoryAssociation)


class CategoryMatches:
    """Which PowerSchool category each assignment group of a course stands for, by ids: a hash per course."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def of_course(self, course_id: str) -> Mapping[str, CategoryAssociation]:
        """Return the course's associations by assignment group id."""
        found = self._redis.hgetall(self._keys.categories(course_id))
        return {text(group_id): _ASSOCIATION.validate_json(value) for group_id, value in found.items()}

    def save(self, course_id: str, group_id: str, association: CategoryAssociation) -> None:
        """Store the association, replacing the group's earlier one."""
        self._redis.hset(self._keys.categories(course_id), group_id, _ASSOCIATION.dump_json(association))

    def delete(self, course_id: str, group_id: str) -> None:
        """Delete the group's association; nothing happens if there is none."""
        self._redis.hdel(self._keys.categories(course_id), group_id)
