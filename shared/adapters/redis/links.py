"""Which PowerSchool assignment belongs to which Canvas assignment, in Redis."""

from collections.abc import Mapping

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.keys import Keys
from shared.domain.desired import Link

_LINK = TypeAdapter(Link)


class RedisLinks:
    """The `Links`: a hash per course."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def of_course(self, course_id: str) -> Mapping[tuple[str, int], Link]:
        """Return the course's links by (Canvas assignment id, SECTIONS.DCID)."""
        links = [_LINK.validate_json(value) for value in self._redis.hvals(self._keys.links(course_id))]
        return {(link.assignment_id, link.section_dcid): link for link in links}

    def save(self, course_id: str, link: Link) -> None:
        """Remember the link, replacing the earlier one of its assignment and section."""
        field = _field(link.assignment_id, link.section_dcid)
        self._redis.hset(self._keys.links(course_id), field, _LINK.dump_json(link))

    def forget(self, course_id: str, assignment_id: str, section_dcid: int) -> None:
        """Forget the link; nothing happens if there is none."""
        self._redis.hdel(self._keys.links(course_id), _field(assignment_id, section_dcid))


def _field(assignment_id: str, section_dcid: int) -> str:
    return f"{assignment_id}:{section_dcid}"
