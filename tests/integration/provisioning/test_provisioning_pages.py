"""The pages of provisioning over whole runs on the sandboxes: what is held is shown row by row, and decided about."""

from collections.abc import Iterator

import pytest

from shared.domain.provisioning.run import RunState
from shared.sandbox.district.generator import DistrictSize
from tests.fault_injection.provisioning.town import RosterTown, roster_town
from tests.unit.web.site_kit import PASSWORD, Browser
from workers.provisioning.changed_rows import changed_rows
from workers.web.app import create_site
from workers.web.auth.sign_in import RequestAuthenticator

pytestmark = pytest.mark.xdist_group("provisioning")


@pytest.fixture(scope="module")
def town() -> Iterator[RosterTown]:
    with roster_town(DistrictSize(schools=2, students=60, sections=12), OPERATOR_PASSWORD=PASSWORD) as one:
        yield one


def test_a_held_plan_is_looked_at_and_approved(town: RosterTown) -> None:
    """The rows that a run would end are shown with their source; approving lets it go on, under the operator's name."""
    browser = Browser(create_site(town.service, RequestAuthenticator(town.service)))
    assert browser.sign_in("operator", PASSWORD).status_code == 303
    assert "has not run here" in browser.text("/provisioning")
    assert town.ask().state is RunState.DONE
    assert "done" in browser.text("/provisioning")
    town.powerschool_faults(hidden_school_numbers=[100])
    asked, held = town.ask(), next(iter(town.service.provision_runs.held_runs()), None)
    assert held is not None
    assert (asked.held_schools, held.state, held.school_number) == ((100,), RunState.HELD, 100)
    assert "schools 100: their plans wait for approval" in browser.text(f"/provisioning/{asked.id}")
    assert "school 100 alone" in browser.text("/provisioning")
    assert "A provisioning plan is held for approval" in browser.text("/")
    said = browser.text(f"/provisioning/{held.id}")
    assert held.reasons[0].sentence in said
    assert "removed" in said
    source = next(
        row.before.source for part in changed_rows(town.service.provision_runs, held) for row in part.rows if row.before
    )
    assert source in said
    asked = browser.text(f"/provisioning/{held.id}/approve")
    assert f"{sum(change.removed for change in held.changes)} removed" in asked
    assert browser.post(f"/provisioning/{held.id}/approve", {"plan_digest": "another"}).status_code == 409
    assert next(iter(town.service.provision_runs.held_runs()), None) == held
    seen = {"plan_digest": held.plan_digest}
    assert browser.post(f"/provisioning/{held.id}/approve", seen).status_code == 303
    assert town.finished(held.id).approved_by == "operator"
    for verb in ("approve", "discard"):
        # What is decided already is not decided again.
        assert browser.post(f"/provisioning/{held.id}/{verb}", seen).status_code == 409
    assert browser.get(f"/provisioning/{held.id}/approve").status_code == 409
    run = town.service.provision_runs.find(held.id)
    assert (run and run.approved_by, run and run.state) == ("operator", RunState.DONE)
    assert town.service.provision_runs.held_runs() == []
