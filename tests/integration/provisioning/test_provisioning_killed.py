"""Real processes: a provisioning worker is killed in the middle of a run, and another one finishes it."""

from pathlib import Path

import pytest

from shared.domain.provisioning.run import RunState
from shared.sandbox.district.generator import DistrictSize
from tests.fault_injection.provisioning.drill import IMPORT_S, LATENCY_MS
from tests.fault_injection.provisioning.kills import Killer
from tests.fault_injection.provisioning.town import roster_town
from workers.dev.process_group import process_group, without_settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("provisioning")]

TINY = DistrictSize(schools=1, students=12, sections=2)


def test_a_killed_worker_leaves_no_double_import(tmp_path: Path) -> None:
    """Killed while Canvas imports, it leaves an import that the next worker waits for and does not make again."""
    with roster_town(TINY) as town:
        assert town.ask().state is RunState.DONE
        town.rename_somebody()
        town.canvas_faults(sis_import_s=IMPORT_S, latency_ms=LATENCY_MS)
        with process_group(tmp_path, {**without_settings(), **town.settings}) as processes:
            killer = Killer(town, processes)
            killer.start()
            found = killer.at("while Canvas imports")
    assert found.is_clean, found
    assert len(found.run.uploads) == 1
