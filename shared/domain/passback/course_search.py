"""Finds courses by name, id, section, school and term, among the summaries of their last syncs.

Nothing is stored of who teaches or attends a course: Canvas is asked for the courses of a person, and the search is
restricted to these. See decision 26.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from shared.domain.passback.course_state import CourseSummary

MAX_SEARCH_TERMS = 20
MAX_TERM_CHARS = 40


@dataclass(frozen=True, slots=True)
class CourseSearch:
    """What courses are searched by; an empty field selects all.

    Each of the `words` begins a word of the course's name, its Canvas id or the SIS id of a section, without regard to
    case. `school` is SCHOOLS.SCHOOL_NUMBER. `term` is a school year such as `2026-27`, or the first and last day of a
    term, `2026-08-17/2026-12-18`. `course_ids` are the courses of a person, as Canvas has them now.
    """

    text: str = ""
    school: int | None = None
    term: str = ""
    only_problems: bool = False
    course_ids: frozenset[str] | None = None

    @property
    def selects_all(self) -> bool:
        """Say whether nothing restricts the search."""
        return self == CourseSearch(text=self.text) and not search_terms(self.text)


def search_terms(text: str) -> list[str]:
    """Return the words of a search, sorted and without regard to case."""
    return sorted({term[:MAX_TERM_CHARS] for term in re.findall(r"\w+", text.casefold())[:MAX_SEARCH_TERMS]})


def find_courses(
    search: CourseSearch, summaries: Iterable[CourseSummary], dead_letters: Mapping[str, int]
) -> list[str]:
    """Return the ids of the courses that match; `dead_letters` has the number of each course that has one.

    With words they come in alphabetical order of the terms by which the longest word finds them, with `only_problems`
    in the order of their problems, a dead letter first, else with the last synced first. A course that was never synced
    has no summary: only its dead letters and its id are known.
    """
    found = _selected(search, summaries, dead_letters)
    terms = _term_matcher(search.text)
    if terms is not None:
        matched = [(match, s.course_id) for s in found if (match := terms(s))]
        return [course_id for _, course_id in sorted(matched)]
    if not search.only_problems:
        found.sort(key=lambda s: (s.synced_at, s.course_id), reverse=True)
        return [summary.course_id for summary in found]
    problems = _never_synced(search, dead_letters) | {s.course_id: s.problems for s in found}
    ranked = sorted([(dead_letters.get(id_, 0), count, id_) for id_, count in problems.items()], reverse=True)
    return [course_id for *_, course_id in ranked]


def _selected(
    search: CourseSearch, summaries: Iterable[CourseSummary], dead_letters: Mapping[str, int]
) -> list[CourseSummary]:
    # A district has many thousands: only what restricts the search is asked of each.
    found = list(summaries)
    if search.course_ids is not None:
        found = [s for s in found if s.course_id in search.course_ids]
    if search.school is not None:
        found = [s for s in found if search.school in s.schools]
    if search.term:
        found = [s for s in found if search.term in s.terms]
    return [s for s in found if s.course_id in dead_letters or s.problems] if search.only_problems else found


def _never_synced(search: CourseSearch, dead_letters: Mapping[str, int]) -> dict[str, int]:
    """Return the courses with dead letters, as far as the search can know them without a summary."""
    if search.school is not None or search.term:
        return {}
    return {id_: 0 for id_ in dead_letters if search.course_ids is None or id_ in search.course_ids}


def _term_matcher(text: str) -> Callable[[CourseSummary], str | None] | None:
    """Return a function from a course to the first term by which the longest word finds it; None without words."""
    wanted = sorted(search_terms(text), key=len, reverse=True)
    if not wanted:
        return None
    longest, *others = (re.compile(rf"(?<!\w){re.escape(word)}\w*") for word in wanted)

    def matched(summary: CourseSummary) -> str | None:
        searched = " ".join((summary.course_id, summary.name, *summary.sections)).casefold()
        if any(word not in searched for word in wanted):
            return None
        terms = longest.findall(searched)
        return min(terms) if terms and all(word.search(searched) for word in others) else None

    return matched
