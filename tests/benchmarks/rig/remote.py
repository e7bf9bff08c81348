"""A Canvas and a PowerSchool that cost next to nothing, so that what is measured is passback.

They answer what a sync asks for, in the bytes the sandbox answers with, out of arithmetic: every course has one section
and one group, every student a score in every assignment, and PowerSchool holds the same until a grade is changed. Their
own CPU time is kept apart. A test holds the fields of their answers to the sandbox's.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import parse_qsl

import httpx

from tests.benchmarks.rig.answers import (
    ASSIGNMENT,
    CATEGORIES,
    ENROLLED,
    METADATA,
    QUERIED,
    ROSTERED,
    ROW,
    SECTION,
    STATE_ROW,
    STATE_SCORE,
    SUBMISSION,
)

CANVAS, POWERSCHOOL = "http://canvas.benchmark", "http://powerschool.benchmark"
FIRST_COURSE, FIRST_DCID, FIRST_STUDENT = 1001, 60_001, 100_001
TEACHER = 2101
ONE_PATH = re.compile(r"assignments/\d{4,}?(\d{3})(?:/submissions/(\d+))?")
COURSE_PATH = re.compile(r"/api/v1/courses/(\d+)/?(.*)")
QUERY = "/ws/schema/query/org.passback.sync."
JSON = {"Content-Type": "application/json; charset=utf-8"}


@dataclass
class Remote(httpx.BaseTransport):
    """Both systems. `requests` counts by kind, `rows` the scores written, `cpu_s` what answering cost.

    Where `asked` is a list, every request is kept there, so that it can be sent again.
    """

    students: int
    assignments: int
    today: date
    canvas_scores: dict[tuple[int, int, int], str] = field(default_factory=dict)
    powerschool_scores: dict[tuple[int, int, int], str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    cpu_s: float = 0.0
    asked: list[httpx.Request] | None = None
    before_answering: Callable[[str], None] = lambda _kind: None

    def grade(self, course_id: int, number: int, student: int, score: str) -> None:
        """Enter a score in Canvas, by the assignment's number (from 1) and the student's index (from 0)."""
        self.canvas_scores[course_id, number, student] = score

    def differing(self) -> int:
        """Return how many scores PowerSchool lacks: none, once everything is synced."""
        return sum(self.powerschool_scores.get(cell) != score for cell, score in self.canvas_scores.items())

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer the request."""
        began = time.thread_time()
        kind, content = self._answer(request)
        self.requests[kind] += 1
        if self.asked is not None:
            self.asked.append(request)
        response = httpx.Response(200, headers=JSON, content=content)
        self.cpu_s += time.thread_time() - began
        self.before_answering(kind)
        return response

    def _answer(self, request: httpx.Request) -> tuple[str, str]:
        path = request.url.path
        if (found := COURSE_PATH.match(path)) and not found[2]:
            return "canvas course", f'{{"id":"{found[1]}","name":"Course {found[1]}"}}'
        if found and (one := ONE_PATH.fullmatch(found[2])):
            course, number, user = int(found[1]), int(one[1]), one[2]
            if user is None:
                return "canvas assignment", self._assignment(course, number)
            return "canvas submission", self._submission(course, number, int(user) - FIRST_STUDENT - 10_000)
        if found:
            kind = f"canvas {found[2]}"
            return kind, "[" + ",".join(self._list(found[2], int(found[1]), request)) + "]"
        if path.startswith(QUERY):
            name = path.removeprefix(QUERY)
            rows = list(self._query(name, json.loads(request.content)))
            count = f',"count":{len(rows)}' if request.url.params.get("count") else ""
            return f"powerschool {name}", QUERIED % (name, ",".join(rows), count)
        return f"powerschool {path.removeprefix('/ws/')}", self._other(path, request)

    def _list(self, what: str, course: int, request: httpx.Request) -> Iterable[str]:
        dcid = course - FIRST_COURSE + FIRST_DCID
        match what:
            case "assignments":
                return (self._assignment(course, number) for number in range(1, self.assignments + 1))
            case "sections":
                return [SECTION % (dcid + 100_000, dcid, course, dcid, dcid)]
            case "assignment_groups":
                return [f'{{"id":"{course * 10}","name":"Homework","position":1,"rules":{{}}}}']
            case "students/submissions":
                asked = [
                    int(value) % 1000
                    for name, value in parse_qsl(request.url.query.decode())
                    if name == "assignment_ids[]"
                ]
                return (self._row(course, dcid + 100_000, student, asked) for student in range(self.students))
            case _:
                raise AssertionError(what)

    def _assignment(self, course: int, number: int) -> str:
        due_at = f"{self._due(number)}T19:59:59Z"
        values = {
            "id": course * 1000 + number,
            "course": course,
            "number": number,
            "due_at": due_at,
            "group": course * 10,
        }
        return ASSIGNMENT % values

    def _due(self, number: int) -> date:
        return self.today + timedelta(days=number % 30)

    def _row(self, course: int, section: int, student: int, asked: Iterable[int]) -> str:
        number_of = FIRST_STUDENT + student
        submissions = ",".join(self._submission(course, assignment, student) for assignment in asked)
        return ROW % (number_of + 10_000, section, number_of, submissions)

    def _submission(self, course: int, number: int, student: int) -> str:
        score = self.canvas_scores.get((course, number, student)) or first_score(number, student)
        user, assignment = FIRST_STUDENT + 10_000 + student, course * 1000 + number
        return SUBMISSION % (assignment * 100 + student, user, assignment, score, score, score, score)

    def _query(self, name: str, asked: dict[str, list[int]]) -> Iterable[str]:
        (dcid,) = asked["section_dcids"]
        match name:
            case "roster.sections":
                first, last = self.today - timedelta(days=60), self.today + timedelta(days=60)
                return [ROSTERED % (dcid, dcid - 30_000, first, last, TEACHER)]
            case "roster.students":
                entry = self.today - timedelta(days=60)
                numbers = range(FIRST_STUDENT, FIRST_STUDENT + self.students)
                first_row = dcid * self.students
                return (ENROLLED % (first_row + n, dcid, n + 70_000, n, entry) for n in numbers)
            case "gradebook.state":
                return self._state(dcid, set(asked["score_section_ids"]))
            case _:
                raise AssertionError(name)

    def _state(self, dcid: int, with_scores: set[int]) -> Iterable[str]:
        course = dcid - FIRST_DCID + FIRST_COURSE
        for number in range(1, self.assignments + 1):
            there = course * 1000 + number + 5_000_000
            known = (dcid, there - 1_000_000, there, number, self._due(number))
            if there not in with_scores:
                yield STATE_ROW % (*known, "")
                continue
            for student in range(self.students):
                score = self.powerschool_scores.get((course, number, student)) or first_score(number, student)
                yield STATE_ROW % (*known, STATE_SCORE % (FIRST_STUDENT + 70_000 + student, score))

    def _other(self, path: str, request: httpx.Request) -> str:
        match path:
            case "/oauth/access_token":
                return '{"access_token":"token","token_type":"Bearer","expires_in":"86400"}'
            case "/ws/v1/metadata":
                return METADATA
            case "/ws/xte/teacher_category":
                return CATEGORIES
            case "/ws/xte/score":
                self._write(json.loads(request.content)["assignment_scores"])
                return "{}"
            case _:
                raise AssertionError(path)

    def _write(self, rows: list[dict[str, object]]) -> None:
        self.rows += len(rows)
        for row in rows:
            there = int(row["_assignmentsection"]["assignmentsectionid"]) - 5_000_000  # type: ignore[index]
            student = int(str(row["studentsdcid"])) - FIRST_STUDENT - 70_000
            self.powerschool_scores[there // 1000, there % 1000, student] = str(row["actualscoreentered"])


def first_score(number: int, student: int) -> str:
    """Return the score that everybody has in both systems at the beginning."""
    return f"{(number * 7 + student * 3) % 100}.5"
