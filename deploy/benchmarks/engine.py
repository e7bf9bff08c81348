"""engine: eligibility and planning of 100,000 score rows, against a loop that only copies them, and against no domain.

Ours starts from what the adapters give and ends with a plan. The copy makes a new value of every row and does nothing
else: no rule can cost less in this language. The twin judges one row at a time, as a task per grade has to.
"""

from deploy.benchmarks.outcome import Result, medians
from deploy.benchmarks.rig import Rig, cpu_of, rig
from shared.domain.desired import DesiredScore
from workers.grade_passback.survey import Policy, Surveyor

STUDENTS, ASSIGNMENTS = 50, 40


def run(rows: int = 100_000, rounds: int = 5) -> Result:
    """Measure both in every round."""
    per_course = STUDENTS * ASSIGNMENTS
    with rig(STUDENTS, ASSIGNMENTS) as bench:
        bench.warm_up(1)
        ours = _Judge(bench)
        times = max(1, rows // per_course)
        figures = medians([_round(ours, times, per_course) for _ in range(rounds)])
    return Result("engine", figures)


class _Judge:
    """A course read once; planning it again and again."""

    def __init__(self, bench: Rig) -> None:
        service = bench.service
        course = service.canvas.course("1001")
        rows = service.canvas.gradebook("1001", [a.id for a in course.assignments])
        rosters = service.powerschool.roster.sections([s.sis_section_id for s in course.sections if s.sis_section_id])
        links = service.links.of_course("1001")
        there = {link.powerschool_assignment_section_id for link in links.values()}
        actual = service.powerschool.gradebook.assignments(
            list(rosters.values()), {one for one in there if one is not None}
        )
        categories = service.powerschool.gradebook.categories(2101, 36)
        self.rows = rows
        held = _Held(course, rows, rosters, actual, categories, links)
        self._surveyor = Surveyor(
            held,
            held,
            held,
            held,
            service.records,
            bench.clock,
            Policy(service.zone, grace_days=14, default_category=""),
            held,  # type: ignore[arg-type]
        )

    def plan(self) -> int:
        """Return how many steps the plan has: none, since nothing differs."""
        return len(self._surveyor.survey("1001", asked_for_by_person=False).plan.steps)

    def copy(self) -> list[DesiredScore]:
        """Return a value per score."""
        return [
            DesiredScore(1, submission.score, missing=submission.missing, exempt=submission.excused)  # type: ignore[arg-type]
            for row in self.rows
            for submission in row.submissions.values()
        ]


class _Held:
    """Every port that a survey reads, answering at once from memory."""

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

    def plugin_marks(self) -> frozenset[str]:
        """Return the mark of the rig's plugin."""
        return frozenset({"744"})

    def of_course(self, *_: object):  # type: ignore[no-untyped-def]
        return self._links


def _round(ours: _Judge, times: int, per_course: int) -> dict[str, float]:
    rows = times * per_course
    assert ours.plan() == 0
    planned = cpu_of(lambda: [ours.plan() for _ in range(times)])
    copied = cpu_of(lambda: [ours.copy() for _ in range(times)])
    return {
        "rows": rows,
        "planned, microseconds a row": planned / rows * 1e6,
        "copied, microseconds a row": copied / rows * 1e6,
        "planned / copied": planned / copied,
    }
