"""reconcile: a pass over a whole district, unchanged and with one course in a hundred changed.

The twin forgets what both sides hold and writes every gradebook again, which is what a full resend does.
"""

from datetime import timedelta

from deploy.benchmarks.outcome import Mark, Result, medians
from deploy.benchmarks.remote import FIRST_COURSE
from deploy.benchmarks.rig import Rig, cpu_of, rig
from shared.domain.changes import Cause

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
    unchanged = _pass(bench, courses)
    changed = [FIRST_COURSE + index for index in range(0, courses, 100)]
    for course in changed:
        bench.remote.grade(course, 1, 0, f"{number + 1}.25")
    some = _pass(bench, courses)
    assert some["rows"] == len(changed), some
    assert bench.remote.differing() == 0
    resend = STUDENTS * ASSIGNMENTS / ROWS_PER_REQUEST
    powerschool_s = unchanged["powerschool"] / PERMITTED_PER_S
    return {
        "unchanged: rows written": unchanged["rows"],
        "unchanged: requests a course": unchanged["requests"] / courses,
        "unchanged: CPU ms a course": unchanged["cpu_s"] / courses * 1000,
        "unchanged: wall seconds per 1,000 courses at 5 requests/s": powerschool_s / courses * 1000,
        "1 % changed: requests a course": some["requests"] / courses,
        "1 % changed: rows written": some["rows"],
        "1 % changed: CPU ms a course": some["cpu_s"] / courses * 1000,
        "full resend: score requests a course": resend,
        "full resend: rows a course": STUDENTS * ASSIGNMENTS,
    }


def _pass(bench: Rig, courses: int) -> dict[str, float]:
    remote = bench.remote
    remote.requests.clear()
    rows = remote.rows
    bench.clock.advance(timedelta(seconds=60))
    for index in range(courses):
        bench.service.changes.request(str(FIRST_COURSE + index), Cause.RECONCILE)
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
