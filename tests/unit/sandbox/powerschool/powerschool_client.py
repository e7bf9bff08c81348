"""A small district on the sandbox PowerSchool, and a client that calls it in-process."""

import asyncio
import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from shared.sandbox.powerschool.app import create_app
from shared.sandbox.powerschool.query_routes import QUERIES
from shared.sandbox.powerschool.seed import PowerSchoolSeed
from tests.manual_clock import ManualClock

TEACHER, CO_TEACHER, STRANGER = 610, 611, 612
SECTION, OTHER_SECTION, FOREIGN_SECTION = 8100, 8101, 8102
CATEGORY, INACTIVE_CATEGORY, EXCLUDED_CATEGORY, FOREIGN_CATEGORY = 41, 42, 43, 44
AMY, BOB, CAL = 9001, 9002, 9003

SEED: dict[str, Any] = {
    "schools": [{"dcid": 3, "number": 101, "name": "Example School"}],
    "terms": [
        {
            "dcid": 900,
            "id": 3600,
            "school_number": 101,
            "year_id": 36,
            "first_day": "2026-08-24",
            "last_day": "2027-06-18",
            "name": "2026-2027",
            "abbreviation": "26-27",
            "portion": 1,
            "is_year": True,
        },
        {
            "dcid": 901,
            "id": 3601,
            "school_number": 101,
            "year_id": 36,
            "first_day": "2026-08-24",
            "last_day": "2027-01-29",
            "name": "Semester 1",
            "abbreviation": "S1",
            "portion": 2,
            "is_year": False,
        },
    ],
    "courses": [
        {"dcid": 500, "number": "SCI1", "name": "Science", "school_number": 101},
        {"dcid": 501, "number": "0042", "name": "District Course", "school_number": 0},
    ],
    "users": [
        {"dcid": TEACHER, "staff_dcid": 710, "staff_id": 810, "teacher_number": "0007", "school_number": 101},
        {"dcid": CO_TEACHER, "staff_dcid": 711, "staff_id": 811, "teacher_number": "T8", "school_number": 101},
        {"dcid": STRANGER, "staff_dcid": 712, "staff_id": 812, "teacher_number": "9", "school_number": 101},
    ],
    "sections": [
        {
            "dcid": SECTION,
            "id": 2100,
            "school_number": 101,
            "course_number": "SCI1",
            "section_number": "1",
            "term_id": 3601,
            "teachers": [{"users_dcid": TEACHER, "role": "lead"}, {"users_dcid": CO_TEACHER, "role": "co"}],
        },
        {
            "dcid": OTHER_SECTION,
            "id": 2101,
            "school_number": 101,
            "course_number": "0042",
            "section_number": "2A",
            "term_id": 3601,
            "teachers": [{"users_dcid": TEACHER, "role": "lead"}],
        },
        {
            "dcid": FOREIGN_SECTION,
            "id": 2102,
            "school_number": 101,
            "course_number": "SCI1",
            "section_number": "3",
            "term_id": 3601,
            "teachers": [{"users_dcid": STRANGER, "role": "lead"}],
        },
    ],
    "students": [
        {"dcid": AMY, "id": 5001, "number": "00123", "school_number": 101},
        {"dcid": BOB, "id": 5002, "number": "1002", "school_number": 101},
        {"dcid": CAL, "id": 5003, "number": "1003", "school_number": 101},
    ],
    "enrollments": [
        {
            "dcid": 1,
            "section_dcid": SECTION,
            "student_dcid": AMY,
            "entry_date": "2026-08-24",
            "exit_date": "2027-01-30",
        },
        {
            "dcid": 2,
            "section_dcid": SECTION,
            "student_dcid": BOB,
            "entry_date": "2026-08-24",
            "exit_date": "2027-01-30",
        },
        {
            "dcid": 3,
            "section_dcid": OTHER_SECTION,
            "student_dcid": CAL,
            "entry_date": "2026-08-24",
            "exit_date": "2027-01-30",
        },
    ],
    "categories": [
        {"id": CATEGORY, "users_dcid": TEACHER, "name": "Test", "default_publish_option": "Immediately"},
        {"id": INACTIVE_CATEGORY, "users_dcid": TEACHER, "name": "Quiz", "active": False, "district_id": 4},
        {"id": EXCLUDED_CATEGORY, "users_dcid": TEACHER, "name": "Lab", "excluded_section_dcids": [SECTION]},
        {"id": FOREIGN_CATEGORY, "users_dcid": STRANGER, "name": "Test"},
    ],
}


