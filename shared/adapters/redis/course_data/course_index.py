"""Lists courses a page at a time, from the summaries that are stored beside the courses' records.

A search, and the list of courses with problems, read and filter every summary: some 30 ms for 10,000 courses.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import cast

import msgspec
import redis

from shared.adapters.redis.client import text
from shared.adapters.redis.dead_letters.store import course_of_dead_letter
from shared.adapters.redis.keys import Keys
from shared.domain.passback.course_search import CourseSearch, find_courses
from shared.domain.passback.course_state import AssignmentStatus, CourseSummary

ALL_COURSES = CourseSearch()
_DECODER = msgspec.json.Decoder(CourseSummary)
# A district's summaries are some 15 MB. Most of them are the same at the next page.
_decode = lru_cache(maxsize=20_000)(_DECODER.decode)


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
class SchoolTotals:
    """How many courses a school has, and how many of them have problems."""

    courses: int
    with_problems: int


@dataclass(frozen=True, slots=True)
class CourseTotals:
    """How many courses have problems, and the schools and terms of courses.

    `by_school` has the school with the most problems first. `counts` are the courses' assignments by status.
    """

    with_problems: int
    counts: Sequence[Mapping[AssignmentStatus, int]]
    schools: tuple[int, ...] = ()
    terms: tuple[str, ...] = ()
    by_school: Mapping[int, SchoolTotals] = field(default_factory=dict)

    @property
    def assignments(self) -> dict[AssignmentStatus, int]:
        """Return how many assignments have each status. Few pages need it."""
        return {status: sum([count.get(status, 0) for count in self.counts]) for status in AssignmentStatus}


class CourseIndex:
    """Finds courses: reads what the pure search of `course_search` needs, and the courses of a page."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys

    def totals(self) -> CourseTotals:
        """Return the totals over all courses. Reads every summary, once."""
        return _totals(*self._all())

    def page(self, search: CourseSearch = ALL_COURSES, *, start: int = 0, limit: int = 50) -> CoursePage:
        """Return a page of the courses that match, from the place `start` of their list on.

        Their order is that of `find_courses`; a search that selects all also lists courses that were never synced.
        """
        if search.selects_all:
            return self._newest(start, limit)
        return self._found(find_courses(search, *self._all()), start, limit)

    def page_with_totals(self, search: CourseSearch, *, start: int, limit: int) -> tuple[CoursePage, CourseTotals]:
        """Return the same page, with the totals over all courses. Reads every summary, once."""
        summaries, dead_letters = self._all()
        page = (
            self._newest(start, limit)
            if search.selects_all
            else self._found(find_courses(search, summaries, dead_letters), start, limit)
        )
        return page, _totals(summaries, dead_letters)

    def ids(self, search: CourseSearch) -> list[str]:
        """Return the ids of all courses that match. Reads every summary; finds no course that was never synced."""
        return find_courses(search, *self._all())

    def never_synced(self, course_ids: Iterable[str]) -> tuple[str, ...]:
        """Return those of the courses of which no sync stored anything, in order."""
        ids = sorted(course_ids, key=lambda id_: (len(id_), id_))
        stored = self._redis.hmget(self._keys.summaries, ids) if ids else []
        return tuple(id_ for id_, summary in zip(ids, stored, strict=True) if summary is None)

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
        return list(map(_decode, summaries)), Counter(course for course in courses if course)

    def _newest(self, start: int, limit: int) -> CoursePage:
        newest = cast("list[bytes]", self._redis.zrange(self._keys.courses, start, start + limit, desc=True))
        return self._page(list(map(text, newest)), start, limit)

    def _found(self, ids: Sequence[str], start: int, limit: int) -> CoursePage:
        return self._page(ids[start : start + limit + 1], start, limit)

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
            CourseListItem(course_id, None if summary is None else _decode(summary), count)
            for course_id, summary, count in zip(course_ids, summaries, counts, strict=True)
        ]


def _totals(summaries: Sequence[CourseSummary], dead_letters: Mapping[str, int]) -> CourseTotals:
    with_problems = {s.course_id for s in summaries if s.problems} | dead_letters.keys()
    by_school = _by_school(summaries, with_problems)
    return CourseTotals(
        len(with_problems),
        [s.assignments for s in summaries],
        tuple(sorted(by_school)),
        tuple(sorted(set(chain.from_iterable([s.terms for s in summaries])), reverse=True)),
        by_school,
    )


def _by_school(summaries: Sequence[CourseSummary], with_problems: Collection[str]) -> dict[int, SchoolTotals]:
    courses = Counter(chain.from_iterable([s.schools for s in summaries]))
    problems = Counter(chain.from_iterable([s.schools for s in summaries if s.course_id in with_problems]))
    schools = sorted(courses, key=lambda school: (-problems[school], school))
    return {school: SchoolTotals(courses[school], problems[school]) for school in schools}
