"""What the demo shows: the scenes while it runs, a verdict in one screen at its end, and tables with `--report`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from redis.exceptions import RedisError
from rich.console import Console, Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from shared.domain.wording import counted
from workers.container import Container
from workers.dev.demo.check import DemoReport, MissingScore
from workers.dev.demo.client import DemoClient
from workers.dev.demo.scenario import BY_HAND, OUTAGE, OUTAGE_S, PAPERS, QUIZ, REPEATED_FAILURE, SINGLE

# Each look asks both sandboxes and Redis.
POLL_INTERVAL_S = 0.4
SHOWN_PROBLEMS = 5


@dataclass
class LiveView:
    """The state of the demo as rich shows it. `refresh` reads the counts; `scenes` are the times and texts so far."""

    started: float
    scenes: list[tuple[float, str]] = field(default_factory=list)
    grades: int = 0
    events: int = 0
    scores: int = 0
    courses: int = 0
    _polled_at: float = 0.0

    def refresh(self, client: DemoClient, service: Container) -> None:
        """Read what both systems and the queue hold now; at most a few times a second."""
        now = time.monotonic()
        if now - self._polled_at < POLL_INTERVAL_S:
            return
        self._polled_at = now
        self.grades, self.events = len(client.timestamps), client.events()
        self.scores = sum(len(each) for write in client.writes() if isinstance(each := write["students"], list))
        try:
            self.courses = sum(service.changes.counts())
        except RedisError:
            return

    def __rich__(self) -> RenderableType:
        """Return the scenes, the last one marked as what happens now, and the counts."""
        lines = Table.grid(padding=(0, 1))
        lines.add_column(justify="right", width=7)
        lines.add_column(width=1)
        lines.add_column(no_wrap=True, overflow="ellipsis")
        for number, (at, text) in enumerate(self.scenes, start=1):
            is_now = number == len(self.scenes)
            lines.add_row(f"{at:.1f} s", ">" if is_now else "", text, style="bold" if is_now else "dim")
        counts = Table.grid(padding=(0, 2))
        for name, value in (
            ("Canvas", f"{self.grades} grades entered, {self.events} Live Events sent"),
            ("passback", f"{counted(self.courses, 'course')} waiting or syncing"),
            ("PowerSchool", f"{self.scores} scores written"),
        ):
            counts.add_row(name, value)
        title = Text(f"passback demo: a school day on sandboxes, {time.monotonic() - self.started:.0f} s", style="bold")
        return Group(title, "", lines, "", counts)


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
    return f"{findings.events} Live Events led to {findings.score_batches} requests that write scores."


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


def show_tables(console: Console, findings: DemoReport) -> None:
    """Print the tables."""
    console.print(_there_table(findings))
    console.print(_missing_table(findings))
    listed = ", ".join(f"{count} x {code}" for code, count in sorted(findings.students.items()))
    console.print(f"Scores not sent, each with its reason: {listed}")
    console.print(_time_table(findings))
    console.print(_cost_line(findings))
    for problem in findings.problems:
        console.print(f"[red]not as the rules demand:[/] {problem}")


def _there_table(findings: DemoReport) -> Table:
    table = Table("assignment", "section", "scores", "equal to the rules' answer", title="In PowerSchool")
    for one in findings.present:
        name = findings.names[str(one.location[0])]
        verdict = "[green]yes[/]" if one.agrees else "[red]no[/]"
        table.add_row(
            f"{name} ({one.location[0]})", str(one.location[1]), f"{len(one.there)} of {len(one.wanted)}", verdict
        )
    return table


def _missing_table(findings: DemoReport) -> Table:
    table = Table(
        "assignment", "sections", Column("why", no_wrap=True), "what to do", title="Not in PowerSchool, and why"
    )
    rows: dict[tuple[int, tuple[str, ...]], list[MissingScore]] = {}
    for one in findings.missing:
        rows.setdefault((one.assignment_id, one.codes), []).append(one)
    for (assignment_id, codes), ones in rows.items():
        sections = ", ".join(one.section for one in ones)
        table.add_row(f"{ones[0].name} ({assignment_id})", sections, "\n".join(codes), ones[0].remedy)
    return table


def _time_table(findings: DemoReport) -> Table:
    table = Table("change", "grades", "median", "slowest", title="From Canvas to PowerSchool, in seconds")
    for scene, seconds in findings.seconds.items():
        table.add_row(scene, str(len(seconds)), f"{median(seconds):.1f}", f"{max(seconds):.1f}")
    return table


def _cost_line(findings: DemoReport) -> str:
    grades = sum(len(seconds) for seconds in findings.seconds.values())
    return (
        f"Cost: {grades} grades by hand or quiz, {findings.events} Live Events; "
        f"{findings.canvas_requests} Canvas requests, {findings.powerschool_requests} PowerSchool requests, "
        f"{findings.score_batches} of them score batches."
    )
