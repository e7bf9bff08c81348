"""Names and addresses of rosters go to Canvas and into the rows stored for a rollback, and nowhere else."""

import json
from collections.abc import Iterator

import pytest
from prometheus_client import generate_latest
from structlog.testing import capture_logs

from shared.adapters.redis.operations.erasure import content_of
from shared.domain.provisioning.run import RunState
from shared.sandbox.district.generator import DistrictSize
from tests.fault_injection.provisioning.town import RosterTown, roster_town
from tests.security.canaries import MAIL, STUDENT, found
from workers.status import read_status, status_json
from workers.web.metrics.collector import MetricsCollector

pytestmark = pytest.mark.xdist_group("provisioning-canaries")

SURNAME = "Quackenbush"
PEOPLE = (STUDENT, SURNAME, MAIL, "canary.example")
# The rows sent to Canvas, and its messages about them, for signed-in people: see the privacy guide.
MAY_HOLD_NAMES = ("provisioning:rows:", "provisioning:troubles:")


@pytest.fixture
def town() -> Iterator[RosterTown]:
    with roster_town(DistrictSize(schools=2, students=40, sections=8)) as one:
        yield one


def name_everybody(town: RosterTown) -> None:
    for student in town.rosters.students.values():
        student.first_name, student.last_name, student.email = STUDENT, SURNAME, MAIL


def keys_with_names(town: RosterTown) -> set[str]:
    redis, prefix = town.service.redis, f"{town.service.settings.redis_prefix}:"
    keys = [key.decode().removeprefix(prefix) for key in redis.scan_iter(f"{prefix}*")]
    return {
        key
        for key in keys
        if any(found(value.decode(errors="replace"), PEOPLE) for value in content_of(redis, f"{prefix}{key}"))
    }


def test_rosters_leave_no_name_behind(town: RosterTown) -> None:
    """Refused, held or failed: no other key, log line, metric, status or dead letter names anybody."""
    name_everybody(town)
    with capture_logs() as lines:
        assert town.ask().state is RunState.DONE
        town.claim_a_login_by_hand()
        refused = town.ask()
        town.powerschool_faults(hidden_school_numbers=[100])
        town.ask()
        held = town.service.provision_runs.held_runs()
        town.powerschool_faults(rows_lost=5)
        failed = town.ask()
    assert ([run.state for run in held], failed.state) == ([RunState.HELD], RunState.FAILED)
    assert sum(upload.failures + upload.warnings for upload in refused.uploads) >= 1
    with_names = keys_with_names(town)
    assert any(key.startswith("provisioning:rows:") for key in with_names), "the canaries are there to be found"
    assert {key for key in with_names if not key.startswith(MAY_HOLD_NAMES)} == set()
    told = [
        json.dumps(lines, default=str),
        json.dumps(status_json(read_status(town.service)), default=str),
        generate_latest(MetricsCollector(town.service)).decode(),
        *(
            json.dumps(town.service.dead_letter_queue.export_json(each))
            for each in town.service.dead_letter_queue.all()
        ),
    ]
    assert [found(each, PEOPLE) for each in told] == [[]] * len(told)
