"""engine: eligibility and planning of 100,000 score rows, from values and from both systems' bytes.

From values, against a loop that only copies them: it makes a new value of every row and does nothing else, and no rule
can cost less in this language. From the bytes, through the adapters' decoders, against the naive twin of
`row_by_row.py`, which does the same one row after the other.
"""

from collections.abc import Callable, Iterator

import httpx

from shared.adapters.canvas.client import CanvasClient
from shared.adapters.http.response import ApiResponse, Decoder, RequestInfo
from shared.adapters.powerschool.gradebook.reader import read_assignments
from shared.adapters.private_clients import PrivateCache
from shared.domain.passback.powerschool import Score
from tests.benchmarks.outcome import Result, medians
from tests.benchmarks.passback.row_by_row import RowByRow
from tests.benchmarks.rig.in_process import Rig, cpu_of, rig
from tests.benchmarks.rig.remote import CANVAS, FIRST_COURSE, FIRST_DCID, POWERSCHOOL, QUERY, TEACHER
from workers.grade_passback.compare import SyncPolicy, compare
from workers.grade_passback.course_reader import CourseReader

STUDENTS, ASSIGNMENTS = 50, 40
COURSE = str(FIRST_COURSE)


def run(rows: int = 100_000, rounds: int = 5) -> Result:
    """Measure all of them in every round."""
    per_course = STUDENTS * ASSIGNMENTS
    with rig(STUDENTS, ASSIGNMENTS) as bench:
        bench.warm_up(1)
        judge = _Judge(bench)
        times = max(1, rows // per_course)
        figures = medians([_round(judge, times, per_course) for _ in range(rounds)])
    return Result("engine", figures)


class _Judge:
    """A course read once; planning it again and again."""

    def __init__(self, bench: Rig) -> None:
        service = bench.service
        course = service.canvas.course(COURSE)
        ids = [assignment.id for assignment in course.assignments]
        links = service.links.of_course(COURSE)
        there = sorted(link.powerschool_assignment_section_id or 0 for link in links.values())
        rosters = service.powerschool.roster.sections([s.sis_section_id for s in course.sections if s.sis_section_id])
        (roster,) = rosters.values()
        categories = service.powerschool.gradebook.categories(TEACHER, 36)
        self.rows = service.canvas.gradebook(COURSE, ids)
        self._bytes = _bytes(bench, ids, there)
        zone = service.zone
        self._twin = RowByRow(course, roster, categories, links, bench.clock.now().astimezone(zone).date(), zone)
        held = _Held(course, self.rows, rosters, service.powerschool.gradebook.assignments([roster], there),
                     categories, links)  # fmt: skip
        self._of_values = _reader(bench, held)
        self._of_bytes = _reader(bench, _Read(held, *self._bytes))

    def plan(self) -> int:
        """Return how many steps the plan has: none, since nothing differs."""
        return len(compare(self._of_values.read(COURSE, asked_for_by_person=False)).plan.steps)

    def read_and_plan(self) -> int:
        """Do the same from the bytes of both systems."""
        return len(compare(self._of_bytes.read(COURSE, asked_for_by_person=False)).plan.steps)

    def row_by_row(self) -> tuple[int, int]:
        """Let the twin do it: how many rows there are, and how many it would send."""
        return self._twin.differing(*self._bytes)

    def copy(self) -> int:
        """Make a value per score and store none, since the garbage collector traverses stored values."""
        copies = [
            Score(submission.score, missing=submission.missing, exempt=submission.excused)  # type: ignore[arg-type]
            for row in self.rows
            for submission in row.submissions.values()
        ]
        return len(copies)


def _reader(bench: Rig, held: "_Held") -> CourseReader:
    policy = SyncPolicy(bench.service.zone, grace_days=14, default_category="")
    return CourseReader(held, held, held, held, bench.service.records, bench.clock, policy, held)  # type: ignore[arg-type]


def _bytes(bench: Rig, assignment_ids: list[str], there: list[int]) -> tuple[bytes, bytes]:
    """Return what Canvas and PowerSchool answer when they are asked for all scores."""
    with httpx.Client(transport=bench.remote) as http:
        asked: list[tuple[str, str | int | float | bool | None]] = [
            ("grouped", "1"),
            *(("assignment_ids[]", one) for one in assignment_ids),
        ]
        canvas = http.get(f"{CANVAS}/api/v1/courses/{COURSE}/students/submissions", params=asked)
        body = {"section_dcids": [FIRST_DCID], "score_section_ids": there}
        powerschool = http.post(f"{POWERSCHOOL}{QUERY}gradebook.state", json=body)
    return canvas.content, powerschool.content


class _Held:
    """Every port that a comparison reads, answering at once from memory."""

    def __init__(self, course, rows, rosters, actual, categories, links) -> None:  # type: ignore[no-untyped-def]
        self._course, self._rows, self._rosters = course, rows, rosters
        self._actual, self._categories, self._links = actual, categories, links

    def course(self, *_: object):  # type: ignore[no-untyped-def]
        return self._course

    def gradebook(self, *_: object):  # type: ignore[no-untyped-def]
        return self._rows

    def sections(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
        return self._rosters

    def assignments(self, *_: object):  # type: ignore[no-untyped-def]
        return self._actual

    def categories(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
        return self._categories

    def plugin_ids(self) -> frozenset[str]:
        """Return the id of the rig's plugin."""
        return frozenset({"744"})

    def of_course(self, *_: object):  # type: ignore[no-untyped-def]
        return self._links

    def district_map(self) -> dict[str, str]:
        """Return the district's map of categories: none."""
        return {}


class _Read(_Held):
    """The same, but scores are read from bytes each time, by the adapters' own decoders."""

    def __init__(self, held: _Held, canvas: bytes, powerschool: bytes) -> None:
        self.__dict__.update(held.__dict__)
        self._canvas = CanvasClient(_Answers(canvas), PrivateCache())  # type: ignore[arg-type]
        self._queries = _Answers(powerschool)

    def gradebook(self, *given):  # type: ignore[no-untyped-def]
        return self._canvas.gradebook(*given)

    def assignments(self, *given):  # type: ignore[no-untyped-def]
        return read_assignments(self._queries, *given)  # type: ignore[arg-type]


class _Answers:
    """The same response to every request, as if just received."""

    def __init__(self, content: bytes) -> None:
        self._response = httpx.Response(200, headers={"Content-Type": "application/json"}, content=content)

    def pages(self, *given: object) -> Iterator[ApiResponse]:
        """Yield the answer as Canvas's only page."""
        yield self.fetch(*given)

    def fetch(self, *given: object) -> ApiResponse:
        """Return the answer, read by the decoder that was given last."""
        decoder: Decoder = given[-1]  # type: ignore[assignment]
        return ApiResponse.of(RequestInfo("benchmark", "GET", "/"), self._response, decoder)


def _round(judge: _Judge, times: int, per_course: int) -> dict[str, float]:
    rows = times * per_course
    assert judge.plan() == judge.read_and_plan() == 0
    assert judge.row_by_row() == (per_course, 0)
    planned, copied, read_and_planned, by_row = (
        _microseconds(work, times) / per_course
        for work in (judge.plan, judge.copy, judge.read_and_plan, judge.row_by_row)
    )
    return {
        "rows": rows,
        "planned, microseconds a row": planned,
        "copied, microseconds a row": copied,
        "planned / copied": planned / copied,
        "read and planned, microseconds a row": read_and_planned,
        "row by row, microseconds a row": by_row,
        "row by row / read and planned": by_row / read_and_planned,
        "read and planned / copied": read_and_planned / copied,
    }


def _microseconds(work: Callable[[], object], times: int) -> float:
    """Return the CPU time of doing it once."""
    return cpu_of(lambda: [work() for _ in range(times)]) / times * 1e6
