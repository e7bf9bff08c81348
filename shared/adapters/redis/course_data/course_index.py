"""Lists of courses, in Redis: a page at a time, from the summaries that are kept beside the records."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import redis
from pydantic import TypeAdapter

from shared.adapters.redis.keys import Keys
from shared.adapters.redis.scripts import load_script
from shared.adapters.redis.values import text
from shared.domain.passback.course_summary import AssignmentStatus, CourseSummary, search_terms

_SUMMARY = TypeAdapter(CourseSummary)
_OF_A_DEAD_LETTER = 1_000_000

# So many members are looked at before an answer is given, however few of them fit.
SCAN_LIMIT = 2000
_STEP = 200

_Member = tuple[str, str]
"""By which word a course is found (empty in a list that is not of words), and its id."""


def encode_summary(summary: CourseSummary) -> bytes:
    """Return a summary as it is kept: as JSON, with the words that the course is found by."""
    kept = _SUMMARY.dump_python(summary, mode="json")
    return json.dumps({**kept, "words": search_terms(summary.course_id, summary.name)}, ensure_ascii=False).encode()


@dataclass(frozen=True, slots=True)
class ListedCourse:
    """A course of a list. `summary` is None for one that was never synced."""

    course_id: str
    summary: CourseSummary | None
    dead_letters: int = 0

    def count(self, standing: AssignmentStatus) -> int:
        """Return how many assignments stand so; those that were given up since the last sync do not retry any more."""
        counted = self.summary.assignments[standing] if self.summary else 0
        return max(0, counted - self.dead_letters) if standing is AssignmentStatus.RETRYING else counted

    @property
    def has_problems(self) -> bool:
        """Say whether a person should look at the course."""
        return bool(self.dead_letters or (self.summary and self.summary.problems))


@dataclass(frozen=True, slots=True)
class CoursePage:
    """Some courses, and where the next page starts; None at the end."""

    courses: tuple[ListedCourse, ...]
    next_start: int | None


class CourseIndex:
    """Finds courses by the words of their names and by their ids, and those with problems."""

    def __init__(self, client: redis.Redis, keys: Keys) -> None:
        self._redis = client
        self._keys = keys
        self._forget = load_script(client, "course_rank", "course_data/summary", "course_data/delete_summary")

    def standings(self) -> dict[AssignmentStatus, int]:
        """Return how many assignments of all courses stand how."""
        counted = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys.standings))
        numbers = {text(standing): int(number) for standing, number in counted.items()}
        return {standing: numbers.get(standing, 0) for standing in AssignmentStatus}

    def with_problems(self) -> int:
        """Return how many courses have problems."""
        return self._redis.zcard(self._keys.problems)

    def page(self, words: str = "", *, only_problems: bool = False, start: int = 0, limit: int = 50) -> CoursePage:
        """Return a page of courses, from the member `start` of their list on.

        Without words, those with problems come in the order of their problems, all of them with the last synced first.
        With words, a course fits if each begins a word of its name, or its id; they come in alphabetical order.
        """
        wanted = search_terms("", words)
        if not wanted:
            members = self._members_by_rank(self._keys.problems if only_problems else self._keys.courses)
            return self._gather(members, lambda _word, _course: True, start, limit, limit + 1)
        longest = max(wanted, key=len)

        def fits(word: str, course: ListedCourse) -> bool:
            return _fits(word, course, wanted, longest) and (course.has_problems or not only_problems)

        return self._gather(self._members_by_word(longest), fits, start, limit, _STEP)

    def find(self, course_id: str) -> ListedCourse:
        """Return one course as the lists have it."""
        return next(self._listed([("", course_id)]))[1]

    def forget(self, course_id: str) -> None:
        """Forget a course, for whoever erases its record; its dead letters keep their place in the list of problems."""
        keys = self._keys
        self._forget(keys=[keys.summaries, keys.course_words, keys.standings, keys.problems], args=[course_id])

    def _gather(
        self,
        members: Callable[[int, int], list[_Member]],
        fits: Callable[[str, ListedCourse], bool],
        start: int,
        limit: int,
        step: int,
    ) -> CoursePage:
        courses: list[ListedCourse] = []
        position = start
        while position - start < SCAN_LIMIT:
            found = members(position, step)
            for word, course in self._listed(found):
                if len(courses) == limit:
                    return CoursePage(tuple(courses), position)
                position += 1
                if fits(word, course):
                    courses.append(course)
            if len(found) < step:
                return CoursePage(tuple(courses), None)
        return CoursePage(tuple(courses), position)

    def _members_by_rank(self, key: str) -> Callable[[int, int], list[_Member]]:
        def members(start: int, count: int) -> list[_Member]:
            found = cast("list[bytes]", self._redis.zrange(key, start, start + count - 1, desc=True))
            return [("", text(course)) for course in found]

        return members

    def _members_by_word(self, word: str) -> Callable[[int, int], list[_Member]]:
        low, high = f"[{word}".encode(), b"[" + word.encode() + b"\xff"

        def members(start: int, count: int) -> list[_Member]:
            found = cast("list[bytes]", self._redis.zrangebylex(self._keys.course_words, low, high, start, count))
            parts = [text(member).rpartition(" ") for member in found]
            return [(word, course) for word, _, course in parts]

        return members

    def _listed(self, members: Sequence[_Member]) -> Iterator[tuple[str, ListedCourse]]:
        """Yield the members as courses, each with the word it was found by."""
        if not members:
            return
        ids = [course_id for _, course_id in members]
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hmget(self._keys.summaries, ids)
        pipeline.zmscore(self._keys.problems, ids)
        summaries, scores = pipeline.execute()
        for (word, course_id), summary, score in zip(members, summaries, scores, strict=True):
            known = None if summary is None else _SUMMARY.validate_json(summary)
            yield word, ListedCourse(course_id, known, int(score or 0) // _OF_A_DEAD_LETTER)


def _fits(word: str, course: ListedCourse, wanted: Sequence[str], longest: str) -> bool:
    known = search_terms(course.course_id, course.summary.name if course.summary else "")
    # A course with several words that begin alike is in the list several times, and counts the first time.
    is_first = next((each for each in known if each.startswith(longest)), None) == word
    return is_first and all(any(each.startswith(one) for each in known) for one in wanted)
