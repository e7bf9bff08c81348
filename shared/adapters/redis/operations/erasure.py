"""Erases what is stored of a course, of a student, before a time, or at all."""

import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import chain
from typing import cast

import redis

from shared.adapters.redis.client import epoch_ms, load_script, text
from shared.adapters.redis.course_data.audit import decode_entry, encode_entry, entries_of, stored_entries
from shared.adapters.redis.course_data.course_states import encode_record, record_of
from shared.adapters.redis.course_data.links import Links
from shared.adapters.redis.dead_letters.store import DeadLetters
from shared.adapters.redis.keys import Keys
from shared.domain.outcome import DeadLetterKind
from shared.domain.passback.audit import AuditEntry
from shared.domain.passback.erasure import (
    StudentIds,
    remove_student_from_entry,
    remove_student_from_link,
    remove_student_from_record,
)

PAGE = 500


Erased = Counter[str]
"""How much of what was erased, or would be."""


class RedisErasure:
    """Erases, or with `dry_run` counts. Nothing else may sync the courses meanwhile: the caller holds them back."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._dead_letters = DeadLetters(client, keys)
        self._links = Links(client, keys)
        self._rewrite = load_script(client, "operations/rewrite_stream")

    def courses(self) -> list[str]:
        """Return the ids of all courses of which anything is stored."""
        pattern = re.compile(rf"{re.escape(self._keys.prefix)}:course:(\d+):")
        named = {found[1] for key in self._scan("course:*") if (found := pattern.match(key))}
        connected = cast("list[bytes]", self._redis.zrange(self._keys.courses, 0, -1))
        gone = cast("list[bytes]", self._redis.hkeys(self._keys.gone))
        return sorted(named | set(map(text, [*connected, *gone])), key=int)

    def course(self, course_id: str, *, dry_run: bool) -> Erased:
        """Erase the course: pending changes, links, categories, record, audit, dead letters, and what leads to it."""
        keys, erased = self._keys, Erased()
        dead_letters = self._dead_letters.of_course(course_id)
        erased["audit entries"] = self._redis.xlen(keys.audit(course_id))
        erased["links"] = self._links.count(course_id)
        erased["dead letters"] = len(dead_letters)
        keys_found = list(self._scan(f"course:{course_id}:*"))
        erased["keys"] = len(keys_found)
        listings = self._listings_of(course_id)
        erased["places in lists of courses"] = sum(map(len, listings.values()))
        if not dry_run:
            for dead_letter in dead_letters:
                self._dead_letters.close(course_id, dead_letter.assignment_id)
            self._unlink(keys_found)
            for key, members in listings.items():
                self._remove(key, members)
        return +erased

    def knows(self, course_id: str, student: StudentIds) -> bool:
        """Say whether something of the student is stored with the course."""
        return bool(self.student(course_id, student, dry_run=True))

    def entries(self, course_id: str) -> Iterator[AuditEntry]:
        """Yield the course's audit entries, whatever their age."""
        for _, fields in self._audit(course_id):
            yield decode_entry(fields[b"entry"])
        for entries in self._begun(course_id).values():
            yield from entries

    def student(self, course_id: str, student: StudentIds, *, dry_run: bool) -> Erased:
        """Erase the student from a course's audit, record and links."""
        erased = Erased()
        erased["scores in the audit"] = self._from_audit(course_id, student, dry_run)
        erased["course records"] = self._from_record(course_id, student, dry_run)
        erased["links"] = self._from_links(course_id, student, dry_run)
        erased["lists of students"] = self._from_lists(course_id, student, dry_run)
        return +erased

    def mentions(self, word: str, *, dry_run: bool) -> Erased:
        """Erase stored messages that nobody could read, and what is stored of PowerSchool, where it has the word."""
        erased, says = Erased(), _word_pattern(word)
        messages = cast("list[tuple[bytes, dict[bytes, bytes]]]", self._redis.xrange(self._keys.malformed))
        ids = [entry_id for entry_id, fields in messages if any(map(says.search, fields.values()))]
        cached = [key for key in self._scan("cache:*") if any(map(says.search, _values(self._redis, key)))]
        if not dry_run:
            self._unlink(cached)
            if ids:
                self._redis.xdel(self._keys.malformed, *ids)
        erased["kept messages"], erased["remembered answers of PowerSchool"] = len(ids), len(cached)
        return +erased

    def before(self, time: datetime, *, dry_run: bool) -> Erased:
        """Erase audit entries, dead letters and stored messages from before this time."""
        erased, oldest = Erased(), str(epoch_ms(time))
        for course_id in self.courses():
            erased["audit entries"] += self._trim(self._keys.audit(course_id), oldest, dry_run)
            erased["audit entries"] += self._interrupted_before(course_id, time, dry_run)
            erased["proofs"] += self._trim(self._keys.proofs(course_id), oldest, dry_run)
        erased["kept messages"] = self._trim(self._keys.malformed, oldest, dry_run)
        erased["dead letters"] = self._dead_letters_before(time, dry_run)
        return +erased

    def everything(self, *, dry_run: bool) -> Erased:
        """Erase every key under the prefix."""
        keys_found = list(self._scan("*"))
        if not dry_run:
            self._unlink(keys_found)
        return +Erased({"keys": len(keys_found)})

    def locations(self, word: str) -> Erased:
        """Return in which kinds of keys the word still stands, and in how many: the proof of an erasure."""
        says, found = _word_pattern(word), Erased()
        for key in self._scan("*"):
            if any(map(says.search, content_of(self._redis, key))):
                found[re.sub(r"(?<=[:-])\d+(?=[:-]|$)", "<id>", key)] += 1
        return found

    def _listings_of(self, course_id: str) -> Mapping[str, list[str]]:
        keys = self._keys
        sorted_sets = (keys.due, keys.yielding, keys.claimed, keys.leased, keys.synced, keys.courses, keys.due_dates)
        listings = {key: [course_id] for key in sorted_sets if self._redis.zscore(key, course_id) is not None}
        hashes = (keys.heard, keys.waits, keys.gone, keys.summaries, keys.readiness_courses)
        listings |= {key: [course_id] for key in hashes if self._redis.hexists(key, course_id)}
        for key in (keys.assignment_courses, keys.section_courses):
            leading = [text(an_id) for an_id, course in self._redis.hscan_iter(key) if text(course) == course_id]
            if leading:
                listings[key] = leading
        return listings

    def _remove(self, key: str, members: list[str]) -> None:
        if self._redis.type(key) == b"hash":
            self._redis.hdel(key, *members)
        else:
            self._redis.zrem(key, *members)

    def _from_audit(self, course_id: str, student: StudentIds, dry_run: bool) -> int:
        changed: list[bytes] = []
        scores = 0
        for entry_id, fields in self._audit(course_id):
            entry = decode_entry(fields[b"entry"])
            remaining = remove_student_from_entry(entry, student)
            if remaining != entry:
                scores += len(entry.scores) - (len(remaining.scores) if remaining else 0)
                changed += [entry_id, encode_entry(remaining) if remaining else b""]
        if changed and not dry_run:
            key = self._keys.audit(course_id)
            self._rewrite(keys=[key, f"{key}:rewritten"], args=changed)
        return scores + self._from_interrupted(course_id, student, dry_run)

    def _from_interrupted(self, course_id: str, student: StudentIds, dry_run: bool) -> int:
        """Erase the student from writes that began and never ended: no other is there while nothing is synced."""
        found, remaining = self._reduce_begun(
            course_id, lambda entry: remove_student_from_entry(entry, student), dry_run
        )
        return sum(len(entry.scores) for entry in found) - sum(len(entry.scores) for entry in remaining)

    def _interrupted_before(self, course_id: str, before: datetime, dry_run: bool) -> int:
        found, remaining = self._reduce_begun(course_id, lambda entry: entry if entry.at >= before else None, dry_run)
        return len(found) - len(remaining)

    def _reduce_begun(
        self, course_id: str, remaining_of: Callable[[AuditEntry], AuditEntry | None], dry_run: bool
    ) -> tuple[list[AuditEntry], list[AuditEntry]]:
        """Reduce interrupted writes to what `remaining_of` returns; return the entries before and after."""
        found: list[AuditEntry] = []
        remaining: list[AuditEntry] = []
        for write, entries in self._begun(course_id).items():
            of_write = [stored for entry in entries if (stored := remaining_of(entry))]
            if of_write != entries and not dry_run:
                self._replace_begun(course_id, write, of_write)
            found += entries
            remaining += of_write
        return found, remaining

    def _begun(self, course_id: str) -> dict[bytes, list[AuditEntry]]:
        begun = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.writes_begun(course_id)))
        return {write: entries_of(stored) for write, stored in begun.items()}

    def _replace_begun(self, course_id: str, write: bytes, remaining: list[AuditEntry]) -> None:
        key = self._keys.writes_begun(course_id)
        if remaining:
            self._redis.hset(key, write, stored_entries(remaining))
        else:
            self._redis.hdel(key, write)

    def _from_record(self, course_id: str, student: StudentIds, dry_run: bool) -> int:
        stored = self._redis.get(self._keys.record(course_id))
        if stored is None:
            return 0
        record = record_of(cast("bytes", stored))
        remaining = remove_student_from_record(record, student)
        if remaining != record and not dry_run:
            self._redis.set(self._keys.record(course_id), encode_record(remaining))
        return int(remaining != record)

    def _from_links(self, course_id: str, student: StudentIds, dry_run: bool) -> int:
        links = self._links.of_course(course_id).values()
        changed = [remaining for link in links if (remaining := remove_student_from_link(link, student)) != link]
        # The list comes last, so that no link is ever marked for somebody who is not on it.
        for link in () if dry_run else changed:
            self._links.save(course_id, link)
        return len(changed)

    def _from_lists(self, course_id: str, student: StudentIds, dry_run: bool) -> int:
        lists = self._links.sections_listing(course_id, student.dcids)
        if lists and not dry_run:
            self._links.remove_students(course_id, student.dcids)
        return len(lists)

    def _audit(self, course_id: str) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
        after = "-"
        while page := self._audit_page(course_id, after):
            yield from page
            after = f"({text(page[-1][0])}"

    def _audit_page(self, course_id: str, after: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        page = self._redis.xrange(self._keys.audit(course_id), after, "+", count=PAGE)
        return cast("list[tuple[bytes, dict[bytes, bytes]]]", page)

    def _trim(self, key: str, oldest: str, dry_run: bool) -> int:
        if dry_run:
            return len(cast("list[object]", self._redis.xrange(key, "-", f"({oldest}")))
        return self._redis.xtrim(key, minid=oldest, approximate=False)

    def _dead_letters_before(self, before: datetime, dry_run: bool) -> int:
        old = [dead_letter for dead_letter in self._dead_letters.all() if dead_letter.last_failed_at < before]
        for dead_letter in () if dry_run else old:
            if dead_letter.kind is DeadLetterKind.PROVISIONING:
                self._dead_letters.close_provisioning()
            else:
                self._dead_letters.close(dead_letter.course_id, dead_letter.assignment_id)
        return len(old)

    def _scan(self, pattern: str) -> Iterator[str]:
        # The prefix has letters, digits, - and _ alone, so that it means itself in a pattern.
        found = self._redis.scan_iter(f"{self._keys.prefix}:{pattern}", count=PAGE)
        yield from map(text, cast("Iterator[bytes]", found))

    def _unlink(self, keys: list[str]) -> None:
        for start in range(0, len(keys), PAGE):
            self._redis.unlink(*keys[start : start + PAGE])


def _word_pattern(word: str) -> re.Pattern[bytes]:
    return re.compile(rb"(?<![A-Za-z0-9])" + re.escape(word.encode()) + rb"(?![A-Za-z0-9])")


def content_of(client: redis.Redis, key: str) -> Iterator[bytes]:
    """Yield the key's name and each of its values, members and fields: as they are, unpacked where they are packed."""
    yield key.encode()
    yield from map(_unpacked, _values(client, key))


def _unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:
        return value


def _values(client: redis.Redis, key: str) -> Iterator[bytes]:
    match client.type(key):
        case b"string":
            yield cast("bytes", client.get(key) or b"")
        case b"hash":
            yield from chain.from_iterable(client.hgetall(key).items())
        case b"set":
            yield from cast("set[bytes]", client.smembers(key))
        case b"zset":
            yield from cast("list[bytes]", client.zrange(key, 0, -1))
        case b"list":
            yield from cast("list[bytes]", client.lrange(key, 0, -1))
        case b"stream":
            entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(key))
            yield from chain.from_iterable(chain.from_iterable(fields.items()) for _, fields in entries)
