"""What the windows' arithmetic gives for a trace, worked out alone: no Redis, no Lua, nothing of passback's own."""

import math
import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.passback.changes import DebounceWindow

# As `pending.lua` has it.
REST_QUIET_PERIODS = 4


class Way(StrEnum):
    """The ways in which a course is graded."""

    BY_HAND = "by hand"
    QUIZ = "a quiz"
    AT_ONCE = "a class at once"


@dataclass(frozen=True)
class Graded:
    """A grade changed in Canvas, seconds after the trace began: `number` is the assignment's, `student` an index."""

    at: float
    course: int
    number: int
    student: int
    score: str


def district_evening(courses: int, changes: int, seconds: float = 600.0, seed: int = 7) -> list[Graded]:
    """Return an evening: half of the courses are graded by hand, a third take a quiz, the rest are filled in at once.

    A hand enters a score every four seconds or so; a quiz brings thirty in half a minute; Canvas's "set default grade"
    brings a class in two seconds. Every course has the same number of changes, all in one assignment.
    """
    return _evening(courses, changes, seconds, seed, None)


def evening_of(way: Way, courses: int, changes: int, seconds: float = 600.0, seed: int = 7) -> list[Graded]:
    """Return an evening in which every course is graded in the same way."""
    return _evening(courses, changes, seconds, seed, way)


def _evening(courses: int, changes: int, seconds: float, seed: int, only: Way | None) -> list[Graded]:
    rng = random.Random(seed)
    per_course = changes // courses
    gaps = {Way.BY_HAND: 4.0, Way.QUIZ: 1.0, Way.AT_ONCE: 2.0 / per_course}
    trace = []
    for course in range(courses):
        chance = rng.random()
        drawn = Way.BY_HAND if chance < 0.5 else (Way.QUIZ if chance < 0.83 else Way.AT_ONCE)
        mean_gap = gaps[only or drawn]
        at = rng.uniform(0, max(1.0, seconds - mean_gap * per_course))
        number = rng.randint(1, 10)
        for student in range(per_course):
            at += rng.expovariate(1 / mean_gap)
            trace.append(Graded(at, course, number, student, f"{rng.randint(0, 99)}.75"))
    return sorted(trace, key=lambda graded: graded.at)


def expected_syncs(trace: Iterable[Graded], windows: DebounceWindow) -> int:
    """Return how many syncs the trace makes, if every course is synced the moment it is due, and at once."""
    by_course = defaultdict[int, list[float]](list)
    for graded in trace:
        by_course[graded.course].append(graded.at)
    return sum(_syncs(times, windows) for times in by_course.values())


def _syncs(times: Sequence[float], windows: DebounceWindow) -> int:
    quiet_s, max_wait_s = windows.quiet_period.total_seconds(), windows.max_wait.total_seconds()
    first_s = None if windows.first_change is None else windows.first_change.total_seconds()
    syncs, ended, at_rest = 0, -math.inf, False
    first = last = math.nan
    pending = False
    for at in [*times, math.inf]:
        due = min(last + quiet_s, first + max_wait_s, first + first_s if at_rest and first_s is not None else math.inf)
        if pending and at >= due:
            syncs, ended, pending = syncs + 1, due, False
        if not pending:
            first, at_rest, pending = at, at - ended >= REST_QUIET_PERIODS * quiet_s, True
        last = at
    return syncs
