"""rosters: what a provisioning run of a whole district costs: memory, time, requests and imports, and how they grow.

    python -m tests.benchmarks.provisioning.rosters
    python -m tests.benchmarks.provisioning.rosters --students 50000 --students 100000

Real reading, planning, comparing and storing, in a process of its own for each run; a PowerSchool that makes its rows
as they are asked for, a Canvas whose imports end at once, and a redis-server. Three runs for each size: the first of an
empty Canvas, one that changes a class of every hundredth student, and one that finds no change. Every student has six
classes. Memory is the most that the process had resident (`VmHWM`); the rows are in Redis beside it.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import httpx
from redis import Redis

from shared.adapters.canvas.sis_import import zipped
from shared.adapters.powerschool import roster_feed
from shared.adapters.redis.sync_queue.store import LEASE_DURATION
from shared.clock import SystemClock
from shared.config import load
from shared.domain.provisioning.imports.sis_imports import ImportOptions, ImportState, SisFiles, SisImport
from shared.domain.provisioning.run import RunCause, RunKind, RunState
from tests.benchmarks.outcome import Mark, Result, report
from tests.fault_injection.redis_server import RedisServer
from workers.container import Container
from workers.runtime.jobs import renewing

SIZES = (50_000, 100_000)
MAX_MB = 600
CLASSES = 6
STUDENTS_PER_SCHOOL = 1_667
STUDENTS_PER_SECTION = 25
RUNS = ("first", "changed", "unchanged")
QUERY = "/ws/schema/query/org.passback.sync.provisioning."
SETTINGS = {
    "CANVAS_URL": "https://canvas.test",
    "CANVAS_TOKEN": "token",
    "POWERSCHOOL_URL": "https://powerschool.test",
    "POWERSCHOOL_CLIENT_ID": "client",
    "POWERSCHOOL_CLIENT_SECRET": "secret",
    "DISTRICT_TIME_ZONE": "America/Chicago",
    "PROVISION_SCHEDULE": "",
    "LOG_LEVEL": "ERROR",
}
Row = Mapping[str, object]


@dataclass
class RemoteRosters:
    """A PowerSchool of so many students, row by row; with `changed`, every hundredth student left a class."""

    students: int
    changed: bool
    today: date
    requests: int = 0

    @property
    def schools(self) -> int:
        """How many schools there are."""
        return max(1, self.students // STUDENTS_PER_SCHOOL)

    @property
    def sections(self) -> int:
        """How many sections a school has."""
        return max(1, self.students // self.schools * CLASSES // STUDENTS_PER_SECTION)

    @property
    def _staff_of_school(self) -> int:
        return self.sections // 5 + 1

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, as an httpx transport does."""
        self.requests += 1
        path = request.url.path
        if path == "/oauth/access_token":
            return httpx.Response(200, json={"access_token": "token", "expires_in": "86400"})
        if not path.startswith(QUERY):
            return httpx.Response(404, json={"message": "Not Found"})
        name, _, counting = path.removeprefix(QUERY).partition("/")
        after = json.loads(request.content)["after_dcid"]
        if counting:
            return httpx.Response(200, json={"count": self._count(name)})
        size = int(parse_qs(request.url.query.decode())["pagesize"][0])
        rows = list(self._rows(name, after, size))
        return httpx.Response(200, json={"name": name, "record": rows, "count": self._count(name) - after})

    def _count(self, name: str) -> int:
        per_school = {
            "schools": 1,
            "terms": 3,
            "courses": 1,
            "sections": self.sections,
            "staff": self.sections // 5 + 1,
        }
        if name in per_school:
            return per_school[name] * self.schools
        return self.students * (CLASSES if name == "enrollments" else 1)

    def _rows(self, name: str, after: int, size: int) -> Iterator[Row]:
        make = getattr(self, f"_{name}")
        for dcid in range(after + 1, min(after + size, self._count(name)) + 1):
            yield {key: str(value) for key, value in make(dcid).items()}

    def _schools(self, dcid: int) -> Row:
        return {"school_number": dcid, "school_dcid": dcid, "school_name": f"School {dcid}"}

    def _terms(self, dcid: int) -> Row:
        school, number = divmod(dcid - 1, 3)
        first = self.today - timedelta(days=30)
        return {
            "term_id": 3600 + number, "term_dcid": dcid, "school_number": school + 1, "year_id": 36,
            "term_name": f"Term {number}", "abbreviation": f"T{number}",
            "first_day": first, "last_day": first + timedelta(days=180 + number),
        }  # fmt: skip

    def _courses(self, dcid: int) -> Row:
        return {"course_dcid": dcid, "course_number": f"C{dcid}", "course_name": f"Course {dcid}", "school_number": 0}

    def _sections(self, dcid: int) -> Row:
        school, number = divmod(dcid - 1, self.sections)
        staff = self._staff_of_school
        return {
            "section_dcid": dcid, "section_id": dcid + 500_000, "school_number": school + 1,
            "term_id": 3600 + number % 3, "course_number": f"C{school + 1}", "section_number": number,
            "lead_users_dcid": school * staff + number % staff + 1,
        }  # fmt: skip

    def _staff(self, dcid: int) -> Row:
        staff = self._staff_of_school
        return {
            "users_dcid": dcid, "staff_id": dcid, "teacher_number": f"{dcid:06}", "first_name": "Teacher",
            "last_name": f"No. {dcid}", "email": f"t{dcid}@district.example", "school_number": (dcid - 1) // staff + 1,
            "status": 1,
        }  # fmt: skip

    def _students(self, dcid: int) -> Row:
        return {
            "student_dcid": dcid, "student_number": f"{dcid + 900_000}", "first_name": "Student",
            "last_name": f"No. {dcid}", "school_number": (dcid - 1) % self.schools + 1, "enroll_status": 0,
            "email_id": dcid, "email": f"s{dcid}@students.district.example", "is_primary": 1, "priority": 1,
        }  # fmt: skip

    def _enrollments(self, dcid: int) -> Row:
        student, number = divmod(dcid - 1, CLASSES)
        place, school = divmod(student, self.schools)
        left = self.changed and number == 0 and student % 100 == 0
        ends = {"exit_date": self.today - timedelta(days=1), "is_dropped": 1} if left else {"is_dropped": 0}
        section = school * self.sections + (place * CLASSES + number) % self.sections + 1
        return {
            "enrollment_dcid": dcid, "section_dcid": section,
            "student_dcid": student + 1, "entry_date": self.today - timedelta(days=30), **ends,
        }  # fmt: skip


