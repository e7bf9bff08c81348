"""What provisioning a large district costs: imports, requests to Canvas, rows and time, run by run.

    python -m tests.benchmarks.provisioning.district
    python -m tests.benchmarks.provisioning.district --schools 6 --students 2000

The whole use case runs: planning, safety, what is kept in Redis, and the bytes of each upload. PowerSchool is a roster
in memory; Canvas is a counter that compares uploads as Canvas does, and whose imports are over at the first look. So
the time is passback's own. Prints a line per run, and fails if a promise is broken: 30 imports for the first run, 5 for
a day with one drop per school, none without a change.
"""

import argparse
import json
import logging
import random
import resource
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import structlog

from shared.adapters.canvas.sis_import import zipped
from shared.config import load
from shared.domain.provisioning.imports.row_errors import RowError
from shared.domain.provisioning.imports.sis_imports import ImportOptions, ImportState, SisFiles, SisImport
from shared.domain.provisioning.roster import (
    CatalogCourse,
    ClassEnrollment,
    ClassSection,
    Roster,
    School,
    SchoolTerm,
    StaffMember,
    Student,
    TeachingAssignment,
)
from shared.domain.provisioning.rows.sis_rows import SisRow
from shared.domain.provisioning.run import Run, RunCause, RunKind, RunState
from shared.errors import NotFound
from shared.ports.provisioning import DataVersion
from tests.manual_clock import ManualClock
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis

FIRST_DAY, TODAY = date(2026, 8, 17), datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
TERMS = ((3600, "Year", FIRST_DAY, date(2027, 5, 28)), (3601, "S1", FIRST_DAY, date(2026, 12, 18)),
         (3602, "S2", date(2027, 1, 11), date(2027, 5, 28)))  # fmt: skip
CLASSES_EACH, CLASS_SIZE = 6, 30
MAX_IMPORTS_AT_FIRST, MAX_IMPORTS_A_DAY = 30, 5
MAX_TICKS = 1_000


@dataclass
class Feed:
    """A PowerSchool whose rosters are in memory. Reads nothing over a network."""

    roster: Roster

    def read(self) -> Roster:
        """Return all rosters."""
        return self.roster

    def changes_since(self, version: str | None) -> DataVersion | None:  # as the port has it
        """Return that nothing is known of changes."""
        return None

    def close(self) -> None:
        """Close nothing."""


@dataclass
class Canvas:
    """A Canvas that counts requests and compares each upload with the last of its identifier, kind by kind.

    `sent`, `applied` and `bytes` are of the imports since they were counted last.
    """

    clock: ManualClock
    requests: int = 0
    sent: int = 0
    applied: int = 0
    bytes: int = 0
    remasters: int = 0
    imports: list[SisImport] = field(default_factory=list)
    bases: dict[tuple[str, str], dict[tuple[str, ...], SisRow]] = field(default_factory=dict)

    def start(self, files: SisFiles, data_set_id: str, options: ImportOptions) -> SisImport:
        """Take an upload: apply what differs from the last one, or everything of a remaster."""
        self.requests += 1
        self.bytes += len(zipped(files))
        self.remasters += options.remaster
        for entity, rows in files:
            new = {row.key(entity): row for row in rows}
            old = self.bases.get((data_set_id, entity.value))
            self.sent += len(new)
            if old is None or options.remaster:
                self.applied += len(new)
            else:
                changed = sum(1 for key, row in new.items() if key not in old or old[key].values != row.values)
                self.applied += changed + len(old.keys() - new.keys())
            self.bases[data_set_id, entity.value] = new
        found = SisImport(len(self.imports) + 1, ImportState.IMPORTED, self.clock.now(), data_set_id)
        self.imports.append(found)
        return found

    def find(self, import_id: int) -> SisImport:
        """Return an import."""
        self.requests += 1
        if not 0 < import_id <= len(self.imports):
            raise NotFound("GET sis_imports/{id}: 404", cause="canvas_404", status=404)
        return self.imports[import_id - 1]

    def newest(self, limit: int) -> Sequence[SisImport]:
        """Return the newest imports."""
        self.requests += 1
        return self.imports[: -limit - 1 : -1]

    def unfinished(self) -> Sequence[SisImport]:
        """Return none: each is over at once."""
        self.requests += 1
        return ()

    def missing_accounts(self, sis_ids: Collection[str]) -> frozenset[str]:
        """Return none, at a request each."""
        self.requests += len(sis_ids)
        return frozenset()

    def errors(self, import_id: int) -> Sequence[RowError]:  # as the port has it
        """Return none."""
        self.requests += 1
        return ()

    def close(self) -> None:
        """Close nothing."""


