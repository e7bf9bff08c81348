"""Which PowerSchool category each assignment group stands for, in Redis: of each course, and the district's map."""

from collections.abc import Mapping

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.client import text
from shared.adapters.redis.keys import Keys
from shared.domain.passback.rules.categories import CategoryAssociation, map_key

_ASSOCIATION = TypeAdapter(CategoryAssociation)


class CategoryMatches:
    """Which PowerSchool category each assignment group of a course stands for, by ids: a hash per course.

    Beside them the district's map, from the names of assignment groups to names of categories, for courses that have
    no association yet.
    """

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

    def district_map(self) -> dict[str, str]:
        """Return the district's map: the name of a category by the name of a group, as `map_key` returns it."""
        found = self._redis.hgetall(self._keys.category_map)
        return {text(group): text(category) for group, category in found.items()}

    def save_to_map(self, categories: Mapping[str, str]) -> None:
        """Store these entries of the map, by the names of groups; the others stay."""
        if categories:
            fields = [each for group, category in categories.items() for each in (map_key(group), category.strip())]
            self._redis.hset(self._keys.category_map, items=fields)

    def delete_from_map(self, group: str) -> bool:
        """Delete the entry of a group's name; False if there is none."""
        return bool(self._redis.hdel(self._keys.category_map, map_key(group)))
