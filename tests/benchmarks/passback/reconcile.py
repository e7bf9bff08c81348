"""reconcile: a pass over a whole district, unchanged and with one course in a hundred changed.

The twin sends every gradebook again, in batches of 200 rows; what it has to read of Canvas for that is not counted. The
limit reads the bytes of both systems, by the very requests of a pass, and decodes none of them.
"""

from datetime import timedelta
from decimal import Decimal

import httpx

from shared.domain.passback.changes import ChangeCause
from shared.domain.passback.powerschool import Score
from shared.ports.passback import ScoreRow
from tests.benchmarks.outcome import Mark, Result, medians
from tests.benchmarks.rig.in_process import Rig, cpu_of, rig
from tests.benchmarks.rig.remote import FIRST_COURSE, FIRST_STUDENT, TEACHER, first_score

STUDENTS, ASSIGNMENTS = 30, 40
ROWS_PER_REQUEST = 200
PERMITTED_PER_S = 5.0


def run(courses: int = 100, rounds: int = 5) -> Result:
    """Measure passes over the same district."""
    with rig(STUDENTS, ASSIGNMENTS) as bench:
        bench.warm_up(courses)
        figures = medians([_round(bench, courses, number) for number in range(rounds)])
    return Result(
        "reconcile",
        figures,
        (
            Mark("writes in an unchanged course", figures["unchanged: rows written"], 0, at_most=True),
            Mark("requests for an unchanged course", figures["unchanged: requests a course"], 5, at_most=True),
            Mark("our CPU for an unchanged course, ms", figures["unchanged: CPU ms a course"], 15, at_most=True),
        ),
    )


def _round(bench: Rig, courses: int, number: int) -> dict[str, float]:
    asked: list[httpx.Request] = []
    bench.remote.asked = asked
    unchanged = _pass(bench, courses)
    bench.remote.asked = None
    read_s = cpu_of(lambda: bench.send_again(asked), bench.remote)
    resent = _resend(bench, courses)
    changed = [FIRST_COURSE + index for index in range(0, courses, 100)]
    for course in changed:
        bench.remote.grade(course, 1, 0, f"{number + 1}.25")
    some = _pass(bench, courses)
    assert some["rows"] == len(changed), some
    assert bench.remote.differing() == 0
    powerschool_s = unchanged["powerschool"] / PERMITTED_PER_S
    return {
        "unchanged: rows written": unchanged["rows"],
        "unchanged: requests a course": unchanged["requests"] / courses,
        "unchanged: CPU ms a course": unchanged["cpu_s"] / courses * 1000,
        "unchanged: wall seconds per 1,000 courses at 5 requests/s": powerschool_s / courses * 1000,
        "1 % changed: requests a course": some["requests"] / courses,
        "1 % changed: rows written": some["rows"],
        "1 % changed: CPU ms a course": some["cpu_s"] / courses * 1000,
        "full resend: score requests a course": resent["requests"] / courses,
        "full resend: rows a course": resent["rows"] / courses,
        "full resend: CPU ms a course": resent["cpu_s"] / courses * 1000,
        "full resend / unchanged, CPU": resent["cpu_s"] / unchanged["cpu_s"],
        "bytes alone: requests a course": len(asked) / courses,
        "bytes alone: CPU ms a course": read_s / courses * 1000,
        "unchanged / bytes alone, CPU": unchanged["cpu_s"] / read_s,
    }


def _pass(bench: Rig, courses: int) -> dict[str, float]:
    remote = bench.remote
    remote.requests.clear()
    rows = remote.rows
    bench.clock.advance(timedelta(seconds=60))
    for index in range(courses):
        bench.service.changes.request(str(FIRST_COURSE + index), ChangeCause.RECONCILE)
    synced: list[str] = []
    cpu_s = cpu_of(lambda: synced.extend(bench.sync_due()), remote)
    assert len(synced) == courses
    powerschool = sum(count for kind, count in remote.requests.items() if kind.startswith("powerschool"))
    return {
        "requests": remote.requests.total(),
        "powerschool": powerschool,
        "rows": remote.rows - rows,
        "cpu_s": cpu_s,
    }


def _resend(bench: Rig, courses: int) -> dict[str, float]:
    """Send every score of every course, as it is in Canvas."""
    remote = bench.remote
    remote.requests.clear()
    rows, gradebook = remote.rows, bench.service.powerschool.gradebook
    cpu_s = 0.0
    for course in range(FIRST_COURSE, FIRST_COURSE + courses):
        scores = _scores(bench, course)
        for start in range(0, len(scores), ROWS_PER_REQUEST):
            batch = scores[start : start + ROWS_PER_REQUEST]
            cpu_s += cpu_of(lambda batch=batch: gradebook.write_scores(TEACHER, batch), remote)  # type: ignore[misc]
    assert remote.differing() == 0
    return {"requests": remote.requests.total(), "rows": remote.rows - rows, "cpu_s": cpu_s}


def _scores(bench: Rig, course: int) -> list[ScoreRow]:
    """Return a course's scores, as a resend has them once it has read Canvas."""
    entered = bench.remote.canvas_scores
    return [
        ScoreRow(
            assignment_section_id=course * 1000 + number + 5_000_000,
            student_dcid=FIRST_STUDENT + 70_000 + student,
            score=Score(Decimal(entered.get((course, number, student)) or first_score(number, student))),
        )
        for number in range(1, ASSIGNMENTS + 1)
        for student in range(STUDENTS)
    ]
