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

CANVAS, POWERSCHOOL = "http://canvas.benchmark", "http://powerschool.benchmark"
FIRST_COURSE, FIRST_DCID, FIRST_STUDENT = 1001, 60_001, 100_001
PLUGIN, TEACHER, CATEGORY = 744, 2101, 11
COURSE_PATH = re.compile(r"/api/v1/courses/(\d+)/?(.*)")
QUERY = "/ws/schema/query/org.passback.sync."
JSON = {"Content-Type": "application/json; charset=utf-8"}

ASSIGNMENT = (
    '{"id":"%(id)s","course_id":"%(course)s","name":"Assignment %(number)s","description":"<p>Read the chapter.</p>",'
    '"due_at":"%(due_at)s","unlock_at":null,"lock_at":null,"created_at":"%(due_at)s","updated_at":"%(due_at)s",'
    '"points_possible":100.0,"grading_type":"points","published":true,"workflow_state":"published",'
    '"only_visible_to_overrides":false,"visible_to_everyone":true,"has_overrides":false,"assignment_group_id":'
    '"%(group)s","group_category_id":null,"grade_group_students_individually":false,"submission_types":'
    '["online_upload"],"is_quiz_assignment":false,"is_quiz_lti_assignment":false,"integration_id":null,'
    '"integration_data":{},"sis_assignment_id":null,"omit_from_final_grade":false,"hide_in_gradebook":false,'
    '"anonymous_grading":false,"anonymize_students":false,"moderated_grading":false,"post_manually":false,"muted":false,'
    '"in_closed_grading_period":false,"due_date_required":false,"max_name_length":255,"graded_submissions_exist":true,'
    '"post_to_sis":true,"overrides":[]}'
)
SUBMISSION = (
    '{"id":"%s","user_id":"%s","assignment_id":"%s","attempt":1,"body":null,"submission_type":"online_upload",'
    '"score":%s,"grade":"%s","entered_score":%s,"entered_grade":"%s","points_deducted":null,"excused":false,'
    '"missing":false,"late":false,"seconds_late":0,"late_policy_status":null,"graded_at":"2026-11-25T19:09:48Z",'
    '"posted_at":"2026-11-25T19:09:48Z","submitted_at":"2026-11-24T19:09:48Z","workflow_state":"graded",'
    '"grade_matches_current_submission":true,"grader_id":"12","assignment_visible":true,"cached_due_date":'
    '"2026-12-05T07:59:59Z","grading_period_id":null,"redo_request":false,"custom_grade_status_id":null}'
)
SECTION = (
    '{"id":"%s","name":"Section %s","course_id":"%s","nonxlist_course_id":null,"start_at":null,"end_at":null,'
    '"restrict_enrollments_to_section_dates":false,"sis_section_id":"%s","sis_course_id":"%s","integration_id":null,'
    '"sis_import_id":"1"}'
)
ROW = '{"user_id":"%s","section_id":"%s","integration_id":null,"sis_user_id":"%s","submissions":[%s]}'
ROSTERED = (
    '{"_name":"sections","section_dcid":"%s","section_id":"%s","school_number":"300","course_number":"GEN0",'
    '"section_number":"1","term_id":"3601","year_id":"36","first_day":"%s","last_day":"%s","teacher_users_dcid":"%s"}'
)
ENROLLED = (
    '{"_name":"students","section_dcid":"%s","student_dcid":"%s","student_number":"%s","entry_date":"%s",'
    '"enroll_status":"0"}'
)
STATE_ROW = (
    '{"_name":"assignmentsection","section_dcid":"%s","assignment_id":"%s","assignment_section_id":"%s","name":'
    '"Assignment %s","due_date":"%s","description":"<p>Read the chapter.</p>","points":"100","category_id":"11",'
    '"created_by_plugin":"744"%s}'
)
STATE_SCORE = ',"student_dcid":"%s","score_points":"%s","score_kind":"REAL_SCORE","is_missing":"0","is_exempt":"0"'


@dataclass
class Remote(httpx.BaseTransport):
    """Both systems. `requests` counts by kind, `rows` the scores written, `cpu_s` what answering cost."""

    students: int
    assignments: int
    today: date
    canvas_scores: dict[tuple[int, int, int], str] = field(default_factory=dict)
    powerschool_scores: dict[tuple[int, int, int], str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    cpu_s: float = 0.0
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
        response = httpx.Response(200, headers=JSON, content=content)
        self.cpu_s += time.thread_time() - began
        self.before_answering(kind)
        return response

    def _answer(self, request: httpx.Request) -> tuple[str, str]:
        path = request.url.path
        if (found := COURSE_PATH.match(path)) and not found[2]:
            return "canvas course", f'{{"id":"{found[1]}","name":"Course {found[1]}"}}'
        if found:
            kind = f"canvas {found[2]}"
            return kind, "[" + ",".join(self._list(found[2], int(found[1]), request)) + "]"
        if path.startswith(QUERY):
            name = path.removeprefix(QUERY)
            rows = ",".join(self._query(name, json.loads(request.content)))
            return f"powerschool {name}", '{"name":"rows","record":[' + rows + "]}"
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
        score = self.canvas_scores.get((course, number, student)) or _first_score(number, student)
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
                return (ENROLLED % (dcid, number + 70_000, number, entry) for number in numbers)
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
                score = self.powerschool_scores.get((course, number, student)) or _first_score(number, student)
                yield STATE_ROW % (*known, STATE_SCORE % (FIRST_STUDENT + 70_000 + student, score))

    def _other(self, path: str, request: httpx.Request) -> str:
        match path:
            case "/oauth/access_token":
                return '{"access_token":"token","token_type":"Bearer","expires_in":"86400"}'
            case "/ws/v1/metadata":
                return f'{{"metadata":{{"plugin_id":{PLUGIN},"district_timezone":"America/Los_Angeles"}}}}'
            case "/ws/xte/teacher_category":
                return f'[{{"teachercategoryid":{CATEGORY},"name":"Homework","isactive":true}}]'
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


def _first_score(number: int, student: int) -> str:
    return f"{(number * 7 + student * 3) % 100}.5"
