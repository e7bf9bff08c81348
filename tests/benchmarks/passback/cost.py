"""cost: requests, rows and CPU of an evening's grades, against a request per change and against full resends.

Time is simulated, so that ten minutes need not be waited for; Redis, its scripts, the use cases and the adapters are
the real ones. Beside it, `windows.py` says how many syncs the windows give for the same trace. What folding pays is
events per sync, so that each way of grading is measured for itself as well. The twins are those of `per_event.py`; the
limit are a sync's requests, sent without anything else.
"""

import sys
from dataclasses import replace
from datetime import datetime, timedelta

from shared.domain.passback.changes import Change, ChangeKind
from tests.benchmarks.outcome import Mark, Result
from tests.benchmarks.passback.per_event import naive_and_equal
from tests.benchmarks.rig.in_process import Rig, cpu_of, rig
from tests.benchmarks.rig.remote import FIRST_COURSE
from tests.benchmarks.rig.windows import Graded, Way, district_evening, evening_of, expected_syncs
from workers.container import windows_of

STUDENTS, ASSIGNMENTS = 30, 40
STEP = timedelta(milliseconds=50)
ROWS_PER_REQUEST = 200
TELL_EVERY = 2_000
LEAST_SCRIPTS = 4
# Two to each system, if a grade changed and nothing else.
REQUESTS_A_SYNC = 4


def run(
    teacher_changes: int = 30,
    courses: int = 2_000,
    changes: int = 60_000,
    way_courses: int = 20,
    way_changes: int = 600,
    window_courses: int = 200,
    window_changes: int = 6_000,
    naive_events: int = 300,
) -> Result:
    """Play one teacher's evening, one in each way of grading and a district's; and one through the windows alone."""
    with rig(STUDENTS, ASSIGNMENTS) as bench:
        bench.warm_up(courses)
        naive_s, equal_s = naive_and_equal(bench, naive_events)
        teacher = evening(bench, district_evening(1, teacher_changes, 300, seed=3))
        alone_s, null_scripts_s = _requests_alone(bench), _null_scripts(bench)
        ways = {way: evening(bench, evening_of(way, way_courses, way_changes, seed=4 + n)) for n, way in enumerate(Way)}
        district = evening(bench, district_evening(courses, changes))
    with rig(STUDENTS, ASSIGNMENTS) as bench:
        windows = _windows_alone(bench, district_evening(window_courses, window_changes))
    figures = {
        "naive twin: CPU ms an event": naive_s * 1000,
        "equal twin: CPU ms an event": equal_s * 1000,
        **{f"teacher: {name}": value for name, value in teacher.items()},
        **{name: value for way in Way for name, value in _against(way, ways[way], naive_s, equal_s).items()},
        **{f"district: {name}": value for name, value in district.items()},
        "limit, a sync's requests alone: CPU ms": alone_s * 1000,
        "limit / naive, CPU an event": alone_s / district["events a sync"] / naive_s,
        "limit with null scripts: CPU ms": (alone_s + null_scripts_s) * 1000,
        "limit with null scripts / naive": (alone_s + null_scripts_s) / district["events a sync"] / naive_s,
        "ours / limit, CPU a sync": district["CPU ms a sync"] / (alone_s * 1000),
        "ours / naive, CPU an event": district["CPU ms an event"] / (naive_s * 1000),
        "ours / equal, CPU an event": district["CPU ms an event"] / (equal_s * 1000),
        **windows,
    }
    marks = (
        Mark("syncs / the windows' arithmetic", figures["district: syncs / arithmetic"], 1.1, at_most=True),
        Mark("the same of the windows alone", figures["windows alone: syncs / arithmetic"], 1.1, at_most=True),
        Mark("score requests / least possible", figures["district: score requests / least"], 1.3, at_most=True),
        Mark(
            "requests / without first changes", figures["district: requests / without first changes"], 1.1, at_most=True
        ),
        Mark("Canvas requests a sync", figures["district: Canvas requests a sync"], 2, at_most=True),
        Mark("PowerSchool requests a sync", figures["district: PowerSchool requests a sync"], 2, at_most=True),
    )
    return Result("cost", figures, marks)


def _against(way: Way, spent: dict[str, float], naive_s: float, equal_s: float) -> dict[str, float]:
    """Return what one way of grading costs, and its ratios to the twins."""
    requests = spent["Canvas requests"] + spent["PowerSchool requests"]
    return {
        f"{way}: events a sync": spent["events a sync"],
        f"{way}: CPU ms a sync": spent["CPU ms a sync"],
        f"{way}: CPU ms an event": spent["CPU ms an event"],
        f"{way}: ours / naive, CPU an event": spent["CPU ms an event"] / (naive_s * 1000),
        f"{way}: ours / equal, CPU an event": spent["CPU ms an event"] / (equal_s * 1000),
        f"{way}: ours / naive, requests": requests / spent["changes"],
        f"{way}: ours / equal, requests": requests / (spent["changes"] * 3),
    }


