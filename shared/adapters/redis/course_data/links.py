"""Which PowerSchool assignment belongs to which Canvas assignment, in Redis."""

from collections.abc import Collection, Mapping
from typing import cast

import redis

from shared.adapters.redis.course_data.link_codec import (
    encode_head,
    encode_link,
    encode_students,
    encode_tail,
    is_list,
    link_field,
    links_of,
    list_field,
    students_of,
)
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.domain.passback.planning.desired import Link
from shared.domain.passback.powerschool import AssignmentKey


class Links:
    """Which PowerSchool assignment belongs to which Canvas assignment: a hash per course, see `link_codec.py`."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._save = load_script(client, "course_data/save_link")

    def of_course(self, course_id: str) -> Mapping[AssignmentKey, Link]:
        """Return the course's links."""
        return links_of(self._kept(course_id))

    def count(self, course_id: str) -> int:
        """Return how many links the course has."""
        fields = cast("list[bytes]", self._redis.hkeys(self._keys.links(course_id)))
        return sum(not is_list(field) for field in fields)

    def save(self, course_id: str, link: Link) -> None:
        """Remember the link, replacing the earlier one of its assignment and section."""
        key, field = self._keys.links(course_id), link_field(link.assignment_id, link.section_dcid)
        if link.sent_to:
            students = ",".join(map(str, sorted(link.sent_to)))
            self._save(
                keys=[key], args=[field, list_field(link.section_dcid), encode_head(link), students, encode_tail(link)]
            )
        else:
            self._redis.hset(key, field, encode_link(link))

    def delete(self, course_id: str, assignment_id: str, section_dcid: int) -> None:
        """Forget the link; nothing happens if there is none."""
        self._redis.hdel(self._keys.links(course_id), link_field(assignment_id, section_dcid))

    def sections_listing(self, course_id: str, students: Collection[int]) -> list[int]:
        """Return the sections (SECTIONS.DCID) in whose list one of these students (STUDENTS.DCID) stands."""
        lists = students_of(self._kept(course_id))
        return [section for section, listed in lists.items() if not set(listed).isdisjoint(students)]

    def remove_students(self, course_id: str, students: Collection[int]) -> None:
        """Take these students off the lists. For an erasure, when no link is marked for them and nothing is saved."""
        for section, listed in students_of(self._kept(course_id)).items():
            left = [0 if dcid in students else dcid for dcid in listed]
            if left != listed:
                self._redis.hset(self._keys.links(course_id), list_field(section), encode_students(left))

    def _kept(self, course_id: str) -> Mapping[bytes, bytes]:
        return cast("Mapping[bytes, bytes]", self._redis.hgetall(self._keys.links(course_id)))
