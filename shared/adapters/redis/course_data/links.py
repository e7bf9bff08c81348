"""Which PowerSchool assignment belongs to which Canvas assignment, and which category to which assignment group.

A hash per course has the links, and the students to whom scores were sent, by section:

    <assignment id>:<section dcid>  ["name", "due date", PowerSchool's ids, "x<marks>:<codes>", zeros, echoes, takeover]
    students:<section dcid>         [STUDENTS.DCID, …]

Nearly the same students have a score in every assignment of a section: they stand in the section's list once, and a
link marks their places in it. Marks are a number in base 16, whose bit n is the student at place n (from 0); the x lets
nobody who searches for an id find marks instead. A place belongs to one student for ever: an erased one leaves a 0.

`zeros` is a list of STUDENTS.DCID, `echoes` an object of `[sent, stored]` by field or STUDENTS.DCID, in digests.
`codes` has two characters for each marked student, in the order of STUDENTS.DCID: what was sent and not looked at
since, or `--`. `takeover` is `["createdbyplugin", whether it was written to]`. What is empty at a link's end is left
out: most links have none of these, and no colon.
"""

from collections.abc import Collection, Mapping
from datetime import date
from typing import cast

import msgspec
import redis
from pydantic import TypeAdapter

from shared.adapters.redis.client import load_script, text
from shared.adapters.redis.keys import Keys
from shared.domain.passback.planning.links import Echo, Link, Takeover
from shared.domain.passback.powerschool import AssignmentKey
from shared.domain.passback.rules.categories import CategoryAssociation, map_key

_LIST = b"students:"
_NO_CODE = "--"

# What links were until there was this form: an object with every field's name. Each is one until it is saved next.
_OBJECT = TypeAdapter(Link)


class _Echo(msgspec.Struct, array_like=True, frozen=True, gc=False):
    sent: str
    stored: str | None = None


class _Takeover(msgspec.Struct, array_like=True, frozen=True, gc=False):
    made_by: str
    is_written: bool = False


class _Link(msgspec.Struct, array_like=True, frozen=True, gc=False):
    name: str
    due_date: date
    powerschool_assignment_id: int | None
    powerschool_assignment_section_id: int | None
    marks: str = ""
    zeros: tuple[int, ...] = ()
    echoes: dict[str, _Echo] = {}
    taken_over: _Takeover | None = None


_LINKS = msgspec.json.Decoder(list[_Link])
_STUDENTS = msgspec.json.Decoder(list[int])
_ENCODER = msgspec.json.Encoder()


def link_field(assignment_id: str, section_dcid: int) -> str:
    """Return the field that a link is stored in."""
    return f"{assignment_id}:{section_dcid}"


def list_field(section_dcid: int) -> str:
    """Return the field that a section's students are stored in."""
    return f"{_LIST.decode()}{section_dcid}"


def encode_link(link: Link) -> bytes:
    """Return the link as it is stored, as one that was sent to nobody."""
    tail = encode_tail(link)
    return encode_head(link) if tail == b'"' else encode_head(link)[:-1] + b',"x' + tail + b"]"


def encode_head(link: Link) -> bytes:
    """Return a link's name, date and ids as they are stored; `save_link.lua` adds marks and tail."""
    ids = (link.powerschool_assignment_id, link.powerschool_assignment_section_id)
    return _ENCODER.encode((link.name, link.due_date, *ids))


def encode_tail(link: Link) -> bytes:
    """Return what follows a link's marks; the closing quotation mark alone for most links."""
    codes = {str(dcid): _NO_CODE for dcid in sorted(link.sent_to)}
    echoes = dict[str, tuple[str, ...]]()
    for key, echo in link.echoes.items():
        if key in codes and echo.stored is None and len(echo.sent) == len(_NO_CODE):
            codes[key] = echo.sent
        else:
            echoes[key] = (echo.sent, echo.stored) if echo.stored else (echo.sent,)
    sent = "".join(codes.values()).rstrip(_NO_CODE)
    takeover = link.taken_over and (link.taken_over.made_by, link.taken_over.is_written)
    values: list[object] = [sorted(link.zeros), echoes, takeover]
    while values and not values[-1]:
        values.pop()
    return (f":{sent}".encode() if sent else b"") + b'"' + b"".join(b"," + _ENCODER.encode(v) for v in values)


def links_of(stored: Mapping[bytes, bytes]) -> dict[AssignmentKey, Link]:
    """Return the links of a whole hash, in this form or the earlier one. Raises `ValueError` for anything else."""
    objects, packed = list[bytes](), dict[bytes, bytes]()
    for field, value in stored.items():
        if value.startswith(b"{"):
            objects.append(value)
        elif not field.startswith(_LIST):
            packed[field] = value
    links = _unpacked(packed, students_of(stored))
    for link in map(_OBJECT.validate_json, objects):
        links[link.key] = link
    return links


