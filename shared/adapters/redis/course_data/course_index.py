"""Lists courses a page at a time, from the summaries that are stored beside the courses' records.

A search, and the list of courses with problems, read and filter every summary: some 60 ms for 10,000 courses.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import redis

from shared.adapters.redis.dead_letters.store import course_of_dead_letter
from shared.adapters.redis.keys import Keys
from shared.adapters.redis.values import text
from shared.domain.passback.course_state import AssignmentStatus, CourseSummary, search_terms

_DECODER = msgspec.json.Decoder(CourseSummary)


def encode_summary(summary: CourseSummary) -> bytes:
    """Return a summary as it is stored: as JSON."""
    # A process of schema version 1 fails on a summary without `words`: this keeps the way back open.
    return msgspec.json.encode({**msgspec.to_builtins(summary), "words": []})


@dataclass(frozen=True, slots=True)
class CourseListItem:
    """A course of a list. `summary` is None for one that was never synced."""

    course_id: str
    summary: CourseSummary | None
    dead_letters: int = 0

    def count(self, status: AssignmentStatus) -> int:
        """Return how many assignments have the status; those with a newer dead letter do not retry any more."""
        counted = self.summary.assignments.get(status, 0) if self.summary else 0
        return max(0, counted - self.dead_letters) if status is AssignmentStatus.RETRYING else counted

    @property
    def has_problems(self) -> bool:
        """Say whether a person should look at the course."""
        return bool(self.dead_letters or (self.summary and self.summary.problems))


@dataclass(frozen=True, slots=True)
class CoursePage:
    """Some courses, and the `start` of the next page; None at the end."""

    courses: tuple[CourseListItem, ...]
    next_start: int | None


@dataclass(frozen=True, slots=True)
class CourseTotals:
    """How many courses have problems, and how many assignments of all courses have each status."""

    with_problems: int
    assignments: dict[AssignmentStatus, int]


class CourseIndex:
    """Finds courses by the words of their names and by their ids, and those with problems."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def totals(self) -> CourseTotals:
        """Return the totals over all courses. Reads every summary, once."""
        summaries, dead_letters = self._all()
        return CourseTotals(
            len({s.course_id for s in summaries if s.problems} | dead_letters.keys()),
            {status: sum([s.assignments.get(status, 0) for s in summaries]) for status in AssignmentStatus},
        )

    def page(self, words: str = "", *, only_problems: bool = False, start: int = 0, limit: int = 50) -> CoursePage:
        """Return a page of courses, from the place `start` of their list on.

        Without words, those with problems come in the order of their problems, all of them with the last synced first.
        With words, a course matches if each begins a word of its name, or its id; they come in alphabetical order.
        """
        if wanted := search_terms("", words):
            ids = self._search(wanted, only_problems=only_problems)
        elif only_problems:
            ids = self._worst()
        else:
            newest = cast("list[bytes]", self._redis.zrange(self._keys.courses, start, start + limit, desc=True))
            return self._page(list(map(text, newest)), start, limit)
        return self._page(ids[start : start + limit + 1], start, limit)

    def find(self, course_id: str) -> CourseListItem:
        """Return one course as the lists have it."""
        return self._items([course_id])[0]

    def _all(self) -> tuple[list[CourseSummary], Mapping[str, int]]:
        """Return all summaries, and how many dead letters each course has that has one."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hvals(self._keys.summaries)
            pipeline.zrange(self._keys.dead_letters, 0, -1)
            summaries, dead_letter_ids = pipeline.execute()
        courses = (course_of_dead_letter(text(dead_letter_id)) for dead_letter_id in dead_letter_ids)
        return list(map(_DECODER.decode, summaries)), Counter(course for course in courses if course)

    def _worst(self) -> list[str]:
        """Return the ids of the courses with problems, the most problems first. A dead letter outweighs the rest."""
        summaries, dead_letters = self._all()
        problems = dict.fromkeys(dead_letters, 0) | {s.course_id: count for s in summaries if (count := s.problems)}
        ranked = sorted(((dead_letters.get(id_, 0), count, id_) for id_, count in problems.items()), reverse=True)
        return [course_id for *_, course_id in ranked]

    def _search(self, wanted: Sequence[str], *, only_problems: bool) -> list[str]:
        """Return the ids of the courses that match, in the order of the terms by which the longest word finds them."""
        words = sorted(wanted, key=len, reverse=True)
        longest, *others = (re.compile(rf"(?<!\w){re.escape(word)}\w*") for word in words)
        summaries, dead_letters = self._all()
        found = []
        for summary in summaries:
            if only_problems and not (summary.problems or summary.course_id in dead_letters):
                continue
            searched = f"{summary.course_id} {summary.name.casefold()}"
            terms = longest.findall(searched)
            if terms and all(word.search(searched) for word in others):
                found.append((min(terms), summary.course_id))
        return [course_id for _, course_id in sorted(found)]

    def _page(self, ids: Sequence[str], start: int, limit: int) -> CoursePage:
        """Return the page of the ids from `start` on, of which there is one more than `limit` if a page follows."""
        return CoursePage(tuple(self._items(ids[:limit])), start + limit if len(ids) > limit else None)

    def _items(self, course_ids: Sequence[str]) -> list[CourseListItem]:
        if not course_ids:
            return []
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(self._keys.summaries, course_ids)
            for course_id in course_ids:
                pipeline.scard(self._keys.course_dead_letters(course_id))
            summaries, *counts = pipeline.execute()
        return [
            CourseListItem(course_id, None if summary is None else _DECODER.decode(summary), count)
            for course_id, summary, count in zip(course_ids, summaries, counts, strict=True)
        ]
