"""Compares PowerSchool with what the rules demand at the end of the demo, and measures how long each grade took."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

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
    """What the demo shows, each difference from what the rules demand, and what the day cost."""

    present: tuple[ExpectedScores, ...]
    missing: tuple[MissingScore, ...]
    students: Mapping[str, int]
    seconds: Mapping[str, list[float]]
    names: Mapping[str, str]
    problems: tuple[str, ...]
    events: int
    canvas_requests: int
    powerschool_requests: int
    score_batches: int


def examine(client: DemoClient, explainer: CourseExplainer) -> DemoReport:
    """Read both sides and compare them with what the rules demand."""
    explanations = [explainer.explain(ExplainQuery(str(course))) for course in COURSES]
    locations = _locations(explanations)
    rows = {int(str(row["assignment_section_id"])): row for row in client.gradebook()}
    submissions = client.submissions()
    present = tuple(
        ExpectedScores(
            location,
            wanted_scores(submissions, location),
            expected_scores(rows[locations[location]]) if location in locations else {},
        )
        for location in ((assignment, section) for assignment, sections in SENT.items() for section in sections)
    )
    missing = tuple(_missing(explanations))
    students = _student_reasons(explanations)
    problems = (
        *_wrong_scores(present),
        *_unexpected(rows, locations),
        *_wrong_reasons(missing),
        *_unreported(students),
    )
    powerschool = client.requests(client.powerschool_url)
    return DemoReport(
        present,
        missing,
        students,
        _seconds(client, locations),
        client.assignment_names(),
        tuple(problems),
        client.events(),
        sum(str(r["path"]).startswith("/api/") for r in client.requests(client.canvas_url)),
        len(powerschool),
        sum(r["path"] == "/ws/xte/score" and r["status"] == 200 for r in powerschool),
    )


def _sections(explanations: Iterable[Json]) -> Iterable[tuple[Json, Json]]:
    for explanation in explanations:
        assignments = explanation["assignments"]
        assert isinstance(assignments, list)
        yield from ((assignment, section) for assignment in assignments for section in assignment["sections"])


def _locations(explanations: Iterable[Json]) -> dict[Location, int]:
    """Return the assignment section of each location, as `explain` tells it."""
    found = {}
    for assignment, section in _sections(explanations):
        there = section["powerschool"]
        if isinstance(there, dict):
            found[int(str(assignment["assignment_id"])), int(str(section["section_sis_id"]))] = there[
                "assignment_section_id"
            ]
    return found


def _missing(explanations: Iterable[Json]) -> Iterable[MissingScore]:
    for assignment, section in _sections(explanations):
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


def _student_reasons(explanations: Iterable[Json]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, section in _sections(explanations):
        students = section["students"]
        assert isinstance(students, list)
        for student in students:
            counts[student["code"]] = counts.get(student["code"], 0) + 1
    return counts


def _wrong_scores(present: Iterable[ExpectedScores]) -> Iterable[str]:
    for one in present:
        if not one.agrees:
            differing = sorted(set(one.wanted.items()) ^ set(one.there.items()))
            assignment, section = one.location
            yield f"assignment {assignment} in section {section}: {len(differing)} scores differ from the rules"


def _unexpected(rows: Mapping[int, Json], locations: Mapping[Location, int]) -> Iterable[str]:
    """Name what passback made in PowerSchool that no rule demands, duplicates above all."""
    demanded = {
        locations[location] for location in locations if location[0] in SENT and location[1] in SENT[location[0]]
    }
    for assignment_section_id, row in rows.items():
        if row["created_by_plugin"] is not None and assignment_section_id not in demanded:
            yield f"assignment section {assignment_section_id} should not be in PowerSchool"


def _wrong_reasons(missing: Iterable[MissingScore]) -> Iterable[str]:
    codes: dict[int, set[str]] = {}
    for one in missing:
        codes.setdefault(one.assignment_id, set()).update(one.codes)
    for assignment_id, code in REASONS.items():
        if code not in codes.get(assignment_id, set()):
            yield f"assignment {assignment_id}: {code} is not among its reasons"


def _unreported(students: Mapping[str, int]) -> Iterable[str]:
    return (f"no student is reported as {code}" for code in sorted(STUDENT_REASONS - students.keys()))


def _seconds(client: DemoClient, locations: Mapping[Location, int]) -> dict[str, list[float]]:
    """Return how long each change took: from Canvas's commit to the first write of that score after it."""
    writes = [(datetime.fromisoformat(str(w["at"])), w) for w in client.writes() if w["kind"] == "scores"]
    seconds: dict[str, list[float]] = {}
    for changed in client.timestamps:
        took = _took(changed, writes, locations)
        if took is not None:
            seconds.setdefault(changed.scene, []).append(took)
    return seconds


def _took(
    changed: Timestamp, writes: Iterable[tuple[datetime, Json]], locations: Mapping[Location, int]
) -> float | None:
    targets = {row for location, row in locations.items() if location[0] == changed.assignment_id}
    dcid = student_dcid_of(changed.user_id - 10_000)
    for at, write in writes:
        students = write["students"]
        assert isinstance(students, list)
        if at >= changed.at and write["assignment_section_id"] in targets and dcid in students:
            return (at - changed.at).total_seconds()
    return None