def is_list(field: bytes) -> bool:
    """Say whether the field holds a section's students, and no link."""
    return field.startswith(_LIST)


def students_of(stored: Mapping[bytes, bytes]) -> dict[int, list[int]]:
    """Return the students of each section that has a list, by SECTIONS.DCID; 0 stands for an erased one."""
    lists = {field: value for field, value in stored.items() if field.startswith(_LIST)}
    return {int(field.removeprefix(_LIST)): _STUDENTS.decode(value) for field, value in lists.items()}


def encode_students(students: Collection[int]) -> bytes:
    """Return a section's students as they are stored."""
    return _ENCODER.encode(list(students))


def _unpacked(packed: Mapping[bytes, bytes], students: Mapping[int, list[int]]) -> dict[AssignmentKey, Link]:
    """Return these links. One document of all of them, and of their fields, is decoded faster than forty."""
    ids = b":".join(packed).decode().split(":") if packed else []
    keys = map(AssignmentKey, ids[::2], map(int, ids[1::2]))
    links, known = dict[AssignmentKey, Link](), dict[tuple[int, str], frozenset[int]]()
    for key, link in zip(keys, _LINKS.decode(b"[" + b",".join(packed.values()) + b"]"), strict=True):
        marks, _, codes = link.marks.partition(":")
        sent_to = known.get((key.section_dcid, marks))
        if sent_to is None:
            sent_to = known[key.section_dcid, marks] = _marked(students.get(key.section_dcid, ()), marks)
        links[key] = Link(
            *key,
            link.name,
            link.due_date,
            link.powerschool_assignment_id,
            link.powerschool_assignment_section_id,
            sent_to,
            frozenset(link.zeros),
            {key: Echo(echo.sent, echo.stored) for key, echo in link.echoes.items()} | _coded(codes, sent_to),
            None if (taken := link.taken_over) is None else Takeover(taken.made_by, taken.is_written),
        )
    return links


def _coded(codes: str, sent_to: Collection[int]) -> dict[str, Echo]:
    sent = (codes[at : at + 2] for at in range(0, len(codes), 2))
    students = sorted(sent_to) if codes else ()
    return {str(dcid): Echo(code) for dcid, code in zip(students, sent, strict=False) if code != _NO_CODE}


def _marked(students: Collection[int], marks: str) -> frozenset[int]:
    number = int(marks.removeprefix("x") or "0", 16)
    return frozenset(dcid for index, dcid in enumerate(students) if dcid and number >> index & 1)


class Links:
    """Which PowerSchool assignment belongs to which Canvas assignment: a hash per course."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._save = load_script(client, "course_data/save_link")

    def of_course(self, course_id: str) -> Mapping[AssignmentKey, Link]:
        """Return the course's links."""
        return links_of(self._stored(course_id))

    def count(self, course_id: str) -> int:
        """Return how many links the course has."""
        fields = cast("list[bytes]", self._redis.hkeys(self._keys.links(course_id)))
        return sum(not is_list(field) for field in fields)

    def save(self, course_id: str, link: Link) -> None:
        """Store the link, replacing the earlier one of its assignment and section."""
        key, field = self._keys.links(course_id), link_field(link.assignment_id, link.section_dcid)
        if link.sent_to:
            students = ",".join(map(str, sorted(link.sent_to)))
            self._save(
                keys=[key], args=[field, list_field(link.section_dcid), encode_head(link), students, encode_tail(link)]
            )
        else:
            self._redis.hset(key, field, encode_link(link))

    def delete(self, course_id: str, assignment_id: str, section_dcid: int) -> None:
        """Delete the link; nothing happens if there is none."""
        self._redis.hdel(self._keys.links(course_id), link_field(assignment_id, section_dcid))

    def sections_listing(self, course_id: str, students: Collection[int]) -> list[int]:
        """Return the sections (SECTIONS.DCID) in whose list one of these students (STUDENTS.DCID) stands."""
        lists = students_of(self._stored(course_id))
        return [section for section, listed in lists.items() if not set(listed).isdisjoint(students)]

    def remove_students(self, course_id: str, students: Collection[int]) -> None:
        """Take these students off the lists. For an erasure, when no link is marked for them and nothing is saved."""
        for section, listed in students_of(self._stored(course_id)).items():
            remaining = [0 if dcid in students else dcid for dcid in listed]
            if remaining != listed:
                self._redis.hset(self._keys.links(course_id), list_field(section), encode_students(remaining))

    def _stored(self, course_id: str) -> Mapping[bytes, bytes]:
        return cast("Mapping[bytes, bytes]", self._redis.hgetall(self._keys.links(course_id)))


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
