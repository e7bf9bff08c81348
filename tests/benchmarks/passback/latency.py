"""latency: from an event to PowerSchool, for single grades, a class graded by hand and a quiz flood.

Real processes and real time: the sandbox Canvas sends a signed Live Event, web stores it, a worker syncs. Counted from
the moment of the grade to the moment of PowerSchool's write. The limit of a single grade, in a course at rest, is the
gathering of a first change and four answers of the remote systems, two of each. The twin of `twin.py` plays the same
scenes in the same sandboxes: a task and a score request per event, without any wait.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from shared.sandbox.district.small import student_dcid_of, user_id_of
from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.passback import twin
from tests.benchmarks.rig.remote import FIRST_COURSE, FIRST_STUDENT
from tests.benchmarks.rig.town import Town, town

STUDENTS, ASSIGNMENTS = 30, 5
# Each course is graded once in this many seconds, with as many courses as there are: at rest in between.
BETWEEN_SINGLES_S, REST_S = 1.0, 9.5
GATHERED_S = 0.2
# By the arithmetic of quiet period and maximum wait: a score a second for half a minute, without first changes.
SYNCS_BY_HAND = 2
SINGLES_P50_S = {30: 0.6, 300: 2.0}
REQUESTS_IN_A_ROW = 4


TWINS_SCORES = 5.0


def run(singles: int = 30, courses: int = 10, latencies_ms: Sequence[int] = (30, 300)) -> Result:
    """Play every scene at every latency, ours and the twin's."""
    figures: dict[str, float] = {}
    with town(courses, STUDENTS, ASSIGNMENTS, OPERATOR_PASSWORD="only for benchmarks") as running:
        _every_course_once(running, courses)
        for again, latency_ms in enumerate(latencies_ms):
            # Scores of their own: what is there already is never written again.
            base = 10.0 * (again + 1)
            running.latency(latency_ms)
            ours = _scenes(running, running.settle, singles, courses, base, REST_S)
            with twin.twin_of(running) as group:
                settle = partial(twin.settle, running, group)
                running.clear_requests()
                running.stage.timestamps.clear()
                _grade(running, 0, ASSIGNMENTS, 0, base + TWINS_SCORES)
                settle()
                theirs = _scenes(running, settle, singles, courses, base + TWINS_SCORES)
            for scene, seen in ours.items():
                figures |= _beside(f"{scene}, {latency_ms} ms", seen, theirs[scene])
            figures[f"limit of single grades, {latency_ms} ms"] = GATHERED_S + REQUESTS_IN_A_ROW * latency_ms / 1000
        running.latency(0)
    return Result("latency", figures, _marks(figures, latencies_ms))


def _marks(figures: dict[str, float], latencies_ms: Sequence[int]) -> tuple[Mark, ...]:
    first = latencies_ms[0]
    singles = [
        Mark(f"single grade at {ms} ms, p50 s", figures[f"single grades, {ms} ms: p50 s"], bound, at_most=True)
        for ms, bound in SINGLES_P50_S.items()
        if ms in latencies_ms
    ]
    by_hand = f"a class by hand, {first} ms"
    return (
        *singles,
        Mark(f"single grade at {first} ms, p99 s", figures[f"single grades, {first} ms: p99 s"], 1.2, at_most=True),
        Mark(f"{by_hand}, p50 s", figures[f"{by_hand}: p50 s"], 5.0, at_most=True),
        Mark(
            f"{by_hand}, syncs more than without first changes",
            figures[f"{by_hand}: PowerSchool requests"] / 2 - SYNCS_BY_HAND, 1, at_most=True,
        ),
    )  # fmt: skip


def _scenes(
    running: Town, settle: Callable[[], None], singles: int, courses: int, base: float, rest_s: float = 0.0
) -> dict[str, dict[str, float]]:
    """Play the scenes; return how long grades took and how many requests they were, by scene."""
    seen = {}
    for scene, play in (("single grades", _singles), ("a class by hand", _by_hand), ("a quiz flood", _flood)):
        time.sleep(rest_s)
        running.clear_requests()
        running.stage.timestamps.clear()
        play(running, singles, courses, base)
        settle()
        canvas, powerschool = running.requests()
        requests = {"requests": canvas + powerschool, "PowerSchool requests": powerschool}
        seen[scene] = {**_percentiles(_waits(running)), **requests}
    return seen


def _beside(scene: str, ours: dict[str, float], theirs: dict[str, float]) -> dict[str, float]:
    """Return the figures of passback and its twin, and the ratios."""
    return {
        **{f"{scene}: {what}": value for what, value in ours.items()},
        **{f"{scene}: the twin's {what}": value for what, value in theirs.items()},
        **{f"{scene}: the twin's / ours, {what}": theirs[what] / ours[what] for what in ours if what != "p95 s"},
    }


def _every_course_once(running: Town, courses: int) -> None:
    """Give every assignment a score, so that PowerSchool has them all and the caches are filled."""
    for course in range(courses):
        for number in range(1, ASSIGNMENTS + 1):
            _grade(running, course, number, 0, 1.0)
    running.settle()


def _singles(running: Town, singles: int, courses: int, base: float) -> None:
    """One grade at a time; the course before it is at rest again."""
    for number in range(singles):
        _grade(running, number % courses, 1 + number % ASSIGNMENTS, number % STUDENTS, base + number / 100)
        time.sleep(max(BETWEEN_SINGLES_S, REST_S / courses))


def _by_hand(running: Town, _singles: int, _courses: int, base: float) -> None:
    """A score every second: the course is synced while its teacher still enters."""
    for student in range(STUDENTS):
        _grade(running, 0, 1, student, base + 3.25 + student / 100)
        time.sleep(1.0)


def _flood(running: Town, _singles: int, courses: int, base: float) -> None:
    """Every course's students hand in within seconds."""
    for student in range(STUDENTS):
        for course in range(courses):
            _grade(running, course, 2, student, base + 4.5 + student / 100)


def _grade(running: Town, course: int, number: int, student: int, score: float) -> None:
    course_id = FIRST_COURSE + course
    user_id = user_id_of(FIRST_STUDENT + course * STUDENTS + student)
    running.stage.grade("grade", course_id, course_id * 1000 + number, user_id, round(score, 2))


def _waits(running: Town) -> list[float]:
    """Return how long each grade took: until the first write of its student after it, seconds."""
    written = defaultdict[tuple[str, int], list[datetime]](list)
    names = running.stage.assignment_names()
    rows = {row["assignment_section_id"]: (row["name"], row["section_dcid"]) for row in running.stage.gradebook()}
    for write in running.stage.writes():
        if write["kind"] == "scores":
            name, _ = rows[write["assignment_section_id"]]
            for dcid in _students(write):
                written[str(name), dcid].append(datetime.fromisoformat(str(write["at"])))
    waits = []
    for moment in running.stage.timestamps:
        dcid = student_dcid_of(moment.user_id - 10_000)
        after = [at for at in written[names[str(moment.assignment_id)], dcid] if at >= moment.at]
        if not after:
            raise SystemExit("a grade did not arrive")
        waits.append((min(after) - moment.at).total_seconds())
    return waits


def _students(write: dict[str, object]) -> list[int]:
    return [int(str(dcid)) for dcid in write["students"]]  # type: ignore[attr-defined]


def _percentiles(waits: list[float]) -> dict[str, float]:
    cut = statistics.quantiles(waits, n=100, method="inclusive")
    return {"p50 s": cut[49], "p95 s": cut[94], "p99 s": cut[98]}