def evening(bench: Rig, trace: list[Graded]) -> dict[str, float]:
    """Play the trace to its end; everything must be in PowerSchool then."""
    remote, settings = bench.remote, bench.service.settings
    remote.requests.clear()
    remote.rows = 0
    synced: list[str] = []
    cpu_s = cpu_of(lambda: _play(bench, trace, synced), remote)
    assert remote.differing() == 0, "not everything arrived"
    canvas = sum(count for kind, count in remote.requests.items() if kind.startswith("canvas"))
    powerschool = remote.requests.total() - canvas
    puts = remote.requests["powerschool xte/score"]
    windows = windows_of(settings)
    expected = expected_syncs(trace, windows)
    collected = expected_syncs(trace, replace(windows, first_change=None))
    return {
        "changes": len(trace),
        "syncs": len(synced),
        "events a sync": len(trace) / len(synced),
        "syncs / arithmetic": len(synced) / expected,
        "requests / without first changes": remote.requests.total() / (REQUESTS_A_SYNC * collected),
        "Canvas requests": canvas,
        "Canvas requests a sync": canvas / len(synced),
        "PowerSchool requests": powerschool,
        "PowerSchool requests a sync": powerschool / len(synced),
        "score requests": puts,
        "score requests / least": puts / len(synced),
        "rows written": remote.rows,
        "requests, one per change": len(trace),
        "score requests, full resends": len(synced) * STUDENTS * ASSIGNMENTS / ROWS_PER_REQUEST,
        "rows, full resends": len(synced) * STUDENTS * ASSIGNMENTS,
        "CPU ms a sync": cpu_s / len(synced) * 1000,
        "CPU ms an event": cpu_s / len(trace) * 1000,
        "syncs a second and core": len(synced) / cpu_s,
        "events a second and core": len(trace) / cpu_s,
    }


def _play(bench: Rig, trace: list[Graded], synced: list[str]) -> None:
    """Advance the clock from one event to the next: send the grades, sync what is due."""
    begin, queue, told = bench.clock.now() + timedelta(minutes=1), iter(trace), 0
    bench.clock.current = begin
    following = next(queue, None)
    while following is not None or any(bench.service.changes.counts()):
        ahead = [bench.service.changes.time_until_next(), following and _moment(begin, following) - bench.clock.now()]
        bench.clock.advance(max(STEP, min((wait for wait in ahead if wait is not None), default=STEP)))
        came = []
        while following is not None and _moment(begin, following) <= bench.clock.now():
            course = FIRST_COURSE + following.course
            bench.remote.grade(course, following.number, following.student, following.score)
            assignment = str(course * 1000 + following.number)
            change = Change(ChangeKind.GRADE, str(course), assignment_id=assignment)
            came.append((_moment(begin, following), change))
            following = next(queue, None)
        if came:
            bench.send(came)
            bench.aggregate()
        synced += bench.sync_due()
        if len(synced) >= told + TELL_EVERY:
            told = len(synced)
            print(f"cost: {told:,} syncs, {bench.clock.now() - begin} of an evening", file=sys.stderr, flush=True)


def _requests_alone(bench: Rig) -> float:
    """Return the CPU seconds of one sync's requests, sent by httpx alone: the lower limit."""
    bench.remote.asked = asked = []
    spent = evening(bench, evening_of(Way.BY_HAND, 20, 100, seed=9))
    bench.remote.asked = None
    return cpu_of(lambda: bench.send_again(asked), bench.remote) / spent["syncs"]


def _null_scripts(bench: Rig, times: int = 1_000) -> float:
    """Return the CPU seconds of a sync's least calls of Redis (claim, take, record, release), if they did nothing."""
    script = bench.service.redis.register_script("return 0")
    return cpu_of(lambda: [script() for _ in range(LEAST_SCRIPTS * times)]) / times


def _moment(begin: datetime, graded: Graded) -> datetime:
    return begin + timedelta(seconds=graded.at)


def _windows_alone(bench: Rig, trace: list[Graded]) -> dict[str, float]:
    """Play a whole district's trace through the windows, with syncs that do nothing."""
    changes, settings = bench.service.changes, bench.service.settings
    synced = 0

    def nothing(course_id: str) -> None:
        nonlocal synced
        taken = changes.start_sync(course_id)
        assert taken is not None
        changes.release(taken[0])
        synced += 1

    bench.service.sync_job.run = nothing  # type: ignore[method-assign]
    cpu_s = cpu_of(lambda: _play(bench, trace, []))
    expected = expected_syncs(trace, windows_of(settings))
    return {
        "windows alone: changes": len(trace),
        "windows alone: syncs": synced,
        "windows alone: syncs / arithmetic": synced / expected,
        "windows alone: CPU ms an event": cpu_s / len(trace) * 1000,
    }
