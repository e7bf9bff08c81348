"""The API keeps what its OpenAPI description promises, whatever is sent: checked by schemathesis, with a fixed seed."""

from collections import Counter
from datetime import UTC, datetime

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import APIOperation

from shared.domain.passback.course_state import CourseRecord
from tests.unit.web.site_kit import FakePeople, Site
from tests.unit.workers.grade_passback.school import School
from tests.unit.workers.grade_passback.school_totals import totals_reader

EXAMPLES = 6
PASSWORD = "a long enough password"

# Every call signs in by itself; who does not is another test's matter (test_sign_in.py, test_api.py).
CONFIG = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})

checked = settings(
    max_examples=EXAMPLES,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def site() -> Site:
    site = Site(OPERATOR_PASSWORD=PASSWORD)
    school = School()
    # A verification reads what differs again, after a while.
    school.sync()
    site.service.course_reader = school.reader
    site.service.totals = totals_reader(school)
    site.service.canvas_account = FakePeople()  # type: ignore[assignment]
    site.service.records.save(CourseRecord("1", datetime(2031, 3, 4, tzinfo=UTC), (), name="Course"))
    site.service.dead_letters.add("1", None, "canvas_500", "", 6)
    return site


def test_the_api_keeps_its_promises(site: Site) -> None:
    """No answer is a failure of ours, and each has a status, a type and a shape that the description names."""
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", site.app, config=CONFIG)
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) > 20
    statuses: Counter[int] = Counter()
    for operation in operations:
        takes_input = {"parameters", "requestBody"} & set(operation.definition.raw)
        for mode in schemathesis.GenerationMode if takes_input else [schemathesis.GenerationMode.POSITIVE]:
            check(operation, mode, statuses, site)
    assert statuses[200] > EXAMPLES
    assert statuses[202] > EXAMPLES
    assert statuses[401] == 0, "the checks were made by nobody"


def check(operation: APIOperation, mode: schemathesis.GenerationMode, statuses: Counter[int], site: Site) -> None:
    """Call one operation, with what it accepts or with what it should not; count the answers."""

    @seed(20310304)
    @checked
    @given(case=operation.as_strategy(generation_mode=mode))
    def calls(case: Case) -> None:
        # The checks also send wrong passwords, which count.
        for key in site.service.redis.scan_iter(site.service.keys.guesses("*")):
            site.service.redis.delete(key)
        response = case.call_and_validate(auth=("operator", PASSWORD), headers={"X-Requested-With": "schemathesis"})
        statuses[response.status_code] += 1

    calls()
