"""What the demo shows at its end: what is in PowerSchool, what is not and why, how long it took, what it cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from rich.console import Console
from rich.table import Column, Table

from shared.sandbox.district.small import Ids, student_dcid_of
from workers.dev.demo.client import DemoClient, Json, Timestamp
from workers.dev.demo.expectations import (
    REASONS,
    SENT,
    STUDENT_REASONS,
    ExpectedScores,
    Location,
    expected_scores,
    wanted_scores,
)
from workers.grade_passback.explain.explainer import CourseExplainer
from workers.grade_passback.explain.response import ExplainQuery

COURSES = (
    Ids.COURSE,
    Ids.HEALTHY_COURSE,
    Ids.CLOSED_COURSE,
    Ids.COURSE_WITHOUT_SIS_ID,
    Ids.COURSE_WITH_UNKNOWN_SECTIONS,
    Ids.OUTAGE_COURSE,
)


@dataclass(frozen=True, slots=True)
class MissingScore:
    """An assignment that is not in PowerSchool's section, with what `explain` says about it."""

    assignment_id: int
    name: str
    section: str
    codes: tuple[str, ...]
    remedy: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """Everything there is to show, and every way in which it is not what the rules demand."""

    held: tuple[ExpectedScores, ...]
    not_there: tuple[MissingScore, ...]
    students: Mapping[str, int]
    seconds: Mapping[str, list[float]]
    names: Mapping[str, str]
    problems: tuple[str, ...]


def examine(stage: DemoClient, explainer: CourseExplainer) -> DemoReport:
    """Read everything back and compare it with what the rules demand."""
    answers = [explainer.explain(ExplainQuery(str(course))) for course in COURSES]
    places = _places(answers)
    rows = {int(str(row["assignment_section_id"])): row for row in stage.gradebook()}
    submissions = stage.submissions()
    held = tuple(
        ExpectedScores(
            place, wanted_scores(submissions, place), expected_scores(rows[places[place]]) if place in places else {}
        )
        for place in ((assignment, section) for assignment, sections in SENT.items() for section in sections)
    )
    not_there = tuple(_not_there(answers))
    students = _student_reasons(answers)
    problems = (*_wrong_scores(held), *_strangers(rows, places), *_wrong_reasons(not_there), *_missing(students))
    return DemoReport(held, not_there, students, _seconds(stage, places), stage.assignment_names(), tuple(problems))


def _sections(answers: Iterable[Json]) -> Iterable[tuple[Json, Json]]:
    for answer in answers:
        assignments = answer["assignments"]
        assert isinstance(assignments, list)
        yield from ((assignment, section) for assignment in assignments for section in assignment["sections"])


def _places(answers: Iterable[Json]) -> dict[Location, int]:
    """Return the assignment section of each place, as `explain` tells it."""
    found = {}
    for assignment, section in _sections(answers):
        there = section["powerschool"]
        if isinstance(there, dict):
            found[int(str(assignment["assignment_id"])), int(str(section["section_sis_id"]))] = there[
                "assignment_section_id"
            ]
    return found


def _not_there(answers: Iterable[Json]) -> Iterable[MissingScore]:
    for assignment, section in _sections(answers):
        reasons = section["reasons"]
        assert isinstance(reasons, list)
        if reasons:
            yield MissingScore(
                int(str(assignment["assignment_id"])),
                str(assignment["name"]),
                str(section["section_sis_id"] or "-"),
                tuple(r["code"] for r in reasons),
                reasons[0]["remedy"],
            )