def assignment(**changes: Any) -> dict[str, Any]:
    """One valid create body; `changes` replace values of its assignment section, `...` removes one."""
    section: dict[str, Any] = {
        "sectionsdcid": SECTION,
        "name": "Cells",
        "duedate": "2026-10-01",
        "scoretype": "POINTS",
        "scoreentrypoints": 10,
        "totalpointvalue": 10,
        "weight": 1,
        "iscountedinfinalgrade": True,
        "isscoringneeded": True,
        "publishoption": "Immediately",
        "_assignmentcategoryassociations": [{"teachercategoryid": CATEGORY, "isprimary": True}],
    }
    section |= changes
    return {"_assignmentsections": [{key: value for key, value in section.items() if value is not ...}]}


def category(category_id: int) -> list[dict[str, Any]]:
    return [{"teachercategoryid": category_id, "isprimary": True}]


def score(assignment_section_id: int, student: int, points: float = 9.5, **changes: Any) -> dict[str, Any]:
    """One valid row of a score batch; `...` removes a key."""
    row: dict[str, Any] = {
        "_assignmentsection": {"assignmentsectionid": assignment_section_id},
        "studentsdcid": student,
        "actualscoreentered": str(points),
        "actualscorekind": "REAL_SCORE",
        "scoretype": "POINTS",
        "scorepoints": points,
    }
    row |= changes
    return {key: value for key, value in row.items() if value is not ...}


@dataclass
class District:
    """The sandbox with its clock, called in-process with a valid token and JSON wanted."""

    seed: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(SEED))
    clock: ManualClock = field(default_factory=lambda: ManualClock(datetime(2026, 9, 21, 16, tzinfo=UTC)))
    headers: dict[str, str] = field(default_factory=lambda: {"Accept": "application/json"})

    def __post_init__(self) -> None:
        self.app = create_app(PowerSchoolSeed.model_validate(self.seed), self.clock)
        self.sign_in()

    def sign_in(self) -> None:
        answer = self.token()
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def token(self, path: str = "/oauth/access_token", secret: str = "sandbox-secret") -> httpx.Response:
        return self.call(
            "POST", path, auth=("sandbox-client", secret), data={"grant_type": "client_credentials"}, headers={}
        )

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://powerschool.test") as client:
                return await client.request(method, path, **{"headers": self.headers, **options})

        return asyncio.run(send())

    def faults(self, **faults: Any) -> None:
        assert self.call("PUT", "/_sandbox/faults", json=faults).status_code == 200

    def act(self, do: str, **values: Any) -> None:
        assert self.call("POST", "/_sandbox/act", json={"do": do, **values}).status_code == 204

    def wait(self, **duration: float) -> None:
        self.clock.advance(timedelta(**duration))

    def create(self, body: dict[str, Any], users_dcid: int = TEACHER) -> httpx.Response:
        return self.call("POST", f"/ws/xte/section/assignment/?users_dcid={users_dcid}", json=body)

    def created(self, **changes: Any) -> tuple[int, int]:
        """Create an assignment; return assignmentid and assignmentsectionid."""
        answer = self.create(assignment(**changes))
        assert answer.status_code == 201, answer.text
        assignment_id = int(answer.headers["location"].rsplit("/", 1)[1])
        return assignment_id, self.read(assignment_id).json()["_assignmentsections"][0]["assignmentsectionid"]

    def read(self, assignment_id: int) -> httpx.Response:
        return self.call("GET", f"/ws/xte/section/assignment/{assignment_id}?users_dcid={TEACHER}")

    def update(self, assignment_id: int, body: dict[str, Any], query: str = "") -> httpx.Response:
        return self.call("PUT", f"/ws/xte/section/assignment/{assignment_id}?users_dcid={TEACHER}{query}", json=body)

    def write_scores(self, *rows: dict[str, Any], users_dcid: int = TEACHER) -> httpx.Response:
        return self.call("PUT", f"/ws/xte/score?users_dcid={users_dcid}", json={"assignment_scores": list(rows)})

    def query(self, name: str, page: str = "", **arguments: Any) -> httpx.Response:
        full = f"org.passback.sync.{name}"
        start = dict.fromkeys(QUERIES[full].positions, 0) if full in QUERIES else {}
        return self.call("POST", f"/ws/schema/query/{full}?{page}", json=start | arguments)

    def state(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call("GET", "/_sandbox/state").json()
        return rows

    def writes(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.call("GET", "/_sandbox/writes").json()
        return rows
