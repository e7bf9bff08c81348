"""`passback sync --all` and `passback verify` as an administrator types them, with real processes and sandboxes."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.domain.actions import Verb
from shared.sandbox.district.small import student_dcid_of, user_id_of
from shared.sandbox.ids import Ids
from tests.integration.town import Town, town

pytestmark = [pytest.mark.slow, pytest.mark.redis, pytest.mark.timeout(400)]

COURSE, OTHER = str(Ids.HEALTHY_COURSE), str(Ids.COURSE)
FIRST = Ids.HEALTHY_COURSE * 10 + 1


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with town(tmp_path_factory.mktemp("verify")) as one:
        yield one


def test_a_district_is_synced_and_verified(running: Town, tmp_path: Path) -> None:
    """In bulk; a hand edit is found, becomes due, and is equal again; the export is checked with openssl alone."""
    for position, number in enumerate(Ids.STUDENTS_HEALTHY):
        running.stage.grade("verify", Ids.HEALTHY_COURSE, FIRST, user_id_of(number), 5 + position / 2)
    for course in (COURSE, OTHER):
        assert running.passback("sync", course, "--wait").returncode == 0
    running.settle()
    done = running.passback("sync", "--all", "--yes", "--json", "--actor", "rivera")
    assert done.returncode == 0, done.stderr + done.stdout
    assert json.loads(done.stdout)["synced"] == running.service.records.count() >= 2
    running.settle()
    verified = running.passback("verify", COURSE, "--actor", "rivera")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert f"{len(Ids.STUDENTS_HEALTHY)} scores, all equal" in verified.stdout

    (name,) = (n for id_, n in running.stage.assignment_names().items() if id_ == str(FIRST))
    student = student_dcid_of(Ids.STUDENTS_HEALTHY[0])
    running.stage.rescore_by_hand(Ids.HEALTHY_DCID, name, student, 1)
    out = tmp_path / "out"
    found = running.passback("verify", COURSE, "--export", str(out), "--scores")
    assert found.returncode == 1
    assert "1 differs" in found.stdout
    assert "PowerSchool has another value; a sync makes it equal" in found.stdout
    if shutil.which("openssl") and shutil.which("sha256sum"):
        for line in (
            "openssl dgst -sha256 -verify public-key.pem -signature SHA256SUMS.sig SHA256SUMS",
            "sha256sum --check SHA256SUMS",
        ):
            assert subprocess.run(line.split(), cwd=out, check=False, capture_output=True).returncode == 0
    running.settle()
    again = running.passback("verify", COURSE, "--json")
    assert again.returncode == 0, again.stdout
    (proof,) = json.loads(again.stdout)["proofs"]
    assert proof["is_equal"]
    history = json.loads(running.passback("history", COURSE, "--trigger", "verification", "--json").stdout)
    assert len(history["entries"]) == 1
    verbs = [action.verb for action in running.service.actions.newest(20)]
    assert verbs.count(Verb.VERIFY) == 3
