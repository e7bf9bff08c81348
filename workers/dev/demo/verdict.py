"""The end of the demo in one screen: a verdict in plain words, what to look at, and the next command."""

from collections.abc import Iterator
from statistics import median

from workers.dev.demo.check import DemoReport
from workers.dev.demo.scenario import BY_HAND, OUTAGE, OUTAGE_S, PAPERS, QUIZ, REPEATED_FAILURE, SINGLE

SHOWN_PROBLEMS = 5


def verdict(findings: DemoReport, command: str) -> Iterator[str]:
    """Yield the lines, none wider than 79 characters. `command` is how passback is called here."""
    if findings.problems:
        yield "[bold red]WRONG:[/] PowerSchool is not what the rules demand."
        yield from (f"  {problem}" for problem in findings.problems[:SHOWN_PROBLEMS])
        if len(findings.problems) > SHOWN_PROBLEMS:
            yield f"  and {len(findings.problems) - SHOWN_PROBLEMS} more"
    else:
        yield "[bold green]RIGHT:[/] PowerSchool holds exactly what the rules demand."
    scores = sum(len(one.there) for one in findings.present)
    assignments = len({one.location[0] for one in findings.present})
    yield f"  It has {scores} scores of {assignments} assignments, counted score by score."
    yield f"  {_cost(findings)}"
    yield ""
    yield "What to look at"
    yield from _sights(findings)
    yield ""
    if not findings.problems:
        yield "Next: everything stays up, with a page, for grades of your own"
        yield f"  {command} up"
    yield "Every assignment and reason, in tables"
    yield f"  {command} demo --report"


def _cost(findings: DemoReport) -> str:
    counts = findings.requests
    return f"{counts.events} Live Events led to {counts.score_batches} requests that write scores."


def _sights(findings: DemoReport) -> Iterator[str]:
    """Yield five lines: what happened in each scene, and what it took."""
    codes = {code for one in findings.missing for code in one.codes} | findings.students.keys()
    assignments = len({one.assignment_id for one in findings.missing})
    students = sum(findings.students.values())
    yield f"  a single grade  is in PowerSchool after {_took(findings, SINGLE)}"
    yield (
        f"  30 papers       collected while graded, {_took(findings, PAPERS)}; "
        f"58 quizzes at once, {_took(findings, QUIZ)}"
    )
    yield f"  outage          {OUTAGE_S:g} s of maintenance: grades waited, then {_took(findings, OUTAGE)} in all"
    yield (
        f"  dead letter     retried by a person, {_took(findings, REPEATED_FAILURE)}; "
        f"a change by hand undone, {_took(findings, BY_HAND)}"
    )
    yield f"  kept back       {assignments} assignments and {students} students, for {len(codes)} reasons with remedies"


def _took(findings: DemoReport, scene: str) -> str:
    seconds = findings.seconds.get(scene)
    return f"{median(seconds):.1f} s" if seconds else "(never)"