@dataclass
class QuickImports:
    """A Canvas whose imports end at once. Each file is made as it would be sent."""

    ended: list[SisImport] = field(default_factory=list)

    def start(self, files: SisFiles, data_set_id: str, _options: ImportOptions) -> SisImport:
        """Make the zip, and say that it was imported."""
        zipped(files)
        now = SystemClock().now()
        self.ended.append(SisImport(len(self.ended) + 1, ImportState.IMPORTED, now, data_set_id))
        return self.ended[-1]

    def find(self, import_id: int) -> SisImport:
        """Return an import."""
        return self.ended[import_id - 1]

    def newest(self, limit: int) -> Sequence[SisImport]:
        """Return the newest imports."""
        return self.ended[: -limit - 1 : -1]

    def unfinished(self) -> Sequence[SisImport]:
        """Return none."""
        return ()

    def missing_accounts(self, _sis_ids: Collection[str]) -> frozenset[str]:
        """Return none."""
        return frozenset()

    def errors(self, _import_id: int) -> Sequence[object]:
        """Return none."""
        return ()

    def login_of(self, _sis_user_id: str) -> None:
        """Return none."""

    def close(self) -> None:
        """Close nothing."""


def run(sizes: Sequence[int] = SIZES) -> Result:
    """Measure every size, the largest against its mark."""
    figures: dict[str, float] = {}
    peaks = {}
    for students in sizes:
        runs = dict(_runs(students))
        peaks[students] = max(one["peak MB"] for one in runs.values())
        for kind, one in runs.items():
            figures |= {f"{students:,} students, {kind} run: {name}": value for name, value in one.items()}
    if len(peaks) > 1:
        small, large = min(peaks), max(peaks)
        grown = (peaks[large] - peaks[small]) / (large - small) * 1_000
        figures["MB more per 1,000 students with 6,000 enrollments"] = grown
    name = f"MB, {max(peaks):,} students and {max(peaks) * CLASSES:,} enrollments"
    return Result("rosters", figures, (Mark(name, peaks[max(peaks)], MAX_MB, at_most=True),))


def _runs(students: int) -> Iterator[tuple[str, dict[str, float]]]:
    with RedisServer() as server:
        for kind in RUNS:
            command = [
                sys.executable,
                "-m",
                "tests.benchmarks.provisioning.rosters",
                "--child",
                kind,
                "--redis",
                server.url,
            ]
            done = subprocess.run(
                [*command, "--students", str(students)], check=True, stdout=subprocess.PIPE, text=True
            )
            took: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
            with Redis.from_url(server.url) as client:
                took["Redis MB"] = client.info("memory")["used_memory"] / 1e6
            yield kind, took


def measured(redis_url: str, students: int, kind: str) -> dict[str, float]:
    """Make one run in this process and return what it took."""
    values = {f"PASSBACK_{name}": value for name, value in {**SETTINGS, "REDIS_URL": redis_url}.items()}
    imports = QuickImports()
    with closing(Container(load(values, Path("no.env")))) as service:
        clock = service.clock
        rosters = RemoteRosters(students, kind != "first", clock.now().date())
        transport = httpx.MockTransport(rosters.answer)
        feed = roster_feed(service.settings, service.redis, service.keys, clock, transport=transport)
        provisioning = service.provisioning
        provisioning.__dict__ |= {"feed": feed, "imports": imports}
        lease = service.provision_runs.lease()
        assert lease is not None
        begun = time.monotonic()
        run = service.provision_runs.open(RunKind.ROSTER, RunCause.PERSON, clock.now(), "benchmark")
        with renewing(service.provision_runs.renew, lease, LEASE_DURATION):
            while run.state.is_open:
                run = provisioning.provision_run.advance(run, lease)
        service.provision_runs.release(lease)
        if run.state is not RunState.DONE:
            raise SystemExit(f"the {kind} run ended {run.state}: {run.reasons}")
    return {
        "peak MB": _peak_mb(),
        "seconds": time.monotonic() - begun,
        "PowerSchool requests": rosters.requests,
        "imports": len(imports.ended),
    }


def _peak_mb() -> float:
    """Return the most that this process had resident. `ru_maxrss` would count what began it, too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1000


def main() -> int:
    """Measure and print; exit code 1 if the mark is missed."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--students", type=int, action="append", help="may be given several times")
    arguments.add_argument("--child", choices=RUNS, help=argparse.SUPPRESS)
    arguments.add_argument("--redis", help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.child:
        print(json.dumps(measured(given.redis, given.students[0], given.child)))
        return 0
    result = run(given.students or SIZES)
    print(report([result], None))
    return 0 if all(mark.is_met for mark in result.marks) else 1


if __name__ == "__main__":
    sys.exit(main())