def _student_reasons(answers: Iterable[Json]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, section in _sections(answers):
        students = section["students"]
        assert isinstance(students, list)
        for student in students:
            counts[student["code"]] = counts.get(student["code"], 0) + 1
    return counts


def _wrong_scores(held: Iterable[ExpectedScores]) -> Iterable[str]:
    for one in held:
        if not one.agrees:
            differing = sorted(set(one.wanted.items()) ^ set(one.there.items()))
            yield f"assignment {one.place[0]} in section {one.place[1]}: {len(differing)} scores differ from the rules"


def _strangers(rows: Mapping[int, Json], places: Mapping[Location, int]) -> Iterable[str]:
    """Name what passback made in PowerSchool that no rule demands, duplicates above all."""
    demanded = {places[place] for place in places if place[0] in SENT and place[1] in SENT[place[0]]}
    for assignment_section_id, row in rows.items():
        if row["created_by_plugin"] is not None and assignment_section_id not in demanded:
            yield f"assignment section {assignment_section_id} should not be in PowerSchool"


def _wrong_reasons(not_there: Iterable[MissingScore]) -> Iterable[str]:
    told: dict[int, set[str]] = {}
    for one in not_there:
        told.setdefault(one.assignment_id, set()).update(one.codes)
    for assignment_id, code in REASONS.items():
        if code not in told.get(assignment_id, set()):
            yield f"assignment {assignment_id}: {code} is not among its reasons"


def _missing(students: Mapping[str, int]) -> Iterable[str]:
    return (f"no student is reported as {code}" for code in sorted(STUDENT_REASONS - students.keys()))


def _seconds(stage: DemoClient, places: Mapping[Location, int]) -> dict[str, list[float]]:
    """Return how long each change took: from Canvas's commit to the first write of that score after it."""
    writes = [(datetime.fromisoformat(str(w["at"])), w) for w in stage.writes() if w["kind"] == "scores"]
    seconds: dict[str, list[float]] = {}
    for moment in stage.moments:
        took = _took(moment, writes, places)
        if took is not None:
            seconds.setdefault(moment.scene, []).append(took)
    return seconds


def _took(moment: Timestamp, writes: Iterable[tuple[datetime, Json]], places: Mapping[Location, int]) -> float | None:
    targets = {row for place, row in places.items() if place[0] == moment.assignment_id}
    dcid = student_dcid_of(moment.user_id - 10_000)
    for at, write in writes:
        students = write["students"]
        assert isinstance(students, list)
        if at >= moment.at and write["assignment_section_id"] in targets and dcid in students:
            return (at - moment.at).total_seconds()
    return None


def show(console: Console, findings: DemoReport, stage: DemoClient) -> None:
    """Print the tables."""
    console.print(_there_table(findings))
    console.print(_not_there_table(findings))
    told = ", ".join(f"{count} x {code}" for code, count in sorted(findings.students.items()))
    console.print(f"Scores not sent, each with its reason: {told}")
    console.print(_time_table(findings))
    console.print(_cost_line(findings, stage))
    for problem in findings.problems:
        console.print(f"[red]not as the rules demand:[/] {problem}")


def _there_table(findings: DemoReport) -> Table:
    table = Table("assignment", "section", "scores", "equal to the rules' answer", title="In PowerSchool")
    for one in findings.held:
        name = findings.names[str(one.place[0])]
        verdict = "[green]yes[/]" if one.agrees else "[red]no[/]"
        table.add_row(f"{name} ({one.place[0]})", str(one.place[1]), f"{len(one.there)} of {len(one.wanted)}", verdict)
    return table


def _not_there_table(findings: DemoReport) -> Table:
    table = Table(
        "assignment", "sections", Column("why", no_wrap=True), "what to do", title="Not in PowerSchool, and why"
    )
    rows: dict[tuple[int, tuple[str, ...]], list[MissingScore]] = {}
    for one in findings.not_there:
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


def _cost_line(findings: DemoReport, stage: DemoClient) -> str:
    canvas = sum(str(r["path"]).startswith("/api/") for r in stage.requests(stage.canvas_url))
    powerschool = stage.requests(stage.powerschool_url)
    scores = sum(r["path"] == "/ws/xte/score" and r["status"] == 200 for r in powerschool)
    grades = sum(len(seconds) for seconds in findings.seconds.values())
    return (
        f"Cost: {grades} grades by hand or quiz, {stage.events()} Live Events; {canvas} Canvas requests, "
        f"{len(powerschool)} PowerSchool requests, {scores} of them score batches."
    )
