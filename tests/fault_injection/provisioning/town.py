"""Both sandboxes over sockets, a Redis and provisioning itself, in this process: for tests of whole runs."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from starlette.applications import Starlette

from shared.clock import SystemClock
from shared.config import load
from shared.domain.provisioning.run import Run, RunCause, RunKind
from shared.sandbox.canvas.app import create_app as canvas_app
from shared.sandbox.canvas.rest.throttle import CanvasFaults
from shared.sandbox.canvas.roster import roster_json
from shared.sandbox.canvas.sis_import.job import SisImport
from shared.sandbox.district.generator import DistrictSize, unprovisioned_district
from shared.sandbox.powerschool.actions import RosterActions
from shared.sandbox.powerschool.app import create_app as powerschool_app
from shared.sandbox.powerschool.faults import PowerSchoolFaults
from shared.sandbox.powerschool.rows import Student
from shared.sandbox.powerschool.state import PowerSchool
from tests.fault_injection.provisioning.agreement import disagreements
from tests.fault_injection.provisioning.random_days import make_changes
from tests.integration.sandbox_server import served
from tests.manual_clock import ManualClock
from workers.container import Container
from workers.dev.embedded_redis import EmbeddedRedis
from workers.dev.sandbox import sandbox_today

MAX_TICKS = 100


@dataclass
class RosterTown:
    """A district in the sandboxes, and what provisions it."""

    canvas: Starlette
    powerschool: Starlette
    settings: dict[str, str]
    service: Container

    @property
    def rosters(self) -> PowerSchool:
        """PowerSchool's tables."""
        state: PowerSchool = self.powerschool.state.powerschool
        return state

    def ask(self) -> Run:
        """Ask for a run as a person does, and let it come to its end."""
        return self.finished(self.service.provision_runs.open(RunKind.ROSTER, RunCause.PERSON, self.now, "tester").id)

    def finished(self, run_id: str, service: Container | None = None) -> Run:
        """Tick until the run is no longer open."""
        service = service or self.service
        for _ in range(MAX_TICKS):
            service.provisioning.provisioner.tick()
            run = service.provision_runs.find(run_id)
            assert run is not None
            if not run.state.is_open:
                return run
        raise AssertionError(f"run {run_id} does not end: {run}")

    @property
    def now(self) -> datetime:
        """The time."""
        return self.service.clock.now()

    @property
    def imports(self) -> list[SisImport]:
        """Canvas's SIS imports."""
        found: list[SisImport] = self.canvas.state.sandbox.sis.imports
        return found

    @property
    def canvas_requests(self) -> list[str]:
        """Return Canvas's request log, as `GET /path`."""
        return [f"{each.method} {each.path}" for each in self.canvas.state.sandbox.switchboard.requests]

    @property
    def powerschool_requests(self) -> list[str]:
        """Return PowerSchool's request log, as `GET /path`."""
        return [f"{each.method} {each.path}" for each in self.powerschool.state.switchboard.requests]

    def another(self) -> Container:
        """Return another process's passback, on the same Redis, whose waits pass at once."""
        return impatient(Container(self.service.settings))

    def change(self, seed: int, count: int) -> None:
        """Let people make random changes to the rosters."""
        make_changes(self.rosters, seed, count)

    def rename_somebody(self) -> None:
        """Let two students have another first name: few enough not to be doubtful."""
        for student in [each for each in self.rosters.students.values() if each.enroll_status == 0][:2]:
            student.first_name = "Renamed"

    def add_a_student(self) -> int:
        """Let a new student come into the newest section; return the STUDENTS.DCID."""
        dcid = max(self.rosters.students) + 1
        running = (s for s in self.rosters.sections.values() if self.rosters.term_of(s).last_day >= self.today)
        section = max(running, key=lambda section: section.dcid)
        student = Student(dcid, dcid + 1, f"{880_000 + dcid}", section.school_number, last_name=f"No. {dcid}")
        RosterActions(self.rosters).add_student(student=student, section_dcids=[section.dcid])
        return dcid

    def claim_a_login_by_hand(self) -> int:
        """Let a new student come whose login somebody in Canvas has already; return the STUDENTS.DCID."""
        dcid = max(self.rosters.students) + 1
        section = next(s for s in self.rosters.sections.values() if self.rosters.term_of(s).last_day >= self.today)
        student = Student(dcid, dcid + 1, "990099", section.school_number, last_name="No. 990099")
        RosterActions(self.rosters).add_student(student=student, section_dcids=[section.dcid])
        canvas = self.canvas.state.sandbox
        canvas.edit_user(min(user.id for user in canvas.users.values() if user.sis_user_id), {"login_id": "990099"})
        return dcid

    @property
    def today(self) -> date:
        """The district's calendar date."""
        return self.rosters.today()

    def powerschool_faults(self, **knobs: object) -> None:
        """Set PowerSchool's faults; none without arguments."""
        self.powerschool.state.switchboard.set(PowerSchoolFaults.model_validate(knobs))

    def canvas_faults(self, **knobs: object) -> None:
        """Set Canvas's faults; none without arguments."""
        self.canvas.state.sandbox.switchboard.set(CanvasFaults.model_validate(knobs))

    def canvas_roster(self) -> dict[str, list[dict[str, object]]]:
        """Return everything that Canvas holds with a SIS id."""
        return roster_json(self.canvas.state.sandbox)

    def disagreements(self) -> list[str]:
        """Return where Canvas and PowerSchool differ, entity by entity."""
        return disagreements(self.rosters, roster_json(self.canvas.state.sandbox))


def impatient(service: Container) -> Container:
    """Return the service with a clock that its waits move."""
    clock = ManualClock(SystemClock().now())
    service.clock = clock  # a clock as good as the other

    def pause(duration: timedelta) -> bool:
        clock.advance(duration)
        return False

    service.provisioning.pause = pause
    return service


@contextmanager
def roster_town(size: DistrictSize, **settings: str) -> Iterator[RosterTown]:
    """Yield a generated district that nobody provisioned yet; `settings` are variables without their prefix."""
    day, zone = sandbox_today()
    district = unprovisioned_district(size, day, zone)
    canvas, powerschool = canvas_app(district.canvas), powerschool_app(district.powerschool)
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(durable=False))
        plugin = district.powerschool.plugin
        values = {
            "REDIS_URL": redis.url,
            "ALLOW_VOLATILE_REDIS": "yes",
            "CANVAS_URL": stack.enter_context(served(canvas)),
            "CANVAS_TOKEN": district.canvas.token,
            "POWERSCHOOL_URL": stack.enter_context(served(powerschool)),
            "POWERSCHOOL_CLIENT_ID": plugin.client_id,
            "POWERSCHOOL_CLIENT_SECRET": plugin.client_secret,
            "DISTRICT_TIME_ZONE": zone.key,
            "PROVISION_SCHEDULE": "",
            "RETRY_WAITS_S": "0,0",
            **settings,
        }
        ours = {f"PASSBACK_{name}": value for name, value in values.items()}
        service = stack.enter_context(closing(impatient(Container(load(ours, Path("no.env"))))))
        yield RosterTown(canvas, powerschool, ours, service)