def district(schools: int, students: int, seed: int = 1) -> Roster:
    """Return a district in the autumn: three terms a school, six classes a student, thirty students a class."""
    rng = random.Random(seed)
    numbers = [100 * (n + 1) for n in range(schools)]
    terms = [
        SchoolTerm(id_, number * 10 + place, number, 36, name, name, first, last)
        for number in numbers
        for place, (id_, name, first, last) in enumerate(TERMS)
    ]
    per_school = max(CLASSES_EACH, students * CLASSES_EACH // CLASS_SIZE // schools)
    sections = [
        ClassSection(
            dcid, dcid, numbers[dcid % schools], rng.choice(TERMS[:2])[0], f"C{dcid % 50:03}", str(dcid % 9 + 1),
            (TeachingAssignment(900_000 + dcid // 5, is_lead=True),),
        )
        for dcid in range(per_school * schools)
    ]  # fmt: skip
    at = {number: [section.dcid for section in sections if section.school_number == number] for number in numbers}
    people = [
        Student(n, str(1_000_000 + n), "Student", f"No. {n}", f"s{n}@district.example", numbers[n % schools])
        for n in range(students)
    ]
    return Roster(
        schools=tuple(School(number, number, f"School {number}") for number in numbers),
        terms=tuple(terms),
        courses=tuple(CatalogCourse(f"C{n:03}", f"Course {n}", 0) for n in range(50)),
        sections=tuple(sections),
        staff=tuple(
            StaffMember(dcid, str(dcid), "Teacher", f"No. {dcid}", f"t{dcid}@district.example", (numbers[0],))
            for dcid in range(900_000, 900_001 + len(sections) // 5)
        ),
        students=tuple(people),
        enrollments=tuple(
            ClassEnrollment(section, student.dcid, FIRST_DAY)
            for student in people
            for section in rng.sample(at[student.school_number], CLASSES_EACH)
        ),
    )


def with_drops(roster: Roster, day: int) -> Roster:
    """Return the roster after a day on which one student of each school dropped a class."""
    school_of = {student.dcid: student.school_number for student in roster.students}
    wanted = {school.number for school in roster.schools}
    enrollments = list(roster.enrollments)
    for place in range(day, len(enrollments), 7):
        row = enrollments[place]
        if row.exit_date is None and school_of[row.student_dcid] in wanted:
            wanted.remove(school_of[row.student_dcid])
            enrollments[place] = replace(row, exit_date=TODAY.date())
        if not wanted:
            break
    return replace(roster, enrollments=tuple(enrollments))


class Bench:
    """An installation with a district; each run is measured."""

    def __init__(self, service: Container, clock: ManualClock, roster: Roster) -> None:
        self._service = service
        self._clock = clock
        self.feed = Feed(roster)
        self.canvas = Canvas(clock)
        service.provisioning.feed = self.feed  # type: ignore[assignment]  # in place of the real one
        service.provisioning.imports = self.canvas  # type: ignore[assignment]
        service.provisioning.pause = self._pause

    def _pause(self, duration: timedelta) -> bool:
        self._clock.advance(duration)
        return False

    def run(self, what: str, cause: RunCause = RunCause.PERSON) -> Run:
        """Let a run come to its end; print what it cost."""
        canvas = self.canvas
        canvas.requests = canvas.sent = canvas.applied = canvas.bytes = canvas.remasters = 0
        imports, began = len(canvas.imports), time.monotonic()
        run = self._service.provision_runs.open(RunKind.ROSTER, cause, self._clock.now())
        for _ in range(MAX_TICKS):
            self._service.provisioning.provisioner.tick()
            run = self._service.provision_runs.find(run.id) or run
            if not run.state.is_open:
                break
        print(
            json.dumps({
                "what": what, "state": run.state.value, "held_schools": len(run.held_schools),
                "imports": len(canvas.imports) - imports, "remasters": canvas.remasters, "requests": canvas.requests,
                "rows_sent": canvas.sent, "rows_applied": canvas.applied, "megabytes": round(canvas.bytes / 1e6, 1),
                "seconds": round(time.monotonic() - began, 1), "peak_mb": peak_mb(),
            }),
            flush=True,
        )  # fmt: skip
        return run

    def imports_of(self, what: str, cause: RunCause = RunCause.PERSON) -> int:
        """Return how many imports a run that is done made."""
        imports = len(self.canvas.imports)
        run = self.run(what, cause)
        if run.state is not RunState.DONE:
            raise SystemExit(f"{what}: {run.state} {run.failure} {[hold.sentence for hold in run.reasons]}")
        return len(self.canvas.imports) - imports


def peak_mb() -> int:
    """Return the most memory that this process has had, in megabytes."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def measured(schools: int, students: int, week: int) -> list[str]:
    """Provision the district from its first run through a week of nights; return the promises that are broken."""
    clock = ManualClock(TODAY)
    broken: list[str] = []
    with EmbeddedRedis(durable=False) as redis:
        settings = {
            "REDIS_URL": redis.url, "ALLOW_VOLATILE_REDIS": "yes", "CANVAS_URL": "https://canvas.example",
            "CANVAS_TOKEN": "token", "POWERSCHOOL_URL": "https://powerschool.example",
            "POWERSCHOOL_CLIENT_ID": "client", "POWERSCHOOL_CLIENT_SECRET": "secret",
            "DISTRICT_TIME_ZONE": "America/Chicago", "PROVISION_SCHEDULE": "",
        }  # fmt: skip
        names = {f"PASSBACK_{name}": value for name, value in settings.items()}
        with closing(Container(load(names, Path("no.env")))) as service:
            service.clock = clock  # a clock as good as the other
            bench = Bench(service, clock, district(schools, students))
            if (count := bench.imports_of("first run")) > MAX_IMPORTS_AT_FIRST:
                broken.append(f"{count} imports for the first run")
            if count := bench.imports_of("run without changes"):
                broken.append(f"{count} imports without a change")
            bench.feed.roster = with_drops(bench.feed.roster, 0)
            if (count := bench.imports_of("one drop per school")) > MAX_IMPORTS_A_DAY:
                broken.append(f"{count} imports for one drop per school")
            for day in range(1, week + 1):
                clock.advance(DAY)
                bench.feed.roster = with_drops(bench.feed.roster, day)
                count = bench.imports_of(f"night {day}: one drop per school", RunCause.SCHEDULE)
                if count > MAX_IMPORTS_A_DAY:
                    broken.append(f"{count} imports on night {day}")
    return broken


def main() -> int:
    """Measure; 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--schools", type=int, default=60)
    parser.add_argument("--students", type=int, default=100_000)
    parser.add_argument("--nights", type=int, default=2, help="how many nights of a week to go through")
    chosen = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    broken = measured(chosen.schools, chosen.students, chosen.nights)
    for promise in broken:
        print(f"BROKEN: {promise}", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
